"""How fast a carrier is sent to: its rate in segments, the part of it kept for one-time passwords, and how it yields.

One bucket for all: a message of any kind takes its tokens from it, and those that are no one-time passwords leave some
there. So nothing is lost while there are no passwords, and the next one finds a token at once. Time is an argument.
"""

from typing import Final

from gateway.rates import TokenBucket, YieldingRate

DEPTH_SECONDS: Final = 0.01  # what may leave at once after a pause
LATE_SECONDS: Final = 0.003  # by which a timer may be late without anything being lost
LOWEST_RATE: Final = 1.0  # segments a second, however often the carrier complains
CLIMB_SECONDS: Final = 30.0  # from there back to what is configured
SETTLE_SECONDS: Final = 1.0  # until a cut is known not to have been enough: carriers count by the second
_LOOK_SECONDS: Final = 0.1  # how often the bucket follows the rate while that climbs


class Pace:
    """The rate of one carrier, shared by its binds. `otp_share`: of what may leave at once, kept for passwords."""

    def __init__(self, rate: float, *, otp_share: float, now: float) -> None:
        self._configured = rate
        self._otp_share = otp_share
        self._yielding = YieldingRate(
            rate, floor=LOWEST_RATE, climb_seconds=CLIMB_SECONDS, settle_seconds=SETTLE_SECONDS
        )
        depth, self._kept = self._sizes(rate)
        self._bucket = TokenBucket(rate, depth=depth, now=now)
        self._is_cut = False  # below what is configured
        self._looked_at = now

    def rate(self, *, now: float) -> float:
        """Segments a second that it may be sent now."""
        return self._yielding.rate(now=now)

    def ready_in(self, *, now: float, takes_kept: bool) -> float:
        """Seconds until a part may leave: 0 for now. `takes_kept`: also by what is kept for one-time passwords."""
        if self._is_cut and now >= self._looked_at + _LOOK_SECONDS:
            self._follow(now)
        return self._bucket.ready_in(now=now, leave=0.0 if takes_kept else self._kept)

    def spend(self, segments: int) -> None:
        """A part leaves: it is as many segments on the air."""
        self._bucket.spend(segments)

    def throttled(self, *, sent_at: float, now: float) -> bool:
        """What left at `sent_at` was too much for the carrier. Whether it is sent to more slowly for that."""
        was_cut = self._yielding.cut(sent_at=sent_at, now=now)
        if was_cut:
            self._follow(now)
        return was_cut

    def _follow(self, now: float) -> None:
        rate = self._yielding.rate(now=now)
        depth, self._kept = self._sizes(rate)
        self._bucket.change_rate(rate, depth=depth, now=now)
        self._looked_at = now
        self._is_cut = rate < self._configured

    def _sizes(self, rate: float) -> tuple[float, float]:
        """The bucket's depth, and how many of its tokens are kept for passwords."""
        depth = rate * DEPTH_SECONDS
        kept = max(1.0, depth * self._otp_share) if self._otp_share else 0.0
        return max(depth, kept + 1.0 + rate * LATE_SECONDS), kept
