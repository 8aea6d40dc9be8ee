"""Quotas: never one too many in a day or a month, and whatever is given back may be used again."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from gateway.account import Account, Quota
from gateway.message import Message, MessageId
from gateway.policy.quotas import Calendar, QuotaStage, Used
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import a_candidate

SHANGHAI = ZoneInfo("Asia/Shanghai")


def seconds(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


class Rig:
    """A stage and the wall clock, and what intake does with it."""

    def __init__(self, at: str = "2026-03-31T12:00", **quota: int) -> None:
        self.wall = seconds(at)
        self.highest = 0
        self.last = 0
        self.quota = Quota(**quota)
        self.stage = QuotaStage({"demo": self.quota}, SHANGHAI)

    def submit(self, *, parts: int = 1, account: str = "demo") -> Message | Refusal:
        candidate = a_candidate(Account(name=account))
        candidate.parts = parts
        self.highest = max(self.highest, self.wall)
        candidate.charged_wall = self.highest
        refusal = self.stage.decide(candidate, now=self.wall)
        if refusal is not None:
            return refusal
        self.last += 1
        self.stage.commit(candidate, now=self.wall)
        return Message(
            id=MessageId(self.last),
            account=account,
            to="+8613800138000",
            text="x",
            parts=parts,
            accepted_at=self.wall * 1_000,
            expires_at=0,
            wall_lead=candidate.charged_wall - self.wall,
        )

    def accept(self, **fields: Any) -> Message:
        message = self.submit(**fields)
        assert isinstance(message, Message), message
        self.stage.settle([message])
        return message

    def fits(self, **fields: Any) -> bool:
        message = self.submit(**fields)
        if isinstance(message, Message):
            self.stage.settle([message])
        return isinstance(message, Message)


@pytest.mark.parametrize("quota", ["messages_a_day", "messages_a_month"])
def test_messages_are_counted_and_one_too_many_is_refused(quota: str):
    rig = Rig(**{quota: 2})
    rig.accept(parts=5)
    rig.accept(parts=5)

    refusal = rig.submit()

    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.QUOTA_EXCEEDED
    assert refusal.data == {
        "quota": quota,
        "limit": 2,
        "used": 2,
        "retry_at": "2026-03-31T16:00:00.000+00:00",  # midnight in Shanghai, which is the last of the month
    }


@pytest.mark.parametrize("quota", ["segments_a_day", "segments_a_month"])
def test_a_message_fits_whole_or_not_at_all(quota: str):
    rig = Rig(**{quota: 5})
    rig.accept(parts=3)

    assert not rig.fits(parts=3)
    assert rig.fits(parts=2)
    assert not rig.fits(parts=1)


def test_a_day_begins_anew_at_midnight_and_a_month_does_not():
    rig = Rig("2026-03-30T23:59:59", messages_a_day=2, messages_a_month=3)
    rig.accept()
    rig.accept()
    assert not rig.fits()
    rig.wall += 1

    assert rig.fits()
    assert not rig.fits()
    rig.wall = seconds("2026-04-01T00:00")
    assert rig.fits()
    assert rig.fits()
    assert not rig.fits()


def test_a_day_that_was_left_does_not_come_back_when_the_clock_is_put_back():
    rig = Rig("2026-03-30T12:00", messages_a_day=1)
    rig.accept()
    rig.wall = seconds("2026-03-31T12:00")
    rig.accept()
    rig.wall = seconds("2026-03-29T12:00")

    assert not rig.fits()
    rig.wall = seconds("2026-04-01T12:00")
    assert rig.fits()


def test_another_account_has_its_own_and_one_without_quota_none():
    rig = Rig(messages_a_day=1)
    rig.accept()

    assert all(rig.fits(account="other") for _ in range(10))
    assert rig.stage.view("other", now=rig.wall) == []


def test_what_is_not_on_disk_or_did_not_leave_is_given_back_to_its_own_day():
    rig = Rig("2026-03-30T12:00", messages_a_day=1, segments_a_month=4)
    failed = rig.submit(parts=2)
    assert isinstance(failed, Message)
    rig.stage.take_back(failed, charged_at=0, now=rig.wall)
    cancelled = rig.accept(parts=2)
    assert not rig.fits()
    rig.stage.give_back(cancelled)
    late = rig.accept(parts=2)
    rig.wall = seconds("2026-03-31T12:00")
    rig.accept()
    rig.stage.give_back(late)  # of yesterday: today stays full, the month has room

    assert not rig.fits()
    assert [(each.quota, each.used, each.left) for each in rig.stage.view("demo", now=rig.wall)] == [
        ("messages_a_day", 1, 0),
        ("segments_a_month", 1, 3),
    ]


def test_what_is_on_its_way_counts_at_once_and_is_written_only_when_it_is_there():
    rig = Rig(messages_a_day=2)
    rig.accept()
    under_way = rig.submit()
    assert isinstance(under_way, Message)
    assert not rig.fits()
    assert rig.stage.changes()["demo"].day_messages == 1

    rig.stage.settle([under_way])

    assert rig.stage.changes()["demo"].day_messages == 2
    assert rig.stage.changes() == {}


def test_what_could_not_be_written_is_told_again():
    rig = Rig(messages_a_day=2)
    rig.accept()
    first = rig.stage.changes()
    rig.stage.unwritten(first)

    assert rig.stage.changes() == first


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/Havana", "Asia/Kolkata"])
def test_no_moment_of_a_year_lies_outside_its_day_and_month(zone: str):
    calendar = Calendar(ZoneInfo(zone))
    start = seconds("2026-01-01T00:00", ZoneInfo(zone))
    for wall in range(start, start + 366 * 86_400, 1_801):
        calendar.enter(wall)
        local = datetime.fromtimestamp(wall, ZoneInfo(zone))
        assert (calendar.day, calendar.month) == (f"{local:%Y-%m-%d}", f"{local:%Y-%m}")
        assert calendar.day_start <= wall < calendar.day_end
        assert calendar.month_start <= calendar.day_start < calendar.day_end <= calendar.month_end
        assert calendar.day_of(wall) == calendar.day


class Against(RuleBasedStateMachine):
    """Random messages, clock steps, failures, cancellations and restarts, against every message ever accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(messages_a_day=4, segments_a_day=7, messages_a_month=9, segments_a_month=16)
        self.kept: list[Message] = []
        self.on_disk: dict[str, Used] = {}

    def used(self, pattern: str) -> tuple[int, int]:
        now = datetime.fromtimestamp(self.rig.highest, SHANGHAI)
        among = [
            message
            for message in self.kept
            if datetime.fromtimestamp(message.accepted_at // 1_000 + message.wall_lead, SHANGHAI).strftime(pattern)
            == now.strftime(pattern)
        ]
        return len(among), sum(message.parts for message in among)

    @rule(parts=st.integers(1, 4), fails=st.booleans())
    def submit(self, parts: int, fails: bool) -> None:
        decision = self.rig.submit(parts=parts)
        day, month = self.used("%F"), self.used("%Y-%m")
        fits = day[0] < 4 and day[1] + parts <= 7 and month[0] < 9 and month[1] + parts <= 16
        assert isinstance(decision, Message) is fits
        if isinstance(decision, Message):
            if fails:
                self.rig.stage.take_back(decision, charged_at=0, now=self.rig.wall)
            else:
                self.rig.stage.settle([decision])
                self.kept.append(decision)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.kept:
            message = data.draw(st.sampled_from(self.kept))
            self.kept.remove(message)
            self.rig.stage.give_back(message)

    @rule(by=st.sampled_from([1, 3_600, 40_000, 86_400, 10 * 86_400, -3_600, -86_400, -40 * 86_400]))
    def step(self, by: int) -> None:
        self.rig.wall += by

    @rule(unwritten=st.booleans())
    def restart(self, unwritten: bool) -> None:
        """The last of what was accepted may not be written yet: its record tells of it."""
        written = [] if not unwritten else self.kept[-1:]
        for message in written:
            self.rig.stage.give_back(message)
        self.on_disk |= self.rig.stage.changes()
        self.rig.stage = QuotaStage({"demo": self.rig.quota}, SHANGHAI)
        self.rig.stage.enter(self.rig.highest)
        for account, used in self.on_disk.items():
            self.rig.stage.load(account, Used(*(getattr(used, field) for field in used.__struct_fields__)))
        for message in written:
            self.rig.stage.restore(message)


Against.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestAgainstTheModel = Against.TestCase
