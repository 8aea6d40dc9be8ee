"""What each outcome does to a record, one by one. Sequences of them are in test_outcome_sequences."""

import pytest

from gateway.delivery import outcomes
from gateway.delivery.settings import OnDoubt
from gateway.message import FINAL, Attempt, Part, PartStatus, Record, Status
from gateway.smpp import MessageState
from gateway.store.api import TRANSITIONS
from tests.delivery.samples import MORNING, a_record, an_attempt, statuses

W, S, D, U, OK, F, X = PartStatus  # waiting, sending, in doubt, submitted, delivered, failed, unknown
NOW = MORNING + 5_000
THROTTLED = 0x58
INVALID_NUMBER = 0x0B


def handed_over(parts: int = 1) -> Record:
    """A message all of whose parts were given to a bind."""
    record = a_record(parts=parts)
    for n in range(parts):
        outcomes.hand_over(record, n, an_attempt())
    return record


def in_status(status: PartStatus) -> Record:
    """A message of one part, brought to a status the way it comes there."""
    record = handed_over()
    match status:
        case PartStatus.WAITING:
            outcomes.unanswered(record, 0, 0, "timeout", OnDoubt.RESEND, at=MORNING)
        case PartStatus.SENDING:
            pass
        case PartStatus.IN_DOUBT:
            outcomes.unanswered(record, 0, 0, "timeout", OnDoubt.WAIT, at=MORNING)
        case PartStatus.SUBMITTED:
            outcomes.accepted(record, 0, 0, "id", at=MORNING)
        case PartStatus.DELIVERED | PartStatus.FAILED | PartStatus.UNKNOWN:
            state = {OK: MessageState.DELIVERED, F: MessageState.UNDELIVERABLE, X: MessageState.UNKNOWN}[status]
            outcomes.accepted(record, 0, 0, "id", at=MORNING)
            outcomes.receipt(record, 0, 0, state, "", at=MORNING)
    assert statuses(record) == [status]
    return record


def resent(*, times: int = 1) -> Record:
    """A message of one part whose attempts were not answered, and which is on its way once more."""
    record = handed_over()
    for k in range(times):
        outcomes.unanswered(record, 0, k, "timeout", OnDoubt.RESEND, at=MORNING)
        outcomes.hand_over(record, 0, an_attempt())
    return record


# --- one outcome, whatever the part is -------------------------------------------------------------------------------


def test_a_part_that_is_handed_over_is_sending_and_has_an_attempt():
    record = a_record(parts=2)
    attempt = an_attempt(at=NOW)

    assert outcomes.hand_over(record, 1, attempt) == 0
    assert record.state.parts == [Part(), Part(S, (attempt,))]
    assert record.status is Status.SENDING
    assert [(entry.at, entry.status) for entry in record.state.timeline] == [
        (MORNING, Status.QUEUED),
        (NOW, Status.SENDING),
    ]


@pytest.mark.parametrize("status", [S, D, U, OK, F, X])
def test_only_a_part_that_waits_is_handed_over(status: PartStatus):
    with pytest.raises(AssertionError):
        outcomes.hand_over(in_status(status), 0, an_attempt())


@pytest.mark.parametrize(
    ("before", "after"), [(W, U), (S, U), (D, U), (U, U), (OK, OK), (F, F), (X, X)], ids=lambda status: status.value
)
def test_an_acceptance_settles_what_was_open(before: PartStatus, after: PartStatus):
    record = in_status(before)
    outcomes.accepted(record, 0, 0, "id-2", at=NOW)

    [part] = record.state.parts
    assert part.status is after
    assert (part.attempts[0].carrier_message_id, part.attempts[0].command_status) == ("id-2", 0)


@pytest.mark.parametrize(
    ("before", "after"), [(W, W), (S, W), (D, W), (U, U), (OK, OK), (F, F), (X, X)], ids=lambda status: status.value
)
def test_a_refusal_for_now_lets_the_part_wait_unless_it_got_through(before: PartStatus, after: PartStatus):
    record = in_status(before)
    outcomes.refused_for_now(record, 0, 0, THROTTLED, "0x58 throttled", at=NOW)

    [part] = record.state.parts
    assert part.status is after
    assert (part.attempts[0].command_status, part.attempts[0].error) == (THROTTLED, "0x58 throttled")


