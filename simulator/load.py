"""What load does to an SMSC: how many submits come a second, how slow that makes it, and who waits. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from simulator.scenario import Point

_SLICES: Final = 10
_SLICE_SECONDS: Final = 0.1


class Meter:
    """Counts what came in the last second, in tenths."""

    def __init__(self) -> None:
        self._counts = [0] * _SLICES
        self._slice = 0  # the present one, counted since the clock began

    def count(self, *, now: float) -> int:
        """Count one more, and return how many came in the second that ends `now`."""
        present = int(now / _SLICE_SECONDS)
        for passed in range(max(self._slice + 1, present - _SLICES + 1), present + 1):
            self._counts[passed % _SLICES] = 0
        self._slice = present
        self._counts[present % _SLICES] += 1
        return sum(self._counts)


class Curve:
    """A capacity curve: between two of its points a straight line, and beyond the ends as at the ends."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points: Final = tuple(points)

    def at(self, per_second: float) -> tuple[float, float]:
        """Return the latency in seconds and the share that is refused, at a load."""
        points = self._points
        if per_second <= points[0].segments_per_second:
            return points[0].latency_seconds, points[0].refused
        for low, high in pairwise(points):
            if per_second <= high.segments_per_second:
                way = (per_second - low.segments_per_second) / (high.segments_per_second - low.segments_per_second)
                return (
                    low.latency_seconds + way * (high.latency_seconds - low.latency_seconds),
                    low.refused + way * (high.refused - low.refused),
                )
        return points[-1].latency_seconds, points[-1].refused


class Backlog:
    """Messages that leave one after the other, `per_second` of them; at most `limit` wait."""

    def __init__(self, per_second: float, limit: int) -> None:
        self._seconds_each: Final = 1.0 / per_second
        self._limit: Final = limit
        self._empty_at = 0.0

    def wait(self, *, now: float) -> float | None:
        """Put one more into it, and return for how many seconds it waits; None: it is full."""
        empty_at = max(self._empty_at, now)
        if empty_at - now > (self._limit - 0.5) * self._seconds_each:
            return None
        self._empty_at = empty_at + self._seconds_each
        return self._empty_at - now
