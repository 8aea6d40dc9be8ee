"""A limit for each source number: some carriers allow one only so many segments a second. Time is an argument."""

from typing import Final

MOST_KNOWN: Final = 10_000  # source numbers that are remembered before those at rest are forgotten


class SourceLimits:
    """When each source number may be used next. `rate`: segments a second from one; 0: no limit."""

    def __init__(self, rate: float) -> None:
        self._seconds_each = 1 / rate if rate else 0.0
        self._free_at: dict[str, float] = {}

    def free_at(self, source: str) -> float:
        """When a message may leave from it; what is past means now."""
        return self._free_at.get(source, 0.0)

    def spend(self, source: str, segments: int, *, now: float) -> None:
        """So many segments leave from it: the next message may when they have had their time."""
        if not self._seconds_each:
            return
        if len(self._free_at) >= MOST_KNOWN:
            self._free_at = {source: at for source, at in self._free_at.items() if at > now}
        self._free_at[source] = max(now, self.free_at(source)) + segments * self._seconds_each
