"""How fast, and when again: a token bucket and a backoff. Time is an argument, in seconds of a monotonic clock."""

from collections.abc import Callable


class TokenBucket:
    """At most `rate` tokens a second, and `depth` at once after a pause.

    A take may overdraw the bucket by less than one take; the debt is waited out, so the average never passes the rate.
    """

    def __init__(self, rate: float, *, depth: float, now: float) -> None:
        if rate <= 0 or depth <= 0:
            raise ValueError(f"rate = {rate}, depth = {depth}: both must be above 0")
        self.rate = rate
        self._depth = depth
        self._tokens = depth
        self._filled_at = now

    def take(self, count: int, *, now: float) -> bool:
        """Take `count` tokens if there is at least one, and say whether they were taken."""
        elapsed = now - self._filled_at
        if elapsed > 0:
            self._tokens = min(self._depth, self._tokens + elapsed * self.rate)
            self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= count
        return True

    def ready_in(self) -> float:
        """Seconds from the last take until the next can succeed."""
        return max(0.0, (1 - self._tokens) / self.rate)


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
