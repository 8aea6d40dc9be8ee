"""The store on disk: the loop gathers and cuts batches, a writer thread commits them, a reader thread answers.

Two more threads work beside the traffic: one copies write-ahead logs back, one builds index files.
"""

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from gateway.message import FINAL, MessageId, Milliseconds, Record, Status, first_id_at
from gateway.store.api import (
    BatchTally,
    Commit,
    Event,
    EventId,
    InboundMessage,
    InboundPage,
    InboundQuery,
    Page,
    Query,
    Recovered,
    StoreDamagedError,
    StoreError,
    UnmatchedReceipt,
    Wanted,
)
from gateway.store.batching import Batching, failed_commit
from gateway.store.building import Builder
from gateway.store.checkpoints import Checkpointer, Gates
from gateway.store.cutting import Cut, Cutter, Taken
from gateway.store.events import EventLog
from gateway.store.files import Catalog, DataFile, Layout, files_between
from gateway.store.indexes import LAST_ID, Indexes, Region
from gateway.store.indexing import Indexing
from gateway.store.matching import has_attempt
from gateway.store.reader import Reader
from gateway.store.rows import Lanes
from gateway.store.schema import STEPS, Step
from gateway.store.search import Search, find_inbound, scan_attempts, scan_numbers
from gateway.store.settings import StoreSettings
from gateway.store.startup import Found, lock_directory, open_control, survey
from gateway.store.tallies import Tallies, batch_tally
from gateway.store.writer import Batch, Report, Writer

P = ParamSpec("P")
T = TypeVar("T")

_READ_AT_ONCE: Final = 200  # records, in one go of the reader
_CHUNK: Final = 500  # records a chunk of an iterator
_STRETCH: Final = 20_000  # messages looked at in one go where all must be: other questions get their turn between
_DISK_CHECK_SECONDS: Final = 0.1


