"""The judge of the fault suite on evidence written by hand: it must find each fault that is planted, and no other."""

from typing import Any

import msgspec

from loadtest.answers import Attempt, MessageSeen, PartSeen
from simulator.records import Record
from tests.faults.outcome import Evidence, judge
from tests.faults.traffic import CROWD, CROWD_CAP, Accepted

TEXT = "【阳光物业】您好"
NUMBER = "13812345678"


def submit(message_id: str, *, n: int) -> dict[str, Any]:
    """A line of the journal: the message's only part, processed."""
    common = {"n": n, "smsc": "east", "bind": "east-1", "system_id": "east", "status": "ESME_ROK"}
    return {**common, "command": "submit_sm", "to": f"86{NUMBER}", "text": TEXT, "taken_as": message_id}


def receipt(message_id: str, stat: str, *, n: int) -> dict[str, Any]:
    """A line of the journal: a receipt that the gateway has taken."""
    common = {"n": n, "smsc": "east", "bind": "east-1", "system_id": "east", "status": "ESME_ROK"}
    return {**common, "command": "deliver_sm_resp", "taken_as": message_id, "stat": stat}


def message(name: str, status: str, *, to: str = NUMBER, ref: str = "r1", attempts: int = 1) -> MessageSeen:
    parts = [PartSeen(1, status, [Attempt("east", "7")] * attempts)]
    return MessageSeen(name, status, f"+86{to}", "cmcc", parts, ref)


GOOD = Evidence(
    accepted={"1": Accepted("r1", NUMBER, "notification", 1)},
    asked_of_crowd={},
    told={"1": "delivered"},
    messages=[message("1", "delivered")],
    records=[Record("1", f"+86{NUMBER}", TEXT, "delivered", ("7",))],
    journal=[submit("7", n=1), receipt("7", "DELIVRD", n=2)],
)


def broken(**changes: Any) -> tuple[str, ...]:
    return judge("planted", msgspec.structs.replace(GOOD, **changes), tried=1, most_resend=0).broken


def test_a_message_that_came_once_and_was_told_of_breaks_nothing():
    outcome = judge("none", GOOD, tried=1, most_resend=0)
    assert outcome.broken == ()
    assert outcome.ledger == "records=1 lost=0 duplicated=0 misordered=0 mis-stated=0 unrecorded=0"
    assert (outcome.accepted, outcome.lost, outcome.doubled_resend, outcome.doubled_wait) == (1, 0, 0, 0)


def test_what_was_accepted_and_is_not_there_is_lost():
    outcome = judge(
        "planted", msgspec.structs.replace(GOOD, messages=[], records=[], journal=[]), tried=1, most_resend=0
    )
    assert outcome.lost == 1
    assert outcome.broken == ("lost: 1",)


def test_what_is_told_as_delivered_and_was_never_processed_is_lost():
    assert broken(journal=[]) == ("lost: 1",)


def test_an_end_that_nobody_was_told_of_is_lost():
    assert broken(told={}) == ("lost: 1",)


def test_an_end_that_was_told_otherwise_is_found():
    assert broken(told={"1": "unknown"}) == ("told otherwise: 1 (told unknown, is delivered)",)


def test_a_receipt_that_was_taken_and_not_counted_is_found():
    wrong = {
        "told": {"1": "unknown"},
        "messages": [message("1", "unknown")],
        "records": [Record("1", f"+86{NUMBER}", TEXT, "unknown", ("7",))],
    }
    [found] = broken(**wrong)
    assert found.startswith("mis-stated: 1 (told unknown, and its receipts make it delivered")


def test_a_second_copy_is_counted_by_what_its_category_says_of_doubt():
    doubled = msgspec.structs.replace(GOOD, journal=[*GOOD.journal, submit("8", n=3)])
    assert judge("planted", doubled, tried=1, most_resend=1).broken == ()
    assert judge("planted", doubled, tried=1, most_resend=0).broken == ("1 copies too many, and 0 may be",)

    waiting = msgspec.structs.replace(doubled, accepted={"1": Accepted("r1", NUMBER, "marketing", 1)})
    outcome = judge("planted", waiting, tried=1, most_resend=1)
    assert (outcome.doubled_wait, outcome.doubled_resend) == (1, 0)
    assert outcome.broken == ("1 copies too many of messages that are never sent again",)


def test_what_was_processed_and_belongs_to_no_record_is_found():
    [found] = broken(journal=[*GOOD.journal, {**submit("9", n=3), "to": "8613800005678"}])
    assert found.startswith("unrecorded: 9 ")


def test_two_messages_for_one_client_ref_are_found():
    again = message("2", "failed")
    found = broken(messages=[*GOOD.messages, again], told={"1": "delivered", "2": "failed"})
    assert found == ("a second message for one client_ref: r1",)


def test_a_number_that_had_more_than_its_cap_or_less_than_was_asked_for_is_found():
    for had, asked in ((CROWD_CAP + 1, CROWD_CAP + 5), (CROWD_CAP - 1, CROWD_CAP)):
        crowd = [message(f"c{n}", "failed", to=CROWD[0], ref=f"c{n}") for n in range(had)]
        told = {"1": "delivered", **{each.id: each.status for each in crowd}}
        found = broken(messages=[*GOOD.messages, *crowd], told=told, asked_of_crowd={CROWD[0]: asked})
        assert found == (f"more than a cap allows, or less: {had} to number 0 of the crowd, asked for {asked}",)


def test_a_message_that_has_not_ended_is_found():
    assert broken(messages=[message("1", "submitted")], told={"1": "submitted"})[0] == "not final: 1"
