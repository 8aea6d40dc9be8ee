"""The writer: what one thread does with the batches that the loop cuts. A file is one transaction."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from gateway.message import MessageId, Milliseconds, Status
from gateway.store.api import StoreError
from gateway.store.checkpoints import Checkpointer
from gateway.store.control import Control
from gateway.store.database import Connection, naming, open_for_writing, run_in_transaction, sync
from gateway.store.events import EventFile
from gateway.store.files import DataFile
from gateway.store.rows import EntryRows, Rows
from gateway.store.schema import STATUS_CODES
from gateway.store.tallies import BatchFile

INSERT_MESSAGES: Final = """
    INSERT INTO message (id, lane, expires_at, body)
    SELECT value ->> 0, value ->> 1, value ->> 2, CAST(substr(?2, value ->> 3, value ->> 4) AS TEXT)
    FROM json_each(CAST(?1 AS TEXT))
"""
UPDATE_MESSAGES: Final = """
    UPDATE message SET lane = changed.lane, state = changed.state
    FROM (
        SELECT value ->> 0 AS id, value ->> 1 AS lane, CAST(substr(?2, value ->> 2, value ->> 3) AS TEXT) AS state
        FROM json_each(CAST(?1 AS TEXT))
    ) AS changed
    WHERE message.id = changed.id
"""
_SET_DUE: Final = f"""
    UPDATE message SET due = changed.due
    FROM (SELECT value ->> 0 AS id, value ->> 1 AS due FROM json_each(CAST(? AS TEXT))) AS changed
    WHERE message.id = changed.id AND lane = {STATUS_CODES[Status.SCHEDULED]}
"""  # noqa: S608 the number is ours
# Attempts that this change is the first to tell of, of messages whose index is built already or being built.
_NEW_ATTEMPTS: Final = """
    WITH changed AS (
        SELECT value ->> 0 AS id, CAST(substr(?2, value ->> 2, value ->> 3) AS TEXT) AS state
        FROM json_each(CAST(?1 AS TEXT)) WHERE value ->> 0 <= ?3
    )
    SELECT attempt.value ->> 3, attempt.value ->> 0, changed.id
    FROM changed, json_each(changed.state, '$[1]') AS part, json_each(part.value, '$[1]') AS attempt
    WHERE attempt.value ->> 3 <> ''
    EXCEPT
    SELECT attempt.value ->> 3, attempt.value ->> 0, message.id
    FROM changed JOIN message ON message.id = changed.id,
        json_each(message.state, '$[1]') AS part, json_each(part.value, '$[1]') AS attempt
"""
_INSERT_INBOUND: Final = "INSERT INTO inbound SELECT value ->> 0, value FROM json_each(CAST(? AS TEXT))"
_INSERT_EVENTS: Final = """
    INSERT INTO event
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each(CAST(? AS TEXT))
"""
_COUNT: Final = """
    INSERT INTO batch_tally
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(CAST(? AS TEXT)) WHERE TRUE
    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, segments = segments + excluded.segments
