"""How well each carrier has delivered to each network in the last minutes, by its receipts. Pure; time is an argument.

What is counted in a minute leaves whole when that minute is too old, so a carrier that recovers is trusted again, and
one that fails is seen to fail, within the same few minutes.
"""

from collections import deque
from typing import Final

import msgspec

from gateway.message import Milliseconds
from gateway.numbers import Network

_MINUTE: Final = 60_000


class Quality(msgspec.Struct, frozen=True):
    """What is known of one carrier and one network. `seconds`: from the hand-over to the receipt, on average."""

    receipts: int
    delivered: float  # share of the receipts, 0 to 1
    seconds: float


class _Series:
    """Receipts by minute, and their sums."""

    __slots__ = ("count", "delivered", "minutes", "seconds")

    def __init__(self) -> None:
        self.minutes: deque[list[float]] = deque()  # [minute, receipts, delivered, seconds of those], oldest first
        self.count = 0.0
        self.delivered = 0.0
        self.seconds = 0.0

    def drop_before(self, minute: int) -> None:
        minutes = self.minutes
        while minutes and minutes[0][0] < minute:
            _, count, delivered, seconds = minutes.popleft()
            self.count -= count
            self.delivered -= delivered
            self.seconds -= seconds
        if not minutes:
            self.count = self.delivered = self.seconds = 0.0  # no rounding errors are carried on


class QualityBook:
    """Counts receipts. Memory: some minutes for each carrier and network."""

    def __init__(self, *, minutes: int, least_receipts: int) -> None:
        """`least_receipts`: with fewer in these `minutes` nothing is known."""
        self._minutes = minutes
        self._least = least_receipts
        self._series: dict[tuple[str, str], _Series] = {}

    def note(self, carrier: str, network: str, *, delivered: bool, seconds: float, now: Milliseconds) -> None:
        """A receipt of a message's part came, `seconds` after the hand-over."""
        key = (carrier, network)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        minute = now // _MINUTE
        minutes = series.minutes
        if not minutes or minutes[-1][0] != minute:
            if minutes and minutes[-1][0] > minute:  # the clock was put back
                series.drop_before(int(minutes[-1][0]) + 1)
            series.drop_before(minute - self._minutes + 1)
            minutes.append([minute, 0, 0, 0.0])
        latest = minutes[-1]
        latest[1] += 1
        series.count += 1
        if delivered:
            latest[2] += 1
            latest[3] += seconds
            series.delivered += 1
            series.seconds += seconds

    def of(self, carrier: str, network: Network, *, now: Milliseconds) -> Quality | None:
        """What is known; None while that is too little."""
        series = self._series.get((carrier, network.value))
        if series is None:
            return None
        series.drop_before(now // _MINUTE - self._minutes + 1)
        if series.count < self._least:
            return None
        seconds = series.seconds / series.delivered if series.delivered else 0.0
        return Quality(int(series.count), series.delivered / series.count, seconds)
