"""Copying write-ahead logs back into their files, beside the traffic: no commit does it, or waits for one who does.

The exception is bounded: when a log has grown past its limit, commits wait at their gate while its last pages, those
written since the copying began, are copied too. Then the file has all that the log has, and the next commit begins the
log anew, unless somebody still reads what was in it: so reading waits as well, and is waited for before commits are.
"""

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlcipher3 import dbapi2

from gateway.store.api import StoreError, StoreUnavailableError
from gateway.store.database import Connection

_ROWS: Final = 4_000  # written since the last copying: about 8 MiB of log, more than that is copied at once
_PAGE_BYTES: Final = 4_096
_LONGEST_WAIT_SECONDS: Final = 0.1  # for a reader who is in the way


class Gates:
    """Each is held while a statement of its kind runs."""

    def __init__(self) -> None:
        self.commits: Final = threading.Lock()
        self.reads: Final = threading.Lock()
        self.builds: Final = threading.Lock()  # reading for an index: slower, so lists do not wait for it


class Checkpointer:
    """A thread that copies logs back, and closes files that are no longer used."""

    def __init__(self, gates: Gates, *, wal_bytes: int, every_seconds: float) -> None:
        self.gates: Final = gates
        self.failure: StoreError | None = None  # why the last log could not be copied
        self._wal_pages = wal_bytes // _PAGE_BYTES
        self._every_seconds = every_seconds
        self._changed = threading.Condition()
        self._rows: dict[Path, int] = {}  # written and not yet copied
        self._retired: list[tuple[Path, Connection]] = []
        self._stopping = False
        self._connections: dict[Path, Connection] = {}  # the thread's own
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def written(self, path: Path, rows: int) -> None:
        """A commit to this file has put about so many rows into its log."""
        with self._changed:
            before = self._rows.get(path, 0)
            self._rows[path] = before + rows
            if before == 0 or before < _ROWS <= before + rows:
                self._changed.notify()

    def retire(self, path: Path, connection: Connection) -> None:
        """Close a connection to a file, and the file if nobody else has it open."""
        with self._changed:
            self._retired.append((path, connection))
            self._changed.notify()

    def stop(self) -> None:
        """Copy everything, close everything; returns when it is done."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            with self._changed:
                self._wait_for_work()
                rows, self._rows = self._rows, {}
                retired, self._retired = self._retired, []
                stopping = self._stopping
            for path in rows:
                self._copy_back(path)
            for path, connection in retired:
                self._close(path, connection)
        for connection in self._connections.values():
            connection.close()

    def _wait_for_work(self) -> None:
        """Wait until there is enough to copy, or some that is old enough, or something to close."""
        while not (self._rows or self._retired or self._stopping):
            self._changed.wait()
        deadline = time.monotonic() + self._every_seconds
        while not (self._retired or self._stopping or max(self._rows.values()) >= _ROWS):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _copy_back(self, path: Path) -> None:
        """Copy what is committed; a log that could not be copied stays as it is, and is tried again with the next."""
        try:
            connection = self._connection(path)
            _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages >= self._wal_pages:
                with self.gates.builds, self.gates.reads, self.gates.commits:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self.failure = None
        except dbapi2.Error as error:
            self.failure = StoreUnavailableError(f"{path}: {error}")

    def _connection(self, path: Path) -> Connection:
        connection = self._connections.get(path)
        if connection is None:
            connection = dbapi2.connect(str(path), isolation_level=None, timeout=_LONGEST_WAIT_SECONDS)
            connection.execute("PRAGMA wal_autocheckpoint=0")
            self._connections[path] = connection
        return connection

    def _close(self, path: Path, connection: Connection) -> None:
        """Copy what is left of the log, and close both connections. The last one out removes the log."""
        connection.close()
        with suppress(dbapi2.Error):
            self._connection(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a reader may keep it from being removed
        own = self._connections.pop(path, None)
        if own is not None:
            own.close()