class SqliteStore:
    """Keeps records in SQLite files. See `gateway.store.api.Store` for what its methods promise."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        steps: Sequence[Step] = STEPS,
        on_batch: Callable[[float], None] = lambda _: None,
        on_damage: Callable[[StoreError], None] = lambda _: None,
    ) -> None:
        """`on_batch` is told how many seconds each batch took, from its cut until it was on disk, or had failed.

        `on_damage` is told of a file that cannot be read, once.
        """
        self._settings = settings
        self._on_batch = on_batch
        self._on_damage = on_damage
        self._damaged: dict[Path, StoreError] = {}
        self._steps = steps
        self._layout = Layout(Path(settings.path))
        self._catalog = Catalog()
        self._indexes = Indexes()
        self._lanes = Lanes()
        self._events = EventLog()
        self._on_events: Callable[[Mapping[str, int]], None] = lambda _: None
        self._tallies = Tallies()
        self._cutter = Cutter(self._layout, settings, self._catalog, self._lanes, self._events, self._tallies)
        self._failure: StoreError | None = None
        self._disk = _DiskReserve(self._layout.directory, settings.disk_reserve_bytes)
        self._gates = Gates()
        self._last_handed_over = MessageId(0)
        self._is_open = False

    async def open(self) -> Recovered:
        self._loop = asyncio.get_running_loop()
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reader_thread = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._reader = Reader(
            self._lanes, self._gates.reads, open_files=self._settings.open_files, on_damage=self._note_damage
        )
        try:
            found = await self._loop.run_in_executor(self._writer_thread, self._open_files)
        except BaseException:
            self._writer_thread.shutdown()
            self._reader_thread.shutdown()
            raise
        for number, name in found.lanes:
            self._lanes.add(number, name)
        for file, is_open in found.files:
            self._catalog.add(file, is_open=is_open)
        self._indexes.add(found.indexed)
        builder = Builder(self._layout.index, self._gates.builds)
        self._indexing = Indexing(
            builder,
            self._settings,
            self._catalog,
            self._indexes,
            last_id=found.last_id,
            await_batch=self._await_batch,
        )
        self._events.start(found.event_files)
        self._tallies.start(found.open_messages)
        self._cutter.start(live_messages=found.live_messages, last_id=found.last_id)
        self._batching = Batching(
            self._settings,
            self._catalog,
            cut=self._cut,
            write=self._write,
            written=self._written,
            on_batch=self._on_batch,
        )
        self._last_handed_over = found.last_id
        self._is_open = True
        waiting = {self._lanes.name(number): count for number, count in found.waiting.items()}
        return Recovered(found.last_id, found.last_time, waiting, found.receipts)

    async def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        await self._indexing.stop()
        await self._batching.finish()
        await self._loop.run_in_executor(self._reader_thread, self._reader.close)
        await self._loop.run_in_executor(self._writer_thread, self._close_files)
        self._reader_thread.shutdown()
        self._writer_thread.shutdown()

    @property
    def failure(self) -> StoreError | None:
        return self._batching.failure

    @property
    def is_full(self) -> bool:
        return self._disk.is_low()

    @property
    def open_messages(self) -> Mapping[str, int]:
        return self._tallies.open

    @property
    def open_total(self) -> int:
        return self._tallies.open_total

    @property
    def damaged_files(self) -> int:
        return len(self._damaged)

    @property
    def background_failure(self) -> StoreError | None:
        """Why logs are not copied back, or index files not built. Nothing is lost by it. None when all is well."""
        return self._checkpointer.failure or self._indexing.failure

    # Writing.

    def append(self, records: Sequence[Record]) -> Commit:
        assert self._is_open, "the store is closed"
        if records:
            self._check_order(records[0].message.id, records[-1].message.id)
        if self._disk.is_low():
            return failed_commit(f"{self._layout.directory}: less than the disk reserve is free")
        return self._batching.append(records)

    def update(self, record: Record) -> Commit:
        assert self._is_open, "the store is closed"
        return self._batching.update(record)

    def keep_receipt(self, receipt: UnmatchedReceipt) -> Commit:
        assert self._is_open, "the store is closed"
        return self._batching.keep_receipt(receipt)

    def drop_receipts(self, receipts: Sequence[UnmatchedReceipt]) -> Commit:
        assert self._is_open, "the store is closed"
        return self._batching.drop_receipts(receipts)

    def append_inbound(self, message: InboundMessage) -> Commit:
        assert self._is_open, "the store is closed"
        self._check_order(message.id, message.id)
        return self._batching.append_inbound(message)

    def put_entries(self, table: str, entries: Mapping[str, bytes | None]) -> Commit:
        assert self._is_open, "the store is closed"
        return self._batching.put_entries(table, entries)

    def count_refused(self, account: str, batch: str, count: int) -> None:
        assert self._is_open, "the store is closed"
        self._batching.count_refused(account, batch, count)

    def _check_order(self, first: MessageId, last: MessageId) -> None:
        """Files and cursors rely on it."""
        assert self._last_handed_over < first <= last, f"id {first} follows {self._last_handed_over}"
        self._last_handed_over = last

    # Reading.

    async def read(self, message_id: MessageId) -> Record | None:
        if message_id > LAST_ID:
            return None
        return await self._ask(self._reader.read, self._catalog.files, message_id)

    async def read_all(self, message_ids: Sequence[MessageId]) -> dict[MessageId, Record]:
        wanted = sorted({message_id for message_id in message_ids if message_id <= LAST_ID})
        found: dict[MessageId, Record] = {}
        for start in range(0, len(wanted), _READ_AT_ONCE):
            some = wanted[start : start + _READ_AT_ONCE]
            records = await self._ask(self._reader.read_all, self._catalog.files, some)
            found |= {record.id: record for record in records}
        return found

    async def find(self, query: Query) -> Page:
        files = self._catalog.from_id(first_id_at(query.since))
        if query.status is not None and query.status not in FINAL:
            files = self._catalog.open_files()
        search = Search(self._reader, files, query, budget=self._settings.search_messages)
        return await self._ask(search.run, self._indexes.regions)

    async def queued(self, lane: str, *, after: MessageId, limit: int) -> list[Record]:
        number = self._lanes.numbers.get(lane)
        if number is None:
            return []
        return await self._ask(self._reader.queued, self._catalog.open_files(), number, after=after, limit=limit)

    async def unsettled(self) -> AsyncIterator[list[Record]]:
        after = MessageId(-1)
        files = self._catalog.open_files()
        while chunk := await self._ask(self._reader.unsettled, files, after=after, limit=_CHUNK):
            yield chunk
            after = chunk[-1].id

    async def due(self, *, now: Milliseconds, limit: int) -> list[Record]:
        return await self._ask(self._reader.due, self._catalog.open_files(), now=now, limit=limit)

    async def next_due(self) -> Milliseconds | None:
        return await self._ask(self._reader.next_due, self._catalog.open_files())

    async def held(self, *, after: MessageId, limit: int) -> list[Record]:
        return await self._ask(self._reader.held, self._catalog.open_files(), after=after, limit=limit)

    async def count_waiting(self) -> dict[Status, int]:
        return await self._ask(self._reader.count_waiting, self._catalog.open_files())

    async def overdue(self, *, accepted_before: Milliseconds, after: MessageId, limit: int) -> list[Record]:
        before = first_id_at(accepted_before)
        return await self._ask(
            self._reader.overdue, self._catalog.open_files(), after=after, before=before, limit=limit
        )

    async def expired(self, *, now: Milliseconds, limit: int) -> list[Record]:
        return await self._ask(self._reader.expired, self._catalog.open_files(), now=now, limit=limit)

    async def unsent(self, account: str, batch: str, *, after: MessageId, limit: int) -> Page:
        first_ids = await self._ask(self._reader.batch_files, self._layout.control, account, batch)
        for file in self._catalog.open_files():
            if file.first_id not in first_ids:
                continue
            records, through = await self._ask(
                self._reader.unsent, file, account, batch, after=after, limit=limit, stretch=_STRETCH
            )
            if records or through is not None:
                is_whole_stretch = len(records) < limit and through is not None
                return Page(tuple(records), through if is_whole_stretch else records[-1].id)
        return Page((), None)

    async def batch(self, account: str, batch: str) -> BatchTally | None:
        first_ids = await self._ask(self._reader.batch_files, self._layout.control, account, batch)
        rows: list[tuple[str, int, int]] = []
        for file in self._existing(first_ids):
            rows += await self._ask(self._reader.tally, file, account, batch)
        return batch_tally(rows)

    async def find_attempts(self, carrier: str, carrier_message_ids: Sequence[str]) -> list[Record]:
        files, regions, wanted = self._catalog.files, self._indexes.regions, frozenset(carrier_message_ids)
        if not wanted:
            return []
        look_up, stragglers = self._reader.look_up_attempts, self._reader.stragglers
        named = set(await self._ask(stragglers, self._layout.control, carrier, carrier_message_ids))
        found: dict[MessageId, Record] = {}
        for region in regions:
            if region.index is not None:
                named.update(await self._ask(look_up, region.index, carrier, carrier_message_ids))
                continue
            for file in files_between(files, region.above, region.through):
                above: MessageId | None = region.above
                while above is not None:
                    try:
                        records, above = await self._ask(
                            scan_attempts,
                            self._reader,
                            file,
                            carrier,
                            carrier_message_ids,
                            above=above,
                            budget=_STRETCH,
                        )
                    except StoreDamagedError:
                        if not self._can_do_without(file):
                            raise
                        break
                    found |= {record.id: record for record in records}
        for message_id, record in (await self._readable([*named - found.keys()])).items():
            if has_attempt(record, carrier, wanted):
                found[message_id] = record
        return sorted(found.values(), key=lambda record: record.id, reverse=True)

    async def sent_to(self, phones: Sequence[str], *, since: Milliseconds, limit: int) -> list[Record]:
        files, floor = self._catalog.files, MessageId(first_id_at(since) - 1)
        found: dict[str, list[MessageId]] = {phone: [] for phone in phones}
        for region in self._indexes.regions:
            wanted = [phone for phone, message_ids in found.items() if len(message_ids) < limit]
            if region.through <= floor or not wanted:
                break
            above = max(region.above, floor)
            if region.index is None:
                await self._scan_for(wanted, found, files_between(files, above, region.through), region, above)
                continue
            for phone in wanted:
                room = limit - len(found[phone])
                found[phone] += await self._ask(
                    self._reader.look_up, region.index, "to", phone, above=above, below=LAST_ID, limit=room
                )
        newest = sorted((each for ids in found.values() for each in ids[:limit]), reverse=True)
        records = await self.read_all(newest)
        return [records[each] for each in newest if each in records and records[each].message.accepted_at >= since]

    async def _scan_for(
        self,
        phones: Sequence[str],
        found: Mapping[str, list[MessageId]],
        files: Sequence[DataFile],
        region: Region,
        above: MessageId,
    ) -> None:
        """Find the messages to these numbers in a region without an index, newest first, a stretch after the other."""
        for file in reversed(files):
            below: MessageId | None = MessageId(min(region.through, LAST_ID - 1) + 1)
            while below is not None:
                rows, below = await self._ask(
                    scan_numbers, self._reader, file, phones, above=above, below=below, budget=_STRETCH
                )
                for message_id, phone in rows:
                    found[phone].append(message_id)

    async def client_refs(self, *, since: Milliseconds) -> AsyncIterator[list[tuple[str, str, MessageId]]]:
        first_id = first_id_at(since)
        for file in self._catalog.from_id(first_id):
            after: MessageId | None = MessageId(first_id - 1)
            while after is not None:
                try:
                    refs, after = await self._ask(
                        self._reader.client_refs, file, since=since, after=after, limit=_STRETCH
                    )
                except StoreDamagedError:
                    if not self._can_do_without(file):
                        raise
                    break
                if refs:
                    yield refs

    async def appended(self, *, after: MessageId, limit: int) -> list[Record]:
        return await self._ask(self._reader.appended, self._catalog.from_id(after), after=after, limit=limit)

    async def waiting(self, *, after: MessageId, limit: int) -> list[MessageId]:
        return await self._ask(self._reader.waiting, self._catalog.open_files(), after=after, limit=limit)

    async def inbound(self, *, after: MessageId, limit: int) -> list[InboundMessage]:
        return await self._ask(self._reader.inbound, self._catalog.from_id(after), after=after, limit=limit)

    async def find_inbound(self, query: InboundQuery) -> InboundPage:
        files = self._catalog.from_id(first_id_at(query.since))
        return await self._ask(find_inbound, self._reader, files, query, budget=self._settings.search_messages)

    async def entries(self, table: str, *, after: str = "", prefix: str = "", limit: int) -> list[tuple[str, bytes]]:
        control = self._layout.control
        return await self._ask(self._reader.entries, control, table, after=after, prefix=prefix, limit=limit)

    # Events.

    def watch_events(self, wanted: Wanted, on_events: Callable[[Mapping[str, int]], None]) -> None:
        self._events.want(wanted)
        self._on_events = on_events

    async def forget_events(self, *, before: Milliseconds) -> None:
        gone = self._events.forget(before)
        if gone:
            await self._loop.run_in_executor(self._writer_thread, self._control.forget_event_files, gone)

    async def events(self, account: str, *, after: EventId, through: EventId | None = None, limit: int) -> list[Event]:
        settled = self._events.through
        last = settled if through is None else EventId(min(settled, through))
        blocks = [(end, self._existing(first_ids)) for end, first_ids in self._events.holding(after, last)]
        return await self._ask(self._reader.events, blocks, account, after=after, through=last, limit=limit)

    async def count_events(self, account: str, *, after: EventId) -> int:
        blocks = self._events.holding(after, self._events.through)
        files = self._existing({first_id for _, first_ids in blocks for first_id in first_ids})
        return await self._ask(self._reader.count_events, files, account, after=after)

    @property
    def last_event(self) -> EventId:
        return self._events.through

    def _existing(self, first_ids: Iterable[MessageId]) -> list[DataFile]:
        """The data files that begin with these ids, as far as they are there still."""
        found = [(first_id, self._catalog.holding(first_id)) for first_id in sorted(first_ids)]
        return [file for first_id, file in found if file is not None and file.first_id == first_id]

    # What the parts ask of each other.

    def _cut(self, taken: Taken) -> Cut:
        return self._cutter.cut(taken, indexed_through=self._indexing.announced_through)

    def _write(self, batch: Batch) -> asyncio.Future[Report]:
        return self._loop.run_in_executor(self._writer_thread, self._writer.write, batch)

    def _written(self, cut: Cut, report: Report) -> None:
        count = self._cutter.learn(cut, report)
        self._indexing.appended(count, last_id=self._cutter.last_id)
        if cut.news and report.control is None:
            written = [news.counts() for first_id, news in cut.news.items() if first_id not in report.files]
            self._on_events(written[0] if len(written) == 1 else sum(written, Counter()))

    async def _readable(self, message_ids: Sequence[MessageId]) -> dict[MessageId, Record]:
        """Like `read_all`, without those in a damaged file whose messages have all ended. Raises StoreDamagedError."""
        try:
            return await self.read_all(message_ids)
        except StoreDamagedError:
            found: dict[MessageId, Record] = {}
            for message_id in message_ids:
                try:
                    found |= await self.read_all([message_id])
                except StoreDamagedError:
                    if not self._can_do_without(self._catalog.holding(message_id)):
                        raise
            return found

    def _can_do_without(self, file: DataFile | None) -> bool:
        """Whether a file that cannot be read holds up nothing: all that is in it has ended."""
        return file is not None and not self._catalog.is_open(file)

    def _note_damage(self, path: Path, error: StoreError) -> None:
        """Tell the loop, once; called in the reader's thread."""
        if path not in self._damaged:
            self._damaged[path] = error
            self._loop.call_soon_threadsafe(self._on_damage, error)

    async def _await_batch(self) -> None:
        await self._batching.await_batch()

    async def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have the reader's thread answer."""
        return await self._loop.run_in_executor(self._reader_thread, partial(question, *args, **kwargs))

    # In the writer's thread.

    def _open_files(self) -> Found:
        """Everything that a start does with files."""
        self._lock = lock_directory(self._layout)
        self._checkpointer = Checkpointer(
            self._gates, wal_bytes=self._settings.wal_bytes, every_seconds=self._settings.checkpoint_seconds
        )
        try:
            self._control = open_control(self._layout, self._steps, self._checkpointer)
            steps = [step.data for step in self._steps]
            self._writer = Writer(self._control, self._checkpointer, steps=steps, open_files=self._settings.open_files)
            return survey(self._layout, self._control, self._writer)
        except BaseException:
            self._checkpointer.stop()
            os.close(self._lock)
            raise

    def _close_files(self) -> None:
        self._writer.close()
        self._control.close()
        self._checkpointer.stop()
        os.close(self._lock)


class _DiskReserve:
    """Whether the disk has less free than it should; looked at now and then."""

    def __init__(self, directory: Path, reserve_bytes: int) -> None:
        self._directory = directory
        self._reserve_bytes = reserve_bytes
        self._looked_at = float("-inf")
        self._is_low = False

    def is_low(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at >= _DISK_CHECK_SECONDS:
            self._looked_at = now
            try:
                self._is_low = shutil.disk_usage(self._directory).free < self._reserve_bytes
            except OSError:  # who cannot be asked has nothing free
                self._is_low = True
        return self._is_low
