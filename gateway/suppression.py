"""Numbers that a carrier has blacklisted: what is sent to them there would only be refused. On disk, and in memory."""

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from gateway.message import Milliseconds
from gateway.mirror import Mirror
from gateway.policy.consent import Suppressed
from gateway.store.api import Commit, Store

TABLE: Final = "suppressed"

log = structlog.get_logger(__name__)

_encode: Final = msgspec.json.Encoder().encode


class Suppression(msgspec.Struct, frozen=True, array_like=True):
    """A number that is not sent to by a carrier. `reason`: the code that the carrier gave."""

    at: Milliseconds
    reason: str = ""


_decode: Final = msgspec.json.Decoder(Suppression).decode


class Suppressions:
    """Which numbers go by which carriers no more."""

    def __init__(self, suppressed: Suppressed, store: Store, clock: Callable[[], Milliseconds], *, limit: int) -> None:
        """`limit`: so many at most; what comes beyond is logged and left, and the carrier refuses it again."""
        self._suppressed = suppressed
        self._store = store
        self._clock = clock
        self._limit = limit
        self._mirror = Mirror(store, TABLE, _Keys(suppressed))

    def has(self, carrier: str, number: str) -> bool:
        """Whether this number is sent nothing by this carrier."""
        return self._suppressed.has(carrier, number)

    async def load(self) -> None:
        """Take in what is on disk, at a start. Raises StoreError."""
        await self._mirror.load()

    def suppress(self, carrier: str, number: str, *, reason: str = "") -> Commit | None:
        """Send this number (E.164) nothing more by this carrier, at once. None when that is so already, or no room."""
        key = _key(carrier, number)
        if self._suppressed.has(carrier, number):
            return self._mirror.last_change(key)
        if len(self._suppressed) >= self._limit:
            log.error("too many numbers are suppressed: another is not", carrier=carrier, limit=self._limit)
            return None
        return self._mirror.change({key: _encode(Suppression(self._clock(), reason))})

    def lift(self, carrier: str, number: str) -> Commit | None:
        """The carrier may be tried again. None when it was not suppressed."""
        if not self._suppressed.has(carrier, number):
            return None
        return self._mirror.change({_key(carrier, number): None})

    async def list(self, carrier: str, *, after: str = "", limit: int) -> list[tuple[str, Suppression]]:
        """Numbers suppressed at a carrier, in their order, those behind the number `after`. Raises StoreError."""
        prefix = _key(carrier, "")
        found = await self._store.entries(TABLE, after=prefix + after, prefix=prefix, limit=limit)
        return [(key.removeprefix(prefix), _decode(value)) for key, value in found]


class _Keys:
    """The numbers in memory, by their keys on disk."""

    def __init__(self, suppressed: Suppressed) -> None:
        self._suppressed = suppressed

    def __contains__(self, key: str) -> bool:
        return self._suppressed.has(*_parts(key))

    def add(self, key: str) -> None:
        self._suppressed.add(*_parts(key))

    def discard(self, key: str) -> None:
        self._suppressed.discard(*_parts(key))


def _key(carrier: str, number: str) -> str:
    return f"{carrier}/{number}"


def _parts(key: str) -> tuple[str, str]:
    carrier, _, number = key.partition("/")
    return carrier, number
