"""Which messages a carrier may be sending again, because our answer to them never reached it. Pure.

What looks the same need not be the same: somebody may answer "1" twice. It is taken for the same only where the answer
to the first may be lost: its connection ended before the answer, or so soon after that it may not have arrived; or the
answer took so long that the carrier may have stopped waiting.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

import msgspec

# An answer within this time is in time for every carrier.
PROMPT_SECONDS: Final = 2.0
# How many are remembered of one carrier, the newest.
MOST_REMEMBERED: Final = 20_000

T = TypeVar("T")


class Arrival(msgspec.Struct, Generic[T]):
    """One message that came. `commit`: what its answer waits for; None once it was answered."""

    link: object  # the connection that it came by; None: one of before a start
    came_at: float
    commit: T | None
    answered_at: float = 0.0
    repeated_until: float | None = None  # until when it may come again; None: its answer has arrived, as far as we know


class Repeats(Generic[T]):
    """The latest arrivals of one carrier, by the fingerprints of what it sent. `now` is a monotonic time."""

    def __init__(self, *, settle_seconds: float, repeat_seconds: float, limit: int = MOST_REMEMBERED) -> None:
        """`settle_seconds`: after so long on a living connection an answer has arrived.

        `repeat_seconds`: how long a carrier goes on trying.
        """
        self._settle_seconds = settle_seconds
        self._repeat_seconds = repeat_seconds
        self._limit = limit
        self._arrivals: OrderedDict[int, Arrival[T]] = OrderedDict()  # in the order they came

    def __len__(self) -> int:
        return len(self._arrivals)

    def find(self, fingerprint: int, *, now: float) -> Arrival[T] | None:
        """The arrival that this is again; None when it is one of its own."""
        arrival = self._arrivals.get(fingerprint)
        if arrival is None:
            return None
        if arrival.repeated_until is not None:
            return arrival if now < arrival.repeated_until else None
        is_late = arrival.commit is not None and now - arrival.came_at >= PROMPT_SECONDS
        return arrival if is_late else None

    def came(self, fingerprint: int, link: object, commit: T, *, now: float) -> Arrival[T]:
        """Something came that is to be answered when `commit` is done."""
        arrival = Arrival(link, now, commit)
        self._put(fingerprint, arrival)
        self._forget_old(now)
        return arrival

    def came_again(self, arrival: Arrival[T], link: object, *, now: float) -> None:
        """It came once more, and is answered once more. What follows is another, unless this answer is lost as well."""
        arrival.link = link
        arrival.answered_at = now
        arrival.repeated_until = None

    def answered(self, arrival: Arrival[T], *, now: float) -> None:
        """It is on disk, and was acknowledged; it may be that nobody heard."""
        arrival.commit = None
        arrival.answered_at = now
        if arrival.repeated_until is not None or now - arrival.came_at >= PROMPT_SECONDS:
            arrival.repeated_until = now + self._repeat_seconds

    def refused(self, fingerprint: int, arrival: Arrival[T]) -> None:
        """It is not on disk, and shall come again: as if for the first time."""
        if self._arrivals.get(fingerprint) is arrival:
            del self._arrivals[fingerprint]

    def ended(self, link: object, *, now: float) -> None:
        """A connection is gone, and the latest answers with it, perhaps."""
        for arrival in self._arrivals.values():
            if arrival.link is link and (
                arrival.commit is not None or now - arrival.answered_at < self._settle_seconds
            ):
                arrival.repeated_until = now + self._repeat_seconds

    def expect(self, fingerprint: int, *, now: float) -> None:
        """What is on disk since before a start may come again."""
        self._put(fingerprint, Arrival(None, now, None, now, now + self._repeat_seconds))

    def _put(self, fingerprint: int, arrival: Arrival[T]) -> None:
        self._arrivals[fingerprint] = arrival
        self._arrivals.move_to_end(fingerprint)
        if len(self._arrivals) > self._limit:
            self._arrivals.popitem(last=False)

    def _forget_old(self, now: float) -> None:
        """Of the oldest two, those that will not come again: so memory follows the traffic."""
        for _ in range(2):
            fingerprint, arrival = next(iter(self._arrivals.items()))
            if arrival.commit is not None:
                return
            until = arrival.repeated_until
            if now < (arrival.answered_at + self._settle_seconds if until is None else until):
                return
            del self._arrivals[fingerprint]
