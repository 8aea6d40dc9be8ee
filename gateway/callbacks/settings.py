"""What may be set about the callbacks of an account, and the names of the events."""

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from gateway.message import Status
from gateway.store.api import INBOUND


class EventType(StrEnum):
    """What an account can be told of."""

    HELD = "message.held"
    SCHEDULED = "message.scheduled"
    QUEUED = "message.queued"
    SENDING = "message.sending"
    IN_DOUBT = "message.in_doubt"
    SUBMITTED = "message.submitted"
    DELIVERED = "message.delivered"
    FAILED = "message.failed"
    EXPIRED = "message.expired"
    CANCELLED = "message.cancelled"
    UNKNOWN = "message.unknown"
    INBOUND = "inbound.message"


# As the store knows them.
STORED_TYPES: Final[Mapping[EventType, str]] = {
    kind: INBOUND if kind is EventType.INBOUND else Status(kind.removeprefix("message.")) for kind in EventType
}
_DEFAULT_EVENTS: Final = (
    EventType.DELIVERED,
    EventType.FAILED,
    EventType.EXPIRED,
    EventType.CANCELLED,
    EventType.UNKNOWN,
    EventType.INBOUND,
)
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 what every secret begins with
_SECRET_OCTETS: Final = range(24, 65)  # as Standard Webhooks demands


class CallbackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an account is told what becomes of its messages. Without a URL it asks for it: `GET /v1/events`."""

    url: Annotated[str, msgspec.Meta(max_length=2_000)] = ""
    secret: Annotated[str, msgspec.Meta(max_length=200)] = ""
    events: Annotated[tuple[EventType, ...], msgspec.Meta(min_length=1)] = _DEFAULT_EVENTS
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2  # requests under way at once
    rate: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = 50.0  # requests a second
    batch: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 500  # events in one request
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1_000_000  # events that wait
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=300)] = 15.0
    retry_first_seconds: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 1.0
    retry_longest_seconds: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 300.0
    retry_for_seconds: Annotated[float, msgspec.Meta(gt=0, le=259_200)] = 259_200.0

    def __post_init__(self) -> None:
        if not self.url:
            return
        if not _is_web_address(self.url):
            raise ValueError("url = (hidden): must be http:// or https:// with a host, and no user, password or #")
        if _key_of(self.secret) is None:
            raise ValueError("secret = (hidden): must be whsec_ and 24 to 64 octets in base64, where there is a url")

    @property
    def key(self) -> bytes:
        """What requests are signed with."""
        key = _key_of(self.secret)
        assert key is not None
        return key

    @property
    def stored_types(self) -> frozenset[str]:
        """The events as the store knows them."""
        return frozenset(STORED_TYPES[kind] for kind in self.events)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not parts.username
            and not parts.password
            and "#" not in url
            and url.isprintable()
            and " " not in url
        )
    except ValueError:  # a port that is none, or brackets that are not an address
        return False


def _key_of(secret: str) -> bytes | None:
    """The octets of a secret; None when it is none."""
    if not secret.startswith(SECRET_PREFIX):
        return None
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) in _SECRET_OCTETS else None
