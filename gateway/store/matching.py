"""What the questions of the port mean, for every store: which records a query, a receipt or a sweep is about."""

from collections.abc import Collection

from gateway.message import Record, State, Status
from gateway.store.api import Query

WAITING = (Status.HELD, Status.SCHEDULED, Status.IN_DOUBT)  # for something other than a carrier's turn
# Some part is with a carrier, or may be. A start takes these into memory.
UNSETTLED = frozenset({Status.SENDING, Status.IN_DOUBT, Status.SUBMITTED})
AWAITING_RECEIPT = frozenset({Status.SUBMITTED, Status.IN_DOUBT})
NOT_YET_SENT = frozenset({Status.QUEUED, Status.SCHEDULED, Status.HELD})


def copy_of(record: Record) -> Record:
    """The record as it is now, as a store gives it out: later changes to one do not show in the other."""
    state = record.state
    lane = record.lane if state.status is Status.QUEUED else ""
    due = record.due_at if state.status is Status.SCHEDULED else 0
    copied = State(state.status, list(state.parts), list(state.timeline), state.charged)
    return Record(record.message, copied, lane, due, len(copied.timeline), copied.status)


def matches(query: Query, record: Record) -> bool:
    """Whether a record belongs in the list. The cursor and the limit are not looked at."""
    message = record.message
    return (
        message.accepted_at >= query.since
        and (not query.account or message.account == query.account)
        and (not query.to or message.to == query.to)
        and (not query.client_ref or message.client_ref == query.client_ref)
        and (not query.batch or message.batch == query.batch)
        and (query.status is None or record.status is query.status)
    )


def has_attempt(record: Record, carrier: str, carrier_message_ids: Collection[str]) -> bool:
    """Whether any attempt of any part went to this carrier and was given one of these ids."""
    return any(
        attempt.carrier == carrier and attempt.carrier_message_id in carrier_message_ids
        for part in record.state.parts
        for attempt in part.attempts
    )


def latest_time(record: Record) -> int:
    """The latest time that a record tells of, in milliseconds since 1970."""
    timeline, charged = record.state.timeline, record.state.charged
    message = record.message
    # By whichever clock was ahead: the gateway's goes on from here after a start.
    latest = max(message.accepted_at, timeline[-1].at if timeline else 0) + max(0, message.clock_lead)
    return latest if charged is None else max(latest, charged.at)
