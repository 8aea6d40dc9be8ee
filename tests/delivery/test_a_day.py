"""A day of traffic in seconds: all of delivery on a clock that jumps, against carriers that have a bad day."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from gateway.delivery.settings import DeliverySettings
from gateway.message import Category, IdSource, Message, MessageId, Priority, Record, Status, lane_name, new_record
from gateway.smpp import CommandStatus, SubmitSm
from tests.delivery.samples import CARRIER, LONG, MORNING, TEXT, bind_settings, carrier_settings
from tests.delivery.virtual import MemorySmsc, VirtualLoop, open_delivery

HOUR = 3_600.0
RATE, OTHER_RATE, WINDOW, LATENCY = 5, 3, 20, 0.02
BULK, FLOOD = 6_000, 700
DOWN = (13 * HOUR, 13 * HOUR + 1_200)  # the first carrier
THROTTLES = (15 * HOUR, 15.5 * HOUR)  # it takes two a second, and refuses the rest
FLOODED = 18 * HOUR  # codes come faster than they can go


class Sent(msgspec.Struct):
    """A message of the day: when it was handed in, in seconds of the day."""

    record: Record
    at: float
    account: str


class Day:
    """Delivery, its carriers, and everything that was handed in."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._began = loop.time()
        self._chance = random.Random(20_270_115)
        self._taken_in: Counter[int] = Counter()  # by the first carrier, while it throttles, by the second
        self.first = MemorySmsc(self._moody, latency_seconds=LATENCY)
        self.second = MemorySmsc(lambda *_: (0, 0.1), latency_seconds=LATENCY)
        self.sent: list[Sent] = []
        self._count = 0
        self._ids = IdSource(node=0, last=MessageId(0))

    @property
    def second_of_day(self) -> float:
        return self._loop.time() - self._began

    def clock(self) -> int:
        return MORNING + round(self.second_of_day * 1000)

    def _moody(self, submit: SubmitSm, now: float) -> tuple[int | None, float]:
        """Some answers never come, some refuse for now, and for half an hour most of them throttle."""
        second = now - self._began
        draw = self._chance.random()
        if THROTTLES[0] <= second < THROTTLES[1]:
            self._taken_in[int(second)] += 1
            if self._taken_in[int(second)] > 2:
                return CommandStatus.ESME_RTHROTTLED, 0.05
        if draw < 0.001:
            return None, 0.0
        if draw < 0.01:
            return CommandStatus.ESME_RSYSERR, 0.05
        return 0, 0.05 + self._chance.random() * 0.5

    async def start(self, monkeypatch: pytest.MonkeyPatch) -> asyncio.Task[None]:
        carriers = (
            carrier_settings(bind_settings(1, "a", window=WINDOW), throughput=RATE, otp_share=0.2),
            carrier_settings(bind_settings(2, "b", window=WINDOW), name="cmcc-b", throughput=OTHER_RATE, otp_share=0.2),
        )
        self.delivery, shared = await open_delivery(
            carriers,
            {1: self.first, 2: self.second},
            settings=DeliverySettings(lane_window=500, sweep_seconds=300.0),
            clock=self.clock,
            random=self._chance.random,
            next_id=lambda: MessageId(self._ids.next(self.clock())),
            monkeypatch=monkeypatch,
        )
        self.store, self.live = shared.store, shared.live
        return asyncio.create_task(self.delivery.run())

    async def hand_in(self, count: int, account: str, **fields: Any) -> None:
        """Accept messages as the intake does: by the first carrier that is up."""
        records = [self._record(account, **fields) for _ in range(count)]
        self.sent += [Sent(record, self.second_of_day, account) for record in records]
        for first in range(0, count, 1_000):
            some = records[first : first + 1_000]
            commit = self.store.append(some)
            commit.add_done_callback(lambda _, some=some: self.delivery.accept(some))

    def _record(self, account: str, **fields: Any) -> Record:
        now = self.clock()
        self._count += 1
        values = {"to": f"+86138{self._count:08}"} | fields
        message = Message(
            id=self._ids.next(now),
            account=account,
            text=LONG if fields.get("parts") else TEXT,
            network="cmcc",
            accepted_at=now,
            expires_at=now + 86_400_000,
            carriers=(CARRIER, "cmcc-b"),
            **values,
        )
        carrier = next(filter(self.delivery.is_up, message.carriers), CARRIER)
        return new_record(message, Status.QUEUED, lane=lane_name(carrier, message))


