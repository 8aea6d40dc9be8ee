"""The identity map: of each record in memory there is one copy, whoever holds it.

A record enters when a lane takes it, or when it is read from disk for a receipt or a deadline; it leaves when it is
final and on disk, or when it only awaits a receipt and newer ones need the room.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.message import MessageId, PartStatus, Record


class Reading:
    """One read from disk: what it finds may be older than what was written while it was under way."""

    def __init__(self, records: dict[MessageId, Record]) -> None:
        self._records = records
        self.dropped: set[MessageId] = set()  # records that left the memory since it began

    def is_fresh(self, message_id: MessageId) -> bool:
        """Whether a record that was read is as new as any: not in memory, and not just gone from there."""
        return message_id not in self._records and message_id not in self.dropped

    def adopt(self, record: Record) -> Record | None:
        """The one copy of a record that was read: what is in memory wins, for it is newer.

        None when it was in memory until a moment ago: what was read may be older than what was written then.
        """
        if record.id in self.dropped:
            return None
        return self._records.setdefault(record.id, record)


class Live:
    """Records by id."""

    def __init__(self) -> None:
        self._records: dict[MessageId, Record] = {}
        self._finished: set[MessageId] = set()  # final, and not on disk yet
        self._readings: list[Reading] = []  # reads from disk under way

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._records

    def get(self, message_id: MessageId) -> Record | None:
        return self._records.get(message_id)

    def add(self, record: Record) -> None:
        self._records[record.id] = record

    @contextmanager
    def reading(self) -> Iterator["Reading"]:
        """Around every read from disk whose records are to be brought to memory."""
        reading = Reading(self._records)
        self._readings.append(reading)
        try:
            yield reading
        finally:
            self._readings.remove(reading)

    def is_under_way(self, to: str) -> bool:
        """Whether a part of any message to this number waits for its answer. Looks at all: for rare questions."""
        return any(
            part.status is PartStatus.SENDING
            for record in self._records.values()
            if record.message.to == to
            for part in record.state.parts
        )

    def finish(self, record: Record) -> bool:
        """A record became final. True the first time that this is said, until it is dropped."""
        if record.id in self._finished:
            return False
        self._finished.add(record.id)
        return True

    def drop(self, record: Record) -> None:
        """Its last holder lets go of it."""
        if self._records.pop(record.id, None) is not None:
            for reading in self._readings:
                reading.dropped.add(record.id)
        self._finished.discard(record.id)

    def drop_if_at_rest(self, record: Record) -> None:
        """Let go of a record unless a lane or a bind still has one of its parts."""
        moving = {PartStatus.SENDING} if record.is_final else {PartStatus.SENDING, PartStatus.WAITING}
        if not any(part.status in moving for part in record.state.parts):
            self.drop(record)
