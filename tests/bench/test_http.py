"""What HTTP costs a message between the socket and intake: body to drafts, decisions to an answer. `make bench`."""

import time
from collections.abc import Coroutine, Sequence
from statistics import median
from typing import Any

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.account import Account
from gateway.http.calls import Answer, Call
from gateway.http.formats import Format
from gateway.http.settings import HttpSettings
from gateway.http.submit import Submit
from gateway.intake import Accepted
from gateway.message import Message, MessageId, Status, new_record
from gateway.policy.candidate import Draft
from gateway.store.memory import MemoryStore

pytestmark = pytest.mark.bench

NOW = 1_772_323_200_000
TEXT = "【阳光物业】尊敬的业主，因供水管网检修，3号楼将于11月26日9时至16时停水，请提前储水并关好水龙头。"
ENCODERS = {Format.JSON: msgspec.json.encode, Format.MSGPACK: msgspec.msgpack.encode}


class InstantIntake:
    """Accepts everything at once, always with the same record: what intake itself costs is measured elsewhere."""

    def __init__(self) -> None:
        message = Message(
            id=MessageId(21_390_950_400_000_001),
            account="alpha",
            to="+8613800138000",
            text=TEXT,
            network="cmcc",
            accepted_at=NOW,
            expires_at=NOW + 86_400_000,
        )
        self._accepted = Accepted(new_record(message, Status.QUEUED, lane="cmcc-a/normal"))

    async def submit(self, account: Account, drafts: Sequence[Draft]) -> list[Accepted]:
        return [self._accepted] * len(drafts)


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Run what waits for nothing, or only for its turn."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer


def message(n: int) -> dict[str, str]:
    return {"to": f"138{n:08}", "text": TEXT, "client_ref": f"bill-{n}"}


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_take_in_and_answer(benchmark: BenchmarkFixture, form: Format, count: int) -> None:
    submit = Submit(HttpSettings(), InstantIntake(), MemoryStore(), lambda: NOW)  # type: ignore[arg-type]
    content = message(0) if count == 1 else [message(n) for n in range(count)]
    call = Call(account=Account(name="a"), body=ENCODERS[form](content), body_format=form, answer_format=form)
    benchmark.group = f"http: {count} messages a request"
    benchmark.extra_info["octets"] = len(call.body)

    answer = benchmark(lambda: run(submit.submit(call)))

    assert answer.status == 202


def test_ten_thousand_messages_never_hold_the_loop_for_long(benchmark: BenchmarkFixture) -> None:
    """The longest step between two returns to the loop: others wait no longer than that."""
    submit = Submit(HttpSettings(), InstantIntake(), MemoryStore(), lambda: NOW)  # type: ignore[arg-type]
    call = Call(account=Account(name="a"), body=msgspec.json.encode([message(n) for n in range(10_000)]))
    benchmark.group = "http: 10000 messages a request"

    longest_steps = []

    def take_in() -> None:
        coroutine = submit.submit(call)
        steps = []
        started = time.perf_counter()
        try:
            while True:
                coroutine.send(None)
                steps.append(time.perf_counter() - started)
                started = time.perf_counter()
        except StopIteration:
            steps.append(time.perf_counter() - started)
        longest_steps.append(max(steps))

    benchmark(take_in)

    longest = median(longest_steps)
    benchmark.extra_info["longest_step_seconds"] = longest
    assert longest < 0.010
