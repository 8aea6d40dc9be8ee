from collections.abc import Iterable

import pytest

from loadtest.answers import MessageSeen
from loadtest.audit import Audit, Findings
from loadtest.control import Place, Submitted
from loadtest.plan import PlannedMessage

SHORT = PlannedMessage(to="13812345678", text="…", category="otp", client_ref="short", batch="b", parts=1)
LONG = PlannedMessage(to="13912345678", text="…", category="notification", client_ref="long", batch="b", parts=2)

LISTED = [
    MessageSeen("2", "delivered", "+8613912345678", "cmcc", [], client_ref="long"),
    MessageSeen("1", "delivered", "+8613812345678", "cmcc", [], client_ref="short"),
]
SUBMITS = [
    Submitted(1, "8613812345678"),
    Submitted(2, "8613912345678", Place(1, 2, 1)),
    Submitted(3, "8613912345678", Place(1, 2, 2)),
]
CLEAN = dict.fromkeys(Findings.__struct_fields__, 0)


def find(listed: Iterable[MessageSeen], submits: Iterable[Submitted]) -> dict[str, int]:
    audit = Audit([SHORT, LONG])
    for message in listed:
        audit.take_message(message)
    for submit in submits:
        audit.take_submit(submit)
    findings = audit.findings(accepted=2)
    return {name: getattr(findings, name) for name in Findings.__struct_fields__}


def test_nothing_is_found_where_every_message_is_delivered_and_every_part_left_once():
    assert find(LISTED, SUBMITS) == CLEAN


def test_an_accepted_message_that_is_not_listed_is_lost():
    # Its parts count as too many as well: nobody is there who sent them.
    assert find(LISTED[:1], SUBMITS) == {**CLEAN, "lost": 1, "repeated_parts": 1}


@pytest.mark.parametrize(("status", "finding"), [("submitted", "unfinished"), ("failed", "undelivered")])
def test_a_message_that_is_not_delivered_is_found(status: str, finding: str):
    message = MessageSeen("1", status, "+8613812345678", "cmcc", [], client_ref="short")
    assert find([LISTED[0], message], SUBMITS) == {**CLEAN, finding: 1}


def test_a_message_that_is_listed_twice_or_not_planned_or_at_another_number_is_a_stranger():
    strangers = [
        LISTED[0],
        MessageSeen("3", "delivered", "+8613812345678", "cmcc", [], client_ref="other"),
        MessageSeen("4", "delivered", "+8613812345678", "cmcc", []),
    ]
    assert find([*LISTED, *strangers], SUBMITS) == {**CLEAN, "strangers": 3}
    elsewhere = MessageSeen("1", "delivered", "+8613812345679", "cmcc", [], client_ref="short")
    assert find([LISTED[0], elsewhere], SUBMITS)["strangers"] == 1


def test_a_part_that_never_left_is_missing():
    assert find(LISTED, SUBMITS[:2]) == {**CLEAN, "missing_parts": 1}


@pytest.mark.parametrize(
    "extra",
    [SUBMITS[0], SUBMITS[2], Submitted(4, "8613912345678", Place(1, 3, 3)), Submitted(4, "8613700000000")],
)
def test_a_part_that_left_twice_or_that_nobody_asked_for_is_repeated(extra: Submitted):
    assert find(LISTED, [*SUBMITS, extra]) == {**CLEAN, "repeated_parts": 1}


def test_a_part_that_left_after_a_later_one_is_out_of_order():
    assert find(LISTED, [SUBMITS[0], SUBMITS[2], SUBMITS[1]]) == {**CLEAN, "disordered_parts": 1}
