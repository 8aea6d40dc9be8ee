"""Answers that their handlers put together by hand, as types: what the description of the API says of them.

A test holds every answer to the description, so that these and the handlers cannot drift apart.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from gateway.event_view import InboundEvent, MessageEvent
from gateway.http.answers import AcceptedView, RefusedView
from gateway.http.problems import Fault
from gateway.policy.quotas import QuotaView
from gateway.ports import Ported
from gateway.usage import Total


class ProblemView(msgspec.Struct):
    """What was wrong (RFC 9457). Rely on `code` and the status: `detail` is for people and may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[Fault] | msgspec.UnsetType = msgspec.UNSET


def _one_of(*types: type) -> msgspec.Meta:
    """One of these. A union says the same, but not to msgspec, which could not tell them apart when it reads."""
    references = [{"$ref": f"#/components/schemas/{each.__name__}"} for each in types]
    return msgspec.Meta(extra_json_schema={"anyOf": references})


# Those that an answer holds by `_one_of`, and which have to be described beside it.
PARTS: Final = (ProblemView, AcceptedView, RefusedView, MessageEvent, InboundEvent)
Event = Annotated[Any, _one_of(MessageEvent, InboundEvent)]
Result = Annotated[Any, _one_of(AcceptedView, RefusedView)]
Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class Results(msgspec.Struct):
    """What became of an array of messages, in its order."""

    accepted: int
    refused: int
    results: Sequence[Result]


class Health(msgspec.Struct, forbid_unknown_fields=True):
    """The process is alive."""

    status: str


class BindState(msgspec.Struct, forbid_unknown_fields=True):
    """One bind, in short."""

    name: str
    state: str


class Readiness(msgspec.Struct, forbid_unknown_fields=True):
    """Whether messages can be taken."""

    ready: bool
    store: str
    binds: list[BindState]


class BindShape(msgspec.Struct, forbid_unknown_fields=True):
    """One bind as it stands. `window`: how many requests may be unanswered at once; `in_use`: how many are."""

    name: str
    state: str
    window: int
    in_use: int
    since: Moment
    error: str | None


class CarrierShape(msgspec.Struct, forbid_unknown_fields=True):
    """One carrier as it stands. `rate`: segments a second that it may be sent now; `queued`: what waits for it."""

    name: str
    state: str
    rate: float
    queued: int
    binds: list[BindShape]


class CarrierList(msgspec.Struct, forbid_unknown_fields=True):
    """Every carrier, in the order of the config."""

    carriers: list[CarrierShape]


class EventList(msgspec.Struct, forbid_unknown_fields=True):
    """Events in the order they came. The cursor is where to go on later."""

    events: list[Event]
    cursor: str


class FailedShape(msgspec.Struct, forbid_unknown_fields=True):
    """An event that was given up."""

    event: Event
    failed_at: Moment
    error: str


class FailedList(msgspec.Struct, forbid_unknown_fields=True):
    """Events that were given up, oldest first."""

    failed: list[FailedShape]
    cursor: str | None


class Replayed(msgspec.Struct, forbid_unknown_fields=True):
    """How many are sent again."""

    replayed: int


class AccountShape(msgspec.Struct, forbid_unknown_fields=True):
    """What a key may do, under which names, and how much of it is left. null: any."""

    name: str
    scopes: list[str]
    signatures: list[str] | None
    senders: list[str] | None
    allow_high: bool
    categories: list[str] | None
    submit_rate: int | None
    quotas: list[QuotaView]


class UsageLine(msgspec.Struct, kw_only=True):
    """One line: what it was asked by, and the sums, in messages and segments."""

    accepted: Total
    submitted: Total
    delivered: Total
    failed: Total


class UsageReport(msgspec.Struct, kw_only=True, rename={"first": "from"}):
    """Sums over days."""

    first: str
    to: str
    time_zone: str
    by: list[str]
    usage: list[UsageLine]


class OptedIn(msgspec.Struct, forbid_unknown_fields=True):
    """An opt-out that is there no more; `removed`: whether it was."""

    to: str
    signature: str | None
    category: str
    removed: bool


class SuppressionAdded(msgspec.Struct, forbid_unknown_fields=True):
    """A carrier is left out for a number."""

    to: str
    carrier: str
    suppressed: bool


class SuppressionRemoved(msgspec.Struct, forbid_unknown_fields=True):
    """A carrier may be tried again; `removed`: whether it was left out."""

    to: str
    carrier: str
    removed: bool


class PortedList(msgspec.Struct, forbid_unknown_fields=True):
    """The table that is kept by hand, in the order of numbers."""

    ported: list[Ported]
    cursor: str | None


class PortedChanged(msgspec.Struct, forbid_unknown_fields=True):
    """How many numbers were set or forgotten."""

    changed: int


class Reloaded(msgspec.Struct, forbid_unknown_fields=True):
    """What is wrong with the files whose old contents hold."""

    faults: list[str]
