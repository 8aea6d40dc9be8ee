"""Latencies in an HDR histogram: three digits of each, from a microsecond to an hour, in memory that does not grow."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from hdrh.histogram import HdrHistogram

from loadtest.report import percentile

MOST_MICROSECONDS: Final = 3_600_000_000
DIGITS: Final = 3
# Where the curve of percentiles has its points: a nine more is as far again.
CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.995, 99.999, 100)


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, in seconds: `curve` has the percentile and the value of each point."""

    count: int
    mean: float
    p50: float
    p99: float
    p999: float
    longest: float
    curve: Sequence[tuple[float, float]]


class Recorder:
    """Takes values in, and is settled now and then: many at once cost less than one at a time."""

    def __init__(self) -> None:
        self._fresh: list[int] = []
        self._take: Callable[[int], None] = self._fresh.append
        self._histogram = HdrHistogram(1, MOST_MICROSECONDS, DIGITS)

    def record(self, seconds: float) -> None:
        """Take a value; what is below a microsecond or above an hour counts as that."""
        self._take(min(max(1, round(seconds * 1e6)), MOST_MICROSECONDS))

    def settle(self) -> tuple[float, float]:
        """Put what came since the last time into the histogram. Returns its p50 and p99 in seconds, 0 for nothing."""
        fresh = sorted(self._fresh)
        self._fresh.clear()
        for value, count in Counter(fresh).items():
            self._histogram.record_value(value, count)
        return percentile(fresh, 0.50) / 1e6, percentile(fresh, 0.99) / 1e6

    def latencies(self) -> Latencies:
        """Return everything so far."""
        self.settle()
        histogram = self._histogram
        count = histogram.get_total_count()
        found = histogram.get_percentile_to_value_dict(CURVE) if count else dict.fromkeys(CURVE, 0)
        seconds = {at: found[at] / 1e6 for at in CURVE}
        return Latencies(
            count=count,
            mean=histogram.get_mean_value() / 1e6 if count else 0.0,
            p50=seconds[50],
            p99=seconds[99],
            p999=seconds[99.9],
            longest=seconds[100],
            curve=list(seconds.items()),
        )
