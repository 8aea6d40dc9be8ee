"""What goes back: decisions about messages just handed in, and messages as they stand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from gateway.http.problems import refusal_detail
from gateway.intake import Accepted, Decision
from gateway.message import Attempt, Category, Message, Milliseconds, Record
from gateway.policy.verdict import Refusal

MASKED_TEXT: Final = "******"


class AcceptedView(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A message that was accepted, now or before. Of strings and numbers only, so the garbage collector may skip it."""

    id: str
    status: str
    to: str
    parts: int
    network: str
    duplicate: bool = False

    def as_duplicate(self) -> "AcceptedView":
        """The same, for a number that came before in the same request."""
        return msgspec.structs.replace(self, duplicate=True)


class RefusedView(msgspec.Struct, frozen=True):
    """A message that was refused."""

    error: dict[str, Any]
    status: str = "refused"


class ResultsView(msgspec.Struct, frozen=True):
    """What became of an array of messages, in its order."""

    accepted: int
    refused: int
    results: Sequence[AcceptedView | RefusedView]


class AttemptView(msgspec.Struct, frozen=True):
    carrier: str
    bind: str
    carrier_message_id: str | None
    command_status: int | None
    error: str | None
    at: str


class PartView(msgspec.Struct, frozen=True):
    n: int
    status: str
    attempts: list[AttemptView]


class EntryView(msgspec.Struct, frozen=True):
    at: str
    status: str
    reason: str | None


class MessageView(msgspec.Struct, frozen=True):
    """A message with everything that has happened to it."""

    id: str
    status: str
    to: str
    account: str
    category: str
    batch: str | None
    client_ref: str | None
    network: str
    signature: str | None
    text: str
    parts: list[PartView]
    timeline: list[EntryView]


class ListView(msgspec.Struct, frozen=True):
    """One page of messages, newest first."""

    messages: list[MessageView]
    cursor: str | None


def decision_view(decision: Decision, *, chinese: bool) -> AcceptedView | RefusedView:
    """What became of one message of an array."""
    if isinstance(decision, Accepted):
        return accepted_view(decision)
    return RefusedView(refusal_error(decision, chinese=chinese))


def accepted_view(accepted: Accepted) -> AcceptedView:
    """A message on disk, with its present status."""
    record = accepted.record
    message: Message = record.message
    return AcceptedView(
        str(message.id),
        record.state.status,
        message.to,
        message.parts,
        message.network,
        accepted.duplicate,
    )


def refusal_error(refusal: Refusal, *, chinese: bool) -> dict[str, Any]:
    """The `error` of a refused message: the code, a sentence, and whatever data helps."""
    return {**refusal.data, "code": refusal.reason, "detail": refusal_detail(refusal, chinese=chinese)}


def message_view(record: Record, *, mask_codes: bool) -> MessageView:
    """A message as it stands. `mask_codes`: hide the texts of one-time passwords."""
    message, state = record.message, record.state
    hidden = mask_codes and message.category is Category.OTP
    return MessageView(
        id=str(message.id),
        status=state.status,
        to=message.to,
        account=message.account,
        category=message.category,
        batch=message.batch or None,
        client_ref=message.client_ref or None,
        network=message.network,
        signature=message.signature or None,
        text=MASKED_TEXT if hidden else message.text,
        parts=[
            PartView(n, part.status, [_attempt_view(attempt) for attempt in part.attempts])
            for n, part in enumerate(state.parts, 1)
        ],
        timeline=[EntryView(format_time(entry.at), entry.status, entry.reason or None) for entry in state.timeline],
    )


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        carrier=attempt.carrier,
        bind=attempt.bind,
        carrier_message_id=attempt.carrier_message_id or None,
        command_status=attempt.command_status,
        error=attempt.error or None,
        at=format_time(attempt.at),
    )


def format_time(at: Milliseconds) -> str:
    """A time as RFC 3339 has it, in UTC, to the millisecond: 2026-03-01T00:00:00.000+00:00."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