@pytest.mark.parametrize(
    ("before", "after"), [(W, F), (S, F), (D, F), (U, U), (OK, OK), (F, F), (X, X)], ids=lambda status: status.value
)
def test_a_refusal_for_good_fails_the_part_unless_it_got_through(before: PartStatus, after: PartStatus):
    record = in_status(before)
    outcomes.refused_for_good(record, 0, 0, INVALID_NUMBER, "0x0B", at=NOW)

    assert statuses(record) == [after]
    assert record.state.parts[0].attempts[0].command_status == INVALID_NUMBER


@pytest.mark.parametrize(("on_doubt", "after"), [(OnDoubt.RESEND, W), (OnDoubt.WAIT, D)])
def test_a_part_without_an_answer_is_in_doubt_or_goes_again(on_doubt: OnDoubt, after: PartStatus):
    record = handed_over()
    outcomes.unanswered(record, 0, 0, "timeout", on_doubt, at=NOW)

    assert statuses(record) == [after]
    assert record.state.parts[0].attempts[0].error == "timeout"
    assert record.state.timeline[-1].reason == "timeout"


@pytest.mark.parametrize("status", [W, D, U, OK, F, X])
@pytest.mark.parametrize("on_doubt", OnDoubt)
def test_a_missing_answer_changes_no_part_that_is_not_sending(status: PartStatus, on_doubt: OnDoubt):
    record = in_status(status)
    outcomes.unanswered(record, 0, 0, "connection_lost", on_doubt, at=NOW)

    assert statuses(record) == [status]


_NOTHING_NEW = {OK: {OK}, F: {OK, F, W}, X: {OK, F, X, W}}


@pytest.mark.parametrize("before", PartStatus, ids=lambda status: status.value)
@pytest.mark.parametrize("state", MessageState, ids=lambda state: state.name)
def test_a_receipt_settles_its_part_and_delivered_is_the_last_word(before: PartStatus, state: MessageState):
    record = in_status(before)
    outcome = outcomes.RECEIPT_OUTCOMES.get(state)
    changed = outcomes.receipt(record, 0, 0, state, "042", at=NOW)

    assert changed is (outcome is not None and before not in _NOTHING_NEW[outcome])
    assert statuses(record) == [outcome if changed else before]
    assert record.status in {Status.QUEUED, Status.SENDING, Status.IN_DOUBT, Status.SUBMITTED} | FINAL


def test_states_on_the_way_change_nothing():
    for state in (MessageState.ENROUTE, MessageState.ACCEPTED, MessageState.SCHEDULED):
        assert state not in outcomes.RECEIPT_OUTCOMES


def test_the_error_of_a_failure_receipt_is_kept_with_its_attempt():
    record = in_status(U)
    outcomes.receipt(record, 0, 0, MessageState.REJECTED, "MBBLACK", at=NOW)

    assert record.state.parts[0].attempts[0].error == "MBBLACK"
    assert record.state.timeline[-1].reason == "receipt REJECTED MBBLACK"


def test_an_acceptance_clears_the_error_of_a_timeout():
    record = in_status(D)
    outcomes.accepted(record, 0, 0, "id", at=NOW)

    assert record.state.parts[0].attempts[0].error == ""


def test_what_never_left_leaves_no_trace():
    """A broken store is tried again and again: a message that waits for it must not grow."""
    record = a_record()
    before = (list(record.state.parts), list(record.state.timeline))
    for _ in range(50):
        k = outcomes.hand_over(record, 0, an_attempt(at=NOW))
        outcomes.take_back(record, 0, k, "store_unavailable", at=NOW)

    assert record.status is Status.QUEUED
    assert (record.state.parts, record.state.timeline) == before


def test_what_is_taken_back_keeps_the_attempts_before_it():
    record = handed_over(parts=2)
    outcomes.refused_for_now(record, 0, 0, THROTTLED, "0x58", at=NOW)
    k = outcomes.hand_over(record, 0, an_attempt(at=NOW))
    outcomes.take_back(record, 0, k, "connection_lost", at=NOW)

    assert statuses(record) == [W, S]
    assert [attempt.command_status for attempt in record.state.parts[0].attempts] == [THROTTLED]


