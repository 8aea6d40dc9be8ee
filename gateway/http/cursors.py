"""Cursors that hold what must not be read in a path: a place in a list by phone number, sealed for this process.

A cursor of before a restart is none of ours any more; who asks with it begins again.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

_NONCE_BYTES: Final = 8
_TAG_BYTES: Final = 8


class SealedCursors:
    """Seals places, and opens what it sealed."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def seal(self, place: str) -> str:
        """A place as a client may hold it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        hidden = self._mix(nonce, place.encode("utf-8"))
        return base64.urlsafe_b64encode(nonce + self._tag(nonce, hidden) + hidden).decode("ascii")

    def open(self, cursor: str) -> str | None:
        """The place that a cursor means; None when it is none of ours."""
        try:
            octets = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        nonce, rest = octets[:_NONCE_BYTES], octets[_NONCE_BYTES:]
        tag, hidden = rest[:_TAG_BYTES], rest[_TAG_BYTES:]
        if not hidden or not hmac.compare_digest(tag, self._tag(nonce, hidden)):
            return None
        return self._mix(nonce, hidden).decode("utf-8")

    def _tag(self, nonce: bytes, hidden: bytes) -> bytes:
        return hashlib.blake2b(nonce + hidden, key=self._key, digest_size=_TAG_BYTES).digest()

    def _mix(self, nonce: bytes, octets: bytes) -> bytes:
        """The octets under a stream that the key and the nonce make: the same twice gives them back."""
        stream = hashlib.shake_256(self._key + nonce).digest(len(octets))
        return bytes(one ^ other for one, other in zip(octets, stream, strict=True))
