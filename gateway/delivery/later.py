"""Messages that go at a certain time: retries after a refusal, and those sent for later."""

import heapq
from collections.abc import Callable
from typing import Protocol

from gateway.message import MessageId


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """What this needs of an event loop."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer: ...


class Later:
    """Ids by the time they are due, with one timer for the first. `release` gets those that are due, in order."""

    def __init__(self, clock: Clock, release: Callable[[list[MessageId]], None], *, at_once: int = 1_000) -> None:
        self._clock = clock
        self._release = release
        self._at_once = at_once
        self._heap: list[tuple[float, MessageId]] = []
        self._timer: Timer | None = None
        self._timer_at = float("inf")

    def __len__(self) -> int:
        return len(self._heap)

    def ids(self) -> list[MessageId]:
        """All that wait, in no order."""
        return [message_id for _, message_id in self._heap]

    def add(self, message_id: MessageId, *, due: float) -> None:
        """`due` on the clock's time; in the past: at once, but not within this call."""
        heapq.heappush(self._heap, (due, message_id))
        self._set_timer()

    def stop(self) -> None:
        """Release nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = -float("inf")

    def _fire(self) -> None:
        self._timer = None
        self._timer_at = float("inf")
        now = self._clock.time()
        due: list[MessageId] = []
        while self._heap and self._heap[0][0] <= now and len(due) < self._at_once:
            due.append(heapq.heappop(self._heap)[1])
        self._set_timer()
        if due:
            self._release(due)

    def _set_timer(self) -> None:
        if not self._heap or self._heap[0][0] >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._heap[0][0]
        self._timer = self._clock.call_at(self._timer_at, self._fire)