@pytest.mark.parametrize("status", Status)
def test_a_message_ends_for_a_reason_of_its_own_only_where_the_table_says_so(status: Status):
    for target in (Status.EXPIRED, Status.FAILED):
        record = a_record(status)
        allowed = target in TRANSITIONS[status]
        assert outcomes.end(record, target, at=NOW, reason="validity ended") is allowed
        assert record.status is (target if allowed else status)


def test_at_the_receipt_deadline_what_is_open_stays_unknown():
    record = handed_over(parts=3)
    outcomes.accepted(record, 0, 0, "a", at=NOW)
    outcomes.accepted(record, 1, 0, "b", at=NOW)
    outcomes.receipt(record, 0, 0, MessageState.DELIVERED, "", at=NOW)
    outcomes.unanswered(record, 2, 0, "timeout", OnDoubt.WAIT, at=NOW)

    assert outcomes.give_up_waiting(record, at=NOW)
    assert statuses(record) == [OK, X, X]
    assert (record.status, record.state.timeline[-1].reason) == (Status.UNKNOWN, "receipt deadline")


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, *FINAL])
def test_the_receipt_deadline_ends_nothing_that_moves_or_has_ended(status: Status):
    record = a_record(status)
    assert not outcomes.give_up_waiting(record, at=NOW)
    assert record.status is status


# --- several attempts -------------------------------------------------------------------------------------------------


def test_a_late_acceptance_settles_a_part_that_is_on_its_way_again():
    record = resent()
    outcomes.accepted(record, 0, 0, "first", at=NOW)
    assert statuses(record) == [U]

    outcomes.accepted(record, 0, 1, "second", at=NOW)
    assert [attempt.carrier_message_id for attempt in record.state.parts[0].attempts] == ["first", "second"]


@pytest.mark.parametrize("last", ["refused for now", "refused for good", "unanswered"])
def test_a_part_whose_first_copy_was_taken_does_not_go_a_third_time(last: str):
    record = resent()
    outcomes.accepted(record, 0, 0, "first", at=NOW)
    match last:
        case "refused for now":
            outcomes.refused_for_now(record, 0, 1, THROTTLED, "0x58", at=NOW)
        case "refused for good":
            outcomes.refused_for_good(record, 0, 1, INVALID_NUMBER, "0x0B", at=NOW)
        case _:
            outcomes.unanswered(record, 0, 1, "timeout", OnDoubt.RESEND, at=NOW)

    assert statuses(record) == [U]


@pytest.mark.parametrize("late", ["for now", "for good"])
def test_a_late_refusal_leaves_a_part_alone_that_is_on_its_way_again(late: str):
    record = resent()
    if late == "for now":
        outcomes.refused_for_now(record, 0, 0, THROTTLED, "0x58", at=NOW)
    else:
        outcomes.refused_for_good(record, 0, 0, INVALID_NUMBER, "0x0B", at=NOW)

    assert statuses(record) == [S]
    outcomes.accepted(record, 0, 1, "second", at=NOW)
    assert record.status is Status.SUBMITTED


def test_one_delivered_copy_settles_the_part_whatever_becomes_of_the_other():
    record = resent()
    outcomes.accepted(record, 0, 1, "second", at=NOW)
    outcomes.receipt(record, 0, 1, MessageState.UNDELIVERABLE, "001", at=NOW)
    assert record.status is Status.FAILED

    outcomes.learn_id(record, 0, 0, "first")
    assert outcomes.receipt(record, 0, 0, MessageState.DELIVERED, "", at=NOW)
    assert record.status is Status.DELIVERED


def test_a_copy_that_failed_settles_nothing_while_a_later_one_may_get_through():
    for answer in ("none yet", "accepted"):
        record = resent()
        if answer == "accepted":
            outcomes.accepted(record, 0, 1, "second", at=NOW)
        outcomes.learn_id(record, 0, 0, "first")
        assert not outcomes.receipt(record, 0, 0, MessageState.UNDELIVERABLE, "001", at=NOW)
        assert not record.is_final


