"""What was handed over and is not yet cut into a batch. Belongs to the loop."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

import msgspec

from gateway.message import MessageId, Record
from gateway.store.api import Commit, InboundMessage

T = TypeVar("T")

LONGEST_KEY: Final = 1_000  # characters, of an entry


class Chunk(msgspec.Struct):
    """Records that are written together, and the commit that stands for them."""

    records: dict[MessageId, Record]
    commit: Commit
    inbound: list[InboundMessage] = msgspec.field(default_factory=list)


class ChunkQueue:
    """Records in the order they were handed over, in chunks of about `chunk_limit`: what one call adds stays together.

    `limit` is how many may wait: past it the queue `is_full`, which is for its user to heed.
    """

    def __init__(self, *, chunk_limit: int, limit: int) -> None:
        self._chunk_limit = chunk_limit
        self._most_chunks = max(1, limit // chunk_limit)
        self._chunks: deque[Chunk] = deque()

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __len__(self) -> int:
        """How many records wait."""
        return sum(len(chunk.records) for chunk in self._chunks)

    @property
    def is_full(self) -> bool:
        chunks = self._chunks
        return len(chunks) >= self._most_chunks and len(chunks[-1].records) >= self._chunk_limit

    def put(self, record: Record) -> Commit:
        """Put a record where it waits already, else last."""
        chunks = self._chunks
        if len(chunks) == 1 and len(chunks[0].records) < self._chunk_limit:  # nearly always
            chunks[0].records[record.message.id] = record
            return chunks[0].commit
        return self.replace(record) or self.add({record.message.id: record})

    def add(self, records: dict[MessageId, Record]) -> Commit:
        """Put records last."""
        if not self._chunks or len(self._chunks[-1].records) >= self._chunk_limit:
            self._chunks.append(Chunk({}, Commit()))
        chunk = self._chunks[-1]
        chunk.records.update(records)
        return chunk.commit

    def add_inbound(self, message: InboundMessage) -> Commit:
        """Put an inbound message last: behind the records that were handed over before it."""
        if not self._chunks:
            self._chunks.append(Chunk({}, Commit()))
        self._chunks[-1].inbound.append(message)
        return self._chunks[-1].commit

    def replace(self, record: Record) -> Commit | None:
        """Put a record in the place where it waits already; None when it does not."""
        for chunk in self._chunks:
            if record.message.id in chunk.records:
                chunk.records[record.message.id] = record
                return chunk.commit
        return None

    def __contains__(self, message_id: MessageId) -> bool:
        return any(message_id in chunk.records for chunk in self._chunks)

    def put_back(self, records: dict[MessageId, Record]) -> None:
        """Put records first, except those that were handed over again meanwhile."""
        missed = {message_id: record for message_id, record in records.items() if message_id not in self}
        if missed:
            self._chunks.appendleft(Chunk(missed, Commit()))

    def discard(self, message_ids: Iterable[MessageId]) -> None:
        """Forget these records; their commits stand for the others only."""
        for message_id in message_ids:
            for chunk in self._chunks:
                chunk.records.pop(message_id, None)

    def take(self) -> list[Chunk]:
        """The first chunks, up to the limit of one; one at least, if there is one."""
        taken: list[Chunk] = []
        count = 0
        while self._chunks and (not taken or count + len(self._chunks[0].records) <= self._chunk_limit):
            chunk = self._chunks.popleft()
            count += len(chunk.records)
            taken.append(chunk)
        return taken


class LateChanges:
    """Changes to older files, apart by file: one that cannot be written fails its own changes and no others."""

    def __init__(self, *, chunk_limit: int, limit: int) -> None:
        self._chunk_limit = chunk_limit
        self._limit = limit
        self._queues: dict[MessageId, ChunkQueue] = {}  # by the first id of the file

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __contains__(self, message_id: MessageId) -> bool:
        return any(message_id in queue for queue in self._queues.values())

    @property
    def is_full(self) -> bool:
        return sum(map(len, self._queues.values())) >= self._limit

    def put(self, record: Record, first_id: MessageId) -> Commit:
        """Put a record where it waits already, else last among those of its file."""
        return self._queue(first_id).put(record)

    def put_back(self, records: dict[MessageId, Record], first_id: MessageId) -> None:
        """Put records of one file first, except those that were handed over again meanwhile."""
        self._queue(first_id).put_back(records)

    def take(self) -> list[Chunk]:
        """The first chunks of every file, until there are enough for one batch; the others wait for the next."""
        taken: list[Chunk] = []
        count = 0
        for first_id, queue in list(self._queues.items()):
            if count >= self._chunk_limit:
                break
            chunks = queue.take()
            count += sum(len(chunk.records) for chunk in chunks)
            taken += chunks
            if not queue:
                del self._queues[first_id]
        return taken

    def _queue(self, first_id: MessageId) -> ChunkQueue:
        if first_id not in self._queues:
            self._queues[first_id] = ChunkQueue(chunk_limit=self._chunk_limit, limit=self._limit)
        return self._queues[first_id]


class PendingEntries:
    """Entries that share one commit until they are taken: of two values for a key, the later one."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes | None] = {}
        self.commit: Commit | None = None

    def __bool__(self) -> bool:
        return self.commit is not None

    def __len__(self) -> int:
        return len(self.values)

    def add(self, table: str, entries: Mapping[str, bytes | None]) -> Commit:
        for key, value in entries.items():
            assert len(key) <= LONGEST_KEY, f"a key of {table} is too long"
            assert "\0" not in key, f"a key of {table} has a NUL"
            self.values[table, key] = value
        if self.commit is None:
            self.commit = Commit()
        return self.commit

    def take(self) -> "PendingEntries":
        """Everything so far."""
        taken = PendingEntries()
        taken.values, taken.commit = self.values, self.commit
        self.values, self.commit = {}, None
        return taken


class Gathered(Generic[T]):
    """Values that share one commit until they are taken."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self.commit: Commit | None = None

    def __bool__(self) -> bool:
        return self.commit is not None

    def add(self, values: Iterable[T]) -> Commit:
        """Put values last."""
        self.values += values
        if self.commit is None:
            self.commit = Commit()
        return self.commit

    def take(self) -> "Gathered[T]":
        """Everything so far."""
        taken: Gathered[T] = Gathered()
        taken.values, taken.commit = self.values, self.commit
        self.values, self.commit = [], None
        return taken
