"""Batches of which nothing goes for now: those that are paused, and those that are being cancelled.

What waits of them stays where it is, on disk: a lane whose turn comes to one of them lets go of it, and remembers from
where to read again when the batch goes on. Asked at every hand-over: one look-up, and none while nothing is stopped.
"""

from typing import Final, Protocol

import msgspec

from gateway.delivery.lanes import Lane
from gateway.message import Message, MessageId, Record

BatchKey = tuple[str, str]  # account and name
EVERY_ID: Final = MessageId((1 << 63) - 1)


class Owner(Protocol):
    """The carrier of a lane."""

    def read_again(self, lane: Lane, message_id: MessageId) -> None: ...

    def send_again(self, record: Record) -> None: ...


class _Stop(msgspec.Struct):
    """A batch that is stopped, up to a message."""

    through: MessageId
    lanes: dict[str, tuple[Owner, Lane, MessageId]] = msgspec.field(default_factory=dict)  # the first left on disk
    kept: list[tuple[Owner, Record]] = msgspec.field(default_factory=list)  # what was tried before stays in memory


class Stops:
    """Which they are, and what waits for their end."""

    def __init__(self) -> None:
        self._batches: dict[BatchKey, _Stop] = {}

    def __bool__(self) -> bool:
        return bool(self._batches)

    def __contains__(self, key: BatchKey) -> bool:
        return key in self._batches

    def holds(self, message: Message) -> bool:
        """Whether a message may not go now."""
        stop = self._batches.get((message.account, message.batch))
        return stop is not None and message.id <= stop.through

    def stop(self, key: BatchKey, *, through: MessageId = EVERY_ID) -> None:
        """From now on nothing of a batch goes, up to a message; of one that is stopped already, up to this one."""
        self._batches.setdefault(key, _Stop(through)).through = through

    def leave(self, owner: Owner, lane: Lane, message: Message) -> None:
        """The turn came to a message that is on disk as it is in memory, and was left there."""
        stop = self._batches[message.account, message.batch]
        _, _, first = stop.lanes.get(lane.name, (owner, lane, EVERY_ID))
        stop.lanes[lane.name] = (owner, lane, min(first, message.id))

    def keep(self, owner: Owner, record: Record) -> None:
        """The same for one whose last change may not be on disk yet."""
        self._batches[record.message.account, record.message.batch].kept.append((owner, record))

    def go_on(self, key: BatchKey) -> None:
        """What waits may go again."""
        stop = self._batches.pop(key, None)
        if stop is None:
            return
        for owner, lane, first in stop.lanes.values():
            owner.read_again(lane, first)
        for owner, record in stop.kept:
            owner.send_again(record)
