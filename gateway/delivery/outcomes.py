"""What each outcome does to a record: the one place that moves parts, attempts, statuses and timelines. Pure.

Every function changes the record in place and returns whether anything changed; the caller hands it to the store.
A part's `n` and an attempt's `k` are counted from 0.
"""

from collections.abc import Sequence
from typing import Final

from gateway.delivery.settings import OnDoubt
from gateway.message import (
    FINAL,
    Attempt,
    ChargeTime,
    Entry,
    Milliseconds,
    Part,
    PartStatus,
    Record,
    Status,
    status_of_parts,
)
from gateway.smpp import MessageState
from gateway.store.api import TRANSITIONS

# SMPP 3.4, section 5.2.28. ACCEPTED and ENROUTE are on the way still, and change nothing.
RECEIPT_OUTCOMES: Final = {
    MessageState.DELIVERED: PartStatus.DELIVERED,
    MessageState.UNDELIVERABLE: PartStatus.FAILED,
    MessageState.REJECTED: PartStatus.FAILED,
    MessageState.EXPIRED: PartStatus.FAILED,
    MessageState.DELETED: PartStatus.FAILED,
    MessageState.UNKNOWN: PartStatus.UNKNOWN,
}

CANCEL_ASKED: Final = "cancel_sm"  # the error of an attempt that its carrier was asked to cancel
_UNANSWERED: Final = frozenset({PartStatus.SENDING, PartStatus.IN_DOUBT})


def hand_over(record: Record, n: int, attempt: Attempt) -> int:
    """A part goes to a bind, or is about to: note the attempt and return its number."""
    part = record.state.parts[n]
    assert part.status is PartStatus.WAITING
    record.set_part(n, Part(PartStatus.SENDING, (*part.attempts, attempt)))
    _follow_parts(record, at=attempt.at)
    return len(part.attempts)


def take_back(record: Record, n: int, k: int, reason: str, *, at: Milliseconds) -> None:
    """The last attempt never left: the part waits again, and nothing piles up however often this happens."""
    part = record.state.parts[n]
    status = PartStatus.WAITING if part.status is PartStatus.SENDING else part.status
    record.set_part(n, Part(status, part.attempts[:k]))
    state = record.state
    before = state.timeline[-2].status if len(state.timeline) > 1 else None
    if state.status is Status.SENDING and status_of_parts(state.parts) is before:
        state.status = before
        state.timeline.pop()
        record.told = min(record.told, len(state.timeline))
    else:
        _follow_parts(record, at=at, reason=reason)


def divide(record: Record, count: int) -> bool:
    """A message is about to be handed over in `count` parts, the way its carrier takes it: its record gets as many.

    Attempts that were refused are kept, those of parts that are no more with the last that is. False, and nothing has
    changed, when a part is on its way already, or when one that would go may have arrived: its receipt must find it.
    """
    parts = record.state.parts
    if len(parts) == count:
        return True
    gone = [attempt for part in parts[count:] for attempt in part.attempts]
    if any(part.status is not PartStatus.WAITING for part in parts):
        return False
    if any(attempt.command_status in {None, 0} for attempt in gone):
        return False
    kept = parts[:count] + [Part()] * (count - len(parts))
    if gone:
        kept[-1] = Part(PartStatus.WAITING, (*kept[-1].attempts, *gone))
    record.state.parts = kept
    return True


def refused_for_now(record: Record, n: int, k: int, command_status: int, error: str, *, at: Milliseconds) -> None:
    """The carrier refused the part, in time or late, and may take it later: it waits again."""
    part = record.state.parts[n]
    attempts = _with_attempt(part, k, command_status=command_status, error=error)
    waits = part.status in _UNANSWERED and k == len(attempts) - 1
    record.set_part(n, Part(PartStatus.WAITING if waits else part.status, attempts))
    _follow_parts(record, at=at, reason=error)


def throttled(record: Record, n: int, k: int, command_status: int, error: str, *, at: Milliseconds) -> None:
    """The same for a carrier that has had enough for the moment.

    Of such attempts in a row only the last is kept; but one whose answer came late keeps its number, by which it is
    known to those who await its receipt.
    """
    in_time = record.state.parts[n].status is PartStatus.SENDING
    refused_for_now(record, n, k, command_status, error, at=at)
    part = record.state.parts[n]
    if in_time and 0 < k == len(part.attempts) - 1 and part.attempts[k - 1].command_status == command_status:
        record.set_part(n, Part(part.status, (*part.attempts[: k - 1], part.attempts[k])))


def refused_for_good(
    record: Record, n: int, k: int, command_status: int | None, error: str, *, at: Milliseconds
) -> None:
    """The carrier refused the part for good: the message has failed, unless another attempt had already got through."""
    part = record.state.parts[n]
    attempts = _with_attempt(part, k, command_status=command_status, error=error)
    is_last = k == len(attempts) - 1  # a later attempt that is under way says more
    fails = part.status is PartStatus.WAITING or (part.status in _UNANSWERED and is_last)
    record.set_part(n, Part(PartStatus.FAILED if fails else part.status, attempts))
    _follow_parts(record, at=at, reason=error)


