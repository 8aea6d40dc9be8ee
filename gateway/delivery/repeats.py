"""Which messages a carrier may be sending again, because our answer to them never reached it. Pure.

What looks the same need not be the same: somebody may answer "1" twice. It is taken for the same only where the answer
to the first may be lost: its connection ended before the answer, or so soon after that it may not have arrived; or the
answer took so long that the carrier may have stopped waiting.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

import msgspec

# An answer within this time is in time for every carrier.
PROMPT_SECONDS: Final = 2.0
# How many are remembered of one carrier, the newest.
MOST_REMEMBERED: Final = 20_000
# And of those that look the same.
MOST_ALIKE: Final = 8

T = TypeVar("T")


class Arrival(msgspec.Struct, Generic[T]):
    """One message that came. `commit`: what its answer waits for; None once it was answered.

    `older`: another that looks the same, and may come again as well.
    """

    link: object  # the connection that it came by; None: one of before a start
    came_at: float
    commit: T | None
    answered_at: float = 0.0
    repeated_until: float | None = None  # until when it may come again; None: its answer has arrived, as far as we know
    older: "Arrival[T] | None" = None


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
        for arrival in _chain(self._arrivals.get(fingerprint)):
            if self._is_expected(arrival, now):
                return arrival
        return None

    def came(self, fingerprint: int, link: object, commit: T, *, now: float) -> Arrival[T]:
        """Something came that is to be answered when `commit` is done."""
        arrival = Arrival(link, now, commit)
        self._put(fingerprint, arrival, now)
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
        others = [each for each in _chain(self._arrivals.get(fingerprint)) if each is not arrival]
        if others:
            self._arrivals[fingerprint] = _linked(others)
        else:
            self._arrivals.pop(fingerprint, None)

    def ended(self, link: object, *, now: float) -> None:
        """A connection is gone, and the latest answers with it, perhaps."""
        for newest in self._arrivals.values():
            for arrival in _chain(newest):
                is_open = arrival.commit is not None or now - arrival.answered_at < self._settle_seconds
                if arrival.link is link and is_open:
                    arrival.repeated_until = now + self._repeat_seconds

    def expect(self, fingerprint: int, *, now: float) -> None:
        """What is on disk since before a start may come again."""
        self._put(fingerprint, Arrival(None, now, None, now, now + self._repeat_seconds), now)

    def _put(self, fingerprint: int, arrival: Arrival[T], now: float) -> None:
        alike = [each for each in _chain(self._arrivals.get(fingerprint)) if self._may_come_again(each, now)]
        self._arrivals[fingerprint] = _linked([arrival, *alike[: MOST_ALIKE - 1]])
        self._arrivals.move_to_end(fingerprint)
        if len(self._arrivals) > self._limit:
            self._arrivals.popitem(last=False)

    def _is_expected(self, arrival: Arrival[T], now: float) -> bool:
        """Whether what looks like it is taken for it."""
        if arrival.repeated_until is not None:
            return now < arrival.repeated_until
        return arrival.commit is not None and now - arrival.came_at >= PROMPT_SECONDS

    def _may_come_again(self, arrival: Arrival[T], now: float) -> bool:
        """Whether it is expected, or would be if its connection ended now."""
        if arrival.commit is not None:
            return True
        until = arrival.repeated_until
        return now < (arrival.answered_at + self._settle_seconds if until is None else until)

    def _forget_old(self, now: float) -> None:
        """Of the oldest two, those that will not come again: so memory follows the traffic."""
        for _ in range(2):
            fingerprint, newest = next(iter(self._arrivals.items()))
            if any(self._may_come_again(arrival, now) for arrival in _chain(newest)):
                return
            del self._arrivals[fingerprint]


def _chain(arrival: Arrival[T] | None) -> Iterator[Arrival[T]]:
    """An arrival and those that look the same, newest first."""
    while arrival is not None:
        yield arrival
        arrival = arrival.older


def _linked(arrivals: list[Arrival[T]]) -> Arrival[T]:
    """The first of these, as the head of a chain of them all."""
    for n, arrival in enumerate(arrivals):
        arrival.older = arrivals[n + 1] if n + 1 < len(arrivals) else None
    return arrivals[0]
