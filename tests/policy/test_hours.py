from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.message import Category
from gateway.policy.hours import Hours, HoursStage
from gateway.policy.verdict import Reason
from gateway.policy.windows import Holidays, Windows, parse_window
from tests.policy.samples import ABROAD, DEMO, a_candidate

SHANGHAI = ZoneInfo("Asia/Shanghai")
MARKETING = Category.MARKETING
VALID = {Category.OTP: 300, Category.NOTIFICATION: 86_400, MARKETING: 86_400}
NIGHT = "2026-03-02T21:30"


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1_000)


def hours(*texts: str) -> Hours:
    return Hours(Windows([parse_window(text) for text in texts], SHANGHAI, Holidays()))


def stage() -> HoursStage:
    day = hours("08:00-20:00")
    return HoursStage({Category.OTP: day, MARKETING: day, Category.NOTIFICATION: hours("07:00-22:00")}, VALID)


def opens_at(now: str, **fields: Any) -> int | None:
    candidate = a_candidate(DEMO, **fields)
    assert stage().decide(candidate, now=at(now) / 1_000) is None
    return candidate.opens_at


def test_within_its_hours_a_message_goes() -> None:
    assert opens_at("2026-03-02T19:59", category=MARKETING) is None


def test_outside_them_it_waits_until_they_open() -> None:
    assert opens_at(NIGHT, category=MARKETING) == at("2026-03-03T08:00")


def test_each_category_has_its_own_hours() -> None:
    assert opens_at(NIGHT, category=Category.NOTIFICATION) is None
    assert opens_at("2026-03-02T22:30", category=Category.NOTIFICATION) == at("2026-03-03T07:00")


@pytest.mark.parametrize(
    "fields",
    [
        {"category": Category.OTP},
        {"category": Category.NOTIFICATION, "urgent": True},
        {"category": MARKETING, "to": ABROAD},
    ],
)
def test_some_are_exempt(fields: dict[str, Any]) -> None:
    assert opens_at("2026-03-02T23:30", **fields) is None


def test_marketing_is_not_exempt_for_being_called_urgent() -> None:
    assert opens_at(NIGHT, category=MARKETING, urgent=True) == at("2026-03-03T08:00")


def test_a_message_for_later_is_held_to_the_hours_of_its_time() -> None:
    by_day = datetime(2026, 3, 3, 9, 0, tzinfo=SHANGHAI)
    by_night = datetime(2026, 3, 3, 23, 0, tzinfo=SHANGHAI)

    assert opens_at(NIGHT, category=MARKETING, send_at=by_day) is None
    assert opens_at("2026-03-02T12:00", category=MARKETING, send_at=by_night) == at("2026-03-04T08:00")


def test_a_send_at_that_has_passed_is_now() -> None:
    long_ago = datetime(2026, 3, 1, 9, 0, tzinfo=SHANGHAI)

    assert opens_at(NIGHT, category=MARKETING, send_at=long_ago) == at("2026-03-03T08:00")


@pytest.mark.parametrize(("valid_for_seconds", "waits"), [(10.5 * 3_600, False), (10.5 * 3_600 + 1, True)])
def test_what_ends_before_its_hours_is_refused(valid_for_seconds: float, waits: bool) -> None:
    candidate = a_candidate(DEMO, category=MARKETING, valid_for_seconds=round(valid_for_seconds))

    refusal = stage().decide(candidate, now=at(NIGHT) / 1_000)

    if waits:
        assert refusal is None
        assert candidate.opens_at == at("2026-03-03T08:00")
    else:
        assert refusal is not None
        assert refusal.reason is Reason.OUTSIDE_HOURS
        assert refusal.data == {"opens_at": "2026-03-03T00:00:00+00:00"}


# --- the wall clock ---------------------------------------------------------------------------------------------------


def test_a_clock_that_goes_back_does_not_open_what_was_left() -> None:
    day = hours("08:00-20:00")
    tomorrow = at("2026-03-03T08:00")

    assert day.opening(at("2026-03-02T19:59")) is None
    assert day.opening(at("2026-03-02T20:00")) == tomorrow
    assert day.opening(at("2026-03-02T19:59")) == tomorrow


def test_a_clock_that_goes_back_before_the_opening_finds_them_closed() -> None:
    day = hours("08:00-20:00")

    assert day.opening(at("2026-03-02T08:00")) is None
    assert day.opening(at("2026-03-02T07:59")) == at("2026-03-02T08:00")


def test_a_clock_that_was_wrong_by_days_does_not_close_for_days() -> None:
    day = hours("08:00-20:00")

    assert day.opening(at("2027-03-02T23:00")) == at("2027-03-03T08:00")
    assert day.opening(at("2026-03-02T12:00")) is None


def test_other_hours_hold_from_the_next_question_on() -> None:
    day = hours("08:00-20:00")
    assert day.opening(at("2026-03-02T19:00")) is None

    day.change(Windows([parse_window("08:00-18:00")], SHANGHAI, Holidays()))

    assert day.opening(at("2026-03-02T19:00")) == at("2026-03-03T08:00")
