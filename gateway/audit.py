"""Who did what to the gateway, when and why: kept on disk for a while, for those who have to answer for it.

Phone numbers are on disk only: of what is kept here, nothing goes into a log.
"""

import secrets
from collections.abc import Callable
from itertools import count
from typing import Annotated, Final

import msgspec

from gateway.message import Milliseconds
from gateway.store.api import Commit, Store

TABLE: Final = "audit"
TRIM_AT_ONCE: Final = 500

_encode: Final = msgspec.json.Encoder().encode


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long it is told who did what."""

    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] = 180


class AuditEntry(msgspec.Struct, frozen=True, array_like=True):
    """One thing that was done. `what` names the operation, `subject` what it was done to, `why` is in their words."""

    at: Milliseconds
    who: str  # the account whose key it was; "" for a subscriber
    what: str
    subject: str = ""
    why: str = ""


_decode: Final = msgspec.json.Decoder(AuditEntry).decode


class Audit:
    """Keeps and finds entries."""

    def __init__(self, store: Store, clock: Callable[[], Milliseconds], *, keep_seconds: float) -> None:
        """`clock`: the wall clock. `keep_seconds`: entries that are older are forgotten when `trim` is called."""
        self._store = store
        self._clock = clock
        self._keep_milliseconds = round(keep_seconds * 1_000)
        self._start = secrets.token_hex(4)  # tells what was noted in the same millisecond of another start
        self._count = count()

    def note(self, who: str, what: str, *, subject: str = "", why: str = "") -> Commit:
        """Keep an entry. Handed over together with what it tells of, it is in the same commit as other entries."""
        at = self._clock()
        entry = AuditEntry(at, who, what, subject, why)
        key = f"{first_key(at)}-{next(self._count):08x}-{self._start}"
        return self._store.put_entries(TABLE, {key: _encode(entry)})

    async def list(self, *, after: str = "", limit: int) -> tuple[list[AuditEntry], str | None]:
        """Entries, oldest first, and where to go on; None at the end. Raises StoreError."""
        found = await self._store.entries(TABLE, after=after, limit=limit)
        return [_decode(value) for _, value in found], found[-1][0] if len(found) == limit else None

    async def trim(self) -> None:
        """Forget some of those that are too old. Raises StoreError."""
        oldest_kept = first_key(max(0, self._clock() - self._keep_milliseconds))
        found = await self._store.entries(TABLE, limit=TRIM_AT_ONCE)
        old = [key for key, _ in found if key < oldest_kept]
        if old:
            await self._store.put_entries(TABLE, dict.fromkeys(old))


def first_key(at: Milliseconds) -> str:
    """A key before all of a time and later ones, and behind all earlier ones."""
    return f"{at:015}"
