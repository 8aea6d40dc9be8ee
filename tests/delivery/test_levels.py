"""The lanes of one level: accounts take turns whatever waits in each, memory is bounded, nothing is lost or doubled."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.delivery.levels import QUANTUM, SMALLEST_WINDOW, LevelQueue
from gateway.message import MessageId, Record
from tests.delivery.samples import a_record

WINDOW = 40


class Disk:
    """A level queue, and the disk behind it."""

    def __init__(self, **fields) -> None:
        self.queue = LevelQueue(WINDOW, **fields)
        self.waiting: dict[str, list[Record]] = {}  # on disk, by lane
        self.in_memory: set[int] = set()
        self.reading: list[tuple] = []
        self._ids = 0

    def accept(self, account: str, **fields) -> Record:
        self._ids += 1
        record = a_record(id=MessageId(self._ids), account=account, **fields)
        self.waiting.setdefault(account, []).append(record)
        if self.queue.offer(record, account):
            self.in_memory.add(record.id)
        return record

    def read(self) -> bool:
        lane = self.queue.start_refill()
        if lane is not None:
            limit = lane.refill_limit
            found = [one for one in self.waiting.get(lane.name, []) if one.id > lane.cursor][:limit]
            self.reading.append((lane, found, limit))
        return lane is not None

    def finish_reading(self) -> None:
        lane, found, limit = self.reading.pop(0)
        fresh = [one for one in found if one.id not in self.in_memory]
        self.in_memory |= {one.id for one in fresh}
        last = found[-1].id if found else None
        self.queue.finish_refill(lane, fresh, last=last, complete=len(found) < limit)

    def take(self, now: float = 0.0) -> Record | None:
        """The next record, with everything read that the lanes want."""
        while self.read():
            self.finish_reading()
        lane = self.queue.next_lane(now)
        if lane is None:
            return None
        record = self.queue.take(lane)
        self.waiting[record.message.account].remove(record)
        self.in_memory.discard(record.id)
        return record


def test_an_account_with_one_message_goes_within_a_turn_of_one_that_has_very_many():
    disk = Disk()
    for _ in range(2_000):
        disk.accept("bulk")
    assert [disk.take().message.account for _ in range(100)] == ["bulk"] * 100
    disk.accept("small")
    assert "small" in [disk.take().message.account for _ in range(QUANTUM + 1)]


def test_accounts_that_always_have_something_get_the_same_number_of_parts():
    disk = Disk()
    for _ in range(300):
        disk.accept("long", parts=5)
        disk.accept("short")
        disk.accept("short")
        disk.accept("shorter")
        disk.accept("shorter")
    parts = Counter()
    for _ in range(300):
        record = disk.take()
        parts[record.message.account] += record.message.parts
    assert max(parts.values()) - min(parts.values()) <= QUANTUM + 5


def test_an_account_that_had_nothing_for_long_has_saved_up_nothing():
    disk = Disk()
    for _ in range(100):
        disk.accept("steady")
    for _ in range(50):
        disk.take()
    for _ in range(100):
        disk.accept("new")
    first = [disk.take().message.account for _ in range(4 * QUANTUM)]
    assert Counter(first) == {"steady": 2 * QUANTUM, "new": 2 * QUANTUM}


def test_each_account_keeps_its_order():
    disk = Disk()
    for n in range(500):
        disk.accept(f"account-{n % 3}")
    taken = [disk.take() for _ in range(500)]
    for account in {one.message.account for one in taken}:
        ids = [one.id for one in taken if one.message.account == account]
        assert ids == sorted(ids)
    assert disk.take() is None


def test_what_may_not_go_yet_lets_the_other_accounts_go_and_goes_when_it_may():
    disk = Disk(free_at=lambda record: 10.0 if record.message.sender == "1" else 0.0)
    slow = disk.accept("slow", sender="1")
    for _ in range(3):
        disk.accept("other")
    assert [disk.take(1.0).message.account for _ in range(3)] == ["other"] * 3
    assert disk.take(9.9) is None
    assert disk.queue.blocked_until == 10.0
    assert disk.take(10.0) is slow
    assert disk.queue.blocked_until is None


class Accounts(RuleBasedStateMachine):
    """Several accounts, reads that take their time, records that come back, against a plain list of what is to go."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.to_go: set[int] = set()
        self.gone: list[Record] = []

    @rule(account=st.sampled_from("abcde"), count=st.integers(1, 60), parts=st.integers(1, 3))
    def accept(self, account, count, parts):
        for _ in range(count):
            self.to_go.add(self.disk.accept(account, parts=parts).id)

    @rule()
    def begin_to_read(self):
        self.disk.read()

    @precondition(lambda self: self.disk.reading)
    @rule()
    def finish_reading(self):
        self.disk.finish_reading()

    @rule(count=st.integers(1, 30))
    def take(self, count):
        for _ in range(count):
            lane = self.disk.queue.next_lane(0.0)
            if lane is None:
                return
            record = self.disk.queue.take(lane)
            self.disk.waiting[record.message.account].remove(record)
            self.disk.in_memory.discard(record.id)
            assert record.id in self.to_go, "it went twice"
            self.to_go.discard(record.id)
            self.gone.append(record)

    @precondition(lambda self: self.gone)
    @rule()
    def put_back(self):
        record = self.gone.pop()
        account = record.message.account
        self.disk.waiting[account].insert(0, record)
        self.disk.in_memory.add(record.id)
        self.disk.queue.put_back(record, account)
        self.to_go.add(record.id)

    @invariant()
    def it_counts_what_waits(self):
        assert len(self.disk.queue) == len(self.to_go)

    @invariant()
    def memory_is_bounded(self):
        """Each new account finds a smaller window, while the earlier ones have theirs full: 1 + 1/2 + 1/3 …"""
        most = sum(max(SMALLEST_WINDOW, WINDOW // n) for n in range(1, 6))
        put_back = sum(len(lane._again) for lane in self.disk.queue.lanes)
        assert len(self.disk.in_memory) - put_back <= most + WINDOW

    def teardown(self):
        while self.disk.reading:
            self.disk.finish_reading()
        while (record := self.disk.take()) is not None:
            assert record.id in self.to_go, "it went twice"
            self.to_go.discard(record.id)
        assert self.to_go == set(), "they never went"


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
