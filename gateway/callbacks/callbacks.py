"""All callbacks: who is told, from where on, and what an account may ask about those that failed.

The outbox is the store's. Here is, for each account with a URL, how far it was told: a cursor, written now and then.
A crash repeats what was told since, and forgets nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from gateway.callbacks.letters import CURSORS, Clock, DeadLetter, Letters, fetch
from gateway.callbacks.post import Post
from gateway.callbacks.sender import Sender
from gateway.callbacks.settings import CallbackSettings
from gateway.metrics import Counter, Sample
from gateway.store.api import Event, EventId, Store, StoreError, StoreUnavailableError

CURSOR_SECONDS: Final = 1.0  # how often cursors are written, and so how much is told twice after a crash
RESTART_SECONDS: Final = 5.0
HOUSEKEEPING_SECONDS: Final = 3_600.0
DEAD_MILLISECONDS: Final = 7 * 86_400_000  # dead letters are kept for so long,
OUTBOX_MILLISECONDS: Final = 11 * 86_400_000  # and events until none can be in one: three days of trying, and a margin
_PAGE: Final = 100  # letters

log = structlog.get_logger(__name__)


class FailedEvent(msgspec.Struct, frozen=True):
    """An event that was given up, when, and why."""

    event: Event
    at: int
    error: str


Place = tuple[int, int]  # in the list of dead letters: the first id of a letter, and how many of it were shown


class Callbacks:
    """The callbacks of all accounts."""

    def __init__(
        self,
        accounts: Mapping[str, CallbackSettings],
        *,
        store: Store,
        outcomes: Counter,
        clock: Clock,
        random: Callable[[], float],
        post: Post | None = None,
    ) -> None:
        """`accounts`: those that are to be told, with a URL or without."""
        self._accounts = accounts
        self._store = store
        self._outcomes = outcomes
        self._clock = clock
        self._random = random
        self._post = post or Post()
        self._senders: dict[str, Sender] = {}
        self._written: dict[str, EventId] = {}  # cursors, as they are on disk

    async def start(self) -> None:
        """Have events kept, and find out what is to be told. Before anything changes. Raises StoreError."""
        wanted = {account: settings.stored_types for account, settings in self._accounts.items()}
        self._store.watch_events(wanted, self._notify)
        known = await self._cursors()
        for account, settings in self._accounts.items():
            if settings.url:
                # Who is told for the first time is told of what happens from now on.
                cursor = known.get(account, self._store.last_event)
                self._senders[account] = await self._sender(account, settings, cursor)
        self._written = known
        await self._write_cursors()

    async def run(self) -> None:
        """Tell everybody, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for account in self._senders:
                tasks.create_task(self._tell(account), name=f"callbacks {account}")
            tasks.create_task(self._note_cursors(), name="callbacks: cursors")
            tasks.create_task(self._keep_house(), name="callbacks: old letters")

    async def stop(self) -> None:
        """When `run` has ended: write how far everybody was told."""
        try:
            await self._write_cursors()
        except StoreUnavailableError as error:
            log.warning("could not write how far callbacks went: some will come twice", error=str(error))
        await self._post.close()

    def waiting(self) -> list[Sample]:
        """How many events wait for each account's receiver."""
        return [((account,), sender.waiting) for account, sender in self._senders.items()]

    def keeps_events(self, account: str) -> bool:
        """Whether events of this account are kept at all."""
        return account in self._accounts

    async def failed(self, account: str, *, after: Place | None, limit: int) -> tuple[list[FailedEvent], Place | None]:
        """Dead letters from a place on, oldest first, and the place behind them; None at the end. Raises StoreError."""
        letters = Letters(self._store, account)
        first, shown = after or (0, 0)
        found: list[FailedEvent] = []
        key = letters.dead_key(EventId(max(0, first - 1)))
        while page := await letters.dead(after=key, limit=_PAGE):
            key = page[-1][0]
            for _, letter in page:
                skipped = shown if letter.ids[0] == first else 0
                ids = letter.ids[skipped : skipped + limit - len(found)]
                events = await fetch(self._store, account, ids)
                found += [FailedEvent(event, letter.at, letter.error) for event in events]
                if len(found) >= limit or (events and skipped + len(ids) < len(letter.ids)):
                    return found, (letter.ids[0], skipped + len(ids))
        return found, None

    async def replay(self, account: str, event_ids: frozenset[EventId] | None) -> int:
        """Send dead letters again, all or these; returns how many, once that is on disk. Raises StoreError."""
        sender = self._senders.get(account)
        if sender is None:
            return 0
        count, key = 0, ""
        while page := await sender.letters.dead(after=key, limit=_PAGE):
            key = page[-1][0]
            chosen = {each: (letter, _chosen(letter, event_ids)) for each, letter in page}
            chosen = {each: (letter, ids) for each, (letter, ids) in chosen.items() if ids}
            if chosen:
                await sender.letters.replay(chosen, self._clock())
                count += sum(len(ids) for _, ids in chosen.values())
        sender.apart.look()
        return count

    # --- telling -----------------------------------------------------------------------------------------------------

    def _notify(self, counts: Mapping[str, int]) -> None:
        for account, count in counts.items():
            sender = self._senders.get(account)
            if sender is not None:
                sender.notify(count)

    async def _tell(self, account: str) -> None:
        """Keep an account's sender going: what a bug does to one is felt by that one only."""
        while True:
            try:
                await self._senders[account].run()
            except Exception as error:  # noqa: BLE001 the supervisor of one account's callbacks
                log.error("the callbacks of an account broke off", account=account, error=repr(error))
            await asyncio.sleep(RESTART_SECONDS)
            try:
                cursor = self._senders[account].cursor
                self._senders[account] = await self._sender(account, self._accounts[account], cursor)
            except StoreError as error:
                log.warning("could not count events", account=account, error=str(error))

    async def _sender(self, account: str, settings: CallbackSettings, cursor: EventId) -> Sender:
        def count(outcome: str, events: int) -> None:
            self._outcomes.add((account, outcome), events)

        return Sender(
            account,
            settings,
            store=self._store,
            post=self._post,
            cursor=cursor,
            waiting=await self._store.count_events(account, after=cursor),
            clock=self._clock,
            random=self._random,
            count=count,
        )

    # --- to disk -----------------------------------------------------------------------------------------------------

    async def _cursors(self) -> dict[str, EventId]:
        known: dict[str, EventId] = {}
        after = ""
        while page := await self._store.entries(CURSORS, after=after, limit=1_000):
            known |= {account: EventId(int.from_bytes(value, "big")) for account, value in page}
            after = page[-1][0]
        return known

    async def _note_cursors(self) -> None:
        while True:
            await asyncio.sleep(CURSOR_SECONDS)
            try:
                await self._write_cursors()
            except StoreUnavailableError as error:
                log.warning("could not write how far callbacks went", error=str(error))

    async def _write_cursors(self) -> None:
        """Raises StoreUnavailableError."""
        cursors = {account: sender.cursor for account, sender in self._senders.items()}
        changed = {account: cursor for account, cursor in cursors.items() if self._written.get(account) != cursor}
        if changed:
            entries = {account: cursor.to_bytes(8, "big") for account, cursor in changed.items()}
            await asyncio.shield(self._store.put_entries(CURSORS, entries))
            self._written |= changed

    async def _keep_house(self) -> None:
        """Forget what is too old."""
        while True:
            try:
                await self._store.forget_events(before=self._clock() - OUTBOX_MILLISECONDS)
                for sender in self._senders.values():
                    await self._drop_old(sender.letters)
            except StoreError as error:
                log.warning("could not clear old callbacks away", error=str(error))
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def _drop_old(self, letters: Letters) -> None:
        oldest = self._clock() - DEAD_MILLISECONDS
        key = ""
        while page := await letters.dead(after=key, limit=_PAGE):
            key = page[-1][0]
            old = [each for each, letter in page if letter.at < oldest]
            if old:
                await letters.drop(old)


def _chosen(letter: DeadLetter, event_ids: frozenset[EventId] | None) -> Sequence[EventId]:
    if event_ids is None:
        return letter.ids
    return [event_id for event_id in letter.ids if event_id in event_ids]