def cannot_follow(record: Record, n: int, reason: str, *, at: Milliseconds) -> None:
    """A part that waits cannot be sent any more: it has failed, and the message with it."""
    record.set_part(n, Part(PartStatus.FAILED, record.state.parts[n].attempts))
    _follow_parts(record, at=at, reason=reason)


def accepted(record: Record, n: int, k: int, carrier_message_id: str, *, at: Milliseconds) -> None:
    """The carrier took the part, in time or late: it need not be sent again, whatever becomes of a later attempt."""
    part = record.state.parts[n]
    attempts = _with_attempt(part, k, carrier_message_id=carrier_message_id, command_status=0)
    taken = part.status is PartStatus.WAITING or part.status in _UNANSWERED
    record.set_part(n, Part(PartStatus.SUBMITTED if taken else part.status, attempts))
    _follow_parts(record, at=at)


def unanswered(record: Record, n: int, k: int, error: str, on_doubt: OnDoubt, *, at: Milliseconds) -> None:
    """Bytes left, or may have, and no answer came. With RESEND the part waits to go again, with WAIT it is in doubt."""
    part = record.state.parts[n]
    attempts = _with_attempt(part, k, error=error)
    status = part.status
    if status is PartStatus.SENDING and k == len(attempts) - 1:
        status = PartStatus.WAITING if on_doubt is OnDoubt.RESEND else PartStatus.IN_DOUBT
    record.set_part(n, Part(status, attempts))
    _follow_parts(record, at=at, reason=error)


def is_news(record: Record, n: int, k: int, state: MessageState) -> bool:
    """Whether a receipt settles its part, or settles it otherwise.

    That one copy was delivered does. That one was not does so only if no later copy may get through.
    """
    outcome = RECEIPT_OUTCOMES.get(state)
    part = record.state.parts[n]
    if record.status is Status.CANCELLED and outcome is not PartStatus.DELIVERED:
        return False
    if outcome is None or outcome is part.status or part.status is PartStatus.DELIVERED:
        return False
    if outcome is PartStatus.DELIVERED:
        return True
    open_or_unknown = {PartStatus.SUBMITTED, PartStatus.IN_DOUBT, PartStatus.SENDING, PartStatus.UNKNOWN}
    later_copy = any(attempt.command_status in {None, 0} for attempt in part.attempts[k + 1 :])
    return not later_copy and part.status in open_or_unknown


def is_cancelled(record: Record, n: int, k: int, state: MessageState) -> bool:
    """Whether a receipt says that the carrier has cancelled what we had asked it to."""
    asked = record.state.parts[n].attempts[k].error == CANCEL_ASKED
    return asked and state is MessageState.DELETED and record.status is Status.SUBMITTED


def receipt(record: Record, n: int, k: int, state: MessageState, error: str, *, at: Milliseconds) -> bool:
    """A receipt for an attempt. False when it says nothing new."""
    if not is_news(record, n, k, state):
        return False
    outcome = RECEIPT_OUTCOMES[state]
    part = record.state.parts[n]
    if is_cancelled(record, n, k, state):
        record.set_part(n, Part(PartStatus.FAILED, part.attempts))
        _set_status(record, Status.CANCELLED, at=at, reason="cancelled")
        return True
    attempts = _with_attempt(part, k, error=error) if outcome is PartStatus.FAILED and error else part.attempts
    if part.status is PartStatus.WAITING or part.status in _UNANSWERED:
        record.set_part(n, Part(PartStatus.SUBMITTED, attempts))  # a receipt proves that the carrier took it
        _follow_parts(record, at=at)
    record.set_part(n, Part(outcome, attempts))
    reason = f"receipt {state.name}" if outcome is PartStatus.FAILED else ""
    _follow_parts(record, at=at, reason=f"{reason} {error}".strip() if reason else "")
    return True


def may_change_carrier(record: Record) -> bool:
    """Whether every part waits, and a message of several has none that may have arrived by the carrier it was with."""
    parts = record.state.parts
    if any(part.status is not PartStatus.WAITING for part in parts):
        return False
    may_have_left = (attempt.command_status in {None, 0} for part in parts for attempt in part.attempts)
    return len(parts) == 1 or not any(may_have_left)


def changed_carrier(record: Record, reason: str, *, at: Milliseconds) -> None:
    """A message that waits, waits for another carrier: its timeline says so."""
    _append(record, record.status, at=at, reason=reason)


def send_again(record: Record, n: int, k: int, error: str, *, at: Milliseconds) -> bool:
    """A receipt says that the carrier could not deliver its copy, and another may: the message is queued again.

    False for a message of several parts, for one that ended, and while a later copy may get through.
    """
    [part, *others] = record.state.parts
    is_last = k == len(part.attempts) - 1
    if others or not is_last or part.status not in {PartStatus.SUBMITTED, PartStatus.IN_DOUBT}:
        return False
    if Status.QUEUED not in TRANSITIONS[record.status]:
        return False
    record.set_part(n, Part(PartStatus.WAITING, _with_attempt(part, k, error=error)))
    _follow_parts(record, at=at, reason=f"receipt: {error}")
    return True


