"""The hours of windows, against a clock that is looked at every minute."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.policy.windows import (
    DAYS,
    NEVER,
    Holidays,
    HolidaysError,
    Stretch,
    Window,
    Windows,
    parse_window,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000


def at(text: str, zone: ZoneInfo = SHANGHAI, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1_000)


def windows(*texts: str, zone: ZoneInfo = SHANGHAI, holidays: Holidays | None = None) -> Windows:
    return Windows([parse_window(text) for text in texts], zone, holidays or Holidays())


# --- how they are written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("08:00-20:00", Window(frozenset(range(7)), 480, 1_200)),
        ("mon-fri 10:00-12:00", Window(frozenset({0, 1, 2, 3, 4}), 600, 720)),
        ("sat,sun 00:00-24:00", Window(frozenset({5, 6}), 0, 1_440)),
        ("fri-mon,wed 23:59-24:00", Window(frozenset({4, 5, 6, 0, 2}), 1_439, 1_440)),
    ],
)
def test_a_window_is_read(text: str, window: Window) -> None:
    assert parse_window(text) == window


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must be HH:MM-HH:MM"),
        ("8:00-20:00", "must be HH:MM-HH:MM"),
        ("08:00-20:60", "must be HH:MM-HH:MM"),
        ("08:00 - 20:00", "must be HH:MM-HH:MM"),
        ("08:00-20:00\n", "must be HH:MM-HH:MM"),
        ("٠8:00-20:00", "must be HH:MM-HH:MM"),
        ("08:00-24:01", "24:00 at the latest"),
        ("22:00-06:00", "must end after it begins"),
        ("08:00-08:00", "must end after it begins"),
        ("monday 08:00-20:00", "must name days"),
        ("mon-wed-fri 08:00-20:00", "must name days"),
        (", 08:00-20:00", "must name days"),
    ],
)
def test_what_is_no_window_is_refused_with_the_rule(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_window(text)


def test_holidays_are_read() -> None:
    holidays = Holidays.parse("\ufeffdate,kind,note\n2026-10-01,off,国庆节\n\n2026-10-10,working,国庆节\n")

    assert holidays == Holidays(frozenset({date(2026, 10, 1)}), frozenset({date(2026, 10, 10)}))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must have date,kind,note"),
        ("2026-10-01,off,\n", "must have date,kind,note"),
        ("date,kind,note\n2026-13-01,off,\n", "line 2: date = '2026-13-01': must be a date"),
        ("date,kind,note\n2026-10-01\n", "line 2: kind = '': must be off or working"),
        ("date,kind,note\n2026-10-01,off,\n2026-10-01,working,\n", "line 3: 2026-10-01 must not be both"),
    ],
)
def test_a_broken_file_of_holidays_is_refused_with_its_line(text: str, rule: str) -> None:
    with pytest.raises(HolidaysError, match=rule):
        Holidays.parse(text)


# --- when they are open -----------------------------------------------------------------------------------------------


def test_a_window_is_open_from_its_first_moment_until_just_before_its_last() -> None:
    day = windows("08:00-20:00")
    opens, closes = at("2026-03-02T08:00"), at("2026-03-02T20:00")
    tomorrow = at("2026-03-03T08:00")

    assert day.stretch(opens - 1) == Stretch(False, at("2026-03-01T20:00"), opens)
    assert day.stretch(opens) == Stretch(True, opens, closes)
    assert day.stretch(closes - 1) == Stretch(True, opens, closes)
    assert day.stretch(closes) == Stretch(False, closes, tomorrow)


def test_windows_that_touch_are_one() -> None:
    night = windows("22:00-24:00", "00:00-06:00")

    assert night.stretch(at("2026-03-02T23:00")) == Stretch(True, at("2026-03-02T22:00"), at("2026-03-03T06:00"))


def test_a_day_off_counts_as_a_sunday_and_a_make_up_day_as_a_monday() -> None:
    thursday, saturday = date(2026, 10, 1), date(2026, 10, 10)
    holidays = Holidays(frozenset({thursday}), frozenset({saturday}))
    office = windows("mon-fri 10:00-12:00", "sun 14:00-15:00", holidays=holidays)

    assert not office.stretch(at("2026-10-01T11:00")).is_open
    assert office.stretch(at("2026-10-01T14:30")).is_open
    assert office.stretch(at("2026-10-10T11:00")).is_open


def test_a_window_of_every_day_is_open_on_holidays_too() -> None:
    holidays = Holidays(frozenset({date(2026, 10, 1)}))

    assert windows("08:00-20:00", holidays=holidays).stretch(at("2026-10-01T11:00")).is_open


def test_windows_that_never_open_are_closed_for_ever() -> None:
    every_day_off = Holidays(frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(1_000)))

    assert windows("mon 08:00-20:00", holidays=every_day_off).stretch(at("2026-03-02T09:00")).until == NEVER
    assert windows().stretch(at("2026-03-02T09:00")).until == NEVER


NEW_YORK = ZoneInfo("America/New_York")


def test_clocks_that_are_put_back_do_not_open_a_window_again() -> None:
    night = windows("00:00-01:30", zone=NEW_YORK)
    closes = at("2026-11-01T01:30", NEW_YORK)
    again = at("2026-11-01T01:15", NEW_YORK, fold=1)  # 45 minutes later the clocks show 01:15 for the second time

    assert again == closes + 45 * MINUTE
    assert night.stretch(again) == Stretch(False, closes, at("2026-11-02T00:00", NEW_YORK))


def test_a_window_whose_beginning_the_clocks_skip_opens_when_they_do() -> None:
    night = windows("02:30-04:00", zone=NEW_YORK)
    jump = at("2026-03-08T03:00", NEW_YORK)

    assert night.stretch(jump) == Stretch(True, jump, at("2026-03-08T04:00", NEW_YORK))


def test_a_window_that_the_clocks_skip_whole_does_not_open() -> None:
    night = windows("02:10-02:50", zone=NEW_YORK)

    assert night.stretch(at("2026-03-08T01:00", NEW_YORK)).until == at("2026-03-09T02:10", NEW_YORK)


# Around these days clocks change: by an hour, by half of one, at midnight, by a whole day.
CHANGES = [
    ("Asia/Shanghai", "2026-03-01"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/London", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2019-02-17"),
    ("Pacific/Apia", "2011-12-30"),
]
RANGE_MINUTES = 5 * 1_440


class Watch:
    """A clock of a zone, looked at every minute. What it showed at the latest is what counts: see `_is_open`."""

    def __init__(self, zone: ZoneInfo, day: str) -> None:
        self.start = at(day, ZoneInfo("UTC")) - 2 * 1_440 * MINUTE
        latest = datetime.min  # noqa: DTZ901
        self.shown: list[datetime] = []
        # Long before the change, as what was shown then may have been later.
        for minute in range(-3 * 1_440, RANGE_MINUTES):
            moment = datetime.fromtimestamp((self.start + minute * MINUTE) / 1_000, UTC)
            latest = max(latest, moment.astimezone(zone).replace(tzinfo=None))
            if minute >= 0:
                self.shown.append(latest)

    def is_open(self, minute: int, windows: Sequence[Window], holidays: Holidays) -> bool:
        shown = self.shown[minute]
        of_day = shown.hour * 60 + shown.minute
        weekday = holidays.weekday(shown.date())
        return any(weekday in window.days and window.opens <= of_day < window.closes for window in windows)


WATCHES = {change: Watch(ZoneInfo(change[0]), change[1]) for change in CHANGES}


@st.composite
def a_window(draw: st.DrawFn) -> str:
    opens = draw(st.integers(0, 1_439))
    closes = draw(st.integers(opens + 1, 1_440))
    days = draw(st.sampled_from(["", "mon-fri ", "sat,sun ", "sun-wed ", *(f"{day} " for day in DAYS)]))
    return f"{days}{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"


@given(st.sampled_from(CHANGES), st.lists(a_window(), max_size=4), st.integers(0, RANGE_MINUTES - 1), st.booleans())
@example(("America/New_York", "2026-11-01"), ["00:00-01:30"], 3_435, False)
@example(("America/New_York", "2026-03-08"), ["02:30-04:00"], 3_300, False)
def test_a_stretch_is_what_a_clock_watched_by_the_minute_shows_and_neither_shorter_nor_longer(
    change: tuple[str, str], texts: list[str], minute: int, has_holiday: bool
) -> None:
    zone, watch = ZoneInfo(change[0]), WATCHES[change]
    holidays = Holidays(frozenset({date.fromisoformat(change[1])} if has_holiday else ()))
    parsed = [parse_window(text) for text in texts]

    found = Windows(parsed, zone, holidays).stretch(watch.start + minute * MINUTE)

    begin = max(0, (found.since - watch.start) // MINUTE)
    end = min(RANGE_MINUTES, (found.until - watch.start) // MINUTE)
    assert begin <= minute < end
    assert {watch.is_open(each, parsed, holidays) for each in range(begin, end)} == {found.is_open}
    if end < RANGE_MINUTES:
        assert watch.is_open(end, parsed, holidays) is not found.is_open
