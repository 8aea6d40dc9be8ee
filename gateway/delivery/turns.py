"""Whose turn it is of those that go one before the other: the first, but not for ever."""

from collections.abc import Sequence


class Turns:
    """After `runs[i]` turns of i in a row, while something behind waits, that has one: it is slowed, not stopped."""

    def __init__(self, *runs: int) -> None:
        self._runs = (*runs, 1)  # nothing is behind the last
        self._in_a_row = [0] * len(self._runs)

    def next(self, waits: Sequence[bool]) -> int | None:
        """Which of those that wait has its turn now; None when none does."""
        for i, it_waits in enumerate(waits):
            if not it_waits:
                self._in_a_row[i] = 0
            elif self._in_a_row[i] < self._runs[i] or not any(waits[i + 1 :]):
                return i
        return None

    def taken(self, i: int) -> None:
        """It had its turn."""
        self._in_a_row[i] += 1
        for before in range(i):
            self._in_a_row[before] = 0
