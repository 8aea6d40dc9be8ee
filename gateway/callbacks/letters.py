"""What stands beside the stream of an account's events, on disk: dead letters, and events that are sent again apart.

Only ids are kept: the events themselves are in the outbox. An event is in one letter at most.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import MessageId, Milliseconds
from gateway.store.api import Event, EventId, Store, StoreUnavailableError

CURSORS: Final = "callback_cursor"  # by account: everything up to it is settled, or in a letter
DEAD: Final = "callback_dead"
APART: Final = "callback_apart"
REFUSED: Final = "refused"
REPLAYED: Final = "replayed"
LETTER_EVENTS: Final = 1_000  # in one letter
_STORE_RETRY_SECONDS: Final = 1.0


class DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    """Events that could not be delivered, in the order of their ids."""

    ids: tuple[EventId, ...]
    at: Milliseconds  # when they were given up
    error: str


class Apart(msgspec.Struct, frozen=True, array_like=True):
    """Events that are sent apart from the stream: one that its receiver refuses, or dead letters to be replayed."""

    ids: tuple[EventId, ...]
    since: Milliseconds  # they are given up some time after this
    message_id: MessageId = MessageId(0)  # of the one that is refused: what follows of its message waits for it

    def without_first(self, count: int) -> "Apart | None":
        """What is left when the first are settled."""
        rest = self.ids[count:]
        return Apart(rest, self.since, self.message_id) if rest else None


_dead = msgspec.msgpack.Decoder(DeadLetter)
_apart = msgspec.msgpack.Decoder(Apart)
_encode = msgspec.msgpack.Encoder().encode


class Letters:
    """The letters of one account. Writing tries until it is done."""

    def __init__(self, store: Store, account: str) -> None:
        self._store = store
        self._prefix = f"{account}/"

    async def bury(
        self, ids: Sequence[EventId], at: Milliseconds, error: str, *, apart: str = "", left: Apart | None = None
    ) -> None:
        """Make events dead letters; `apart` is the key of the letter that they were in, `left` what stays of it."""
        dead = {
            self.dead_key(ids[start]): _encode(DeadLetter(tuple(ids[start : start + LETTER_EVENTS]), at, error))
            for start in range(0, len(ids), LETTER_EVENTS)
        }
        await self._write({DEAD: dead, APART: self._changed(apart, left)})

    async def set_apart(self, letters: Mapping[str, Apart]) -> None:
        """Keep letters, by their keys."""
        await self._write({APART: {key: _encode(letter) for key, letter in letters.items()}})

    async def settle(self, key: str, left: Apart | None) -> None:
        """What is left of a letter that was sent; None: nothing."""
        await self._write({APART: self._changed(key, left)})

    async def dead(self, *, after: str = "", limit: int) -> list[tuple[str, DeadLetter]]:
        """Dead letters behind a key, the lowest ids first."""
        found = await self._store.entries(DEAD, after=after, prefix=self._prefix, limit=limit)
        return [(key, _dead.decode(value)) for key, value in found]

    async def apart(self, kind: str, *, after: str = "", limit: int) -> list[tuple[str, Apart]]:
        """Letters that are to be sent apart, REFUSED or REPLAYED ones, the lowest ids first."""
        found = await self._store.entries(APART, after=after, prefix=f"{self._prefix}{kind}/", limit=limit)
        return [(key, _apart.decode(value)) for key, value in found]

    async def drop(self, keys: Iterable[str]) -> None:
        """Forget dead letters."""
        await self._write({DEAD: dict.fromkeys(keys)})

    async def replay(self, chosen: Mapping[str, tuple[DeadLetter, Sequence[EventId]]], now: Milliseconds) -> None:
        """Send these of each dead letter again. All or none. Raises StoreUnavailableError."""
        dead: dict[str, bytes | None] = {}
        apart: dict[str, bytes | None] = {}
        for key, (letter, ids) in chosen.items():
            dead[key] = None
            going = frozenset(ids)
            left = tuple(event_id for event_id in letter.ids if event_id not in going)
            if left:
                dead[self.dead_key(left[0])] = _encode(DeadLetter(left, letter.at, letter.error))
            again = Apart(tuple(ids), now)
            apart[self.apart_key(again)] = _encode(again)
        self._store.put_entries(DEAD, dead)
        await asyncio.shield(self._store.put_entries(APART, apart))  # handed over together: one transaction

    def apart_key(self, letter: Apart) -> str:
        """Where a letter is kept."""
        return f"{self._prefix}{REFUSED if letter.message_id else REPLAYED}/{letter.ids[0]:019d}"

    def dead_key(self, first: EventId) -> str:
        """Where a dead letter is kept."""
        return f"{self._prefix}{first:019d}"

    def _changed(self, key: str, left: Apart | None) -> dict[str, bytes | None]:
        entries: dict[str, bytes | None] = {key: None} if key else {}
        if left is not None:
            entries[self.apart_key(left)] = _encode(left)
        return entries

    async def _write(self, tables: Mapping[str, Mapping[str, bytes | None]]) -> None:
        """In one transaction: what is handed over together is."""
        while True:
            commits = [self._store.put_entries(table, entries) for table, entries in tables.items() if entries]
            try:
                await asyncio.gather(*(asyncio.shield(commit) for commit in commits))
                return
            except StoreUnavailableError:
                await asyncio.sleep(_STORE_RETRY_SECONDS)


async def fetch(store: Store, account: str, ids: Sequence[EventId]) -> list[Event]:
    """The events with these ids, which ascend; those that are not kept any more are missing."""
    found: list[Event] = []
    wanted = frozenset(ids)
    place = 0
    while place < len(ids):
        after = EventId(ids[place] - 1)
        page = await store.events(account, after=after, through=ids[-1], limit=len(ids) - place)
        if not page:
            break
        found += [event for event in page if event.id in wanted]
        place = bisect_right(ids, page[-1].id)
    return found


Clock = Callable[[], Milliseconds]
