"""Everything that waits for one carrier: its levels, and in each the lanes of the accounts."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.delivery.lanes import Lane
from gateway.delivery.levels import LevelQueue
from gateway.delivery.turns import Turns
from gateway.message import Level, MessageId, Priority, Record, carrier_of_lane, lane_name, level_of_lane

# Messages of a level that go before one of those behind it goes, while there are some.
HIGH_RUN: Final = 20
NORMAL_RUN: Final = 4
_BEHIND_OTP: Final = (Level.HIGH, Level.NORMAL, Level.LOW)


class Queues:
    """The queues of one carrier. `waiting`: how many wait on disk at a start in each lane, those of others among them.

    `window` and `free_at` are those of `LevelQueue`; `latest` is the highest id that may be on disk.
    """

    def __init__(
        self,
        carrier: str,
        *,
        window: int,
        waiting: Mapping[str, int],
        latest: int,
        free_at: Callable[[Record], float] | None,
    ) -> None:
        self._carrier = carrier
        more = () if free_at is None else (free_at,)
        self.levels = {level: LevelQueue(window, *more) for level in Level}
        self.otp = self.levels[Level.OTP]
        self._others = [self.levels[level] for level in _BEHIND_OTP]
        self._turns = Turns(HIGH_RUN, NORMAL_RUN)
        for name, count in waiting.items():
            if carrier_of_lane(name) == carrier:
                level = self.levels[level_of_lane(name)]
                level.add(Lane(name, window=window, waiting=count, latest=latest))

    def __len__(self) -> int:
        """How many wait, in memory and on disk."""
        return sum(map(len, self.levels.values()))

    def waiting(self, priority: Priority) -> int:
        """How many of one priority wait, in memory and on disk."""
        return sum(len(queue) for level, queue in self.levels.items() if level.priority is priority)

    def oldest(self, priority: Priority) -> Record | None:
        """The oldest of one priority whose turn it could be."""
        heads = [queue.oldest for level, queue in self.levels.items() if level.priority is priority]
        return min((head for head in heads if head is not None), key=lambda head: head.id, default=None)

    def offer(self, record: Record) -> bool:
        """Take a record that was just committed; False when it is left on disk for now, or was read from there."""
        name = lane_name(self._carrier, record.message)
        return self.levels[level_of_lane(name)].offer(record, name)

    def put_back(self, record: Record) -> None:
        """A record that is to go again: before all others of its lane."""
        name = lane_name(self._carrier, record.message)
        self.levels[level_of_lane(name)].put_back(record, name)

    def rewind(self, record: Record) -> None:
        """A record is queued on disk, and not in memory."""
        self.levels[level_of_lane(record.lane)].rewind(record.id, record.lane)

    def read_again(self, lane: Lane, message_id: MessageId) -> None:
        """What waits on disk in a lane is read again from a message on."""
        self.levels[level_of_lane(lane.name)].read_again(lane, message_id)

    def settle_on_disk(self, lane: str) -> None:
        """One of those that waited on disk ended there: it will not come."""
        self.levels[level_of_lane(lane)].lane(lane).settle_on_disk()

    def next_of_others(self, now: float) -> tuple[LevelQueue, Lane] | None:
        """Whose turn it is of what is no one-time password; None when nothing in memory may go now."""
        high, normal, low = self._others
        lanes = (high.next_lane(now), normal.next_lane(now), low.next_lane(now))
        turn = self._turns.next([lane is not None for lane in lanes])
        if turn is None:
            return None
        lane = lanes[turn]
        assert lane is not None
        return self._others[turn], lane

    def taken(self, queue: LevelQueue) -> None:
        """One of the others had its turn."""
        self._turns.taken(self._others.index(queue))

    @property
    def blocked_until(self) -> float | None:
        """When something that may not go now may; None when there is nothing like that."""
        times = [queue.blocked_until for queue in self.levels.values()]
        return min((time for time in times if time is not None), default=None)
