"""What is to be done later, gathered into ticks. Pure: time is an argument."""

from collections import defaultdict
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

TICK_SECONDS: Final = 0.005


class Agenda(Generic[Item]):
    """Items by the tick they are due in: adding one costs no more with a million waiting than with ten.

    Items of one tick come out in the order in which they went in, never before they are due.
    """

    def __init__(self) -> None:
        self._ticks: list[int] = []  # a heap
        self._due: defaultdict[int, list[Item]] = defaultdict(list)

    def __len__(self) -> int:
        return sum(map(len, self._due.values()))

    def add(self, item: Item, *, due: float) -> None:
        """Keep `item` until `due`."""
        tick = -int(-due // TICK_SECONDS)
        items = self._due[tick]
        if not items:
            heappush(self._ticks, tick)
        items.append(item)

    @property
    def next_due(self) -> float | None:
        """When `take` has something next; None while nothing waits."""
        return self._ticks[0] * TICK_SECONDS if self._ticks else None

    def take(self, *, now: float) -> list[Item]:
        """Return what is due by `now`, soonest first, and forget it."""
        taken: list[Item] = []
        while self._ticks and self._ticks[0] * TICK_SECONDS <= now:
            taken += self._due.pop(heappop(self._ticks))
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._ticks.clear()
        self._due.clear()
