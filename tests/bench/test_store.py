"""What the store costs a message that is accepted, submitted and delivered, 500 a batch: `make bench`.

The benchmark is a batch of 500 from hand-over to disk, three commits; `extra_info` has the CPU a message takes in the
loop's thread and in all threads together, in microseconds.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.message import Attempt, Entry, IdSource, Message, MessageId, Part, PartStatus, Record, Status, new_record
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

BATCH = 500
ROUNDS = 60
NOW = 1_800_000_000_000
TEXT = (
    "【阳光物业】尊敬的业主，因供水管网检修，3号楼将于11月26日9时至16时停水，请提前储水并关好水龙头，不便之处敬请谅解。"
)

pytestmark = pytest.mark.bench


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def a_record(message_id: MessageId) -> Record:
    message = Message(
        id=message_id,
        account="demo",
        to=f"+86138{message_id >> 12 & 0xFFFFFF:08d}",
        text=TEXT,
        signature="阳光物业",
        client_ref=f"bill-{message_id}",
        batch="water-07",
        network="cmcc",
        accepted_at=NOW,
        expires_at=NOW + 86_400_000,
        carriers=("cmcc-a", "backup"),
    )
    return new_record(message, Status.QUEUED, lane="cmcc-a/normal")


def submit(record: Record) -> None:
    record.set_part(0, Part(PartStatus.SUBMITTED, (Attempt("cmcc-a", "cmcc-a-1", NOW, f"{record.id:x}", 0),)))
    record.state.status = Status.SUBMITTED
    record.state.timeline += [Entry(NOW, Status.SENDING), Entry(NOW, Status.SUBMITTED)]


def deliver(record: Record) -> None:
    record.set_part(0, Part(PartStatus.DELIVERED, record.state.parts[0].attempts))
    record.state.status = Status.DELIVERED
    record.state.timeline.append(Entry(NOW, Status.DELIVERED))


def test_append_and_two_changes_of_500_messages(benchmark: BenchmarkFixture, runner: asyncio.Runner, tmp_path: Path):
    store = SqliteStore(StoreSettings(path=str(tmp_path / "store"), disk_reserve_bytes=0))
    runner.run(store.open())
    ids = IdSource(node=0, last=MessageId(0))
    loop_seconds = all_seconds = 0.0

    def make() -> tuple[tuple[list[Record]], dict[str, object]]:
        return ([a_record(ids.next(NOW)) for _ in range(BATCH)],), {}

    async def live(records: list[Record]) -> float:
        """Take the records through their life; returns the seconds that were not the store's."""
        await store.append(records)
        seconds = 0.0
        for change in (submit, deliver):
            began = time.thread_time()
            for record in records:
                change(record)
            seconds += time.thread_time() - began
            [commit] = {store.update(record) for record in records}
            await commit
        return seconds

    def run(records: list[Record]) -> None:
        nonlocal loop_seconds, all_seconds
        loop_before, all_before = time.thread_time(), time.process_time()
        not_counted = runner.run(live(records))
        loop_seconds += time.thread_time() - loop_before - not_counted
        all_seconds += time.process_time() - all_before - not_counted

    benchmark.pedantic(run, setup=make, rounds=ROUNDS)
    runner.run(store.close())
    benchmark.extra_info["loop_us_a_message"] = round(loop_seconds / (ROUNDS * BATCH) * 1e6, 2)
    benchmark.extra_info["all_threads_us_a_message"] = round(all_seconds / (ROUNDS * BATCH) * 1e6, 2)


def test_commit_of_one_message_alone(benchmark: BenchmarkFixture, runner: asyncio.Runner, tmp_path: Path):
    store = SqliteStore(StoreSettings(path=str(tmp_path / "store"), disk_reserve_bytes=0))
    runner.run(store.open())
    ids = IdSource(node=0, last=MessageId(0))

    async def append() -> None:
        await store.append([a_record(ids.next(NOW))])

    benchmark.pedantic(lambda: runner.run(append()), rounds=200, warmup_rounds=5)
    runner.run(store.close())
