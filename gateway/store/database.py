"""Opening the store's SQLite files: the same settings everywhere, the schema brought up to date, errors classed."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from sqlcipher3 import dbapi2

from gateway.store.api import StoreDamagedError, StoreUnavailableError
from gateway.store.schema import APPLICATION_ID

Connection = Any  # of dbapi2, which has no types

# The pages a connection keeps in memory, in KiB, negative as SQLite wants it.
_WRITER_CACHE_KIBIBYTES = -16_384
_READER_CACHE_KIBIBYTES = -2_048


def open_for_writing(path: Path, steps: Sequence[Sequence[str]]) -> Connection:
    """Open or create a file and bring its schema up to the last of `steps`. Raises StoreError.

    Every commit is synced (`synchronous=FULL`); the write-ahead log is never copied back by a commit.
    """
    with naming(path):
        connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
        try:
            [mode] = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode != "wal":
                raise StoreUnavailableError(f"{path}: no write-ahead log is possible here: choose a local disk")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA cache_size={_WRITER_CACHE_KIBIBYTES}")
            _bring_up_to_date(connection, path, steps)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> Connection:
    """Open a file that is there already, to change nothing. Raises what SQLite raises: see `naming`."""
    connection = dbapi2.connect(address(path, "rw"), uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only=1")
    connection.execute(f"PRAGMA cache_size={_READER_CACHE_KIBIBYTES}")
    return connection


def address(path: Path, mode: Literal["rw", "rwc"]) -> str:
    """The URI of a file; `rwc` creates it. Not `ro`, in which the last reader leaves an empty log behind, for ever."""
    return f"{path.absolute().as_uri()}?mode={mode}"


RESTORE: Final = "bring it back from a backup, or put an empty file in its place to give up what it held"


@contextmanager
def naming(path: Path, *, remedy: str = RESTORE) -> Iterator[None]:
    """Raise what SQLite says about a file as a StoreError that names it, and what to do when it is damaged."""
    try:
        yield
    except dbapi2.OperationalError as error:
        raise StoreUnavailableError(f"{path}: {error}") from error
    except dbapi2.DatabaseError as error:
        raise StoreDamagedError(f"{path}: {error}: {remedy}") from error


def run_in_transaction(connection: Connection, work: Callable[[], object]) -> None:
    """Commit what `work` does, or nothing of it. Raises what it or SQLite raises.

    A transaction whose sync failed is rolled back, but SQLite leaves its pages behind the end of the write-ahead log,
    where the next start after a crash would find and replay them. So a small commit is written over them at once,
    synced or not. The connection is kept: the first one to open a file anew would replay them as well.
    """
    try:
        _commit(connection, work)
    except BaseException:
        with suppress(dbapi2.Error):
            _commit(connection, partial(connection.execute, "UPDATE failed_commits SET count = count + 1"))
        raise


def _commit(connection: Connection, work: Callable[[], object]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after an I/O error SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def sync(path: Path) -> None:
    """Make a file's content, or the names in a directory, survive a power loss. Raises StoreUnavailableError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreUnavailableError(f"{path}: {error.strerror}") from error


def _bring_up_to_date(connection: Connection, path: Path, steps: Sequence[Sequence[str]]) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreDamagedError(f"{path}: is a database of something else: choose another path")
    if version and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreDamagedError(f"{path}: is a database of something else: choose another path")
    if version > len(steps):
        raise StoreDamagedError(
            f"{path}: was written by a later version (schema {version}, this one knows {len(steps)}): run that version"
        )
    for number, statements in enumerate(steps[version:], version + 1):

        def step(number: int = number, statements: Sequence[str] = statements) -> None:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={number}")

        _commit(connection, step)
