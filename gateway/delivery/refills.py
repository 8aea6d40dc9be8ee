"""Reads the lanes of one carrier from disk when little of them is left in memory."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from gateway.delivery.answers import start
from gateway.delivery.lanes import Lane
from gateway.delivery.levels import LevelQueue
from gateway.delivery.queues import Queues
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.delivery.stops import Owner
from gateway.message import Record
from gateway.store.api import StoreError

AT_ONCE: Final = 4  # lanes

log = structlog.get_logger(__name__)


class Waker(Owner, Protocol):
    """The carrier of the queues, which is told that there may be something to send."""

    def wake(self) -> None: ...

    def wake_in(self, seconds: float) -> None: ...


class Refills:
    """Fills queues."""

    def __init__(self, shared: Shared, queues: Queues, owner: Waker) -> None:
        self._shared = shared
        self._queues = queues
        self._owner = owner
        self._reads: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Read those lanes that need it, some at a time."""
        for queue in self._queues.levels.values():
            while len(self._reads) < AT_ONCE and (lane := queue.start_refill()) is not None:
                start(self._read(queue, lane), among=self._reads)

    def stop(self) -> None:
        """Read nothing more."""
        for read in self._reads:
            read.cancel()

    async def _read(self, queue: LevelQueue, lane: Lane) -> None:
        limit = lane.refill_limit
        live = self._shared.live
        with live.reading() as reading:
            try:
                records = await self._shared.store.queued(lane.name, after=lane.cursor, limit=limit)
            except StoreError as error:
                log.warning("could not read a lane", lane=lane.name, error=str(error))
                queue.cancel_refill(lane)
                self._owner.wake_in(STORE_RETRY_SECONDS)
                return
            fresh = [record for record in records if reading.is_fresh(record.id)]
            if self._shared.stops:
                fresh = self._leave_stopped(lane, fresh)
            for record in fresh:
                live.add(record)
        queue.finish_refill(lane, fresh, last=records[-1].id if records else None, complete=len(records) < limit)
        self._owner.wake()

    def _leave_stopped(self, lane: Lane, records: Sequence[Record]) -> list[Record]:
        """Leave on disk what belongs to batches that are stopped; returns the others."""
        stops = self._shared.stops
        going = []
        for record in records:
            if stops.holds(record.message):
                stops.leave(self._owner, lane, record.message)
            else:
                going.append(record)
        return going
