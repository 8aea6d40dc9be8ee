"""Messages for later, on a clock that the test moves."""

import heapq
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.later import Later
from gateway.message import MessageId


class Handle:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeClock:
    """What an event loop does with timers, when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, Handle, Callable[[], None]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        handle = Handle()
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle, callback))
        return handle

    @property
    def timers(self) -> int:
        return sum(not handle.is_cancelled for _, _, handle, _ in self._timers)

    def advance(self, to: float) -> None:
        """Call everything that is due until then, each at its time."""
        while self._timers and self._timers[0][0] <= to:
            when, _, handle, callback = heapq.heappop(self._timers)
            if not handle.is_cancelled:
                self.now = max(self.now, when)
                callback()
        self.now = max(self.now, to)


class Released:
    """A Later on a fake clock, and what it released when."""

    def __init__(self, *, at_once: int = 1_000) -> None:
        self.clock = FakeClock()
        self.batches: list[tuple[float, list[MessageId]]] = []
        self.later = Later(self.clock, self._take, at_once=at_once)

    def _take(self, due: list[MessageId]) -> None:
        self.batches.append((self.clock.now, due))

    def add(self, number: int, *, due: float) -> None:
        self.later.add(MessageId(number), due=due)

    @property
    def ids(self) -> list[int]:
        return [number for _, batch in self.batches for number in batch]


def test_each_is_released_when_it_is_due_and_not_before():
    released = Released()
    released.add(1, due=10.0)
    released.add(2, due=5.0)

    released.clock.advance(4.9)
    assert released.batches == []
    released.clock.advance(20.0)
    assert released.batches == [(5.0, [2]), (10.0, [1])]
    assert len(released.later) == 0


def test_what_is_overdue_is_released_at_once_but_not_within_the_call():
    released = Released()
    released.clock.now = 100.0
    released.add(1, due=3.0)
    assert released.batches == []
    released.clock.advance(100.0)
    assert released.ids == [1]


def test_those_due_together_are_released_together_in_the_order_of_their_ids():
    released = Released()
    for number in (3, 1, 2):
        released.add(number, due=1.0)
    released.clock.advance(1.0)
    assert released.batches == [(1.0, [1, 2, 3])]


def test_many_are_released_a_slice_at_a_time():
    released = Released(at_once=10)
    for number in range(25):
        released.add(number, due=1.0)
    released.clock.advance(1.0)
    assert [len(batch) for _, batch in released.batches] == [10, 10, 5]
    assert released.ids == list(range(25))


def test_there_is_one_timer_however_many_wait():
    released = Released()
    for number in range(100):
        released.add(number, due=100.0 - number)
    assert released.clock.timers == 1
    assert sorted(released.later.ids()) == list(range(100))


def test_after_a_stop_nothing_is_released():
    released = Released()
    released.add(1, due=1.0)
    released.later.stop()
    released.add(2, due=0.5)
    released.clock.advance(10.0)
    assert released.batches == []
    assert released.clock.timers == 0


def test_what_is_released_may_come_back():
    clock = FakeClock()
    seen: list[tuple[float, int]] = []

    def again(due: list[MessageId]) -> None:
        for number in due:
            seen.append((clock.now, number))
            if len(seen) < 3:
                later.add(number, due=clock.now + 1.0)

    later = Later(clock, again)
    later.add(MessageId(7), due=1.0)
    clock.advance(10.0)
    assert seen == [(1.0, 7), (2.0, 7), (3.0, 7)]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), max_size=50))
def test_everything_is_released_once_and_in_time(steps: list[tuple[float, float]]):
    released = Released(at_once=3)
    due_at = {}
    for number, (due, wait) in enumerate(steps):
        due_at[number] = (due, released.clock.now)
        released.add(number, due=due)
        released.clock.advance(released.clock.now + wait)
    released.clock.advance(1_000.0)
    assert sorted(released.ids) == list(range(len(steps)))
    for at, batch in released.batches:
        for number in batch:
            due, added_at = due_at[number]
            assert at == max(due, added_at)
