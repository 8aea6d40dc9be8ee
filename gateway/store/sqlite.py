"""The store on disk: the loop gathers and cuts batches, a writer thread commits them, a reader thread answers.

Whenever the writer is free, everything handed over since the last cut is encoded, as it is at that moment, and becomes
one batch: alone a message is committed at once, under load many share a sync.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from gateway.message import MessageId, Milliseconds, Record, Status, first_id_at
from gateway.store.api import (
    Commit,
    InboundMessage,
    Page,
    Query,
    Recovered,
    StoreError,
    StoreUnavailableError,
    UnmatchedReceipt,
)
from gateway.store.checkpoints import Checkpointer
from gateway.store.cutting import Cut, Cutter, Taken
from gateway.store.files import Catalog, files_between
from gateway.store.indexes import LAST_ID, Indexes
from gateway.store.indexing import Indexing
from gateway.store.matching import UNSETTLED, has_attempt
from gateway.store.pending import ChunkQueue, Gathered
from gateway.store.reader import Reader
from gateway.store.rows import Lanes
from gateway.store.schema import STEPS, Step
from gateway.store.search import Search, scan_attempts
from gateway.store.settings import StoreSettings
from gateway.store.startup import Found, Layout, lock_directory, open_control, survey
from gateway.store.writer import Report, Writer

P = ParamSpec("P")
T = TypeVar("T")

_CHUNK: Final = 500  # records a chunk of an iterator
_STRETCH: Final = 20_000  # messages looked at in one go where all must be: other questions get their turn between
_DISK_CHECK_SECONDS: Final = 0.1


class SqliteStore:
    """Keeps records in SQLite files. See `gateway.store.api.Store` for what its methods promise."""

    def __init__(self, settings: StoreSettings, *, steps: Sequence[Step] = STEPS) -> None:
        self._settings = settings
        self._steps = steps
        self._layout = Layout(Path(settings.path))
        self._catalog = Catalog()
        self._indexes = Indexes()
        self._lanes = Lanes()
        self._cutter = Cutter(self._layout, settings, self._catalog, self._lanes)
        self._failure: StoreError | None = None
        self._disk = _DiskReserve(self._layout.directory, settings.disk_reserve_bytes)
        # Handed over and not yet cut.
        chunk = settings.batch_messages
        self._appended = ChunkQueue(chunk_limit=chunk, limit=settings.pending_messages)
        self._changed = ChunkQueue(chunk_limit=chunk, limit=settings.pending_changes)
        self._late = ChunkQueue(chunk_limit=chunk, limit=settings.pending_changes)
        self._inbound: Gathered[InboundMessage] = Gathered()
        self._kept: Gathered[UnmatchedReceipt] = Gathered()
        self._dropped: Gathered[UnmatchedReceipt] = Gathered()
        self._late_timer: asyncio.TimerHandle | None = None
        self._late_is_due = False
        # The batch under way, or the call that will cut the next.
        self._under_way: asyncio.Future[Report] | None = None
        self._next_cut: asyncio.Handle | None = None
        self._is_open = False

    async def open(self) -> Recovered:
        self._loop = asyncio.get_running_loop()
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reader_thread = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._reader = Reader(self._lanes, open_files=self._settings.open_files)
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
        self._indexing = Indexing(
            self._layout.index, self._settings, self._catalog, self._indexes, await_batch=self._await_batch
        )
        self._cutter.start(live_messages=found.live_messages, last_id=found.last_id)
        self._is_open = True
        waiting = {self._lanes.name(number): count for number, count in found.waiting.items()}
        return Recovered(found.last_id, found.last_time, waiting, found.receipts)

    async def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if self._late_timer is not None:
            self._late_timer.cancel()
        if self._next_cut is not None:
            self._next_cut.cancel()
        self._late_is_due = True
        await self._indexing.stop()
        while self._under_way is not None or self._has_work():
            if self._under_way is None:
                self._cut()
            await self._await_batch()
        await self._loop.run_in_executor(self._reader_thread, self._reader.close)
        await self._loop.run_in_executor(self._writer_thread, self._close_files)
        self._reader_thread.shutdown()
        self._writer_thread.shutdown()

    @property
    def failure(self) -> StoreError | None:
        return self._failure

    @property
    def index_failure(self) -> StoreError | None:
        """Why the last index file could not be built; searches are slower, and no less exact. None when all is well."""
        return self._indexing.failure

    # Writing.

    def append(self, records: Sequence[Record]) -> Commit:
        if self._disk.is_low():
            return _failed(f"{self._layout.directory}: less than the disk reserve is free")
        if self._appended.is_full:
            return _failed("too many messages wait for the disk")
        commit = self._appended.add({record.message.id: record for record in records})
        self._wake()
        return commit

    def update(self, record: Record) -> Commit:
        commit = self._appended.replace(record) if self._appended else None  # written as it is at the cut
        if commit is not None:
            return commit
        queue = self._changed
        is_late = record.message.id < self._catalog.live_first_id and record.message.id not in queue
        if is_late:
            queue = self._late
        if queue.is_full and record.message.id not in queue:
            return _failed("too many changes wait for the disk")
        commit = queue.put(record)
        if is_late:
            self._wake_later()
        else:
            self._wake()
        return commit

    def keep_receipt(self, receipt: UnmatchedReceipt) -> Commit:
        commit = self._kept.add([receipt])
        self._wake()
        return commit

    def drop_receipts(self, receipts: Sequence[UnmatchedReceipt]) -> Commit:
        commit = self._dropped.add(receipts)
        self._wake_later()
        return commit

    def append_inbound(self, message: InboundMessage) -> Commit:
        commit = self._inbound.add([message])
        self._wake()
        return commit

    # Reading.

    async def read(self, message_id: MessageId) -> Record | None:
        if message_id > LAST_ID:
            return None
        return await self._ask(self._reader.read, self._catalog.files, message_id)

    async def find(self, query: Query) -> Page:
        files = self._catalog.from_id(first_id_at(query.since))
        if query.status in UNSETTLED or query.status is Status.QUEUED:
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

    async def overdue(self, *, accepted_before: Milliseconds, limit: int) -> list[Record]:
        before = first_id_at(accepted_before)
        return await self._ask(self._reader.overdue, self._catalog.open_files(), before=before, limit=limit)

    async def expired(self, *, now: Milliseconds, limit: int) -> list[Record]:
        return await self._ask(self._reader.expired, self._catalog.open_files(), now=now, limit=limit)

    async def find_attempts(self, carrier: str, carrier_message_ids: Sequence[str]) -> list[Record]:
        files, regions, wanted = self._catalog.files, self._indexes.regions, frozenset(carrier_message_ids)
        if not wanted:
            return []
        look_up, control = self._reader.look_up_attempts, self._layout.control
        named = set(await self._ask(look_up, control, "straggler", carrier, carrier_message_ids))
        found: dict[MessageId, Record] = {}
        for region in regions:
            if region.index is not None:
                named.update(await self._ask(look_up, region.index, "attempt", carrier, carrier_message_ids))
                continue
            for file in files_between(files, region.above, region.through):
                above: MessageId | None = region.above
                while above is not None:
                    records, above = await self._ask(
                        scan_attempts, self._reader, file, carrier, carrier_message_ids, above=above, budget=_STRETCH
                    )
                    found |= {record.id: record for record in records}
        for message_id in named - found.keys():
            record = await self._ask(self._reader.read, files, message_id)
            if record is not None and has_attempt(record, carrier, wanted):
                found[message_id] = record
        return sorted(found.values(), key=lambda record: record.id, reverse=True)

    async def client_refs(self, *, since: Milliseconds) -> AsyncIterator[list[tuple[str, str, MessageId]]]:
        first_id = first_id_at(since)
        for file in self._catalog.from_id(first_id):
            after: MessageId | None = MessageId(first_id - 1)
            while after is not None:
                refs, after = await self._ask(self._reader.client_refs, file, since=since, after=after, limit=_STRETCH)
                if refs:
                    yield refs

    async def inbound(self, *, after: MessageId, limit: int) -> list[InboundMessage]:
        return await self._ask(self._reader.inbound, self._catalog.from_id(after), after=after, limit=limit)

    # Cutting and writing batches.

    def _wake(self) -> None:
        """Cut the next batch as soon as the writer is free. Callbacks that are due before are still in it."""
        assert self._is_open, "the store is closed"
        if self._under_way is None and self._next_cut is None:
            self._next_cut = self._loop.call_soon(self._cut)

    def _wake_later(self) -> None:
        """The same for what can wait to be gathered."""
        assert self._is_open, "the store is closed"
        if self._late_timer is None:
            self._late_timer = self._loop.call_later(self._settings.late_change_seconds, self._end_gathering)

    def _end_gathering(self) -> None:
        self._late_timer = None
        self._late_is_due = True
        self._wake()

    def _has_work(self) -> bool:
        is_late_work = self._late_is_due and bool(self._late or self._dropped)
        return bool(self._appended or self._changed or self._inbound or self._kept or is_late_work)

    def _take(self) -> Taken:
        appended, changed = self._appended.take(), self._changed.take()
        dropped: Gathered[UnmatchedReceipt] = Gathered()
        if self._late_is_due:
            changed += self._late.take()
            if (
                not self._changed and not self._late
            ):  # receipts go when all that they changed is in this batch, or before
                dropped = self._dropped.take()
            self._late_is_due = bool(self._late or self._dropped)
        return Taken(appended, changed, self._inbound.take(), self._kept.take(), dropped)

    def _cut(self) -> None:
        """Hand everything that may be written now to the writer."""
        self._next_cut = None
        taken = self._take()
        if not taken:
            return
        try:
            cut = self._cutter.cut(taken, indexed_through=self._indexing.announced_through)
        except UnicodeEncodeError as error:  # who hands over what is no text must not stop the others for ever
            for commit in taken.commits():
                commit.set_exception(StoreUnavailableError(f"cannot be written: {error}"))
            self._loop.call_exception_handler({"message": "a batch that is no text was dropped", "exception": error})
            return
        self._under_way = self._loop.run_in_executor(self._writer_thread, self._writer.write, cut.batch)
        self._under_way.add_done_callback(partial(self._written, cut))

    def _written(self, cut: Cut, under_way: asyncio.Future[Report]) -> None:
        """Tell everybody what became of a batch, and begin the next."""
        self._under_way = None
        bug = under_way.exception()
        report = under_way.result() if bug is None else Report(control=StoreUnavailableError(f"a bug: {bug!r}"))
        self._cutter.learn(cut, report)
        self._indexing.appended(sum(writes.appended_count for writes in cut.batch.files))
        self._note_failure(cut, report)
        for commit in cut.taken.commits():
            error = cut.error_of(commit, report)
            if error is None:
                commit.set_result(None)
            else:
                commit.set_exception(StoreUnavailableError(str(error)))
        if bug is None:
            self._put_back(cut, report)
        else:  # its changes would only fail again
            self._loop.call_exception_handler({"message": "a batch was dropped", "exception": bug})
        if self._has_work() and self._is_open:
            if report.control is not None or report.files:
                self._next_cut = self._loop.call_later(self._settings.retry_seconds, self._cut)
            else:
                self._next_cut = self._loop.call_soon(self._cut)

    def _put_back(self, cut: Cut, report: Report) -> None:
        """Keep the changes of a batch that failed, to write them with a later one; what it appended never was."""
        for chunk in cut.taken.appended:
            if cut.error_of(chunk.commit, report) is not None:
                self._changed.discard(chunk.records)
        for chunk in cut.taken.changed:
            if cut.error_of(chunk.commit, report) is not None and self._is_open:
                self._changed.put_back({key: value for key, value in chunk.records.items() if key not in self._late})

    def _note_failure(self, cut: Cut, report: Report) -> None:
        """An old file that cannot be written is no reason to accept nothing; `control.db` and the live file are."""
        live = self._catalog.live
        if report.control is not None:
            self._failure = report.control
        elif live is not None and live.first_id in report.files:
            self._failure = report.files[live.first_id]
        elif len(report.files) < len(cut.batch.files) or not cut.batch.files:
            self._failure = None

    async def _await_batch(self) -> None:
        """Return when the batch under way is written, and all who wait for it were told: `_written` is called first."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    async def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have the reader's thread answer."""
        return await self._loop.run_in_executor(self._reader_thread, partial(question, *args, **kwargs))

    # In the writer's thread.

    def _open_files(self) -> Found:
        """Everything that a start does with files."""
        self._lock = lock_directory(self._layout)
        self._checkpointer = Checkpointer(
            wal_bytes=self._settings.wal_bytes, every_seconds=self._settings.checkpoint_seconds
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
            self._is_low = shutil.disk_usage(self._directory).free < self._reserve_bytes
        return self._is_low


def _failed(why: str) -> Commit:
    """A commit that failed before it began."""
    commit = Commit()
    commit.set_exception(StoreUnavailableError(why))
    return commit
