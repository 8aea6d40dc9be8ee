"""One level of a carrier's queues: the lanes of its accounts, which take turns, whatever waits in each of them.

Deficit round robin (Shreedhar and Varghese, 1995), counted in the parts of messages: an account with a million messages
delays another's by a few, and one with long messages gets no more than one with short ones.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gateway.delivery.lanes import Lane
from gateway.message import MessageId, Record

QUANTUM: Final = 4  # parts that an account may send before it is another's turn
SMALLEST_WINDOW: Final = 10  # messages in memory of each account, however many have some there


def _always_free(_: Record) -> float:
    return 0.0


class LevelQueue:
    """The lanes of one level. `window`: how many messages all of them may have in memory, about.

    `free_at` says when a record may go for reasons of its own, on the loop's clock; what is past means now.
    """

    def __init__(self, window: int, free_at: Callable[[Record], float] = _always_free) -> None:
        self._window = window
        self._free_at = free_at
        self._is_free_always = free_at is _always_free
        self._lanes: dict[str, Lane] = {}
        self._in_turn: deque[Lane] = deque()  # those with something in memory, in the order of their turns
        self._blocked: list[tuple[float, str]] = []  # heap: those whose next message may not go before then
        self._wanting: dict[str, Lane] = {}  # those that should be looked at for a refill
        self.set_aside = 0  # taken, and perhaps put back: they wait here until that is settled

    def __len__(self) -> int:
        """How many wait, in memory and on disk."""
        return sum(map(len, self._lanes.values())) + self.set_aside

    def add(self, lane: Lane) -> None:
        """A lane as a start found it."""
        self._lanes[lane.name] = lane
        if len(lane):
            self._wanting[lane.name] = lane

    def lane(self, name: str) -> Lane:
        """The lane of this name: a new one where there is none."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, window=self._window)
        return lane

    @property
    def lanes(self) -> Iterable[Lane]:
        return self._lanes.values()

    @property
    def oldest(self) -> Record | None:
        """The oldest of those in memory whose turn it could be."""
        heads = [lane.oldest for lane in self._lanes.values()]
        return min((head for head in heads if head is not None), key=lambda head: head.id, default=None)

    @property
    def blocked_until(self) -> float | None:
        """When the first of the lanes that may not go now may; None when there is none."""
        return self._blocked[0][0] if self._blocked else None

    # --- what comes and goes -----------------------------------------------------------------------------------------

    def offer(self, record: Record, name: str) -> bool:
        """Take a record that was just committed; False when it is left on disk for now, or was read from there."""
        lane = self.lane(name)
        lane.window = self._window_of_each
        taken = lane.offer(record)
        if taken:
            self._line_up(lane)
        else:
            self._wanting[name] = lane
        return taken

    def put_back(self, record: Record, name: str) -> None:
        """A record that is to go again: before all others of its account."""
        lane = self.lane(name)
        lane.put_back(record)
        self._line_up(lane)

    def rewind(self, message_id: MessageId, name: str) -> None:
        """A message is queued on disk that may be older than what was read from there."""
        lane = self.lane(name)
        lane.rewind(message_id)
        self._wanting[name] = lane

    def read_again(self, lane: Lane, message_id: MessageId) -> None:
        """The same for one that was on disk all the time."""
        lane.read_again(message_id)
        self._wanting[lane.name] = lane

    def next_lane(self, now: float) -> Lane | None:
        """The lane whose turn it is, with a message that may go now; None when no lane has one in memory."""
        if self._blocked and self._blocked[0][0] <= now:
            self._unblock(now)
        turns = self._in_turn
        while turns:
            lane = turns[0]
            head = lane.oldest
            if head is None:
                self._leave(lane)
            elif not self._is_free_always and (free_at := self._free_at(head)) > now:
                heapq.heappush(self._blocked, (free_at, lane.name))
                turns.popleft()
            elif lane.credit > 0 or len(turns) == 1:
                return lane
            else:
                lane.credit += QUANTUM
                turns.rotate(-1)
        return None

    def take(self, lane: Lane) -> Record:
        """The next record of a lane whose turn it is."""
        record = lane.take()
        if len(self._in_turn) > 1:
            lane.credit -= record.message.parts
        if lane.wants_refill:
            self._wanting[lane.name] = lane
        return record

    # --- from disk ---------------------------------------------------------------------------------------------------

    def start_refill(self) -> Lane | None:
        """The next lane to be read from disk, which begins now; None when none needs it."""
        while self._wanting:
            name = next(iter(self._wanting))
            lane = self._wanting.pop(name)
            lane.window = self._window_of_each
            if lane.wants_refill:
                lane.start_refill()
                return lane
        return None

    def finish_refill(self, lane: Lane, records: Sequence[Record], *, last: MessageId | None, complete: bool) -> None:
        """Take what was read for a lane, as `Lane.finish_refill` has it."""
        lane.finish_refill(records, last=last, complete=complete)
        if lane.oldest is not None:
            self._line_up(lane)
        self._wanting[lane.name] = lane

    def cancel_refill(self, lane: Lane) -> None:
        """The read failed; what is on disk is still there."""
        lane.cancel_refill()
        self._wanting[lane.name] = lane

    # --- turns -------------------------------------------------------------------------------------------------------

    @property
    def _window_of_each(self) -> int:
        return max(SMALLEST_WINDOW, self._window // max(1, len(self._in_turn)))

    def _line_up(self, lane: Lane) -> None:
        if not lane.is_in_turn:
            lane.is_in_turn = True
            lane.credit = QUANTUM
            self._in_turn.append(lane)

    def _leave(self, lane: Lane) -> None:
        lane.is_in_turn = False
        self._in_turn.popleft()

    def _unblock(self, now: float) -> None:
        while self._blocked and self._blocked[0][0] <= now:
            _, name = heapq.heappop(self._blocked)
            self._in_turn.append(self._lanes[name])
