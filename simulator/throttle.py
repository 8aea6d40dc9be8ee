"""A rate limit, as a bucket of segments that fills with time. Pure: time is an argument."""


class Throttle:
    """Lets `per_second` segments through, up to `burst_seconds` worth of them at once; a rate of 0 lets all through."""

    def __init__(self, per_second: float, burst_seconds: float) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second * burst_seconds)
        self._level = self._size
        self._filled_at: float | None = None

    def admits(self, *, now: float) -> bool:
        """Say whether one more segment may pass now, and count it if so."""
        if not self._per_second:
            return True
        if self._filled_at is not None:
            self._level = min(self._size, self._level + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True
