"""Opening the store's directory: the lock, the schema, and what the files hold. Nothing of the archive is read."""

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlcipher3 import dbapi2

from gateway.message import MessageId, Milliseconds
from gateway.store.api import StoreDamagedError, StoreLockedError, StoreUnavailableError, UnmatchedReceipt
from gateway.store.checkpoints import Checkpointer
from gateway.store.control import Control
from gateway.store.database import Connection, naming, open_for_writing, sync
from gateway.store.events import EventFile
from gateway.store.files import DataFile, Layout, data_file, data_files_in
from gateway.store.indexes import Region, take_stock
from gateway.store.schema import END_OF_LANES, FIRST_LANE, Step
from gateway.store.writer import Writer


class Found(msgspec.Struct):
    """What the files hold at a start."""

    indexed: list[Region]
    files: list[tuple[DataFile, bool]]  # oldest first; whether it may have open messages
    lanes: list[tuple[int, str]]
    receipts: tuple[UnmatchedReceipt, ...]
    event_files: list[EventFile]
    waiting: dict[int, int] = msgspec.field(default_factory=dict)  # how many are queued, by the number of their lane
    open_messages: dict[str, int] = msgspec.field(default_factory=dict)  # by account
    last_id: MessageId = MessageId(0)
    last_time: Milliseconds = 0
    live_messages: int = 0  # in the newest file


def _make_directory(path: Path) -> None:
    """Make a directory, and those above it, so that a power loss does not take its name. Raises OSError."""
    if not path.is_dir():
        if path.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def lock_directory(layout: Layout) -> int:
    """Make the directory this process's own; returns the descriptor that holds the lock. Raises StoreError."""
    try:
        for directory in (layout.data, layout.index):
            _make_directory(directory)
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailableError(
            f"{layout.directory}: {error.strerror}: choose a directory that can be used"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreLockedError(
            f"{layout.directory}: is in use by process {holder}: stop it, or choose another path"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


def open_control(layout: Layout, steps: Sequence[Step], checkpointer: Checkpointer) -> Control:
    """Bring every file up to the last of `steps`, `control.db` last, and open it. Raises StoreError."""
    if _version(layout.control) < len(steps):
        for file in data_files_in(layout.data):
            open_for_writing(file.path, [step.data for step in steps]).close()
    connection = open_for_writing(layout.control, [step.control for step in steps])
    sync(layout.directory)
    return Control(layout.control, connection, checkpointer)


def survey(layout: Layout, control: Control, writer: Writer) -> Found:
    """Read the newest file and those with open messages: what is the last, and what waits. Raises StoreError."""
    found = Found(
        take_stock(layout.index),
        _files(layout, control),
        control.lanes(),
        control.receipts(),
        control.event_files(),
    )
    found.last_time = max((receipt.at for receipt in found.receipts), default=0)
    # What follows must belong into the newest file, though it may be empty, and be in no index.
    bounds = [file.first_id for file, _ in found.files] + [region.through for region in found.indexed]
    found.last_id = max(bounds, default=found.last_id)
    unlisted = control.unlisted_files()
    for place, (file, is_open) in reversed(list(enumerate(found.files))):
        if file.first_id in unlisted:
            _list_batches(file, control, writer)
        is_newest = place == len(found.files) - 1
        if is_open or is_newest:
            connection = writer.connection(file)
            with naming(file.path):
                has_open = _take_in(connection, found)
                if is_newest:
                    found.live_messages = connection.execute("SELECT messages FROM tally").fetchone()[0]
            if is_open and not has_open and not is_newest:
                control.close_file(file.first_id)
                found.files[place] = (file, False)
    if unnamed := found.waiting.keys() - {number for number, _ in found.lanes}:
        raise StoreDamagedError(
            f"{layout.control}: does not name lane {min(unnamed)}, in which messages wait: bring it back from a backup"
        )
    return found


def _files(layout: Layout, control: Control) -> list[tuple[DataFile, bool]]:
    """The data files, oldest first, and whether each may have open messages. What is there is the truth."""
    known = control.files()
    there = data_files_in(layout.data)
    for file in there:
        if file.first_id not in known:  # created just before a crash, or `control.db` is a new one
            control.add_file(file.first_id, is_new=False)
    for first_id in known.keys() - {file.first_id for file in there}:
        if known[first_id]:
            path = data_file(layout.data, first_id).path
            raise StoreDamagedError(
                f"{path}: is missing, and had open messages: bring it back, or put an empty file there to give them up"
            )
        control.forget_file(first_id)
    return [(file, known.get(file.first_id, True)) for file in there]


def _take_in(connection: Connection, found: Found) -> bool:
    """Add what one file has to what was found; whether it has open messages."""
    [latest] = connection.execute("SELECT latest FROM tally").fetchone()
    last_ids = "SELECT max(coalesce((SELECT max(id) FROM message), 0), coalesce((SELECT max(id) FROM inbound), 0))"
    found.last_time = max(found.last_time, latest)
    found.last_id = max(found.last_id, connection.execute(last_ids).fetchone()[0])
    has_open = False
    for lane, count in connection.execute("SELECT lane, count(*) FROM message WHERE lane > 0 GROUP BY lane"):
        has_open = True
        if FIRST_LANE <= lane < END_OF_LANES:
            found.waiting[lane] = found.waiting.get(lane, 0) + count
    for account, count in connection.execute("SELECT account, messages FROM batch_tally WHERE batch = ''"):
        found.open_messages[account] = found.open_messages.get(account, 0) + count
    return has_open


def _list_batches(file: DataFile, control: Control, writer: Writer) -> None:
    connection = writer.connection(file)
    with naming(file.path):
        batches = connection.execute("SELECT DISTINCT account, batch FROM batch_tally WHERE batch <> ''").fetchall()
    control.list_batches(file.first_id, batches)


def _version(path: Path) -> int:
    """The schema version of a file as it is; 0 of a file that is not there yet."""
    if not path.exists():
        return 0
    with naming(path):
        connection = dbapi2.connect(str(path), isolation_level=None)
        try:
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        finally:
            connection.close()
    return version