"""
_UPDATE_TALLY: Final = "UPDATE tally SET messages = messages + ?, latest = max(latest, ?)"
_HAS_OPEN: Final = "SELECT EXISTS (SELECT 1 FROM message WHERE lane > 0)"


class FileWrites(msgspec.Struct, frozen=True):
    """What goes into one data file."""

    file: DataFile
    appended: Rows | None
    changed: Rows | None
    inbound: bytes  # JSON array; empty when there is none
    scheduled: bytes  # JSON: [id, due] of those that are scheduled after this; empty when there is none
    events: bytes  # JSON: rows of `event`; empty when there is none
    tallies: bytes  # JSON: what `batch_tally` changes by; empty when it does not
    latest: Milliseconds  # the latest time that any of it tells of

    @property
    def appended_count(self) -> int:
        return 0 if self.appended is None else self.appended.count

    @property
    def count(self) -> int:
        """How many rows of messages are written."""
        return self.appended_count + (0 if self.changed is None else self.changed.count)


class Batch(msgspec.Struct, frozen=True):
    """One cut: everything that the writer does before it reports."""

    files: tuple[FileWrites, ...]
    new_file: DataFile | None = None  # to be created; one of `files` writes to it
    new_lanes: tuple[tuple[int, str], ...] = ()
    kept_receipts: bytes = b""
    dropped_receipts: bytes = b""
    entries: EntryRows | None = None
    perhaps_closed: tuple[DataFile, ...] = ()  # files that may have no open message left after this
    event_files: tuple[EventFile, ...] = ()  # to be known before any of `files` is written,
    batch_files: tuple[BatchFile, ...] = ()  # as well as these
    indexed_through: MessageId = MessageId(0)  # up to here, new attempts must be noted: no index will have them


class Report(msgspec.Struct):
    """What became of a batch. What is not named in it is on disk."""

    control: StoreError | None = None  # lanes, receipts and the new file; then nothing else was tried either
    drops: StoreError | None = None
    entries: StoreError | None = None
    files: dict[MessageId, StoreError] = msgspec.field(default_factory=dict)  # by the first id of the file
    created: DataFile | None = None
    closed: tuple[MessageId, ...] = ()


class Writer:
    """Writes batches. One thread uses it."""

    def __init__(
        self, control: Control, checkpointer: Checkpointer, *, steps: Sequence[Sequence[str]], open_files: int
    ) -> None:
        self._control = control
        self._checkpointer = checkpointer
        self._steps = steps
        self._open_files = open_files
        self._connections: OrderedDict[Path, Connection] = OrderedDict()  # used longest ago first

    def write(self, batch: Batch) -> Report:
        """Write what can be written. Raises only what is a bug."""
        report = Report()
        try:
            self._write_control(batch, report)
        except StoreError as error:
            report.control = error
            return report
        for writes in batch.files:
            try:
                self._note_stragglers(writes, batch.indexed_through)
                self._write_file(writes)
            except StoreError as error:
                report.files[writes.file.first_id] = error
        try:
            if batch.dropped_receipts and not report.files:
                self._control.drop_receipts(batch.dropped_receipts)
        except StoreError as error:
            report.drops = error
        try:
            if batch.entries is not None:
                self._control.put_entries(batch.entries)
        except StoreError as error:
            report.entries = error
        report.closed = tuple(self._closed(batch.perhaps_closed))
        return report

    def connection(self, file: DataFile) -> Connection:
        """A connection to a data file; the ones used longest ago are closed in the background. Raises StoreError."""
        connection = self._connections.get(file.path)
        if connection is None:
            connection = self._connections[file.path] = open_for_writing(file.path, self._steps)
            while len(self._connections) > self._open_files:
                path, oldest = self._connections.popitem(last=False)
                self._checkpointer.retire(path, oldest)
        else:
            self._connections.move_to_end(file.path)
        return connection

    def close(self) -> None:
        """Hand every file over to be closed."""
        for path, connection in self._connections.items():
            self._checkpointer.retire(path, connection)
        self._connections.clear()

    def _write_control(self, batch: Batch, report: Report) -> None:
        if batch.new_lanes:
            self._control.add_lanes(batch.new_lanes)
        if batch.new_file is not None:
            self._create(batch.new_file)
            report.created = batch.new_file
        if batch.event_files:
            self._control.add_event_files(batch.event_files)
        if batch.batch_files:
            self._control.add_batch_files(batch.batch_files)
        if batch.kept_receipts:
            self._control.keep_receipts(batch.kept_receipts)

    def _create(self, file: DataFile) -> None:
        """Make an empty data file. It is known to `control.db` before it holds anything."""
        self.connection(file)
        sync(file.path.parent)
        self._control.add_file(file.first_id, is_new=True)

    def _note_stragglers(self, writes: FileWrites, indexed_through: MessageId) -> None:
        """Before they are committed: one too many does no harm, one too few loses a receipt."""
        changed = writes.changed
        if changed is not None and changed.first_id <= indexed_through:
            with naming(writes.file.path):
                connection = self.connection(writes.file)
                attempts = connection.execute(
                    _NEW_ATTEMPTS, (changed.numbers, changed.texts, indexed_through)
                ).fetchall()
            if attempts:
                self._control.add_stragglers(attempts)

    def _write_file(self, writes: FileWrites) -> None:
        path = writes.file.path
        connection = self.connection(writes.file)
        with self._checkpointer.gates.commits, naming(path):
            run_in_transaction(connection, partial(_write_rows, connection, writes))
        self._checkpointer.written(path, writes.count)

    def _closed(self, files: Sequence[DataFile]) -> list[MessageId]:
        """Mark the files that have no open message left; those that cannot be marked now are looked at again later."""
        closed = []
        for file in files:
            with suppress(StoreError):
                connection = self.connection(file)
                with naming(file.path):
                    has_open = connection.execute(_HAS_OPEN).fetchone()[0]
                if not has_open:
                    self._control.close_file(file.first_id)
                    closed.append(file.first_id)
        return closed


def _write_rows(connection: Connection, writes: FileWrites) -> None:
    """The statements of a commit: five at most, and one more each when messages are put off or subscribers write."""
    for statement, rows in ((INSERT_MESSAGES, writes.appended), (UPDATE_MESSAGES, writes.changed)):
        if rows is not None:
            count = connection.execute(statement, (rows.numbers, rows.texts)).rowcount
            assert count == rows.count, f"{writes.file.path}: {count} of {rows.count} rows written"
    if writes.scheduled:
        connection.execute(_SET_DUE, (writes.scheduled,))
    if writes.inbound:
        connection.execute(_INSERT_INBOUND, (writes.inbound,))
    if writes.events:
        connection.execute(_INSERT_EVENTS, (writes.events,))
    if writes.tallies:
        connection.execute(_COUNT, (writes.tallies,))
    connection.execute(_UPDATE_TALLY, (writes.appended_count, writes.latest))
