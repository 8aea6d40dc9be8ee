"""Lanes against a plain model of the disk behind them: nothing lost, nothing doubled, order kept, memory bounded."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.delivery.lanes import Lane
from gateway.message import MessageId, Record
from tests.delivery.samples import a_record

WINDOW = 10
_any = st.randoms(use_true_random=False)


def record(number: int) -> Record:
    return a_record(id=MessageId(number))


def ids(records: list[Record]) -> list[int]:
    return [each.id for each in records]


def refill(lane: Lane, on_disk: list[Record]) -> list[int]:
    """One whole refill of what is queued on disk; return the ids it took."""
    lane.start_refill()
    limit = lane.refill_limit
    read = [each for each in on_disk if each.id > lane.cursor][:limit]
    lane.finish_refill(read, last=read[-1].id if read else None, complete=len(read) < limit)
    return ids(read)


def take_all(lane: Lane) -> list[int]:
    taken = []
    while lane.oldest is not None:
        taken.append(lane.take().id)
    return taken


def test_records_come_out_in_the_order_they_went_in():
    lane = Lane("a/normal", window=WINDOW)
    assert all(lane.offer(record(n)) for n in range(1, 6))
    assert len(lane) == 5
    assert take_all(lane) == [1, 2, 3, 4, 5]
    assert len(lane) == 0


def test_past_the_window_records_stay_on_disk_and_are_read_in_their_turn():
    lane = Lane("a/normal", window=WINDOW)
    disk = [record(n) for n in range(1, 26)]
    assert [lane.offer(each) for each in disk] == [True] * 10 + [False] * 15
    assert not lane.wants_refill

    taken = [lane.take().id for _ in range(5)]
    assert lane.wants_refill
    assert refill(lane, disk) == [11, 12, 13, 14, 15]
    taken += take_all(lane)
    assert refill(lane, disk) == list(range(16, 26))
    taken += take_all(lane)
    assert taken == list(range(1, 26))
    assert len(lane) == 0


def test_what_comes_while_a_backlog_waits_stands_behind_it():
    lane = Lane("a/normal", window=WINDOW, waiting=3, latest=3)
    assert not lane.offer(record(4))
    assert refill(lane, [record(n) for n in range(1, 5)]) == [1, 2, 3, 4]
    assert lane.offer(record(5))
    assert take_all(lane) == [1, 2, 3, 4, 5]


def test_what_is_put_back_goes_first_and_in_its_old_order():
    lane = Lane("a/normal", window=WINDOW)
    for n in range(1, 6):
        lane.offer(record(n))
    gone = [lane.take() for _ in range(3)]
    for each in gone:
        lane.put_back(each)
    assert len(lane) == 5
    assert take_all(lane) == [1, 2, 3, 4, 5]


def test_a_message_older_than_the_cursor_is_read_again():
    lane = Lane("a/normal", window=WINDOW)
    for n in (5, 6):
        lane.offer(record(n))
    assert take_all(lane) == [5, 6]
    lane.rewind(MessageId(3))
    assert lane.wants_refill
    assert refill(lane, [record(3)]) == [3]
    assert take_all(lane) == [3]
    assert len(lane) == 0
    assert not lane.wants_refill


def test_a_rewind_while_a_refill_is_read_is_not_forgotten():
    """The refill was asked for what comes after the cursor; the message stands before it."""
    lane = Lane("a/normal", window=WINDOW, waiting=1, latest=9)
    lane.start_refill()
    lane.finish_refill([record(9)], last=MessageId(9), complete=True)
    lane.offer(record(10))
    assert take_all(lane) == [9, 10]
    lane.rewind(MessageId(7))
    lane.start_refill()  # reads what comes after 6
    lane.rewind(MessageId(3))
    lane.finish_refill([record(7)], last=MessageId(7), complete=True)

    assert lane.wants_refill
    assert refill(lane, [record(3)]) == [3]
    assert take_all(lane) == [7, 3]


def test_a_refill_is_never_asked_for_nothing():
    """Parts that came back may fill the memory between the decision to read and the question."""
    lane = Lane("a/normal", window=WINDOW, waiting=100, latest=1_000)
    for n in range(1, 31):
        lane.put_back(record(n))
    assert lane.refill_limit >= 1


def test_a_read_that_failed_is_tried_again():
    lane = Lane("a/normal", window=WINDOW, waiting=1, latest=1)
    lane.start_refill()
    assert not lane.wants_refill
    lane.cancel_refill()
    assert lane.wants_refill
    assert refill(lane, [record(1)]) == [1]


class Backlog(RuleBasedStateMachine):
    """A lane, the disk behind it, and what is on its way. Offers come a while after their commits, as callbacks do."""

    @initialize(on_disk=st.integers(0, 25), window=st.integers(10, 14))
    def start(self, on_disk: int, window: int) -> None:
        self.window = window
        self.next_id = 100
        self.disk: dict[int, Record] = {}  # queued
        self.scheduled: list[Record] = []
        self.to_offer: list[Record] = []
        self.flying: dict[int, Record] = {}
        self.taken: list[int] = []  # each once, when it first left
        self.settled: set[int] = set()
        self.read: list[Record] | None = None  # what a refill under way has found
        self.dropped_while_reading: set[int] = set()
        self.came_back = 0
        self.disorder = False  # something was rewound
        for _ in range(on_disk):
            self._commit(self._new())
        self.lane = Lane("a/normal", window=window, waiting=on_disk, latest=self.next_id)

    def _new(self) -> Record:
        self.next_id += 1
        return record(self.next_id)

    def _commit(self, new: Record) -> Record:
        self.disk[new.id] = new
        return new

    def live(self) -> set[int]:
        return set(ids(self.waiting())) | set(self.flying)

    def waiting(self) -> list[Record]:
        """Of the lane, what is in memory."""
        return [*self.lane._again, *self.lane._records]

    @rule(count=st.integers(1, 8))
    def messages_are_accepted(self, count: int) -> None:
        self.to_offer += [self._commit(self._new()) for _ in range(count)]

    @rule()
    def their_commit_tells(self) -> None:
        for each in self.to_offer:
            self.lane.offer(each)
        self.to_offer = []

    @rule(count=st.integers(1, 3))
    def messages_are_scheduled(self, count: int) -> None:
        self.scheduled += [self._new() for _ in range(count)]

    @precondition(lambda self: self.scheduled)
    @rule(random=_any)
    def one_is_released(self, random) -> None:
        each = random.choice(self.scheduled)
        self.scheduled.remove(each)
        self._commit(each)
        self.lane.rewind(each.id)
        self.disorder = True

    @precondition(lambda self: self.read is None and self.lane.wants_refill)
    @rule()
    def a_refill_begins(self) -> None:
        self.lane.start_refill()
        self.limit = self.lane.refill_limit
        behind = [self.disk[number] for number in sorted(self.disk) if number > self.lane.cursor]
        self.read = behind[: self.limit]
        self.dropped_while_reading.clear()

    @precondition(lambda self: self.read is not None)
    @rule()
    def the_refill_ends(self) -> None:
        assert self.read is not None
        gone = self.live() | self.dropped_while_reading
        fresh = [each for each in self.read if each.id not in gone]
        last = self.read[-1].id if self.read else None
        self.lane.finish_refill(fresh, last=last, complete=len(self.read) < self.limit)
        self.read = None
        self.their_commit_tells()  # its callbacks are due before another read can be over

    @precondition(lambda self: self.read is not None)
    @rule()
    def the_refill_fails(self) -> None:
        self.lane.cancel_refill()
        self.read = None

    @precondition(lambda self: self.lane.oldest is not None)
    @rule(count=st.integers(1, 6))
    def some_are_handed_over(self, count: int) -> None:
        for _ in range(count):
            if self.lane.oldest is not None:
                self._take()

    def _take(self) -> None:
        each = self.lane.take()
        assert each.id not in self.flying, "handed over twice"
        assert each.id not in self.settled, "handed over after it was settled"
        self.flying[each.id] = each
        if each.id in self.taken:
            self.came_back -= 1
        else:
            self.taken.append(each.id)

    @precondition(lambda self: self.flying and not self.to_offer)
    @rule(random=_any)
    def one_is_settled(self, random) -> None:
        number = random.choice(sorted(self.flying))
        del self.flying[number]
        del self.disk[number]
        self.settled.add(number)
        self.dropped_while_reading.add(number)

    @precondition(lambda self: self.flying)
    @rule(random=_any)
    def some_come_back(self, random) -> None:
        for number in sorted(random.sample(sorted(self.flying), random.randint(1, len(self.flying)))):
            self.lane.put_back(self.flying.pop(number))
            self.came_back += 1

    @invariant()
    def no_record_is_in_memory_twice(self) -> None:
        waiting = ids(self.waiting())
        assert len(waiting) == len(set(waiting))
        assert not set(waiting) & set(self.flying)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.waiting()) - self.came_back <= self.window

    @invariant()
    def it_counts_what_waits(self) -> None:
        assert len(self.lane) == max(0, len(self.disk) - len(self.flying) - len(self.to_offer))

    @invariant()
    def first_come_first_served(self) -> None:
        if not self.disorder:
            assert self.taken == sorted(self.taken)

    def teardown(self) -> None:
        """In the end everything that was committed leaves, once."""
        if not hasattr(self, "lane"):
            return
        self.their_commit_tells()
        if self.read is not None:
            self.the_refill_ends()
        for _ in range(1_000):
            while self.lane.oldest is not None:
                self._take()
            if not self.lane.wants_refill:
                break
            self.a_refill_begins()
            self.the_refill_ends()
        assert set(self.flying) == set(self.disk)
        assert len(self.lane) == 0


TestBacklog = Backlog.TestCase
TestBacklog.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
