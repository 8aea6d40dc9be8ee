import msgspec
import pytest

from loadtest.accounting import Account, Accounting, Answer, WireAudit
from loadtest.answers import Refusal, Result
from loadtest.control import Place, Submitted
from loadtest.supply import Kind, Request

TAG = "load-1-"
LONG, SHORT = 13900139000, 13800138000
BOTH = Request(b"", [LONG, SHORT], bytes([2, 1]), bytes([Kind.LONG, Kind.CODE]))


def sent(request: Request = BOTH, answer: Answer = Answer.ACCEPTED) -> Accounting:
    accounting = Accounting(TAG)
    accounting.take_answer(accounting.take_request(request, due=5.0), answer)
    return accounting


def tell(accounting: Accounting, *kinds: str, place: int = 0) -> None:
    for kind in kinds:
        accounting.take_event(f"{TAG}{place}", f"message.{kind}")


def counts(account: msgspec.Struct) -> dict[str, int]:
    """What is not 0."""
    return {name: value for name, value in msgspec.structs.asdict(account).items() if value}


def submit(phone: int, number: int | None = None, *, reference: int = 1) -> Submitted:
    part = None if number is None else Place(reference, 2, number)
    return Submitted(1, f"+86{phone}", part, taken_as="x")


def audited(accounting: Accounting, *submits: Submitted) -> WireAudit:
    audit = WireAudit(accounting)
    for each in submits:
        audit.take_submit(each)
    return audit


GOOD = (submit(LONG, 1), submit(LONG, 2), submit(SHORT))


def test_a_good_run_has_as_many_delivered_as_were_planned_and_accepted():
    accounting = sent()
    tell(accounting, "delivered")
    tell(accounting, "delivered", place=1)
    assert counts(accounting.account(audited(accounting, *GOOD))) == {"planned": 2, "accepted": 2, "delivered": 2}
    assert counts(audited(accounting, *GOOD).findings()) == {"parts": 3}


def test_the_place_of_a_message_is_told_once_it_is_final_and_only_then():
    accounting = sent()
    assert accounting.take_event(f"{TAG}0", "message.submitted") is None
    assert accounting.take_event(f"{TAG}0", "message.delivered") == 0
    assert accounting.take_event(f"{TAG}0", "message.delivered") is None
    assert accounting.account().told_again == 1


def test_another_final_state_is_a_correction_and_the_last_one_counts():
    accounting = sent()
    tell(accounting, "failed", "delivered")
    assert counts(accounting.account()) == {
        "planned": 2, "accepted": 2, "delivered": 1, "unfinished": 1, "corrected": 1,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["failed", "expired", "cancelled", "unknown"])
def test_what_ends_and_is_not_delivered_ended_otherwise(kind: str):
    accounting = sent()
    tell(accounting, kind)
    assert accounting.account().ended_otherwise == 1


def test_an_accepted_message_without_end_is_lost_unless_the_smsc_took_all_of_its_parts():
    accounting = sent()
    assert accounting.account(audited(accounting, submit(LONG, 1))).lost == 2
    assert accounting.account(audited(accounting, *GOOD)).lost == 0
    assert accounting.account(audited(accounting, *GOOD)).unfinished == 2


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.TURNED_AWAY, Answer.UNSENT])
def test_what_was_not_accepted_and_ends_is_a_contradiction(answer: Answer):
    accounting = sent(answer=answer)
    tell(accounting, "delivered")
    assert (accounting.account().contradicted, accounting.account().delivered) == (1, 0)


def test_a_message_whose_answer_never_came_may_end():
    accounting = sent(answer=Answer.FAILED)
    tell(accounting, "delivered")
    assert counts(accounting.account()) == {"planned": 2, "failed": 2, "delivered": 1}


def test_a_request_that_has_no_answer_yet_failed():
    accounting = Accounting(TAG)
    accounting.take_request(BOTH, due=0.0)
    assert accounting.account().failed == 2


def test_results_are_taken_in_their_order_and_those_that_lack_have_failed():
    accounting = Accounting(TAG)
    places = accounting.take_request(Request(b"", [1, 2, 3], bytes(3), bytes(3)), due=0.0)
    accounting.take_results(places, [Result("queued", id="1"), Result("refused", error=Refusal("frequency_cap"))])
    tell(accounting, "delivered", place=0)
    assert counts(accounting.account()) == {"planned": 3, "accepted": 1, "refused": 1, "failed": 1, "delivered": 1}


@pytest.mark.parametrize("ref", [None, "", "other-0", f"{TAG}2", f"{TAG}x", f"{TAG}-1", TAG])
def test_an_event_about_what_was_never_sent_is_a_stranger(ref: str | None):
    accounting = sent()
    assert accounting.take_event(ref, "message.delivered") is None
    assert accounting.account().strangers == 1


def test_parts_are_missing_of_delivered_messages_only():
    accounting = sent()
    tell(accounting, "delivered")
    assert audited(accounting, submit(LONG, 1)).findings().missing_parts == 1


def test_a_part_that_comes_again_is_repeated_and_one_that_is_late_out_of_order():
    accounting = sent()
    assert counts(audited(accounting, *GOOD, submit(LONG, 2)).findings()) == {"parts": 4, "repeated_parts": 1}
    late = audited(accounting, submit(LONG, 2), submit(LONG, 1), submit(SHORT))
    assert counts(late.findings()) == {"parts": 3, "disordered_parts": 1}


def test_a_part_that_a_message_does_not_have_is_one_too_many():
    accounting = sent()
    assert audited(accounting, *GOOD, submit(SHORT, 2)).findings().repeated_parts == 1


def test_a_part_to_a_number_that_nobody_sent_to_is_foreign_and_not_repeated():
    accounting = sent()
    found = audited(accounting, *GOOD, submit(13700137000), submit(13700137000)).findings()
    assert counts(found) == {"parts": 5, "foreign_parts": 2}


def test_messages_to_one_number_may_each_leave_once():
    twice = Request(b"", [SHORT, SHORT], bytes([1, 1]), bytes(2))
    accounting = sent(twice)
    assert counts(audited(accounting, submit(SHORT), submit(SHORT)).findings()) == {"parts": 2}
    assert audited(accounting, *[submit(SHORT)] * 3).findings().repeated_parts == 1
    assert WireAudit(accounting).take_submit(submit(SHORT)) is None, "whose it is nobody knows"


def test_only_the_first_submit_of_a_first_part_tells_when_a_message_left():
    audit = WireAudit(sent())
    assert [audit.take_submit(each) for each in (*GOOD, submit(SHORT))] == [0, None, 1, None]


def test_an_account_adds_up():
    accounting = sent()
    tell(accounting, "failed")
    account: Account = accounting.account()
    assert account.accepted == account.delivered + account.ended_otherwise + account.unfinished
