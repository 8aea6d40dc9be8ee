"""An event as applications see it: in callbacks and in `GET /v1/events` alike."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from gateway.message import Milliseconds, Status
from gateway.store.api import INBOUND, Event

_TYPES: Final[Mapping[str, str]] = {status: f"message.{status}" for status in Status}
_MILLISECONDS: Final = tuple(f".{n:03d}+00:00" for n in range(1000))


class MessageEvent(msgspec.Struct, frozen=True, gc=False):
    """A message of the account came into another state."""

    event_id: str
    type: str  # message.delivered, …
    id: str
    to: str
    client_ref: str | None
    batch: str | None
    at: str
    reason: str | None
    corrects: str | None  # the final status that was told before, when it turned out otherwise


class InboundEvent(msgspec.Struct, frozen=True, gc=False):
    """A subscriber wrote to the account."""

    event_id: str
    type: str  # inbound.message
    id: str
    source: str = msgspec.field(name="from")
    to: str
    text: str
    at: str
    answers: str | None  # the id of the message that it is a reply to
    missing: Sequence[int]  # the numbers of the parts that never came


class Batch(msgspec.Struct, frozen=True):
    """The body of one callback."""

    events: Sequence[MessageEvent | InboundEvent]


def event_view(event: Event) -> MessageEvent | InboundEvent:
    """What an application is told."""
    if event.type == INBOUND:
        return InboundEvent(
            str(event.id),
            "inbound.message",
            str(event.message_id),
            event.source,
            event.to,
            event.text,
            format_time(event.at),
            str(event.answers) if event.answers else None,
            event.missing,
        )
    return MessageEvent(
        str(event.id),
        _TYPES[event.type],
        str(event.message_id),
        event.to,
        event.client_ref or None,
        event.batch or None,
        format_time(event.at),
        event.reason or None,
        event.corrects or None,
    )


def format_time(at: Milliseconds) -> str:
    """A time as RFC 3339 has it, in UTC, to the millisecond: 2026-03-01T00:00:00.000+00:00."""
    return _second(at // 1000) + _MILLISECONDS[at % 1000]


@lru_cache(maxsize=1024)  # events come by the hundred in a second
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
