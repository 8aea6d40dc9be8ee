"""The register of opt-outs: on disk with the proof of each, in memory for the rules to look into.

A change holds at once and is on disk when it is answered. The first proof of an opt-out is kept until somebody opts in
again; then the audit keeps it.
"""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from gateway.audit import Audit
from gateway.message import Category, MessageId, Milliseconds
from gateway.mirror import Mirror
from gateway.policy.consent import OptOuts, Scope
from gateway.store.api import Commit, Store

TABLE: Final = "opt_outs"
SCAN_AT_ONCE: Final = 2_000  # entries read from disk in one go
SCAN_PAGE: Final = 20_000  # entries looked at for one page: a signature that few opted out of gives short pages

_encode: Final = msgspec.json.Encoder().encode


class Source(StrEnum):
    """How an opt-out came about."""

    REPLY = "reply"
    API = "api"
    IMPORT = "import"


class OptOut(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The proof: when and how, and for a reply its own words and the message it answers."""

    at: Milliseconds
    source: Source
    account: str  # to whom the reply belongs, or whose key it was
    text: str = ""
    message_id: MessageId = MessageId(0)  # 0: none, or not known


_decode: Final = msgspec.json.Decoder(OptOut).decode


class OptOutsFullError(Exception):
    """There is no room for more than `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} opt-outs are kept")
        self.limit = limit


class OptOutRegister:
    """All opt-outs. Its calls raise StoreError when the disk does not do its part; then nothing has changed."""

    def __init__(
        self,
        opt_outs: OptOuts,
        store: Store,
        audit: Audit,
        *,
        limit: int,
        on_opt_out: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        """`limit`: opt-outs that the API may add up to; replies are heard in any case. `on_opt_out`: account, count."""
        self._opt_outs = opt_outs
        self._store = store
        self._audit = audit
        self._limit = limit
        self._on_opt_out = on_opt_out
        self._mirror = Mirror(store, TABLE, _Keys(opt_outs))

    def __contains__(self, scope: Scope) -> bool:
        return scope in self._opt_outs

    async def load(self) -> None:
        """Take in what is on disk, at a start."""
        await self._mirror.load()

    def add(self, scopes: Mapping[Scope, OptOut]) -> Commit | None:
        """Add those that are new. Holds at once. None when there is nothing to wait for."""
        new = {scope: opt_out for scope, opt_out in scopes.items() if scope not in self._opt_outs}
        if not new:
            under_way = [commit for scope in scopes if (commit := self._mirror.last_change(_key(scope))) is not None]
            return under_way[-1] if under_way else None
        for opt_out in new.values():
            self._on_opt_out(opt_out.account, 1)
        return self._mirror.change({_key(scope): _encode(opt_out) for scope, opt_out in new.items()})

    def check_room(self, count: int) -> None:
        """Raises OptOutsFullError when there is none for so many more."""
        if len(self._opt_outs) + count > self._limit:
            raise OptOutsFullError(self._limit)

    async def opt_out(self, scope: Scope, opt_out: OptOut) -> OptOut:
        """Add one by the API; return the proof that counts. Raises OptOutsFullError."""
        if scope not in self._opt_outs:
            self.check_room(1)
            self._audit.note(opt_out.account, "opt_out.add", subject=_key(scope))
        commit = self.add({scope: opt_out})
        if commit is not None:
            await asyncio.shield(commit)
        return await self.read(scope) or opt_out

    async def opt_in(self, scope: Scope, *, who: str, why: str) -> bool:
        """Remove one; False when it was not there. `who`: the account that does it, "" for the subscriber."""
        before = await self.read(scope)
        if scope not in self._opt_outs:
            under_way = self._mirror.last_change(_key(scope))  # somebody else's removal that may not be on disk yet
            if under_way is not None:
                await asyncio.shield(under_way)
            return False
        proof = "" if before is None else _encode(before).decode()
        commit = self._mirror.change({_key(scope): None})
        noted = self._audit.note(who, "opt_out.remove", subject=_key(scope), why=f"{why} {proof}".strip())
        await asyncio.shield(commit)
        await asyncio.shield(noted)
        return True

    async def read(self, scope: Scope) -> OptOut | None:
        """One, as it is on disk."""
        key = _key(scope)
        for found, value in await self._store.entries(TABLE, prefix=key, limit=1):
            if found == key:
                return _decode(value)
        return None

    async def list(
        self, *, number: str = "", sender: str | None = None, after: str = "", limit: int
    ) -> tuple[list[tuple[Scope, OptOut]], str | None]:
        """Some, in the order of numbers, and where to go on; None at the end. The page may be short all the same."""
        prefix = f"{number}/" if number else ""
        found: list[tuple[Scope, OptOut]] = []
        for _ in range(SCAN_PAGE // SCAN_AT_ONCE):
            entries = await self._store.entries(TABLE, after=after, prefix=prefix, limit=SCAN_AT_ONCE)
            for key, value in entries:
                after = key
                scope = _scope(key)
                if sender is None or scope.sender == sender:
                    found.append((scope, _decode(value)))
                    if len(found) == limit:
                        return found, after
            if len(entries) < SCAN_AT_ONCE:
                return found, None
        return found, after


class _Keys:
    """The opt-outs in memory, by their keys on disk."""

    def __init__(self, opt_outs: OptOuts) -> None:
        self._opt_outs = opt_outs

    def __contains__(self, key: str) -> bool:
        return _scope(key) in self._opt_outs

    def add(self, key: str) -> None:
        self._opt_outs.add(_scope(key))

    def discard(self, key: str) -> None:
        self._opt_outs.discard(_scope(key))


def _key(scope: Scope) -> str:
    """The number first, so that what is known of one is together; the sender last: it may hold anything."""
    return f"{scope.number}/{scope.category}/{scope.sender}"


def _scope(key: str) -> Scope:
    number, category, sender = key.split("/", 2)
    return Scope(sender, number, _CATEGORIES[category])


_CATEGORIES: Final = {str(category): category for category in Category}
