"""The events of one account on their way: some in memory, in lanes, the rest on disk behind them. Pure.

All events of a message go by the same lane, one batch of a lane at a time: that keeps their order.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from gateway.message import MessageId
from gateway.store.api import Event, EventId


class Lane:
    """A queue of events, of which the first `sending` are under way."""

    def __init__(self, largest: int) -> None:
        self.events: deque[Event] = deque()
        self.sending = 0
        self.failures = 0  # in a row
        self._largest = largest
        self._size = largest

    def next_batch(self) -> list[Event]:
        """The first events, which are under way from now on."""
        self.sending = min(self._size, len(self.events))
        return [self.events[place] for place in range(self.sending)]

    def delivered(self) -> None:
        """They were taken: away with them."""
        for _ in range(self.sending):
            self.events.popleft()
        self.sending = 0
        self.failures = 0
        self._size = min(self._largest, 2 * self._size)

    def failed(self) -> None:
        """They were not; they are the first still."""
        self.sending = 0
        self.failures += 1

    def halve(self) -> None:
        """Send fewer at once, to find the one that is refused."""
        self._size = max(1, self._size // 2)

    def take_first_message(self) -> list[Event]:
        """Take the first out of the way, with what follows of its message: they go apart from the others."""
        self.failures = 0
        message_id = self.events[0].message_id
        taken = [event for event in self.events if event.message_id == message_id]
        self.events = deque(event for event in self.events if event.message_id != message_id)
        return taken

    def take_older_than(self, at: int) -> list[Event]:
        """Take out, from the front, what is older than a time. Nothing may be under way."""
        old = []
        while self.events and self.events[0].at < at:
            old.append(self.events.popleft())
        return old


class Stream:
    """Which events are in memory, and up to which all are settled."""

    def __init__(self, cursor: EventId, *, lanes: int, batch: int) -> None:
        self.lanes = tuple(Lane(batch) for _ in range(lanes))
        self.read_to = cursor
        self._room = lanes * batch
        self._open: dict[EventId, None] = {}  # read, and not settled; ascending

    @property
    def cursor(self) -> EventId:
        """Everything up to here is settled."""
        first = next(iter(self._open), None)
        return self.read_to if first is None else EventId(first - 1)

    @property
    def wanted(self) -> int:
        """How many more events may be read; 0 while there is plenty."""
        return self._room - len(self._open) if len(self._open) <= self._room // 2 else 0

    def take(self, event: Event) -> Lane:
        """Take in the next event that was read; returns its lane."""
        self.read_to = event.id
        self._open[event.id] = None
        lane = self.lanes[_mixed(event.message_id) % len(self.lanes)]
        lane.events.append(event)
        return lane

    def pass_by(self, event: Event) -> None:
        """The next event that was read is settled otherwise."""
        self.read_to = event.id

    def settle(self, events: Iterable[Event]) -> None:
        for event in events:
            self._open.pop(event.id, None)

    def take_oldest(self, count: int) -> Sequence[Event]:
        """Take out the oldest events that are not under way, at most so many."""
        free = [event for lane in self.lanes for event in list(lane.events)[lane.sending :]]
        taken = sorted(free, key=lambda event: event.id)[:count]
        gone = {event.id for event in taken}
        for lane in self.lanes:
            lane.events = deque(event for event in lane.events if event.id not in gone)
        return taken


def _mixed(message_id: MessageId) -> int:
    """Bits that differ for neighbours (a multiplicative hash): ids of quiet times end in zeros."""
    return (message_id * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF) >> 40
