"""How much: what an account may have accepted in one day and one month of the calendar, and what it has had. Pure.

A quota counts what is accepted, at its acceptance, whether it goes at once or waits: nobody shall find out at nine in
the morning that half of what was scheduled does not fit. What is cancelled or rejected before any of it has left is
given back, to the day and month that it was taken from.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gateway.account import Quota
from gateway.message import Message, Milliseconds
from gateway.policy.candidate import Candidate
from gateway.policy.cap_rules import moment
from gateway.policy.verdict import Reason, Refusal

_CHINESE: Final = {
    "messages_a_day": "每日短信条数",
    "segments_a_day": "每日计费条数",
    "messages_a_month": "每月短信条数",
    "segments_a_month": "每月计费条数",
}


class Calendar:
    """The present day and month of a zone. Neither comes back once it was left, whatever the wall clock does."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.day = self.month = ""  # 2026-03-31, 2026-03
        self.day_start = self.day_end = self.month_start = self.month_end = 0  # seconds since 1970

    def enter(self, wall: int) -> bool:
        """Make the day of this time the present one, if it is a later one; whether it was. Seconds since 1970."""
        if wall < self.day_end:
            return False
        local = datetime.fromtimestamp(wall, self._zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        first = midnight.replace(day=1)
        self.day, self.month = f"{local:%Y-%m-%d}", f"{local:%Y-%m}"
        self.day_start, self.month_start = _seconds(midnight), _seconds(first)
        self.day_end = max(wall + 1, _seconds(_naive_step(midnight, 1, self._zone)))
        self.month_end = max(wall + 1, _seconds(_naive_step(first, 32, self._zone).replace(day=1)))
        return True

    def day_of(self, wall: int) -> str:
        """The day of any time."""
        if self.day_start <= wall < self.day_end:
            return self.day
        return f"{datetime.fromtimestamp(wall, self._zone):%Y-%m-%d}"


class Used(msgspec.Struct, array_like=True):
    """What an account has had accepted in one day and one month."""

    day: str = ""
    day_messages: int = 0
    day_segments: int = 0
    month: str = ""
    month_messages: int = 0
    month_segments: int = 0

    def add(self, segments: int, *, day: int, month: int) -> None:
        """One message more (or less), in this day and month or in none (0)."""
        self.day_messages += day
        self.day_segments += day * segments
        self.month_messages += month
        self.month_segments += month * segments

    def enter(self, calendar: Calendar) -> None:
        """Begin anew where a day or a month has."""
        if self.day != calendar.day:
            self.day, self.day_messages, self.day_segments = calendar.day, 0, 0
        if self.month != calendar.month:
            self.month, self.month_messages, self.month_segments = calendar.month, 0, 0


class QuotaView(msgspec.Struct, frozen=True):
    """One limit of an account as it stands."""

    quota: str
    limit: int
    used: int
    left: int
    resets_at: str


class _Counter:
    """One account's limits, and what counts against them."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.used = Used()  # with what is on its way to the disk
        self.under_way = Used()  # that alone
        self.changed = False

    def limits(self, calendar: Calendar) -> Iterator[tuple[str, int, int, int, int]]:
        """Name, limit, what is used, what one message takes of it (0: its segments), and when it begins anew."""
        quota, used = self.quota, self.used
        if quota.messages_a_day is not None:
            yield "messages_a_day", quota.messages_a_day, used.day_messages, 1, calendar.day_end
        if quota.segments_a_day is not None:
            yield "segments_a_day", quota.segments_a_day, used.day_segments, 0, calendar.day_end
        if quota.messages_a_month is not None:
            yield "messages_a_month", quota.messages_a_month, used.month_messages, 1, calendar.month_end
        if quota.segments_a_month is not None:
            yield "segments_a_month", quota.segments_a_month, used.month_segments, 0, calendar.month_end


class QuotaStage:
    """Refuses what is more than its account's share; counts what is accepted."""

    name = "quota"

    def __init__(self, quotas: Mapping[str, Quota], zone: ZoneInfo) -> None:
        self._counters = {name: _Counter(quota) for name, quota in quotas.items()}
        self._calendar = Calendar(zone)

    # The stage.

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        counter = self._counters.get(candidate.account.name)
        if counter is None:
            return None
        self.enter(max(candidate.charged_wall, int(now)))
        if candidate.charged_wall < self._calendar.day_start:  # which was entered by a clock that was put back since
            candidate.charged_wall = self._calendar.day_start
        for name, limit, used, takes, resets_at in counter.limits(self._calendar):
            if used + (takes or candidate.parts) > limit:
                return _used_up(name, limit, used, resets_at)
        return None

    def commit(self, candidate: Candidate, *, now: float) -> None:
        counter = self._counters.get(candidate.account.name)
        if counter is not None:
            counter.used.add(candidate.parts, day=1, month=1)
            counter.under_way.add(candidate.parts, day=1, month=1)

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float) -> None:
        """It is not on disk, and never will be."""
        self._settle(message, -1)

    # What becomes of messages.

    def settle(self, messages: Iterable[Message]) -> None:
        """These are on disk now."""
        if self._counters:
            for message in messages:
                self._settle(message, 0)

    def give_back(self, message: Message) -> None:
        """It is on disk, and has ended before any of it left."""
        self._count(message, -1)

    def restore(self, message: Message) -> None:
        """It was accepted after what is on disk of this was written."""
        self._count(message, 1)

    def enter(self, wall: int) -> None:
        """The wall clock is here, in seconds since 1970."""
        if self._calendar.enter(wall):
            for counter in self._counters.values():
                counter.used.enter(self._calendar)
                counter.under_way.enter(self._calendar)

    # To disk and back.

    def load(self, account: str, used: Used) -> None:
        """What was on disk of an account."""
        counter = self._counters.get(account)
        if counter is not None:
            used.enter(self._calendar)
            counter.used = used

    def changes(self) -> dict[str, Used]:
        """By account, what is to be written: what is on disk already, and none of what is on its way there."""
        changed = {}
        for name, counter in self._counters.items():
            if counter.changed:
                counter.changed = False
                used, under_way = counter.used, counter.under_way
                changed[name] = Used(
                    used.day,
                    used.day_messages - under_way.day_messages,
                    used.day_segments - under_way.day_segments,
                    used.month,
                    used.month_messages - under_way.month_messages,
                    used.month_segments - under_way.month_segments,
                )
        return changed

    def unwritten(self, accounts: Iterable[str]) -> None:
        """What `changes` told of these is not on disk."""
        for account in accounts:
            self._counters[account].changed = True

    def view(self, account: str, *, now: int) -> list[QuotaView]:
        """Every limit of an account as it stands. `now`: seconds since 1970."""
        counter = self._counters.get(account)
        if counter is None:
            return []
        self.enter(now)
        return [
            QuotaView(name, limit, used, max(0, limit - used), moment(resets_at * 1_000))
            for name, limit, used, _, resets_at in counter.limits(self._calendar)
        ]

    def _settle(self, message: Message, sign: int) -> None:
        counter = self._counters.get(message.account)
        if counter is not None:
            day, month = self._windows(message)
            counter.under_way.add(message.parts, day=-day, month=-month)
            counter.used.add(message.parts, day=sign * day, month=sign * month)
            counter.changed = True

    def _count(self, message: Message, sign: int) -> None:
        counter = self._counters.get(message.account)
        if counter is not None:
            day, month = self._windows(message)
            counter.used.add(message.parts, day=sign * day, month=sign * month)
            counter.changed = True

    def _windows(self, message: Message) -> tuple[int, int]:
        """Whether a message was accepted in the present day, and in the present month: 1 or 0."""
        wall = message.accepted_at // 1_000 + message.wall_lead
        return int(wall >= self._calendar.day_start), int(wall >= self._calendar.month_start)


def _seconds(midnight: datetime) -> int:
    return round(midnight.timestamp())


def _naive_step(midnight: datetime, days: int, zone: ZoneInfo) -> datetime:
    """A midnight some days later by the calendar, where a day may have 23 hours or 25."""
    return (midnight.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)


def _used_up(name: str, limit: int, used: int, resets_at: int) -> Refusal:
    return Refusal(
        Reason.QUOTA_EXCEEDED,
        f"The account's quota {name} leaves no room for this message.",
        {"quota": name, "limit": limit, "used": used, "retry_at": moment(resets_at * 1_000)},
        chinese=f"账户的{_CHINESE[name]}限额不足以发送该消息。",
    )
