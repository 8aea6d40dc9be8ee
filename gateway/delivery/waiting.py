"""Messages that wait on disk for their time, or for a reviewer: nothing of them is in memory until it has come.

The store says when the first is due. Those that are due are read some at a time, the rules are asked again, and what
may go is queued on disk, from where its lane reads it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, assert_never

import structlog

from gateway.delivery import outcomes
from gateway.delivery.live import Reading
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.message import MessageId, Milliseconds, Record, Status
from gateway.rulings import Charged, Release, Reviewed, Stop, Wait
from gateway.store.api import Commit, StoreError

AT_ONCE: Final = 500
REJECTED: Final = "rejected"  # why a message that a reviewer did not let go is cancelled
LOOK_SECONDS: Final = 30.0  # how often the wall clock is looked at when nothing is due for long: it may be put forward
GATHER_SECONDS: Final = 0.02  # between two looks at the store, when messages are due one after the other

log = structlog.get_logger(__name__)


class Waiting:
    """Brings messages on when their time has come."""

    def __init__(self, shared: Shared, queue: Callable[[Record], Commit], end: Callable[[Record], Commit]) -> None:
        """`queue` writes a record that was queued into its lane, `end` one that is final; both try until it is done."""
        self._shared = shared
        self._queue = queue
        self._end = end
        self._next: Milliseconds | None = None
        self._changed = asyncio.Event()
        self._stopping = False

    def note(self, due: Milliseconds) -> None:
        """A message that is on disk is due then."""
        if self._next is None or due < self._next:
            self._next = due
            self._changed.set()

    def stop(self) -> None:
        """Release nothing more."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Release what is due, until stopped or cancelled."""
        await self._look_ahead()
        while not self._stopping:
            await self._until_due()
            try:
                while not self._stopping and await self._release_some():
                    pass
            except StoreError as error:
                log.warning("could not release scheduled messages", error=str(error))
                await asyncio.sleep(STORE_RETRY_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)
            await self._look_ahead()

    def put_off(self, record: Record, until: Wait, *, at: Milliseconds) -> Commit:
        """Let a record wait on disk until then."""
        outcomes.put_off(record, at=at, reason=until.reason)
        record.due = until.until
        return self._rest(record)

    async def approve(self, message_id: MessageId, *, note: str) -> Reviewed:
        """A reviewer lets a held message go on. Returns when that is on disk. Raises StoreError."""
        return await self._review(message_id, note, self._go_on)

    async def reject(self, message_id: MessageId, *, note: str) -> Reviewed:
        """A reviewer does not. Returns when that is on disk. Raises StoreError."""

        def cancel(record: Record, now: Milliseconds) -> Commit:
            outcomes.end(record, Status.CANCELLED, at=now, reason=REJECTED)
            return self._end(record)

        return await self._review(message_id, note, cancel)

    # --- what is due -------------------------------------------------------------------------------------------------

    async def _look_ahead(self) -> None:
        """Learn from the store when the next is due."""
        self._next = None
        try:
            due = await self._shared.store.next_due()
        except StoreError as error:
            log.warning("could not look for scheduled messages", error=str(error))
            due = self._shared.clock() + round(STORE_RETRY_SECONDS * 1000)
        if due is not None:
            self.note(due)

    async def _until_due(self) -> None:
        while not self._stopping:
            delay = LOOK_SECONDS
            if self._next is not None:
                delay = min(delay, (self._next - self._shared.clock()) / 1000)
            if delay <= 0:
                return
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._changed.wait()

    async def _release_some(self) -> bool:
        """Look at some that are due; whether there may be more."""
        now = self._shared.clock()
        with self._shared.live.reading() as reading:
            due = await self._shared.store.due(now=now, limit=AT_ONCE)
            commits = [commit for stored in due if (commit := self._release(reading, stored, now)) is not None]
        if not commits:
            return False
        await asyncio.wait(set(commits))
        return len(due) == AT_ONCE

    def _release(self, reading: Reading, stored: Record, now: Milliseconds) -> Commit | None:
        """One whose time has come; None when it has moved since it was read."""
        record = reading.adopt(stored)
        if record is None or record.status is not Status.SCHEDULED or record.due_at > now:
            return None
        return self._go_on(record, now)

    def _go_on(self, record: Record, now: Milliseconds) -> Commit:
        """Queue a record that waited, if its validity and the rules of this moment allow it."""
        if record.message.expires_at <= now:
            outcomes.end(record, Status.EXPIRED, at=now, reason="validity ended")
            return self._end(record)
        charged = record.charged_at is not None
        ruling: Release = self._shared.gate.release(record.message, charged=charged, now=now)
        match ruling:
            case None:
                outcomes.release(record, at=now)
                return self._queue(record)
            case Charged():
                outcomes.release(record, at=now, charged=ruling.time)
                return self._queue(record)
            case Wait():
                return self.put_off(record, ruling, at=now)
            case Stop():
                outcomes.end(record, Status.FAILED, at=now, reason=ruling.reason)
                return self._end(record)
            case _:
                assert_never(ruling)

    async def _review(
        self, message_id: MessageId, note: str, act: Callable[[Record, Milliseconds], Commit]
    ) -> Reviewed:
        while True:
            with self._shared.live.reading() as reading:
                stored = await self._shared.store.read(message_id)
                if stored is None or (stored.status is not Status.HELD and reading.is_fresh(message_id)):
                    return Reviewed(stored, done=False)
                record = reading.adopt(stored)
            if record is None:
                continue  # it left the memory while it was read, so what was read may be old
            if record.status is not Status.HELD:
                await asyncio.shield(self._shared.store.update(record))  # somebody's word that may not be on disk yet
                return Reviewed(record, done=False)
            now = self._shared.clock()
            outcomes.note(record, note, at=now)
            await asyncio.shield(act(record, now))
            return Reviewed(record, done=True)

    # --- back to disk ------------------------------------------------------------------------------------------------

    def _rest(self, record: Record) -> Commit:
        commit = self._shared.store.update(record)
        self._shared.after.add(commit, partial(self._rests, record))
        return commit

    def _rests(self, record: Record, succeeded: bool) -> None:
        """What waits on disk leaves the memory, unless a carrier may still answer an earlier attempt."""
        if record.status is not Status.SCHEDULED:
            return
        if not succeeded:
            asyncio.get_running_loop().call_later(STORE_RETRY_SECONDS, self._rest, record)
            return
        if not any(part.attempts for part in record.state.parts):
            self._shared.live.drop(record)
        self.note(record.due_at)