def traffic(chance: random.Random) -> Iterator[tuple[float, Callable[[Day], Any]]]:
    """What is handed in, and what befalls the carriers, by the second of the day."""
    code = {"category": Category.OTP, "priority": Priority.HIGH}
    for second in range(30, 86_000, 60):
        yield second + chance.random(), lambda day: day.hand_in(1, "codes", **code)
    for account in ("one", "two", "three"):
        for second in range(60, 86_000, 300):
            parts = {"parts": 3} if chance.random() < 0.1 else {}
            at = second + chance.random() * 200
            yield at, lambda day, account=account, parts=parts: day.hand_in(1, account, **parts)
    yield 9 * HOUR, lambda day: day.hand_in(BULK, "bulk")
    yield DOWN[0], lambda day: day.first.go_down()
    yield DOWN[1], lambda day: setattr(day.first, "is_listening", True)
    yield FLOODED - 1, lambda day: day.hand_in(200, "bulk", priority=Priority.LOW)
    for n in range(FLOOD):
        yield FLOODED + n / 10, lambda day: day.hand_in(1, "codes", **code)


async def live_through(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await day.start(monkeypatch)
    await asyncio.sleep(5.0)
    for at, act in sorted(traffic(random.Random(1)), key=lambda each: each[0]):
        if at > day.second_of_day:
            await asyncio.sleep(at - day.second_of_day)
        result = act(day)
        if result is not None:
            await result
    await asyncio.sleep(HOUR)
    await day.delivery.drain()
    await day.delivery.unbind()
    running.cancel()
    await asyncio.wait([running])


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    with closing(VirtualLoop()) as loop, pytest.MonkeyPatch.context() as monkeypatch:
        day = Day(loop)
        loop.run_until_complete(live_through(day, monkeypatch))
        yield day


def first_times(day: Day) -> dict[str, float]:
    """When each number was first sent to, in seconds of the day."""
    times: dict[str, float] = {}
    for smsc in (day.first, day.second):
        for taken in smsc.taken:
            at = taken.at - day._began - LATENCY
            times[taken.to] = min(times.get(taken.to, at), at)
    return times


def waits(day: Day, *, account: str, between: tuple[float, float] = (0.0, 86_400.0)) -> list[float]:
    times = first_times(day)
    found = [s for s in day.sent if s.account == account and between[0] <= s.at < between[1]]
    return sorted(times[sent.record.message.to] - sent.at for sent in found)


def test_every_message_of_the_day_was_delivered_and_nothing_is_left(day: Day):
    stored = day.store._records
    assert Counter(stored[sent.record.id].status for sent in day.sent) == {Status.DELIVERED: len(day.sent)}
    assert len(day.live) == 0
    assert all(carrier.waiting == 0 for carrier in day.delivery.carriers.values())


@pytest.mark.parametrize(("name", "rate"), [("first", RATE), ("second", OTHER_RATE)])
def test_no_second_of_the_day_saw_more_than_the_rate_and_the_depth(day: Day, name: str, rate: int):
    times = [taken.at for taken in getattr(day, name).taken]
    depth = 2 + rate * 0.003  # a token kept for a code, one for the others, and what a late timer may bring
    start = 0
    for end, at in enumerate(times):
        while times[start] <= at - 1.0:
            start += 1
        assert end - start + 1 <= rate + depth + 1, f"at {at - day._began:.1f} s"


def test_a_part_was_taken_twice_only_where_the_answer_to_the_first_was_lost(day: Day):
    copies = Counter((t.to, t.reference) for smsc in (day.first, day.second) for t in smsc.taken if t.status == 0)
    assert len([count for count in copies.values() if count > 1]) <= WINDOW  # the outage


def test_a_code_did_not_wait_for_the_others(day: Day):
    usual = [
        wait
        for begin, end in ((0.0, DOWN[0] - 10), (DOWN[1], THROTTLES[0]), (THROTTLES[1] + 60, FLOODED))
        for wait in waits(day, account="codes", between=(begin, end))
    ]
    assert len(usual) > 900
    assert sorted(usual)[round(len(usual) * 0.99)] < 0.05
    assert max(usual) < 1.0


def test_while_the_carrier_was_down_codes_went_by_the_other(day: Day):
    assert max(waits(day, account="codes", between=DOWN)) < 10.0


def test_a_batch_left_the_other_accounts_their_share(day: Day):
    ten_minutes = (9 * HOUR, 9 * HOUR + 600)
    for account in ("one", "two", "three"):
        assert max(waits(day, account=account, between=ten_minutes)) < 5.0
    assert waits(day, account="bulk")[-1] > BULK / RATE * 0.8  # which was waiting all the while


def test_while_codes_came_faster_than_they_could_go_the_others_were_not_stopped(day: Day):
    times = first_times(day)
    low = [s for s in day.sent if s.record.message.priority is Priority.LOW]
    gone = [times[s.record.message.to] for s in low]
    during = sum(FLOODED + 5 <= at < FLOODED + 65 for at in gone)
    assert 3 <= during <= 40  # of some five or eight a second


def test_while_the_carrier_throttled_it_was_sent_about_what_it_took(day: Day):
    within = [t for t in day.first.taken if THROTTLES[0] + 60 <= t.at - day._began < THROTTLES[1]]
    by_status: defaultdict[Any, int] = defaultdict(int)
    for taken in within:
        by_status[taken.status] += 1
    assert by_status[CommandStatus.ESME_RTHROTTLED] <= max(10, by_status[0])
