"""The data files: each holds the messages from its first id up to the next file's."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.message import MessageId, time_of_id

_SUFFIX = ".db"


class Layout:
    """Where things are in the store's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = directory / "lock"
        self.control = directory / "control.db"
        self.data = directory / "data"
        self.index = directory / "index"


class DataFile(msgspec.Struct, frozen=True, order=True):
    """One data file. Its name gives the time, for people, and the first id."""

    first_id: MessageId
    path: Path


def data_file(directory: Path, first_id: MessageId) -> DataFile:
    """The file that begins with this id."""
    begun = datetime.fromtimestamp(time_of_id(first_id) / 1000, UTC)
    return DataFile(first_id, directory / f"{begun:%Y%m%dT%H%M%SZ}-{first_id:019d}{_SUFFIX}")


def data_files_in(directory: Path) -> list[DataFile]:
    """The files that are there, oldest first. What is not named like one is left alone."""
    found = []
    for path in directory.glob(f"*-*{_SUFFIX}"):
        digits = path.stem.rpartition("-")[2]
        if digits.isdecimal() and path == data_file(directory, MessageId(int(digits))).path:
            found.append(DataFile(MessageId(int(digits)), path))
    return sorted(found)


def files_between(files: Sequence[DataFile], above: MessageId, through: MessageId | None) -> Sequence[DataFile]:
    """Of files in order, those that may hold ids above one and through another; None: all that follow."""
    first = max(0, bisect_right(files, above + 1, key=_first_id) - 1)
    last = len(files) if through is None else bisect_right(files, through, key=_first_id)
    return files[first:last]


def _first_id(file: DataFile) -> MessageId:
    return file.first_id


class Catalog:
    """All data files in order, and which of them may have open messages. Belongs to the loop; `files` never changes."""

    def __init__(self) -> None:
        self.files: tuple[DataFile, ...] = ()
        self._first_ids: list[MessageId] = []
        self._open: dict[MessageId, DataFile] = {}  # in order, as files are added in order

    def add(self, file: DataFile, *, is_open: bool) -> None:
        """Take in a file that is younger than all others."""
        assert not self.files or file.first_id > self.files[-1].first_id
        self.files = (*self.files, file)
        self._first_ids.append(file.first_id)
        if is_open:
            self._open[file.first_id] = file

    @property
    def live_first_id(self) -> MessageId:
        """The first id of the live file; 0 while there is none."""
        return self._first_ids[-1] if self._first_ids else MessageId(0)

    @property
    def live(self) -> DataFile | None:
        """The file that new messages go to; None while there is none."""
        return self.files[-1] if self.files else None

    def holding(self, message_id: MessageId) -> DataFile | None:
        """The file that a message of this id is in, if it is anywhere."""
        place = bisect_right(self._first_ids, message_id)
        return self.files[place - 1] if place else None

    def from_id(self, first_id: MessageId) -> tuple[DataFile, ...]:
        """The files with messages of this id or a higher one, oldest first."""
        return self.files[max(0, bisect_right(self._first_ids, first_id) - 1) :]

    def open_files(self) -> tuple[DataFile, ...]:
        """The files with open messages, oldest first; perhaps some more."""
        return tuple(self._open.values())

    def is_open(self, file: DataFile) -> bool:
        return file.first_id in self._open

    def close(self, first_ids: Iterable[MessageId]) -> None:
        """These have no open message left."""
        for first_id in first_ids:
            self._open.pop(first_id, None)
