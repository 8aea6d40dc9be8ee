"""The hours in which messages may go: windows of the day, by weekday and holiday, in one time zone. Pure.

A window is written `[days ]HH:MM-HH:MM`, such as `08:00-20:00` or `mon-fri,sun 10:00-12:00`; without days it is of
every day, holidays included. A day off counts as a Sunday and a make-up working day as a Monday.

It opens at the first moment at which the clocks of the zone show its beginning or later, and closes at the first at
which they show its end or later. So it is one stretch of time: clocks that are put back do not open it again, and one
whose beginning is skipped when clocks go forward opens then.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

import msgspec

from gateway.message import Milliseconds

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOW_RULE: Final = "must be HH:MM-HH:MM, with days such as mon-fri or sat,sun in front where it is not of every day"
NEVER: Final[Milliseconds] = 1 << 62

_WINDOW: Final = re.compile(r"(?:([a-z,-]+) )?([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_DAY_MINUTES: Final = 1_440
_DAY_MILLISECONDS: Final = 86_400_000
_LOOK_AHEAD_DAYS: Final = 400  # what does not open within a year does not open
_LONGEST_STRETCH: Final = 8 * _DAY_MILLISECONDS  # a longer one is looked at in pieces
_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Window(msgspec.Struct, frozen=True):
    """Some hours of some days. `days`: 0 is Monday. `opens` and `closes`: minutes of the day, 0 to 1440."""

    days: frozenset[int]
    opens: int
    closes: int


class Stretch(msgspec.Struct, frozen=True):
    """A time in which everything is open, or everything is closed: from `since` until just before `until`."""

    is_open: bool
    since: Milliseconds
    until: Milliseconds


class HolidaysError(ValueError):
    """A file of holidays that cannot be used: line, value and rule."""


class Holidays(msgspec.Struct, frozen=True):
    """The days that are not what the calendar says."""

    off: frozenset[date] = frozenset()
    working: frozenset[date] = frozenset()

    def weekday(self, day: date) -> int:
        """What a day counts as: 0 is Monday."""
        if day in self.off:
            return 6
        return 0 if day in self.working else day.weekday()

    @classmethod
    def parse(cls, text: str) -> "Holidays":
        """From CSV with the columns date, kind (off or working), note. Raises HolidaysError."""
        kinds: dict[date, str] = {}
        lines = csv.reader(line for line in text.lstrip("\ufeff").splitlines())
        if [name.strip() for name in next(lines, [])] != ["date", "kind", "note"]:
            raise HolidaysError("must have date,kind,note in its first line")
        for row in lines:
            if not row:
                continue
            place = f"line {lines.line_num}"
            try:
                day = date.fromisoformat(row[0].strip())
            except ValueError:
                raise HolidaysError(f"{place}: date = {row[0][:20]!r}: must be a date such as 2026-10-01") from None
            kind = row[1].strip() if len(row) > 1 else ""
            if kind not in {"off", "working"}:
                raise HolidaysError(f"{place}: kind = {kind[:20]!r}: must be off or working")
            if kinds.setdefault(day, kind) != kind:
                raise HolidaysError(f"{place}: {day} must not be both off and working")
        return cls(
            frozenset(day for day, kind in kinds.items() if kind == "off"),
            frozenset(day for day, kind in kinds.items() if kind == "working"),
        )


def parse_window(text: str) -> Window:
    """One entry of a setting `hours`. Raises ValueError with the rule."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(WINDOW_RULE)
    days, *clock = match.groups()
    opens_hour, opens_minute, closes_hour, closes_minute = map(int, clock)
    opens, closes = opens_hour * 60 + opens_minute, closes_hour * 60 + closes_minute
    if closes > _DAY_MINUTES:
        raise ValueError("must end at 24:00 at the latest; what goes on after midnight is a window of its own")
    if opens >= closes:
        raise ValueError("must end after it begins; hours around midnight are two windows, such as 22:00-24:00")
    return Window(frozenset(range(7)) if days is None else _days(days), opens, closes)


def _days(text: str) -> frozenset[int]:
    """`mon-fri,sun` as numbers. Raises ValueError."""
    numbers: set[int] = set()
    for part in text.split(","):
        names = part.split("-")
        if len(names) > 2 or any(name not in DAYS for name in names):
            raise ValueError(f"must name days as {', '.join(DAYS)}, single or from-to")
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        numbers |= {day % 7 for day in range(first, last + (7 if last < first else 0) + 1)}
    return frozenset(numbers)


class Windows:
    """Windows of one category in one zone, laid out over time."""

    def __init__(self, windows: Sequence[Window], zone: tzinfo, holidays: Holidays) -> None:
        self._windows = sorted(windows, key=lambda window: (window.opens, window.closes))
        self._zone = zone
        self._holidays = holidays

    def stretch(self, at: Milliseconds) -> Stretch:
        """What holds at a time, and how long."""
        # The day before too: where clocks are put back at midnight, its last hours come after this one has begun.
        first = _local(at, self._zone).date() - timedelta(days=1)
        closed_since = at
        for opens, closes in self._openings(first):
            if closes <= at:
                closed_since = closes
            elif opens <= at:
                return Stretch(True, opens, closes)
            else:
                return Stretch(False, min(closed_since, at), opens)
        return Stretch(False, min(closed_since, at), NEVER)

    def _openings(self, first: date) -> Iterator[tuple[Milliseconds, Milliseconds]]:
        """When it opens and closes from a day on, oldest first; windows that touch are one."""
        begun: tuple[Milliseconds, Milliseconds] | None = None
        for offset in range(_LOOK_AHEAD_DAYS):
            for opens, closes in self._of_day(first + timedelta(days=offset)):
                if begun is not None and opens <= begun[1] and closes - begun[0] <= _LONGEST_STRETCH:
                    begun = (begun[0], max(begun[1], closes))
                    continue
                if begun is not None:
                    yield begun
                begun = (opens, closes)
        if begun is not None:
            yield begun

    def _of_day(self, day: date) -> Iterator[tuple[Milliseconds, Milliseconds]]:
        weekday = self._holidays.weekday(day)
        for window in self._windows:
            if weekday in window.days:
                opens, closes = (_moment(day, minutes, self._zone) for minutes in (window.opens, window.closes))
                if opens < closes:  # else the clocks skip it
                    yield opens, closes


def _moment(day: date, minutes: int, zone: tzinfo) -> Milliseconds:
    """The first moment at which clocks show this minute of the day, or a later one."""
    shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001 what clocks show
    first, second = (_milliseconds(shown.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first <= second:  # shown once, or twice: then the first is meant
        return first
    # Never shown (PEP 495 puts fold 1 before such a gap, and fold 0 behind it): the moment at which they jump over it.
    before, after = second // 1_000, first // 1_000
    while after - before > 1:
        middle = (before + after) // 2
        if _local(middle * 1_000, zone).replace(tzinfo=None) < shown:
            before = middle
        else:
            after = middle
    return after * 1_000


def _local(at: Milliseconds, zone: tzinfo) -> datetime:
    return (_ZERO + timedelta(milliseconds=at)).astimezone(zone)


def _milliseconds(moment: datetime) -> Milliseconds:
    return (moment - _ZERO) // timedelta(milliseconds=1)
