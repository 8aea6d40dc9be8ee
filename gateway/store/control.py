"""`control.db`: what is not a message. Names of lanes, receipts that nothing matched, which data files there are."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from gateway.message import MessageId
from gateway.store.api import UnmatchedReceipt
from gateway.store.checkpoints import Checkpointer
from gateway.store.database import Connection, naming, run_in_transaction
from gateway.store.events import EventFile
from gateway.store.rows import EntryRows, decode_receipt, encode_text
from gateway.store.tallies import BatchFile

_KEEP_RECEIPTS: Final = "INSERT OR IGNORE INTO receipt (body) SELECT value FROM json_each(CAST(? AS TEXT))"
_REMOVE_ENTRIES: Final = """
    DELETE FROM entry WHERE (space, key) IN
        (SELECT value ->> 0, value ->> 1 FROM json_each(CAST(? AS TEXT)) WHERE value ->> 3 IS NULL)
"""
_ADD_ENTRIES: Final = """
    INSERT OR REPLACE INTO entry
        SELECT value ->> 0, value ->> 1, CAST(coalesce(substr(?2, value ->> 2, value ->> 3), '') AS BLOB)
        FROM json_each(CAST(?1 AS TEXT)) WHERE value ->> 3 IS NOT NULL
"""
_DROP_RECEIPTS: Final = "DELETE FROM receipt WHERE body IN (SELECT value FROM json_each(CAST(? AS TEXT)))"


class Control:
    """Reads and writes `control.db`. One thread uses it. Raises StoreError."""

    def __init__(self, path: Path, connection: Connection, checkpointer: Checkpointer) -> None:
        self._path = path
        self._connection = connection
        self._checkpointer = checkpointer

    def lanes(self) -> list[tuple[int, str]]:
        with naming(self._path):
            return list(self._connection.execute("SELECT number, name FROM lane ORDER BY number"))

    def add_lanes(self, lanes: Iterable[tuple[int, str]]) -> None:
        """Keep names before any row uses their numbers."""
        self._write("INSERT OR REPLACE INTO lane VALUES (?, ?)", *lanes)

    def files(self) -> dict[MessageId, bool]:
        """The first id of every data file, and whether some of its messages may be open."""
        with naming(self._path):
            rows = self._connection.execute("SELECT first_id, is_open FROM data_file")
            return {MessageId(first_id): bool(is_open) for first_id, is_open in rows}

    def add_file(self, first_id: MessageId, *, is_new: bool) -> None:
        self._write("INSERT OR REPLACE INTO data_file VALUES (?, 1, ?)", (first_id, is_new))

    def unlisted_files(self) -> set[MessageId]:
        """Files whose batches are not in `batch_file`: an older version made them, or `control.db` was lost."""
        with naming(self._path):
            rows = self._connection.execute("SELECT first_id FROM data_file WHERE NOT is_listed")
            return {MessageId(first_id) for (first_id,) in rows}

    def list_batches(self, first_id: MessageId, batches: Iterable[tuple[str, str]]) -> None:
        """These are the batches of a file."""
        self.add_batch_files(BatchFile(account, batch, first_id) for account, batch in batches)
        self._write("UPDATE data_file SET is_listed = 1 WHERE first_id = ?", (first_id,))

    def close_file(self, first_id: MessageId) -> None:
        """Nothing in this file is open any more."""
        self._write("UPDATE data_file SET is_open = 0 WHERE first_id = ?", (first_id,))

    def forget_file(self, first_id: MessageId) -> None:
        """This file was taken away."""
        self._write("DELETE FROM data_file WHERE first_id = ?", (first_id,))
        self._write("DELETE FROM batch_file WHERE first_id = ?", (first_id,))

    def receipts(self) -> tuple[UnmatchedReceipt, ...]:
        """In the order they were kept."""
        with naming(self._path):
            rows = self._connection.execute("SELECT body FROM receipt ORDER BY number")
            return tuple(decode_receipt(body) for (body,) in rows)

    def keep_receipts(self, receipts: bytes) -> None:
        self._write(_KEEP_RECEIPTS, (receipts,))

    def drop_receipts(self, receipts: bytes) -> None:
        self._write(_DROP_RECEIPTS, (receipts,))

    def add_stragglers(self, attempts: Iterable[tuple[str, str, int]]) -> None:
        """Note attempts (id given by the carrier, carrier, message) that no index will have."""
        self._write("INSERT OR IGNORE INTO straggler VALUES (?, ?, ?)", *attempts)

    def event_files(self) -> list[EventFile]:
        """Which data files may hold events of which block."""
        with naming(self._path):
            rows = self._connection.execute("SELECT first_id, block, begun FROM event_file")
            return [EventFile(MessageId(first_id), block, begun) for first_id, block, begun in rows]

    def add_event_files(self, files: Iterable[EventFile]) -> None:
        rows = [(file.block, file.first_id, file.begun) for file in files]
        self._write("INSERT OR REPLACE INTO event_file VALUES (?, ?, ?)", *rows)

    def forget_event_files(self, files: Iterable[EventFile]) -> None:
        """The events of these blocks in these files are too old to be found."""
        self._write(
            "DELETE FROM event_file WHERE block = ? AND first_id = ?", *((file.block, file.first_id) for file in files)
        )

    def add_batch_files(self, files: Iterable[BatchFile]) -> None:
        rows = [(encode_text([file.account]), encode_text([file.batch]), file.first_id) for file in files]
        self._write("INSERT OR IGNORE INTO batch_file VALUES (? ->> 0, ? ->> 0, ?)", *rows)

    def put_entries(self, entries: EntryRows) -> None:
        """Replace, add and remove entries, all of them or none."""

        def write() -> None:
            self._connection.execute(_REMOVE_ENTRIES, (entries.keys,))
            self._connection.execute(_ADD_ENTRIES, (entries.keys, entries.values))

        with self._checkpointer.gates.commits, naming(self._path):
            run_in_transaction(self._connection, write)
        self._checkpointer.written(self._path, entries.count)

    def close(self) -> None:
        self._checkpointer.retire(self._path, self._connection)

    def _write(self, statement: str, *rows: tuple[object, ...]) -> None:
        with self._checkpointer.gates.commits, naming(self._path):
            run_in_transaction(self._connection, partial(self._connection.executemany, statement, rows))
        self._checkpointer.written(self._path, len(rows))
