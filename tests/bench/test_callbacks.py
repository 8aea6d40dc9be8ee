"""What callbacks cost a message that is delivered: `make bench`.

What the outbox adds to the loop for an account that has callbacks, and for one that has none, measured by itself.
The rows of the outbox, in the store: a batch of 500 that ends, with its events and without, in turns on one store. And
the sending: 500 events read from the outbox, encoded, signed and posted to a receiver of another process's making.
`extra_info` has the CPU an event takes in the loop's thread, in microseconds.
"""

import asyncio
import base64
import gc
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.app import GARBAGE_THRESHOLDS, SWITCH_INTERVAL_SECONDS
from gateway.callbacks.post import Outcome, Post
from gateway.callbacks.settings import CallbackSettings
from gateway.message import IdSource, MessageId, Record, Status
from gateway.store.api import EventId
from gateway.store.events import EventLog
from gateway.store.rows import encode_list
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore
from gateway.store.tallies import Tallies
from tests.bench.test_store import BATCH, NOW, a_record, deliver, submit

ROUNDS = 40
SETTINGS = CallbackSettings(url="http://127.0.0.1/", secret="whsec_" + base64.b64encode(bytes(32)).decode())

pytestmark = pytest.mark.bench


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The loop of the gateway, whose collector of garbage looks as seldom as there."""
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


async def end(store: SqliteStore, records: list[Record]) -> None:
    """Bring records to their end, in one commit."""
    for record in records:
        deliver(record)
    [commit] = {store.update(record) for record in records}
    await commit


async def begun(store: SqliteStore, ids: IdSource) -> list[Record]:
    records = [a_record(ids.next(NOW)) for _ in range(BATCH)]
    await store.append(records)
    for record in records:
        submit(record)
    [commit] = {store.update(record) for record in records}
    await commit
    return records


@pytest.mark.parametrize("told", [True, False], ids=["told", "nobody_told"])
def test_what_the_outbox_adds_in_the_loop_to_500_that_end(benchmark: BenchmarkFixture, told: bool):
    log = EventLog()
    log.want({"demo": SETTINGS.stored_types} if told else {})
    ids = IdSource(node=0, last=MessageId(0))

    def ended() -> tuple[tuple[list[Record]], dict[str, object]]:
        records = [a_record(ids.next(NOW)) for _ in range(BATCH)]
        for record in records:
            submit(record)
            deliver(record)
        return (records,), {}

    def add(records: list[Record]) -> None:
        news = log.news_of([[], records], [])
        if news is not None:
            encode_list(news.rows)
            news.confirm()
            news.counts()

    benchmark.pedantic(add, setup=ended, rounds=10 * ROUNDS)
    benchmark.extra_info["us_a_message"] = round(benchmark.stats.stats.min / BATCH * 1e6, 3)


def test_what_counting_adds_in_the_loop_to_500_that_end(benchmark: BenchmarkFixture):
    tallies = Tallies()
    ids = IdSource(node=0, last=MessageId(0))

    def ended() -> tuple[tuple[list[Record]], dict[str, object]]:
        records = [a_record(ids.next(NOW)) for _ in range(BATCH)]
        for record in records:
            record.counted = Status.QUEUED
            submit(record)
            deliver(record)
        return (records,), {}

    def add(records: list[Record]) -> None:
        changes = tallies.changes_of([[], records], {})
        assert changes is not None
        encode_list(changes.rows)
        tallies.confirm(changes)

    benchmark.pedantic(add, setup=ended, rounds=10 * ROUNDS)
    benchmark.extra_info["us_a_message"] = round(benchmark.stats.stats.min / BATCH * 1e6, 3)


def test_the_events_of_500_messages_in_their_commit(
    benchmark: BenchmarkFixture, runner: asyncio.Runner, tmp_path: Path
):
    store = SqliteStore(StoreSettings(path=str(tmp_path / "store"), disk_reserve_bytes=0))
    runner.run(store.open())
    ids = IdSource(node=0, last=MessageId(0))
    loop, everywhere = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}

    def one(told: bool) -> None:
        store.watch_events({"demo": SETTINGS.stored_types} if told else {}, lambda _: None)
        records = runner.run(begun(store, ids))
        before = time.thread_time(), time.process_time()
        runner.run(end(store, records))
        loop[told] += time.thread_time() - before[0]
        everywhere[told] += time.process_time() - before[1]

    turns = cycle([True, False, False, True])

    def both() -> None:
        one(next(turns))
        one(next(turns))

    benchmark.pedantic(both, rounds=ROUNDS)
    runner.run(store.close())
    count = ROUNDS * BATCH
    benchmark.extra_info["loop_us_an_event"] = round((loop[True] - loop[False]) / count * 1e6, 2)
    benchmark.extra_info["all_threads_us_an_event"] = round((everywhere[True] - everywhere[False]) / count * 1e6, 2)


def test_500_events_read_encoded_signed_and_posted(benchmark: BenchmarkFixture, runner: asyncio.Runner, tmp_path: Path):
    store = SqliteStore(StoreSettings(path=str(tmp_path / "store"), disk_reserve_bytes=0))
    runner.run(store.open())
    store.watch_events({"demo": SETTINGS.stored_types}, lambda _: None)
    ids = IdSource(node=0, last=MessageId(0))
    runner.run(end(store, runner.run(begun(store, ids))))
    receiver = Receiver()
    settings = CallbackSettings(url=receiver.url, secret=SETTINGS.secret)
    post = Post()
    seconds = 0.0

    async def tell() -> None:
        events = await store.events("demo", after=EventId(0), limit=BATCH)
        assert len(events) == BATCH
        assert (await post.send(settings, events)).outcome is Outcome.DELIVERED

    def run() -> None:
        nonlocal seconds
        before = time.thread_time()
        runner.run(tell())
        seconds += time.thread_time() - before

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=0)
    runner.run(post.close())
    runner.run(store.close())
    receiver.stop()
    benchmark.extra_info["loop_us_an_event"] = round(seconds / (ROUNDS * BATCH) * 1e6, 2)


class Receiver:
    """Answers 204 to whatever comes, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
                await reader.readexactly(length)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.close()
