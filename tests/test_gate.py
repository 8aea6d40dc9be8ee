"""What the gate says of messages that were accepted before."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gate import PolicyGate
from gateway.message import Category, ChargeTime, IdSource, Message, MessageId, Milliseconds
from gateway.policy.candidate import Candidate
from gateway.policy.consent import OptOuts, Scope, Suppressed
from gateway.policy.hours import Hours
from gateway.policy.pipeline import Pipeline
from gateway.policy.verdict import Reason, Refusal
from gateway.policy.windows import Holidays, Windows, parse_window
from gateway.rulings import Charged, NotHere, Release, Ruling, Stop, Wait

SHANGHAI = ZoneInfo("Asia/Shanghai")
NUMBER = "+8613800138000"


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1_000)


NOON, NIGHT, MORNING = at("2026-03-02T12:00"), at("2026-03-02T23:00"), at("2026-03-03T08:00")
IDS = IdSource(node=0, last=MessageId(0))


def a_message(**fields: Any) -> Message:
    values = {
        "id": IDS.next(NOON),
        "account": "demo",
        "to": NUMBER,
        "text": "【阳光物业】您好",
        "signature": "阳光物业",
        "category": Category.MARKETING,
        "accepted_at": NOON,
        "expires_at": NOON + 2 * 86_400_000,
    }
    return Message(**{**values, **fields})


class Cap:
    """So many messages to a number, ever."""

    name = "cap"

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit
        self.charged: list[tuple[str, float]] = []
        self.taken_back: list[tuple[MessageId, Milliseconds]] = []

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        count = sum(to == candidate.to for to, _ in self.charged)
        return None if count < self.limit else Refusal(Reason.FREQUENCY_CAP, "full")

    def commit(self, candidate: Candidate, *, now: float) -> None:
        self.charged.append((candidate.to, now))

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float) -> None:
        self.taken_back.append((message.id, charged_at))


class Rig:
    def __init__(self, *hours: str, spread_seconds: float = 0.0, cap: Any = None) -> None:
        self.opt_outs = OptOuts()
        self.suppressed = Suppressed()
        self.cap = cap or Cap()
        windows = Windows([parse_window(text) for text in hours or ("08:00-20:00",)], SHANGHAI, Holidays())
        self.gate = PolicyGate(
            opt_outs=self.opt_outs,
            suppressed=self.suppressed,
            hours={Category.MARKETING: Hours(windows), Category.NOTIFICATION: Hours(windows)},
            counting=Pipeline([], [], [self.cap]),
            accounts={},
            spread_seconds=spread_seconds,
        )

    def release(self, message: Message, *, charged: bool = False, now: int = NOON) -> Release:
        return self.gate.release(message, charged=charged, now=now)

    def hand_over(self, message: Message, *, carrier: str = "cmcc-a", now: int = NOON) -> Ruling:
        return self.gate.hand_over(message, carrier, now=now)


def test_what_is_released_is_charged_in_the_same_call():
    rig = Rig()

    assert rig.release(a_message()) == Charged(ChargeTime(NOON, NOON // 1_000))
    assert rig.cap.charged == [(NUMBER, NOON / 1_000)]


def test_a_full_cap_stops_what_waited():
    rig = Rig()
    rig.release(a_message())

    assert rig.release(a_message()) == Stop("frequency_cap")
    assert len(rig.cap.charged) == 1


def test_what_was_charged_before_is_not_charged_again():
    rig = Rig(cap=Cap(limit=0))

    assert rig.release(a_message(), charged=True) is None
    assert rig.cap.charged == []


def test_nothing_is_charged_that_waits_or_stops():
    rig = Rig()
    rig.opt_outs.add(Scope("阳光物业", "+8613900139000", Category.MARKETING))

    assert rig.release(a_message(to="+8613900139000")) == Stop("opted_out")
    assert rig.release(a_message(), now=NIGHT) == Wait(MORNING, "outside_hours")
    assert rig.release(a_message(send_at=NOON + 1)) == Wait(NOON + 1)
    assert rig.cap.charged == []


def test_who_opted_out_since_gets_nothing_at_the_hand_over():
    rig = Rig()
    message = a_message()
    assert rig.hand_over(message) is None

    rig.opt_outs.add(Scope("阳光物业", NUMBER, Category.MARKETING))

    assert rig.hand_over(message) == Stop("opted_out")
    assert rig.hand_over(a_message(category=Category.NOTIFICATION)) is None


def test_whom_a_carrier_has_blacklisted_gets_nothing_there_and_something_elsewhere():
    rig = Rig()
    rig.suppressed.add("cmcc-a", NUMBER)

    assert rig.hand_over(a_message()) == NotHere("opted_out")
    assert rig.hand_over(a_message(), carrier="cmcc-b") is None


@pytest.mark.parametrize(
    ("fields", "waits"),
    [
        ({}, True),
        ({"category": Category.NOTIFICATION}, True),
        ({"category": Category.NOTIFICATION, "urgent": True}, False),
        ({"category": Category.OTP}, False),
        ({"to": "+13105551234"}, False),
    ],
)
def test_hours_are_looked_at_again_at_the_hand_over(fields: dict[str, Any], waits: bool):
    ruling = Rig().hand_over(a_message(**fields), now=NIGHT)

    assert ruling == (Wait(MORNING, "outside_hours") if waits else None)


def test_a_charge_is_given_back_to_every_rule_that_counts():
    rig = Rig()
    message = a_message()

    rig.gate.give_back(message, charged_at=NOON, now=NOON + 5)

    assert rig.cap.taken_back == [(message.id, NOON)]


def test_a_rule_that_fails_lets_nothing_through():
    class Broken(Cap):
        def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
            raise ZeroDivisionError

    assert Rig(cap=Broken()).release(a_message()) == Stop("internal")


# --- soon after the opening -------------------------------------------------------------------------------------------


def test_what_waits_is_spread_evenly_over_the_first_minutes():
    gate = Rig(spread_seconds=600.0).gate
    due = [gate.due(a_message(), MORNING) - MORNING for _ in range(6_000)]

    assert min(due) >= 0
    assert max(due) < 600_000
    by_minute = [sum(minute * 60_000 <= each < (minute + 1) * 60_000 for each in due) for minute in range(10)]
    assert all(400 < count < 800 for count in by_minute), by_minute


def test_a_message_has_the_same_time_whenever_it_is_asked():
    message = a_message()

    assert Rig(spread_seconds=600.0).gate.due(message, MORNING) == Rig(spread_seconds=600.0).gate.due(message, MORNING)


@given(st.integers(1, 2_000_000), st.integers(1, 60), st.floats(0, 14_400))
def test_it_is_before_the_hours_and_the_validity_end(valid_for: int, open_minutes: int, spread_seconds: float):
    gate = Rig(
        f"08:00-08:{open_minutes:02}" if open_minutes < 60 else "08:00-09:00", spread_seconds=spread_seconds
    ).gate
    message = a_message(expires_at=MORNING + valid_for)

    due = gate.due(message, MORNING)

    assert MORNING <= due < min(MORNING + valid_for, MORNING + open_minutes * 60_000)
