"""How fast a carrier is sent to: its rate in segments, and how it yields. Time is an argument."""

from typing import Final

from gateway.rates import TokenBucket, YieldingRate

DEPTH_SECONDS: Final = 0.01  # what may leave at once after a pause
LOWEST_RATE: Final = 1.0  # segments a second, however often the carrier complains
CLIMB_SECONDS: Final = 30.0  # from there back to what is configured
SETTLE_SECONDS: Final = 1.0  # until a cut is known not to have been enough: carriers count by the second
_LOOK_SECONDS: Final = 0.1  # how often the bucket follows the rate while that climbs


class Pace:
    """The rate of one carrier, shared by its binds."""

    def __init__(self, rate: float, *, now: float) -> None:
        self._configured = rate
        self._yielding = YieldingRate(
            rate, floor=LOWEST_RATE, climb_seconds=CLIMB_SECONDS, settle_seconds=SETTLE_SECONDS
        )
        self._bucket = TokenBucket(rate, depth=_depth(rate), now=now)
        self._is_cut = False  # below what is configured
        self._looked_at = now

    def rate(self, *, now: float) -> float:
        """Segments a second that it may be sent now."""
        return self._yielding.rate(now=now)

    def take(self, segments: int, *, now: float) -> bool:
        """Whether so many segments may leave now; then they are counted."""
        if self._is_cut and now >= self._looked_at + _LOOK_SECONDS:
            self._follow(now)
        return self._bucket.take(segments, now=now)

    def ready_in(self) -> float:
        """Seconds from the last `take` until the next can succeed."""
        return self._bucket.ready_in()

    def throttled(self, *, sent_at: float, now: float) -> bool:
        """What left at `sent_at` was too much for the carrier. Whether it is sent to more slowly for that."""
        was_cut = self._yielding.cut(sent_at=sent_at, now=now)
        if was_cut:
            self._follow(now)
        return was_cut

    def _follow(self, now: float) -> None:
        rate = self._yielding.rate(now=now)
        self._bucket.change_rate(rate, depth=_depth(rate), now=now)
        self._looked_at = now
        self._is_cut = rate < self._configured


def _depth(rate: float) -> float:
    return max(1.0, rate * DEPTH_SECONDS)
