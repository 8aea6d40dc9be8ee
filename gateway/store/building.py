"""Building an index file: in a background thread of the lowest priority, from rows that are committed.

It never holds a data file's log for long: rows are copied in short stretches into a table beside the index, and sorted
from there. Half-built files have a name of their own, and a finished one gets its name when it is on disk.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Final

from sqlcipher3 import dbapi2

from gateway.message import MessageId, Status
from gateway.store.api import StoreUnavailableError
from gateway.store.database import Connection, address, naming, open_for_reading, sync
from gateway.store.files import DataFile, files_between
from gateway.store.indexes import INDEX_TABLES, INDEXED_FIELDS, LAST_ID, REBUILD, Region, index_path
from gateway.store.schema import FIRST_LANE, PATHS, STATUS_CODES

_STRETCH: Final = 20_000  # messages copied in one go
_CACHE_KIBIBYTES: Final = -16_384
_NICENESS: Final = 19

_STAGING_TABLES: Final = (
    'CREATE TABLE staging.message (id INTEGER, "to" TEXT, client_ref TEXT, batch TEXT)',
    "CREATE TABLE staging.attempt (carrier_message_id TEXT, carrier TEXT, id INTEGER)",
)
_COPY_MESSAGES: Final = f"""
    INSERT INTO staging.message
    SELECT id, body ->> '{PATHS["to"]}', body ->> '{PATHS["client_ref"]}', body ->> '{PATHS["batch"]}'
    FROM source.message WHERE id > ? AND id <= ?
"""  # noqa: S608 the paths are ours
_COPY_ATTEMPTS: Final = """
    INSERT INTO staging.attempt
    SELECT attempt.value ->> 3, attempt.value ->> 0, message.id
    FROM source.message AS message,
        json_each(message.state, '$[1]') AS part,
        json_each(part.value, '$[1]') AS attempt
    WHERE message.id > ? AND message.id <= ? AND attempt.value ->> 3 <> ''
"""
# A message that moves between carriers now would be in the index with less than it will have in a moment.
_MOVES: Final = f"""
    SELECT EXISTS (
        SELECT 1 FROM message INDEXED BY open_message
        WHERE lane > 0 AND lane BETWEEN {FIRST_LANE} AND {STATUS_CODES[Status.SENDING]} AND id > ? AND id <= ?
    )
"""  # noqa: S608
_COUNT: Final = "SELECT count(*) FROM message WHERE id > ? AND id <= ?"
_NTH: Final = "SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
_NTH_OF_SOURCE: Final = "SELECT id FROM source.message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"


def lower_priority() -> None:
    """Let the calling thread have what others leave."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Builder:
    """Looks for stretches worth an index, and builds it. One thread uses it. Raises StoreError."""

    def __init__(self, directory: Path, gate: AbstractContextManager[object]) -> None:
        self._directory = directory
        self._gate = gate  # held while a statement reads a data file
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Make `build` fail soon. May be called from any thread."""
        self._stopping.set()

    def count_between(self, files: Sequence[DataFile], above: MessageId, through: MessageId) -> int:
        """How many messages have ids above one and through another. Whole files are not counted: they know."""
        count = 0
        between = files_between(files, above, through)
        for file in between:
            if file.first_id > above and file != between[-1]:
                count += self._ask(file, "SELECT messages FROM tally", ()) or 0
            else:
                count += self._ask(file, _COUNT, (above, through)) or 0
        return count

    def nth_above(self, files: Sequence[DataFile], above: MessageId, n: int) -> MessageId | None:
        """The id of the n-th message above, counted from 1; None when there are fewer."""
        for file in files_between(files, above, None):
            message_id = self._ask(file, _NTH, (above, n - 1))
            if message_id is not None:
                return MessageId(message_id)
            n -= self._ask(file, _COUNT, (above, LAST_ID)) or 0
        return None

    def moves(self, files: Sequence[DataFile], region: Region) -> bool:
        """Whether some message of a region is queued or being sent."""
        return any(
            self._ask(file, _MOVES, (region.above, region.through))
            for file in files_between(files, region.above, region.through)
        )

    def build(self, files: Sequence[DataFile], region: Region) -> Region:
        """Index a region; the file is complete and on disk when this returns."""
        path = index_path(self._directory, region)
        unfinished, staging = path.with_suffix(".unfinished"), path.with_suffix(".staging")
        try:
            with naming(path, remedy=REBUILD), closing(_create(unfinished)) as connection:
                _prepare(connection, staging)
                for file in files_between(files, region.above, region.through):
                    self._copy(connection, file, region)
                self._sort(connection)
            sync(unfinished)
            unfinished.rename(path)
            sync(self._directory)
        finally:
            unfinished.unlink(missing_ok=True)
            staging.unlink(missing_ok=True)
        return Region(region.above, region.through, path)

    def _copy(self, connection: Connection, file: DataFile, region: Region) -> None:
        """Copy what is indexed of one data file, a stretch at a time."""
        connection.execute("ATTACH ? AS source", (address(file.path, "rw"),))
        above: int | None = region.above
        while above is not None and above < region.through:
            self._check()
            with self._gate:
                row = connection.execute(_NTH_OF_SOURCE, (above, _STRETCH - 1)).fetchone()
            through = region.through if row is None else min(row[0], region.through)
            for statement in (_COPY_MESSAGES, _COPY_ATTEMPTS):
                with self._gate:
                    connection.execute(statement, (above, through))
            above = None if row is None else through
        connection.execute("DETACH source")

    def _sort(self, connection: Connection) -> None:
        """Fill the index from what was copied, in the order of its keys: so it is written once, from front to back."""
        for field in INDEXED_FIELDS:
            self._check()
            connection.execute(
                f"""
                INSERT INTO main."{field}"
                SELECT "{field}", id FROM staging.message WHERE "{field}" <> '' ORDER BY 1, 2
                """  # noqa: S608 the names are ours
            )
        self._check()
        connection.execute("INSERT INTO main.attempt SELECT DISTINCT * FROM staging.attempt ORDER BY 1, 2, 3")

    def _check(self) -> None:
        if self._stopping.is_set():
            raise StoreUnavailableError("the store is being closed")

    def _ask(self, file: DataFile, question: str, arguments: Sequence[object]) -> int | None:
        """The first value of the first row."""
        with self._gate, naming(file.path), closing(open_for_reading(file.path)) as connection:
            row = connection.execute(question, arguments).fetchone()
        return None if row is None else row[0]


def _create(path: Path) -> Connection:
    return dbapi2.connect(address(path, "rwc"), uri=True, isolation_level=None)


def _prepare(connection: Connection, staging: Path) -> None:
    """Make the tables. Nobody sees them half-filled, and a crash throws them away: no journal, no syncs."""
    connection.execute("ATTACH ? AS staging", (address(staging, "rwc"),))
    for name in ("main", "staging"):
        connection.execute(f"PRAGMA {name}.journal_mode=OFF")
        connection.execute(f"PRAGMA {name}.synchronous=OFF")
    connection.execute(f"PRAGMA cache_size={_CACHE_KIBIBYTES}")
    for statement in (*INDEX_TABLES, *_STAGING_TABLES):
        connection.execute(statement)
