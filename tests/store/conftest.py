"""Every store that is tested alike, and a source of records to put into it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from gateway.message import (
    Attempt,
    Entry,
    IdSource,
    Message,
    MessageId,
    Part,
    PartStatus,
    Record,
    Status,
    new_record,
)
from gateway.store.api import InboundMessage, Recovered, Store, UnmatchedReceipt
from gateway.store.memory import MemoryStore
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

MORNING = 1_800_000_000_000  # 2027-01-15T08:00:00Z
LANE = "cmcc-a/normal"


class Samples:
    """Makes records in the order of their ids, a millisecond apart, and takes them through their states."""

    def __init__(self) -> None:
        self._ids = IdSource(node=1, last=MessageId(0))
        self.now = MORNING

    def next_id(self) -> MessageId:
        self.now += 1
        return self._ids.next(self.now)

    def record(self, status: Status = Status.QUEUED, *, lane: str = LANE, **fields: object) -> Record:
        message_id = self.next_id()
        values = {
            "id": message_id,
            "account": "demo",
            "to": "+8613800138000",
            "text": "【阳光物业】您的快递已到物业前台。",
            "accepted_at": self.now,
            "expires_at": self.now + 86_400_000,
        } | fields
        return new_record(Message(**values), status, lane=lane)

    def records(self, count: int, **fields: object) -> list[Record]:
        return [self.record(**fields) for _ in range(count)]

    def enter(self, record: Record, status: Status) -> Record:
        """Change the status alone."""
        self.now += 1
        record.state.status = status
        record.state.timeline.append(Entry(self.now, status))
        return record

    def submit(self, record: Record, carrier_message_id: str, *, carrier: str = "cmcc-a") -> Record:
        """Every part goes to the carrier, once more, and is given this id (the n-th part: with `.n` behind it)."""
        for n, part in enumerate(record.state.parts):
            given = f"{carrier_message_id}.{n}" if n else carrier_message_id
            attempt = Attempt(carrier, f"{carrier}-1", self.now, given, 0)
            record.set_part(n, Part(PartStatus.SUBMITTED, (*part.attempts, attempt)))
        return self.enter(record, Status.SUBMITTED)

    def deliver(self, record: Record) -> Record:
        for n, part in enumerate(record.state.parts):
            record.set_part(n, Part(PartStatus.DELIVERED, part.attempts))
        return self.enter(record, Status.DELIVERED)

    def receipt(self, carrier_message_id: str) -> UnmatchedReceipt:
        self.now += 1
        return UnmatchedReceipt("cmcc-a", carrier_message_id, "8613800138000", "10690001", 2, "000", self.now)

    def inbound(self, text: str) -> InboundMessage:
        return InboundMessage(self.next_id(), "cmcc-a", "+8613800138000", "10690001", text, self.now)


class Shelf:
    """A store that can be closed and opened again, as a restart does it."""

    def __init__(self, make: Callable[[], Store]) -> None:
        self._make = make
        self.store = make()
        self.recovered = Recovered(MessageId(0), 0, {}, ())

    async def open(self) -> Store:
        self.recovered = await self.store.open()
        return self.store

    async def reopen(self) -> Store:
        await self.store.close()
        self.store = self._make()
        return await self.open()


def make_shelf(backend: str, directory: Path) -> Shelf:
    """A store of one kind: in memory; on disk in one file; with two messages a file; with an index for every three."""
    if backend == "memory":
        kept = MemoryStore()
        return Shelf(lambda: kept)
    settings = StoreSettings(path=str(directory / "store"), late_change_seconds=0.001, disk_reserve_bytes=0)
    if backend == "tiny files":
        settings = msgspec.structs.replace(settings, file_messages=2, batch_messages=3, open_files=3, search_messages=7)
    if backend == "tiny indexes":
        settings = msgspec.structs.replace(
            settings, file_messages=4, index_messages=3, index_tail_messages=5, index_check_seconds=0.001
        )
    return Shelf(lambda: SqliteStore(settings))


BACKENDS = ("memory", "one file", "tiny files", "tiny indexes")


@pytest.fixture
def samples() -> Samples:
    return Samples()


@pytest.fixture(scope="session")
def sample_sources() -> type[Samples]:
    """For tests that need one for each of many stores."""
    return Samples


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """One kind of store after the other."""
    return str(request.param)


@pytest.fixture
async def shelf(backend: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    """An open store of each kind."""
    shelf = make_shelf(backend, tmp_path)
    await shelf.open()
    yield shelf
    await shelf.store.close()


@pytest.fixture
def store(shelf: Shelf) -> Store:
    return shelf.store


@pytest.fixture(scope="session")
def shelves() -> Callable[[str, Path], Shelf]:
    """For tests that need many stores."""
    return make_shelf