def times_taken(record: Record, n: int) -> int:
    """How many attempts of a part a carrier has accepted."""
    return sum(attempt.command_status == 0 for attempt in record.state.parts[n].attempts)


def is_submitted(record: Record) -> bool:
    """Whether carriers took every part, and no receipt has come."""
    return all(part.status is PartStatus.SUBMITTED for part in record.state.parts)


def give_up_waiting(record: Record, *, at: Milliseconds) -> bool:
    """The receipt deadline has passed: what is not settled stays unknown. False for a message that moves, or ended."""
    if Status.UNKNOWN not in TRANSITIONS[record.status]:
        return False
    for n, part in enumerate(record.state.parts):
        if part.status in {PartStatus.SUBMITTED, PartStatus.IN_DOUBT}:
            record.set_part(n, Part(PartStatus.UNKNOWN, part.attempts))
    _set_status(record, Status.UNKNOWN, at=at, reason="receipt deadline")
    return True


def end(record: Record, status: Status, *, at: Milliseconds, reason: str) -> bool:
    """End a message for a reason that is not its parts': expired, failed. False when the table does not allow it."""
    if status not in TRANSITIONS[record.status]:
        return False
    _set_status(record, status, at=at, reason=reason)
    return True


def ask_to_cancel(record: Record, n: int, k: int) -> None:
    """The carrier is about to be asked to cancel a part that it took: DELETED is not a failure then."""
    part = record.state.parts[n]
    record.set_part(n, Part(part.status, _with_attempt(part, k, error=CANCEL_ASKED)))


def note(record: Record, reason: str, *, at: Milliseconds) -> None:
    """Something is to be told of a message that stays as it is."""
    _append(record, record.status, at=at, reason=reason)


def release(record: Record, *, at: Milliseconds, charged: ChargeTime | None = None) -> None:
    """A message that waited for its time, or a reviewer, is queued. `charged`: when it was charged only now."""
    if charged is not None:
        record.state.charged = charged
    _set_status(record, Status.QUEUED, at=at, reason="")


def put_off(record: Record, *, at: Milliseconds, reason: str) -> None:
    """A message waits for another time. Put off again and again it makes no more lines."""
    if record.status is not Status.SCHEDULED:
        _set_status(record, Status.SCHEDULED, at=at, reason=reason)


def _with_attempt(
    part: Part, k: int, *, error: str | None = None, command_status: int | None = None, carrier_message_id: str = ""
) -> tuple[Attempt, ...]:
    """The part's attempts with what is now known of the k-th."""
    old = part.attempts[k]
    new = Attempt(
        old.carrier,
        old.bind,
        old.at,
        carrier_message_id or old.carrier_message_id,
        old.command_status if command_status is None else command_status,
        old.error if error is None and not carrier_message_id else error or "",
        old.reference,
    )
    if len(part.attempts) == 1:
        return (new,)
    return (*part.attempts[:k], new, *part.attempts[k + 1 :])


def _follow_parts(record: Record, *, at: Milliseconds, reason: str = "") -> None:
    """Let the message's status follow from its parts'. A final one changes only as the table allows."""
    before = record.state.status
    after = status_of_parts(record.state.parts)
    if after is before or (after is Status.QUEUED and before is Status.SCHEDULED):
        return  # what was put off waits on, whatever is heard of an earlier attempt
    if after in TRANSITIONS[before]:
        _append(record, after, at=at, reason=reason)
    elif before not in FINAL:
        # A late answer finds a message queued to go again, or put off: it had been sent, whatever we thought.
        if before is Status.SCHEDULED:
            _set_status(record, Status.QUEUED, at=at, reason=reason)
        _set_status(record, Status.SENDING, at=at, reason=reason)
        _set_status(record, after, at=at, reason=reason)


def _set_status(record: Record, status: Status, *, at: Milliseconds, reason: str) -> None:
    before = record.state.status
    assert status in TRANSITIONS[before], f"{before} -> {status}"
    _append(record, status, at=at, reason=reason)


def _append(record: Record, status: Status, *, at: Milliseconds, reason: str) -> None:
    state = record.state
    state.status = status
    timeline = state.timeline
    entry = Entry(max(at, timeline[-1].at), status, reason)  # a receipt that waited to be claimed is older than a doubt
    if len(timeline) >= 4 and _begins_third_round(timeline, entry):
        del timeline[-2:]  # it goes to and fro, for hours perhaps: the first round is kept, and the last
        record.told = min(record.told, len(timeline))
    timeline.append(entry)


def _begins_third_round(timeline: Sequence[Entry], entry: Entry) -> bool:
    """Whether a timeline ends in the same two steps twice, and `entry` is the first of them again."""
    pairs = ((timeline[-4], timeline[-2]), (timeline[-3], timeline[-1]), (timeline[-2], entry))
    return all(one.status is other.status and one.reason == other.reason for one, other in pairs)


def learn_id(record: Record, n: int, k: int, carrier_message_id: str) -> None:
    """A receipt told the id that the answer would have given."""
    part = record.state.parts[n]
    record.set_part(n, Part(part.status, _with_attempt(part, k, error=None, carrier_message_id=carrier_message_id)))