def test_a_copy_that_failed_settles_the_part_when_the_later_one_was_refused():
    record = resent()
    outcomes.accepted(record, 0, 0, "first", at=NOW)
    outcomes.refused_for_now(record, 0, 1, THROTTLED, "0x58", at=NOW)

    assert outcomes.receipt(record, 0, 0, MessageState.UNDELIVERABLE, "001", at=NOW)
    assert record.status is Status.FAILED


def test_throttling_leaves_one_attempt_however_often_it_comes():
    record = handed_over()
    for _ in range(30):
        k = len(record.state.parts[0].attempts) - 1
        outcomes.throttled(record, 0, k, THROTTLED, "0x58 throttled", at=NOW)
        outcomes.hand_over(record, 0, an_attempt(at=NOW))
    k = len(record.state.parts[0].attempts) - 1
    outcomes.accepted(record, 0, k, "id", at=NOW)

    assert [attempt.command_status for attempt in record.state.parts[0].attempts] == [THROTTLED, 0]
    assert len(record.state.timeline) < 10
    assert record.state.timeline[-1].status is Status.SUBMITTED


def test_throttling_keeps_the_attempts_that_may_have_got_through():
    record = resent()
    for _ in range(3):
        outcomes.throttled(record, 0, len(record.state.parts[0].attempts) - 1, THROTTLED, "0x58", at=NOW)
        outcomes.hand_over(record, 0, an_attempt(at=NOW))

    assert [attempt.error for attempt in record.state.parts[0].attempts] == ["timeout", "0x58", ""]


@pytest.mark.parametrize("on_doubt", OnDoubt)
def test_an_attempt_that_was_throttled_late_keeps_its_number(on_doubt: OnDoubt):
    """It was in doubt, so somebody may be looking for its receipt by that number."""
    record = handed_over()
    outcomes.throttled(record, 0, 0, THROTTLED, "0x58", at=NOW)
    outcomes.hand_over(record, 0, an_attempt(at=NOW))
    outcomes.unanswered(record, 0, 1, "timeout", on_doubt, at=NOW)
    outcomes.throttled(record, 0, 1, THROTTLED, "0x58", at=NOW)

    assert statuses(record) == [W]
    assert len(record.state.parts[0].attempts) == 2


# --- several parts ----------------------------------------------------------------------------------------------------


def test_a_failed_part_fails_the_message_and_the_others_are_still_followed():
    record = handed_over(parts=2)
    outcomes.refused_for_good(record, 0, 0, INVALID_NUMBER, "0x0B", at=NOW)
    assert record.status is Status.FAILED

    outcomes.accepted(record, 1, 0, "b", at=NOW)
    outcomes.receipt(record, 1, 0, MessageState.DELIVERED, "", at=NOW)
    assert statuses(record) == [F, OK]
    assert record.status is Status.FAILED


def test_a_receipt_for_a_part_that_waits_to_go_again_settles_it_among_parts_that_ended():
    record = handed_over(parts=2)
    outcomes.accepted(record, 0, 0, "a", at=NOW)
    outcomes.receipt(record, 0, 0, MessageState.UNKNOWN, "", at=NOW)
    outcomes.unanswered(record, 1, 0, "timeout", OnDoubt.RESEND, at=NOW)

    assert outcomes.receipt(record, 1, 0, MessageState.DELIVERED, "", at=NOW)
    assert statuses(record) == [X, OK]
    assert record.status is Status.UNKNOWN


def test_an_expired_message_is_delivered_when_all_its_parts_were():
    record = handed_over(parts=2)
    outcomes.unanswered(record, 0, 0, "timeout", OnDoubt.RESEND, at=NOW)
    outcomes.unanswered(record, 1, 0, "timeout", OnDoubt.RESEND, at=NOW)
    outcomes.end(record, Status.EXPIRED, at=NOW, reason="validity ended")

    outcomes.receipt(record, 0, 0, MessageState.DELIVERED, "", at=NOW)
    assert record.status is Status.EXPIRED
    outcomes.receipt(record, 1, 0, MessageState.DELIVERED, "", at=NOW)
    assert record.status is Status.DELIVERED


def test_learning_an_id_changes_nothing_else():
    record = in_status(D)
    outcomes.learn_id(record, 0, 0, "id")

    assert statuses(record) == [D]
    assert record.state.parts[0].attempts == (Attempt("cmcc-a", "cmcc-a-1", MORNING, carrier_message_id="id"),)
