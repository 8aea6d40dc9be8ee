"""What an operator may set about the store on disk."""

from collections.abc import Mapping
from typing import Final

import msgspec

# The least and the most that each number may be.
LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "file_seconds": (1, 2_678_400),
    "file_messages": (1, 100_000_000),
    "index_messages": (1, 10_000_000),
    "index_tail_messages": (1, 100_000_000),
    "index_check_seconds": (0.001, 3_600.0),
    "late_change_seconds": (0.0, 10.0),
    "disk_reserve_bytes": (0, 1 << 50),
    "batch_messages": (1, 20_000),
    "pending_messages": (1, 10_000_000),
    "pending_changes": (1, 10_000_000),
    "retry_seconds": (0.001, 60.0),
    "checkpoint_seconds": (0.01, 60.0),
    "wal_bytes": (1 << 20, 1 << 40),
    "search_messages": (1, 10_000_000),
    "open_files": (2, 1_000),
}


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the store is, how it is cut into files, and its limits. Raises ValueError for what is out of range."""

    path: str = "var/gateway"  # a directory; made where it is missing
    file_seconds: int = 3_600  # a data file takes the messages of this time,
    file_messages: int = 5_000_000  # and no more than these
    index_messages: int = 500_000  # messages in one index file
    index_tail_messages: int = 2_000_000  # so many without an index, and one is built though some still wait to be sent
    index_check_seconds: float = 5.0  # how often it is looked whether an index can be built
    late_change_seconds: float = 0.25  # changes to older files are gathered for this long before they are written
    disk_reserve_bytes: int = 512 << 20  # nothing is accepted while less is free, so that outcomes still find room
    batch_messages: int = 500  # messages and changes in one transaction; more are cut into several
    pending_messages: int = 100_000  # appended and not yet written; more fail at once
    pending_changes: int = 200_000  # changed and not yet written, while the disk fails; more fail at once
    retry_seconds: float = 0.25  # pause after a write that failed
    checkpoint_seconds: float = 1.0  # how long committed pages wait in the write-ahead log, when little happens
    wal_bytes: int = 64 << 20  # how large a write-ahead log may become before it is begun anew
    search_messages: int = 100_000  # messages looked at for one page of a list; then the page may be short
    open_files: int = 32  # files kept open for reading, and as many for late changes

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("path is empty: must name a directory")
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} = {value}: must be {least} to {most}")
