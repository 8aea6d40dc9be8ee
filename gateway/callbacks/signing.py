"""Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body."""

import base64
import hmac
from array import array
from collections.abc import Iterable
from hashlib import blake2b, sha256

from gateway.store.api import EventId

CONTENT_TYPE = "application/json"


def signed_headers(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a request. `timestamp`: seconds since 1970."""
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, sha256)).decode()
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def webhook_id(event_ids: Iterable[EventId]) -> str:
    """The id of a request: the same on every try with the same events, and with no others."""
    return "evb_" + blake2b(array("Q", event_ids).tobytes(), digest_size=16).hexdigest()
