"""The index files: which message a number, a client_ref, a batch or a carrier's id belongs to.

Each is about the messages with ids above one and through another, is written once and never changed. What it says is
where to look; the record decides. What came after it was built (a part sent again) is a straggler, in `control.db`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from gateway.message import MessageId

LAST_ID: Final = MessageId((1 << 63) - 1)
REBUILD: Final = "stop, remove it and start: it is built again"  # what to do with a damaged one
# In the name of every index file. Files of other versions are removed at a start and built again.
_SUFFIX: Final = ".v1.db"

# (key, id) pairs in the order of the key.
_PAIRS: Final = "(key TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID"
INDEX_TABLES: Final = (
    f'CREATE TABLE "to" {_PAIRS}',
    f"CREATE TABLE client_ref {_PAIRS}",
    f"CREATE TABLE batch {_PAIRS}",
    """
    CREATE TABLE attempt (
        carrier_message_id TEXT NOT NULL, carrier TEXT NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (carrier_message_id, carrier, id)
    ) WITHOUT ROWID
    """,
)
# The fields of a message that are looked up, the one with the fewest messages first.
INDEXED_FIELDS: Final = ("client_ref", "to", "batch")


class Region(msgspec.Struct, frozen=True):
    """A range of ids, and the file that has its index; None where it must be scanned."""

    above: MessageId
    through: MessageId
    index: Path | None = None


def index_path(directory: Path, region: Region) -> Path:
    """Where the index of a region is."""
    return directory / f"{region.above:019d}-{region.through:019d}{_SUFFIX}"


def take_stock(directory: Path) -> list[Region]:
    """The regions whose index is there. Half-built files, and those of other versions, are removed."""
    found = []
    for path in sorted(directory.iterdir()):
        above, _, through = path.name.removesuffix(_SUFFIX).partition("-")
        if above.isdecimal() and through.isdecimal() and path.name.endswith(_SUFFIX):
            found.append(Region(MessageId(int(above)), MessageId(int(through)), path))
        else:
            path.unlink()
    return found


class Indexes:
    """All regions. Belongs to the loop; `regions` never changes."""

    def __init__(self) -> None:
        self._indexed: list[Region] = []
        self.regions: tuple[Region, ...] = (Region(MessageId(0), LAST_ID),)  # newest first, without holes

    def add(self, regions: Iterable[Region]) -> None:
        """Take in regions that have an index."""
        self._indexed = sorted([*self._indexed, *regions], key=lambda region: region.above)
        through = MessageId(0)
        found = []
        for region in self._indexed:
            if region.above > through:
                found.append(Region(through, region.above))  # its index is lost
            found.append(region)
            through = region.through
        self.regions = (Region(through, LAST_ID), *reversed(found))

    @property
    def through(self) -> MessageId:
        """The last id that has an index."""
        return self.regions[0].above

    def holes(self) -> list[Region]:
        """Regions that had an index and have it no more, oldest first."""
        return [region for region in reversed(self.regions[1:]) if region.index is None]
