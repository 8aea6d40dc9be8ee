"""The callbacks of one account: batch after batch to its URL, until each event is taken, or given up.

What one account's receiver does is felt by that account only: it has its own lanes, its own pace and its own pauses.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from gateway.callbacks.apart import SINGLE_TRIES, SentApart
from gateway.callbacks.letters import Clock, Letters
from gateway.callbacks.pace import Pace, pause_seconds
from gateway.callbacks.post import Answer, Outcome
from gateway.callbacks.settings import CallbackSettings
from gateway.callbacks.stream import Lane, Stream
from gateway.store.api import Event, EventId, Store, StoreError

GATHER_SECONDS: Final = 0.02  # an event waits so long for others to go with it
SHED_AT_ONCE: Final = 1_000
STORE_RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Poster(Protocol):
    async def send(self, settings: CallbackSettings, events: Sequence[Event]) -> Answer: ...


class Sender:
    """Tells one account. `count` is told of outcomes: how many events, and what became of them."""

    def __init__(
        self,
        account: str,
        settings: CallbackSettings,
        *,
        store: Store,
        post: Poster,
        cursor: EventId,
        waiting: int,
        clock: Clock,
        random: Callable[[], float],
        count: Callable[[str, int], None],
    ) -> None:
        self._account = account
        self._settings = settings
        self._store = store
        self._post = post
        self._clock = clock
        self._random = random
        self._count = count
        self._stream = Stream(cursor, lanes=settings.concurrency, batch=settings.batch)
        self._in_stream = waiting
        self._more = True  # perhaps there are some on disk, behind what was read
        self._changed = asyncio.Event()
        self._filled = [asyncio.Event() for _ in self._stream.lanes]
        self._pace = Pace(settings.rate)
        self._turns = asyncio.Semaphore(settings.concurrency)  # for what goes apart has no lane
        self._is_failing = False
        self.letters = Letters(store, account)
        self.apart = SentApart(
            account,
            settings,
            store=store,
            letters=self.letters,
            send=self._send_apart,
            clock=clock,
            random=random,
            count=count,
        )

    @property
    def cursor(self) -> EventId:
        """Everything up to here is settled, or in a letter that is on disk."""
        return self._stream.cursor

    @property
    def waiting(self) -> int:
        """Events that are neither taken nor given up."""
        return max(0, self._in_stream) + self.apart.waiting

    def notify(self, count: int) -> None:
        """So many events were committed."""
        self._in_stream += count
        self._more = True
        self._changed.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        await self.apart.load()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed(), name=f"callbacks {self._account}: reading")
            tasks.create_task(self.apart.run(), name=f"callbacks {self._account}: apart")
            for lane, filled in zip(self._stream.lanes, self._filled, strict=True):
                tasks.create_task(self._drain(lane, filled), name=f"callbacks {self._account}: sending")

    # --- from disk into the lanes ------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        while True:
            self._changed.clear()
            try:
                while self._in_stream > self._settings.limit and await self._shed():
                    pass
                while self._more and (wanted := self._stream.wanted):
                    await self._read(wanted)
            except StoreError as error:
                log.warning("could not read events", account=self._account, error=str(error))
                self._more = True
                await asyncio.sleep(STORE_RETRY_SECONDS)
                continue
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)

    async def _read(self, limit: int) -> None:
        self._more = False  # what is committed from here on says so again
        events = await self._store.events(self._account, after=self._stream.read_to, limit=limit)
        self._more = self._more or len(events) == limit
        for event in events:
            if self.apart.holds_back(event):
                await self.apart.add([event])
                self._in_stream -= 1
                self._stream.pass_by(event)
            else:
                lane = self._stream.take(event)
                self._filled[self._stream.lanes.index(lane)].set()

    async def _shed(self) -> bool:
        """More wait than may: the oldest become dead letters. Whether there were any that can."""
        excess = min(SHED_AT_ONCE, self._in_stream - self._settings.limit)
        events = self._stream.take_oldest(excess)
        if events:
            await self._bury(events, "too many events wait")
            return True
        unread = await self._store.events(self._account, after=self._stream.read_to, limit=excess)
        if unread:
            await self._bury(unread, "too many events wait")
            self._stream.pass_by(unread[-1])
        return bool(unread)

    # --- from the lanes to the receiver ------------------------------------------------------------------------------

    async def _drain(self, lane: Lane, filled: asyncio.Event) -> None:
        while True:
            if not lane.events:
                filled.clear()
                await filled.wait()
            async with self._turns:
                await self._pace.wait()
                batch = lane.next_batch()
                if not batch:
                    continue  # they were given up meanwhile
                answer = await self._send(batch)
            if answer.outcome is Outcome.DELIVERED:
                lane.delivered()
                self._settle(batch)
            else:
                lane.failed()
                await self._failed(lane, batch, answer)

    async def _send_apart(self, events: Sequence[Event]) -> Answer:
        async with self._turns:
            await self._pace.wait()
            return await self._send(events)

    async def _send(self, events: Sequence[Event]) -> Answer:
        answer = await self._post.send(self._settings, events)
        self._count(answer.outcome, len(events))
        failing = answer.outcome is not Outcome.DELIVERED
        if failing != self._is_failing:
            self._is_failing = failing
            if failing:
                log.warning("callbacks fail", account=self._account, error=answer.error)
            else:
                log.info("callbacks are taken again", account=self._account)
        return answer

    async def _failed(self, lane: Lane, batch: Sequence[Event], answer: Answer) -> None:
        """Not taken: give up what is too old, find what is refused, wait."""
        settings = self._settings
        pause = pause_seconds(settings, lane.failures, answer, random=self._random())
        old = lane.take_older_than(self._clock() - round(settings.retry_for_seconds * 1000))
        if old:
            await self._bury(old, answer.error)
            pause = min(pause, settings.retry_first_seconds)
        elif answer.outcome is Outcome.REFUSED and not answer.is_busy:
            if len(batch) > 1 and lane.failures > 1:
                lane.halve()
            elif len(batch) == 1 and lane.failures >= SINGLE_TRIES and self.apart.has_room:
                refused = lane.take_first_message()
                await self.apart.add(refused)
                self._settle(refused)
                return
        await asyncio.sleep(pause)

    async def _bury(self, events: Sequence[Event], error: str) -> None:
        await self.letters.bury([event.id for event in events], self._clock(), error)
        self._count("dead", len(events))
        self._settle(events)

    def _settle(self, events: Sequence[Event]) -> None:
        self._in_stream -= len(events)
        self._stream.settle(events)
        self._changed.set()
