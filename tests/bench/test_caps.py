"""What the caps cost a message, however many numbers are known, and what a million of them take: `make bench`."""

import resource
import sys
import time
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.account import Account
from gateway.cap_snapshots import CapSnapshots
from gateway.message import Category, MessageId
from gateway.numbers import Number
from gateway.policy.candidate import Candidate, Draft
from gateway.policy.cap_settings import DEFAULT_CAPS
from gateway.policy.caps import SECRET_BYTES, CapsStage, Tags
from gateway.policy.charges import Charge, Charges, subject_of
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

pytestmark = pytest.mark.bench

NOW = 1_800_000_000_000
MILLION = 1_000_000
MAX_BYTES = 130_000_000  # for a million numbers under the default rules
MAX_START_SECONDS = 10.0
TAGS = Tags(bytes(SECRET_BYTES))
DEMO = Account(name="demo")


def number(n: int) -> int:
    """A number somewhere among all of China's, the same for an n."""
    return 8613000000000 + n * 7_919_999 % 10**9


def stage_with(numbers: int) -> CapsStage:
    """A stage that has charged so many numbers, a minute ago."""
    stage = CapsStage(DEFAULT_CAPS, Charges(salt=TAGS.salt), TAGS, clock=lambda: NOW)
    charge_all(stage, numbers)
    return stage


def charge_all(stage: CapsStage, numbers: int) -> None:
    """Charge so many numbers, a minute ago."""
    for n in range(numbers):
        subject = subject_of(number(n), 2)
        stage.restore(Charge(subject, MessageId(n + 1), NOW - 61_000, NOW // 1_000 - 61, 1, 2, n.to_bytes(8, "little")))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


@pytest.mark.benchmark(group="caps: decide and commit")
@pytest.mark.parametrize("numbers", [10_000, MILLION])
def test_decide_and_commit_for_known_numbers(benchmark: BenchmarkFixture, numbers: int):
    stage = stage_with(numbers)
    numbers_to_come, ids = count(), count(numbers + 1)

    def candidate() -> tuple[tuple[Candidate], dict[str, object]]:
        n = next(numbers_to_come)
        text = f"【阳光物业】您的快递{n}已到物业前台，请及时领取。"
        draft = Draft(to="", text=text, category=Category.NOTIFICATION)
        to = Number(f"+{number(n * 37 % numbers)}", mainland=True)
        return (Candidate(draft, DEMO, text, "阳光物业", to, id=MessageId(next(ids))),), {}

    def decide_and_commit(candidate: Candidate) -> None:
        assert stage.decide(candidate, now=NOW / 1_000) is None
        stage.commit(candidate, now=NOW / 1_000)

    benchmark.pedantic(decide_and_commit, setup=candidate, rounds=5_000)


def test_a_million_numbers_fit_into_their_share_of_memory():
    before = resident_bytes()
    stage = stage_with(MILLION)
    assert len(stage.charges) == MILLION
    taken = resident_bytes() - before
    assert taken <= MAX_BYTES


async def start_over(path: Path) -> tuple[float, CapsStage]:
    """A start of the caps from disk: how long it takes, in seconds, and what it has then."""
    store = SqliteStore(StoreSettings(path=str(path)))
    recovered = await store.open()
    began = time.perf_counter()
    snapshots = CapSnapshots(store, last_id=recovered.last_id)
    tags = Tags(await snapshots.secret())
    stage = CapsStage(DEFAULT_CAPS, Charges(salt=tags.salt), tags, clock=lambda: NOW)
    await snapshots.load(stage)
    seconds = time.perf_counter() - began
    await store.close()
    return seconds, stage


async def test_a_start_with_a_million_numbers_takes_seconds(tmp_path: Path):
    store = SqliteStore(StoreSettings(path=str(tmp_path)))
    await store.open()
    snapshots = CapSnapshots(store, last_id=MessageId(0))
    tags = Tags(await snapshots.secret())
    stage = CapsStage(DEFAULT_CAPS, Charges(salt=tags.salt), tags, clock=lambda: NOW)
    await snapshots.load(stage)
    charge_all(stage, MILLION)
    await snapshots.finish(last_id=MessageId(MILLION))
    await store.close()

    seconds, stage = await start_over(tmp_path)

    assert len(stage.charges) == MILLION
    assert seconds < MAX_START_SECONDS
    sys.stdout.write(f"\nthe charges of {MILLION:,} numbers are counted again in {seconds:.1f} s\n")
