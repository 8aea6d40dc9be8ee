"""What the load itself costs a message: it shares the cores with what it measures. `make bench`."""

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from loadtest.accounting import Accounting, Answer
from loadtest.openloop import OpenLoop
from loadtest.phones import make_phones
from loadtest.receiver import EventSeen
from loadtest.smppsupply import SmppSupply
from loadtest.supply import DEFAULT_MIX, Supply

pytestmark = pytest.mark.bench

BATCH = 100
GROUP = f"the load, {BATCH} messages"
TAG = "load-12345678-"


def make_supply() -> Supply:
    return Supply(DEFAULT_MIX, make_phones({"cmcc": 1}, seed=1), seed=1, tag=TAG)


@pytest.mark.benchmark(group=GROUP)
def test_making_a_request(benchmark: BenchmarkFixture):
    supply = make_supply()
    assert benchmark(supply.make_request, BATCH).size == BATCH


@pytest.mark.benchmark(group=GROUP)
def test_making_messages_for_smpp(benchmark: BenchmarkFixture):
    supply = SmppSupply(DEFAULT_MIX, make_phones({"cmcc": 1}, seed=1), seed=1, source="10690001")
    assert len(benchmark(lambda: [supply.make_message() for _ in range(BATCH)])) == BATCH


@pytest.mark.benchmark(group=GROUP)
def test_accounting_for_a_request_its_answer_and_its_events(benchmark: BenchmarkFixture):
    async def post(_: bytes) -> tuple[int, bytes]:
        raise AssertionError("nothing is sent here")

    request = make_supply().make_request(BATCH)
    event = {"event_id": "1", "type": "message.delivered", "id": "2", "to": "+8613800138000", "at": "", "batch": "b"}
    decode = msgspec.json.Decoder(list[EventSeen]).decode

    def prepare() -> tuple[tuple[OpenLoop, Accounting, bytes], dict[str, object]]:
        accounting = Accounting(TAG)
        events = [{**event, "client_ref": f"{TAG}{n}"} for n in range(BATCH)]
        return (OpenLoop(make_supply(), accounting, [post], batch=BATCH), accounting, msgspec.json.encode(events)), {}

    def account(load: OpenLoop, accounting: Accounting, body: bytes) -> int:
        accounting.take_answer(accounting.take_request(request, 0.0), Answer.ACCEPTED)
        load.take_events(decode(body))
        load.stages.final.settle()
        return accounting.ended

    assert benchmark.pedantic(account, setup=prepare, rounds=50) == BATCH
