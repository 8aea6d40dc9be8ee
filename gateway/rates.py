"""How fast, and when again: a token bucket, a rate that yields, a backoff. Time is an argument: seconds, monotonic."""

from collections.abc import Callable
from typing import Final

_HARDLY_ANYTHING: Final = 1e-6  # of a token: a timer may fire a clock's resolution early


class TokenBucket:
    """At most `rate` tokens a second, and `depth` at once after a pause.

    A take may overdraw the bucket by less than one take; the debt is waited out, so the average never passes the rate.
    Who must `leave` some tokens to others may take none while there are no more than these.
    """

    def __init__(self, rate: float, *, depth: float, now: float) -> None:
        if rate <= 0 or depth <= 0:
            raise ValueError(f"rate = {rate}, depth = {depth}: both must be above 0")
        self.rate = rate
        self._depth = depth
        self._tokens = depth
        self._filled_at = now

    def ready_in(self, *, now: float | None = None, leave: float = 0.0) -> float:
        """Seconds until there is a token beside those to be left: 0 for now. `now` None: from the last look."""
        elapsed = 0.0 if now is None else now - self._filled_at
        if now is not None and elapsed > 0:
            self._tokens = min(self._depth, self._tokens + elapsed * self.rate)
            self._filled_at = now
        missing = 1 + leave - self._tokens
        return missing / self.rate if missing > _HARDLY_ANYTHING else 0.0

    def give_back(self, count: int) -> None:
        """Some that were taken are not used."""
        self._tokens = min(self._depth, self._tokens + count)

    def spend(self, count: int) -> None:
        """Take `count` tokens: there is one."""
        self._tokens -= count

    def take(self, count: int, *, now: float, leave: float = 0.0) -> bool:
        """Take `count` tokens if there is one beside those to be left, and say whether they were taken."""
        if self.ready_in(now=now, leave=leave):
            return False
        self.spend(count)
        return True

    def change_rate(self, rate: float, *, depth: float, now: float) -> None:
        """What has gathered until now was at the old rate; what is above the new depth is lost."""
        self._tokens = min(depth, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = max(self._filled_at, now)
        self.rate = rate
        self._depth = depth


class YieldingRate:
    """A rate that is halved when the other side has had enough, and climbs back, in a straight line, to its ceiling.

    What was too much once brings many complaints: those about what left before the last cut, or less than
    `settle_seconds` after it, are the same one. Others count in whole seconds, and complain until theirs is over.
    """

    def __init__(self, ceiling: float, *, floor: float, climb_seconds: float, settle_seconds: float) -> None:
        """`climb_seconds`: from nothing to the ceiling."""
        self._ceiling = ceiling
        self._floor = min(floor, ceiling)
        self._climb = ceiling / climb_seconds
        self._settle_seconds = settle_seconds
        self._cut_to = ceiling
        self._cut_at = float("-inf")

    def rate(self, *, now: float) -> float:
        """What it is by now."""
        if self._cut_to >= self._ceiling:
            return self._ceiling
        return min(self._ceiling, self._cut_to + max(0.0, now - self._cut_at) * self._climb)

    def cut(self, *, sent_at: float, now: float) -> bool:
        """Halve it, for something that left at `sent_at` was too much; False when that is known already."""
        if sent_at < self._cut_at + self._settle_seconds:
            return False
        self._cut_to = max(self._floor, self.rate(now=now) / 2)
        self._cut_at = now
        return True


class Backoff:
    """Delays that double from first to longest, each shortened by up to half at random, so that peers spread out."""

    def __init__(self, *, first_seconds: float, longest_seconds: float, random: Callable[[], float]) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._random = random
        self._failures = 0

    def next(self) -> float:
        """The delay before the next try, in seconds."""
        full = delay_seconds(self._failures, first_seconds=self._first, longest_seconds=self._longest)
        self._failures += 1
        return full * (1 - 0.5 * self._random())

    def reset(self) -> None:
        """It worked: the next delay is a first one again."""
        self._failures = 0


def delay_seconds(failures: int, *, first_seconds: float, longest_seconds: float) -> float:
    """The full delay after so many failures in a row (0: the first): doubled each time, up to the longest."""
    return min(longest_seconds, first_seconds * float(2 ** min(failures, 32)))
