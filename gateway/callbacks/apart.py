"""Events that are sent apart from an account's stream: those that a receiver refuses, and dead letters to be replayed.

A letter at a time, the lowest ids first; one that fails waits and lets the others go. While an event of a message is
here, what follows of that message is sent here too, behind it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from gateway.callbacks.letters import REFUSED, REPLAYED, Apart, Clock, Letters, fetch
from gateway.callbacks.pace import pause_seconds
from gateway.callbacks.post import Answer, Outcome
from gateway.callbacks.settings import CallbackSettings
from gateway.message import MessageId
from gateway.store.api import Event, EventId, Store, StoreError

MOST_REFUSED: Final = 1_000  # events that are refused one by one; past that the stream waits
SINGLE_TRIES: Final = 5  # of an event that is refused alone, before the others go on without it
REPLAYED_AT_ONCE: Final = 20  # letters in memory, besides the refused ones: they may be long
LOOK_SECONDS: Final = 30.0
STORE_RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class _Letter(msgspec.Struct):
    """A letter in memory, and when it is tried."""

    content: Apart
    failures: int = 0
    halvings: int = 0  # of the events that are sent at once
    due: float = 0.0  # loop time


class SentApart:
    """Sends the letters of one account."""

    def __init__(
        self,
        account: str,
        settings: CallbackSettings,
        *,
        store: Store,
        letters: Letters,
        send: Callable[[Sequence[Event]], Awaitable[Answer]],
        clock: Clock,
        random: Callable[[], float],
        count: Callable[[str, int], None],
    ) -> None:
        self._account = account
        self._settings = settings
        self._store = store
        self._letters = letters
        self._send = send
        self._clock = clock
        self._random = random
        self._count = count
        self._held: dict[str, _Letter] = {}  # by key; those of a message in the order of their events
        self._messages: Counter[MessageId] = Counter()  # of refused events
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Events here, as far as they are in memory."""
        return sum(len(letter.content.ids) for letter in self._held.values())

    @property
    def has_room(self) -> bool:
        """Whether another refused event may come."""
        return self._messages.total() < MOST_REFUSED

    def holds_back(self, event: Event) -> bool:
        """Whether an earlier event of its message is here, and it must go behind that."""
        return event.message_id in self._messages

    async def add(self, events: Sequence[Event]) -> None:
        """Take events of a message out of the stream. Returns when that is on disk."""
        letters = [Apart((event.id,), event.at, event.message_id) for event in events]
        added = {self._letters.apart_key(letter): letter for letter in letters}
        added = {key: letter for key, letter in added.items() if key not in self._held}  # some are since before a crash
        for letter in added.values():
            self._messages[letter.message_id] += 1
        await self._letters.set_apart(added)
        self._held |= {key: _Letter(letter) for key, letter in added.items()}
        self._changed.set()

    def look(self) -> None:
        """There are new letters on disk."""
        self._changed.set()

    async def load(self) -> None:
        """Read what is refused, before the stream begins: all of it must be known. Tries until it is done."""
        while True:
            try:
                await self._load_refused()
                return
            except StoreError as error:
                log.warning("could not read callbacks", account=self._account, error=str(error))
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            self._changed.clear()
            try:
                await self._load_replayed()
                while (key := self._next_due()) is not None:
                    await self._try(key)
            except StoreError as error:
                log.warning("could not read callbacks", account=self._account, error=str(error))
                await asyncio.sleep(STORE_RETRY_SECONDS)
                continue
            now = asyncio.get_running_loop().time()
            soonest = min((letter.due for letter in self._held.values()), default=now + LOOK_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_SECONDS, max(0.01, soonest - now))):
                    await self._changed.wait()

    async def _load_refused(self) -> None:
        after = ""
        while page := await self._letters.apart(REFUSED, after=after, limit=100):
            for key, letter in page:
                if key not in self._held:
                    self._messages[letter.message_id] += 1
                    self._held[key] = _Letter(letter)
            after = page[-1][0]

    async def _load_replayed(self) -> None:
        """Take letters from disk into memory, while there is room."""
        room = REPLAYED_AT_ONCE - (len(self._held) - self._messages.total())
        if room > 0:
            page = await self._letters.apart(REPLAYED, limit=REPLAYED_AT_ONCE)
            new = [(key, letter) for key, letter in page if key not in self._held]
            self._held |= {key: _Letter(letter) for key, letter in new[:room]}

    def _next_due(self) -> str | None:
        """The key of the next letter whose time has come, and before which no other of its message is."""
        now = asyncio.get_running_loop().time()
        seen: set[MessageId] = set()
        for key, letter in sorted(self._held.items()):
            message_id = letter.content.message_id
            if letter.due <= now and message_id not in seen:
                return key
            if message_id:
                seen.add(message_id)
        return None

    async def _try(self, key: str) -> None:
        letter = self._held[key]
        content = letter.content
        first = content.ids[: max(1, self._settings.batch >> letter.halvings)]
        events = await fetch(self._store, self._account, first)
        answer = await self._send(events) if events else Answer(Outcome.DELIVERED)
        if answer.outcome is Outcome.DELIVERED:
            await self._settle(key, len(first))
            return
        letter.failures += 1
        if self._clock() - content.since >= self._settings.retry_for_seconds * 1000:
            await self._bury(key, content.ids, answer)
            return
        if answer.outcome is Outcome.REFUSED and not answer.is_busy and not content.message_id:
            if len(first) > 1:
                letter.halvings += 1  # to find the one that is refused
            elif letter.failures >= SINGLE_TRIES and len(content.ids) > 1:
                await self._bury(key, first, answer)  # it holds up no others
                return
        pause = pause_seconds(self._settings, letter.failures, answer, random=self._random())
        letter.due = asyncio.get_running_loop().time() + pause

    async def _settle(self, key: str, count: int) -> None:
        """The first events of a letter are delivered."""
        content = self._let_go(key)
        await self._letters.settle(key, content.without_first(count))
        self._changed.set()

    async def _bury(self, key: str, ids: Sequence[EventId], answer: Answer) -> None:
        """The first events of a letter are given up, or all of them."""
        content = self._held[key].content
        await self._letters.bury(ids, self._clock(), answer.error, apart=key, left=content.without_first(len(ids)))
        self._count("dead", len(ids))
        self._let_go(key)
        self._changed.set()

    def _let_go(self, key: str) -> Apart:
        content = self._held.pop(key).content
        message_id = content.message_id
        if message_id:
            self._messages[message_id] -= 1
            if not self._messages[message_id]:
                del self._messages[message_id]
        return content
