"""Whole batches: pause, resume, cancel. What was asked for is on disk before the answer, and holds over a restart."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from gateway.controls import BatchState, TooManyStopped
from gateway.delivery.cancelling import Cancelling
from gateway.delivery.carriers import Carrier
from gateway.delivery.shared import Shared
from gateway.delivery.stops import EVERY_ID, BatchKey
from gateway.message import FINAL, MessageId, Milliseconds, Status
from gateway.store.api import Commit, StoreError

TABLE: Final = "batch_stop"
MOST_STOPPED: Final = 1_000  # batches of one account that are paused or being cancelled
AT_ONCE: Final = 500
LOOK_SECONDS: Final = 0.2  # between two looks for what comes back from carriers while a batch is being cancelled;
LONGEST_LOOK_SECONDS: Final = 5.0  # it grows up to this

log = structlog.get_logger(__name__)


class Stopped(msgspec.Struct, frozen=True, array_like=True):
    """As it is on disk. `through` 0: paused; else being cancelled, up to this message."""

    account: str
    batch: str
    at: Milliseconds
    through: MessageId = MessageId(0)


_decode = msgspec.msgpack.Decoder(Stopped).decode
_encode = msgspec.msgpack.Encoder().encode


class Batches:
    """Stops batches, and lets them go on."""

    def __init__(
        self,
        shared: Shared,
        carriers: Mapping[str, Carrier],
        cancelling: Cancelling,
        next_id: Callable[[], MessageId],
    ) -> None:
        self._shared = shared
        self._carriers = carriers
        self._cancelling = cancelling
        self._next_id = next_id
        self._stopped: dict[BatchKey, Stopped] = {}
        self._changing = asyncio.Lock()
        self._to_cancel: asyncio.Queue[BatchKey] = asyncio.Queue()
        self._looks: dict[BatchKey, asyncio.Event] = {}  # of those being cancelled: all of it was looked at once

    async def load(self) -> None:
        """What was stopped before a restart still is. Before anything goes. Raises StoreError."""
        after = ""
        while page := await self._shared.store.entries(TABLE, after=after, limit=1_000):
            for key, value in page:
                stopped = _decode(value)
                self._take(stopped)
                self._begin_to_cancel(stopped)
                after = key

    async def run(self) -> None:
        """Cancel what is to be cancelled, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                key = await self._to_cancel.get()
                tasks.create_task(self._cancel_all(key), name="a batch is cancelled")

    async def state(self, account: str, batch: str) -> BatchState | None:
        """A batch; None when the account has none of this name. Raises StoreError."""
        tally = await self._shared.store.batch(account, batch)
        if tally is None:
            return None
        stopped = self._stopped.get((account, batch))
        if stopped is not None:
            return BatchState("cancelling" if stopped.through else "paused", tally)
        is_open = any(status not in FINAL for status in tally.counts)
        return BatchState("active" if is_open else "finished", tally)

    async def pause(self, account: str, batch: str) -> BatchState | None:
        """Let nothing more of it go. Raises StoreError, TooManyStopped."""
        async with self._changing:
            if (account, batch) not in self._stopped and await self._exists(account, batch):
                await self._stop(Stopped(account, batch, self._shared.clock()))
        return await self.state(account, batch)

    async def resume(self, account: str, batch: str) -> BatchState | None:
        """Let a paused one go on. Raises StoreError."""
        async with self._changing:
            stopped = self._stopped.get((account, batch))
            if stopped is not None and not stopped.through:
                await self._let_go_on(stopped)
        return await self.state(account, batch)

    async def cancel(self, account: str, batch: str, *, wait_seconds: float) -> BatchState | None:
        """Cancel all of it that waits, but nothing that is accepted afterwards. Raises StoreError, TooManyStopped.

        Returns when that is done; what takes longer is done behind the answer.
        """
        async with self._changing:
            if not await self._exists(account, batch):
                return None
            await self._stop(Stopped(account, batch, self._shared.clock(), self._next_id()))
            look = self._looks[account, batch]
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await look.wait()
        return await self.state(account, batch)

    # --- stop and go on ----------------------------------------------------------------------------------------------

    async def _exists(self, account: str, batch: str) -> bool:
        return await self._shared.store.batch(account, batch) is not None

    async def _stop(self, stopped: Stopped) -> None:
        """Stop at once; return when that is on disk, and with it all of the batch that was accepted before."""
        key = stopped.account, stopped.batch
        before = self._stopped.get(key)
        if before is None and sum(account == stopped.account for account, _ in self._stopped) >= MOST_STOPPED:
            raise TooManyStopped
        self._take(stopped)
        try:
            await asyncio.shield(self._put(stopped, _encode(stopped)))
        except StoreError:
            if before is None:
                del self._stopped[key]
                self._shared.stops.go_on(key)
            else:
                self._take(before)
            raise
        self._begin_to_cancel(stopped)

    def _begin_to_cancel(self, stopped: Stopped) -> None:
        if stopped.through:
            key = stopped.account, stopped.batch
            if key not in self._looks:
                self._to_cancel.put_nowait(key)
            self._looks[key] = asyncio.Event()

    def _take(self, stopped: Stopped) -> None:
        key = stopped.account, stopped.batch
        self._stopped[key] = stopped
        self._shared.stops.stop(key, through=stopped.through or EVERY_ID)
        for carrier in self._carriers.values():
            carrier.look_again()

    async def _let_go_on(self, stopped: Stopped) -> None:
        key = stopped.account, stopped.batch
        await asyncio.shield(self._put(stopped, None))
        del self._stopped[key]
        self._shared.stops.go_on(key)

    def _put(self, stopped: Stopped, value: bytes | None) -> Commit:
        key = f"{stopped.account}/{msgspec.json.encode(stopped.batch).decode()}"
        return self._shared.store.put_entries(TABLE, {key: value})

    # --- cancel ------------------------------------------------------------------------------------------------------

    async def _cancel_all(self, key: BatchKey) -> None:
        """Cancel what waits, and what comes back from carriers, until nothing can come any more."""
        pause = LOOK_SECONDS
        while True:
            stopped, look = self._stopped[key], self._looks[key]
            try:
                found = await self._look(stopped)
                look.set()
                tally = await self._shared.store.batch(*key)
                is_moving = tally is not None and Status.SENDING in tally.counts
                async with self._changing:
                    if not found and not is_moving and self._stopped[key] is stopped:
                        await self._let_go_on(stopped)
                        del self._looks[key]
                        return
            except StoreError as error:
                log.warning("could not cancel a batch yet", account=stopped.account, error=str(error))
            await asyncio.sleep(pause)
            pause = min(LONGEST_LOOK_SECONDS, 2 * pause)

    async def _look(self, stopped: Stopped) -> int:
        """Cancel every message that waits; returns how many were found, cancelled or not."""
        store, live = self._shared.store, self._shared.live
        found = 0
        after: MessageId | None = MessageId(0)
        while after is not None and after < stopped.through:
            with live.reading() as reading:
                page = await store.unsent(stopped.account, stopped.batch, after=after, limit=AT_ONCE)
                records = [record for record in page.records if record.id <= stopped.through]
                ends = {self._cancelling.end_waiting(reading, record) for record in records}
                # What a lane let go of since the read began may be newer on disk than what was read: look once more.
                is_whole = reading.dropped.isdisjoint(record.id for record in records)
            found += len(records)
            commits = [commit for commit in ends if commit is not None]
            if commits:
                await asyncio.wait(commits)
            if is_whole:
                after = page.cursor
        return found
