"""From hand-over to disk: what the loop gathers until the writer is free, and what becomes of each batch.

Whenever the writer is free, everything handed over since the last cut is encoded, as it is at that moment, and becomes
one batch: alone a message is committed at once, under load many share a sync.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from gateway.message import MessageId, Record
from gateway.store.api import Commit, InboundMessage, StoreError, StoreUnavailableError, UnmatchedReceipt
from gateway.store.cutting import Cut, Taken
from gateway.store.files import Catalog
from gateway.store.pending import ChunkQueue, Gathered, LateChanges, PendingEntries
from gateway.store.settings import StoreSettings
from gateway.store.tallies import Refused
from gateway.store.writer import Batch, Report

_TOO_MANY_CHANGES: Final = "too many changes wait for the disk"


class Batching:
    """Gathers, cuts, has batches written, and tells everybody how it went. Belongs to the loop.

    `write` hands a batch to the writer. `cut` encodes what was taken. `written` is told of every batch, `on_batch` how
    many seconds each took.
    """

    def __init__(
        self,
        settings: StoreSettings,
        catalog: Catalog,
        *,
        cut: Callable[[Taken], Cut],
        write: Callable[[Batch], asyncio.Future[Report]],
        written: Callable[[Cut, Report], None],
        on_batch: Callable[[float], None],
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._encode = cut
        self._write = write
        self._on_written = written
        self._on_batch = on_batch
        self._loop = asyncio.get_running_loop()
        self.failure: StoreError | None = None
        # Handed over and not yet cut.
        chunk = settings.batch_messages
        self._appended = ChunkQueue(chunk_limit=chunk, limit=settings.pending_messages)
        self._changed = ChunkQueue(chunk_limit=chunk, limit=settings.pending_changes)
        self._late = LateChanges(chunk_limit=chunk, limit=settings.pending_changes)
        self._kept: Gathered[UnmatchedReceipt] = Gathered()
        self._dropped: Gathered[UnmatchedReceipt] = Gathered()
        self._entries = PendingEntries()
        self._refused: dict[tuple[str, str], int] = {}  # by account and batch
        self._late_timer: asyncio.TimerHandle | None = None
        self._late_is_due = False
        # The batch under way, or the call that will cut the next.
        self._under_way: asyncio.Future[Report] | None = None
        self._next_cut: asyncio.Handle | None = None
        self._cut_at = 0.0
        self._is_closing = False

    # Handing over.

    def append(self, records: Sequence[Record]) -> Commit:
        if self._appended.is_full:
            return failed_commit("too many messages wait for the disk")
        commit = self._appended.add({record.message.id: record for record in records})
        self._wake()
        return commit

    def update(self, record: Record) -> Commit:
        commit = self._appended.replace(record) if self._appended else None  # written as it is at the cut
        if commit is not None:
            return commit
        message_id = record.message.id
        if message_id < self._catalog.live_first_id and message_id not in self._changed:
            return self._update_late(record)
        if self._changed.is_full and message_id not in self._changed:
            return failed_commit(_TOO_MANY_CHANGES)
        commit = self._changed.put(record)
        self._wake()
        return commit

    def _update_late(self, record: Record) -> Commit:
        """Gather a change to an older file."""
        if self._late.is_full and record.message.id not in self._late:
            return failed_commit(_TOO_MANY_CHANGES)
        file = self._catalog.holding(record.message.id)
        assert file is not None, f"message {record.message.id} was never appended"
        commit = self._late.put(record, file.first_id)
        self._wake_later(self._settings.late_change_seconds)
        return commit

    def keep_receipt(self, receipt: UnmatchedReceipt) -> Commit:
        commit = self._kept.add([receipt])
        self._wake()
        return commit

    def drop_receipts(self, receipts: Sequence[UnmatchedReceipt]) -> Commit:
        commit = self._dropped.add(receipts)
        self._wake_later(self._settings.late_change_seconds)
        return commit

    def append_inbound(self, message: InboundMessage) -> Commit:
        commit = self._appended.add_inbound(message)
        self._wake()
        return commit

    def put_entries(self, table: str, entries: Mapping[str, bytes | None]) -> Commit:
        if len(self._entries) >= self._settings.pending_changes:
            return failed_commit(_TOO_MANY_CHANGES)
        commit = self._entries.add(table, entries)
        self._wake()
        return commit

    def count_refused(self, account: str, batch: str, count: int) -> None:
        if (account, batch) in self._refused or len(self._refused) < self._settings.pending_changes:
            self._refused[account, batch] = self._refused.get((account, batch), 0) + count
        self._wake_later(self._settings.late_change_seconds)

    async def finish(self) -> None:
        """Write what was handed over; what fails now is not tried again."""
        self._is_closing = True
        for call in (self._late_timer, self._next_cut):
            if call is not None:
                call.cancel()
        self._late_is_due = True
        while self._under_way is not None or self._has_work():
            if self._under_way is None:
                self._cut()
            await self.await_batch()

    async def await_batch(self) -> None:
        """Return when the batch under way is written, and all who wait for it were told: `_written` is called first."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    # Cutting.

    def _wake(self) -> None:
        """Cut the next batch as soon as the writer is free. What due callbacks hand over before is still in it."""
        if self._under_way is None and self._next_cut is None:
            self._next_cut = self._loop.call_soon(self._cut)

    def _wake_later(self, seconds: float) -> None:
        """The same for what can wait to be gathered, or to be tried again."""
        timer = self._late_timer
        if timer is not None and timer.when() > self._loop.time() + seconds:
            timer.cancel()
            timer = None
        if timer is None:
            self._late_timer = self._loop.call_later(seconds, self._end_gathering)

    def _end_gathering(self) -> None:
        self._late_timer = None
        self._late_is_due = True
        self._wake()

    def _has_work(self) -> bool:
        has_late_work = self._late_is_due and bool(self._late or self._dropped or self._countable())
        return bool(self._appended or self._changed or self._kept or self._entries or has_late_work)

    def _take(self) -> Taken:
        appended, changed = self._appended.take(), self._changed.take()
        dropped: Gathered[UnmatchedReceipt] = Gathered()
        refused = self._countable()
        if refused:
            self._refused = {}
        if self._late_is_due:
            changed += self._late.take()
            # Receipts go when all that they changed is in this batch, or on disk.
            if not self._changed and not self._late:
                dropped = self._dropped.take()
            self._late_is_due = bool(self._late or self._dropped)
        return Taken(appended, changed, self._kept.take(), dropped, self._entries.take(), refused)

    def _countable(self) -> Refused:
        """What was refused, once there is a file to count it in."""
        return self._refused if self._catalog.live is not None else {}

    def _cut(self) -> None:
        """Hand everything that may be written now to the writer."""
        self._next_cut = None
        self._cut_at = self._loop.time()
        taken = self._take()
        if not taken:
            return
        try:
            cut = self._encode(taken)
        except Exception as error:  # noqa: BLE001 whatever was handed over, it must not stop all others for ever
            for commit in taken.commits():
                commit.set_exception(StoreUnavailableError(f"cannot be written: {error!r}"))
            self._loop.call_exception_handler({"message": "a batch was dropped", "exception": error})
            return
        self._under_way = self._write(cut.batch)
        self._under_way.add_done_callback(partial(self._written, cut))

    # After the writing.

    def _written(self, cut: Cut, under_way: asyncio.Future[Report]) -> None:
        """Tell everybody what became of a batch, and begin the next."""
        self._under_way = None
        self._on_batch(self._loop.time() - self._cut_at)
        bug = under_way.exception()
        report = under_way.result() if bug is None else Report(control=StoreUnavailableError(f"a bug: {bug!r}"))
        self._on_written(cut, report)
        failure = self._failure_of(cut, report)
        self.failure = failure
        for commit in cut.taken.commits():
            error = cut.error_of(commit, report)
            if error is None:
                commit.set_result(None)
            else:
                commit.set_exception(StoreUnavailableError(str(error)))
        if bug is not None:  # its changes would only fail again
            self._loop.call_exception_handler({"message": "a batch was dropped", "exception": bug})
        elif not self._is_closing:
            self._put_back(cut, report)
        if self._has_work() and not self._is_closing:
            pause_seconds = 0.0 if failure is None else self._settings.retry_seconds
            self._next_cut = self._loop.call_later(pause_seconds, self._cut)

    def _failure_of(self, cut: Cut, report: Report) -> StoreError | None:
        """Why nothing can be written. An old file that is damaged is no reason to stop, nor to slow down."""
        live = self._catalog.live
        if report.control is not None or live is None:
            return report.control
        if live.first_id in report.files:
            return report.files[live.first_id]
        only_old_files_failed = bool(report.files) and len(report.files) == len(cut.batch.files)
        return self.failure if only_old_files_failed else None

    def _put_back(self, cut: Cut, report: Report) -> None:
        """Keep the changes of a batch that failed, to write them with a later one; what it appended never was."""
        live = self._catalog.live
        if cut.taken.refused and (report.control is not None or live is None or live.first_id in report.files):
            for (account, batch), count in cut.taken.refused.items():
                self.count_refused(account, batch, count)
        for chunk in cut.taken.appended:
            if cut.error_of(chunk.commit, report) is not None:
                self._changed.discard(chunk.records)
        for chunk in cut.taken.changed:
            if cut.error_of(chunk.commit, report) is None:
                continue
            by_file: dict[MessageId, dict[MessageId, Record]] = {}
            for message_id, record in chunk.records.items():
                file = self._catalog.holding(message_id)
                if file is not None and message_id not in self._changed:
                    by_file.setdefault(file.first_id, {})[message_id] = record
            self._changed.put_back(by_file.pop(self._catalog.live_first_id, {}))
            for first_id, records in by_file.items():
                self._late.put_back(records, first_id)
                self._wake_later(max(self._settings.late_change_seconds, self._settings.retry_seconds))


def failed_commit(why: str) -> Commit:
    """A commit that failed before it began."""
    commit = Commit()
    commit.set_exception(StoreUnavailableError(why))
    return commit
