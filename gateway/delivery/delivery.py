"""Delivery as the rest of the gateway sees it: takes what was accepted, brings it to carriers and to its end.

Start: read what is open on disk, then connect. Stop: hand over nothing more, wait for the answers under way, unbind.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from gateway.delivery import outcomes
from gateway.delivery.addresses import source_key
from gateway.delivery.batches import Batches
from gateway.delivery.cancelling import Cancelling
from gateway.delivery.carriers import Carrier
from gateway.delivery.elsewhere import Elsewhere
from gateway.delivery.endings import Endings
from gateway.delivery.handover import source_address
from gateway.delivery.inbound import Inbound, OwnerOf
from gateway.delivery.moving import Moving
from gateway.delivery.pauses import Pauses
from gateway.delivery.queries import Queries
from gateway.delivery.reactions import Reactions
from gateway.delivery.receipt_codes import NO_CODES, ReceiptCodes
from gateway.delivery.receipts import Receipts
from gateway.delivery.settings import CarrierSettings, OnDoubt, WhenPaused
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.delivery.sweeps import Sweeps
from gateway.delivery.waiting import Waiting
from gateway.message import MessageId, PartStatus, Record, Status, carrier_of_lane, lane_name
from gateway.replies import Replies
from gateway.store.api import Commit, Recovered

DRAIN_LOOK_SECONDS: Final = 0.02
NO_CARRIER: Final = "no configured carrier reaches it"

log = structlog.get_logger(__name__)


class Delivery:
    """All carriers, and what they share."""

    def __init__(
        self,
        carriers: Sequence[CarrierSettings],
        shared: Shared,
        recovered: Recovered,
        next_id: Callable[[], MessageId],
        receipt_codes: Mapping[str, ReceiptCodes] = {},
        *,
        owners: OwnerOf | None = None,
        replies: Replies | None = None,
    ) -> None:
        """`receipt_codes`: the tables of carriers, by name; one without has none.

        `owners`: whose a number is that was written to, where no message says so. `replies`: who acts on it.
        """
        self._shared = shared
        self._recovered = recovered
        self.carriers: dict[str, Carrier] = {}
        self._inbound = Inbound(shared, self.carriers, next_id, owners=owners, replies=replies)
        self._waiting = Waiting(shared, queue=self._queue_on_disk, end=self._end)
        self.approve = self._waiting.approve
        self.reject = self._waiting.reject
        self.elsewhere = Elsewhere(shared)
        self._reactions = Reactions(
            shared,
            self.elsewhere,
            {settings.name: receipt_codes.get(settings.name, NO_CODES) for settings in carriers},
            lambda record, until, at: self._waiting.put_off(record, until, at=at),
        )
        self._receipts = Receipts(shared, self._inbound, self._reactions)
        self.carriers |= {
            settings.name: Carrier(
                settings,
                shared,
                recovered.lanes,
                recovered.last_id,
                self._receipts,
                self._waiting,
                self.elsewhere,
            )
            for settings in carriers
        }
        self.elsewhere.carriers = self.carriers
        self._moving = Moving(shared, self.carriers, self.elsewhere)
        self._pauses = Pauses(shared.store)
        self._receipts.load(self.carriers, recovered.receipts)
        endings = Endings(self.carriers)
        self._queries = Queries(shared, self.carriers, self._receipts.state_told)
        self._sweeps = Sweeps(shared, self.carriers, self._reactions, endings, self._queries) if self.carriers else None
        cancelling = Cancelling(shared, self.carriers, endings)
        self.cancel = cancelling.cancel
        self.batches = Batches(shared, self.carriers, cancelling, next_id)

    def is_up(self, carrier: str) -> bool:
        """Whether a carrier could be sent to now, and is not paused."""
        return self.carriers[carrier].is_usable

    async def pause(self, carrier: str, queue: WhenPaused | None = None) -> None:
        """Begin no more messages by a carrier, which outlives a restart. Returns when that is on disk.

        Raises StoreError. None: what its settings say becomes of its queue.
        """
        paused = self.carriers[carrier]
        queue = queue or paused.settings.when_paused
        await self._pauses.add(carrier, queue)
        paused.pause(queue)

    async def resume(self, carrier: str) -> None:
        """Go on with a paused carrier. Returns when that is on disk. Raises StoreError."""
        await self._pauses.remove(carrier)
        self.carriers[carrier].pause(None)

    def accept(self, records: Sequence[Record]) -> None:
        """Messages that were just accepted and are on disk."""
        by_lane: defaultdict[str, list[Record]] = defaultdict(list)
        for record in records:
            if record.state.status is Status.SCHEDULED:
                self._waiting.note(record.due_at)
            elif record.state.status is not Status.HELD:
                by_lane[record.lane].append(record)
        for lane, waiting in by_lane.items():
            self.carriers[carrier_of_lane(lane)].offer(waiting)

    @property
    def receipts_overdue(self) -> Mapping[str, int]:
        """Messages whose receipt is overdue, by carrier, as the last look at all of them found."""
        return {} if self._sweeps is None else self._sweeps.overdue

    async def recover(self) -> None:
        """Take up everything that a stop or a crash left open. Before anything new is accepted."""
        await self.batches.load()
        for name, queue in (await self._pauses.load()).items():
            if name in self.carriers:
                self.carriers[name].pause(queue)
        async for records in self._shared.store.unsettled():
            for record in records:
                self._shared.live.add(record)
                self._take_up(record)
                self._note_left(record)
        for lane in self._recovered.lanes:
            if carrier_of_lane(lane) not in self.carriers:
                await self._empty_lane(lane)
        await self._inbound.recover(last_time=self._recovered.last_time)
        for carrier in self.carriers.values():
            carrier.wake()

    async def run(self) -> None:
        """Keep the binds up and look for messages whose time is up, until cancelled."""
        self._inbound.begin()
        async with asyncio.TaskGroup() as tasks:
            for carrier in self.carriers.values():
                for bind in carrier.binds:
                    tasks.create_task(bind.run(), name=f"bind {bind.name}")
            tasks.create_task(self._sweep_for_ever(), name="sweeps")
            tasks.create_task(self._moving.run(), name="moving")
            tasks.create_task(self._waiting.run(), name="scheduled messages")
            tasks.create_task(self.batches.run(), name="batches")

    async def drain(self) -> None:
        """Hand over nothing more; wait, for a while, until the answers under way are on disk."""
        self._waiting.stop()
        for carrier in self.carriers.values():
            carrier.stop()
        deadline = asyncio.get_running_loop().time() + self._shared.settings.drain_seconds
        while self._is_busy() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 so many things can end
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def unbind(self) -> None:
        """End every bind in order."""
        self._queries.stop()
        binds = [bind for carrier in self.carriers.values() for bind in carrier.binds]
        await asyncio.gather(*(bind.close() for bind in binds))
        await self._receipts.stop()
        await self._inbound.stop()

    # --- a start -----------------------------------------------------------------------------------------------------

    def _take_up(self, record: Record) -> None:
        """One message that was on its way when the gateway stopped."""
        carrier = self._carrier_of(record)
        if carrier is None:
            self._leave_behind(record)
            return
        self._doubt_unanswered(record)
        for each in self._carriers_of(record):
            each.watch(record)
        for n, part in enumerate(record.state.parts):
            if part.status is PartStatus.IN_DOUBT:
                self._receipts.part_in_doubt(carrier, record, n, len(part.attempts) - 1)
        if any(part.status is PartStatus.WAITING for part in record.state.parts) and not record.is_final:
            record.lane = lane_name(carrier.name, record.message)
            carrier.keep(record)
            carrier.send_again(record)

    def _note_left(self, record: Record) -> None:
        """Replies to it will come."""
        for carrier in self._carriers_of(record):
            source = source_key(source_address(record.message, carrier.settings), carrier.name)
            self._shared.last_sent.note(source, record.message.to, record.id)

    def _leave_behind(self, record: Record) -> None:
        """No configured carrier can go on with it: nothing more of it leaves, and no receipt will come.

        What waits to be sent has failed; for the rest the receipt deadline comes.
        """
        log.warning("a message is with a carrier that is not configured any more", message=str(record.id))
        self._doubt_unanswered(record, always_wait=True)
        if any(part.status is PartStatus.WAITING for part in record.state.parts):
            outcomes.end(record, Status.FAILED, at=self._shared.clock(), reason=NO_CARRIER)
            self._shared.store.update(record)
        self._shared.live.drop(record)

    def _doubt_unanswered(self, record: Record, *, always_wait: bool = False) -> None:
        """Bytes may have left before the stop, and the answer is lost with it."""
        at = self._shared.clock()
        unanswered = [n for n, part in enumerate(record.state.parts) if part.status is PartStatus.SENDING]
        for n in unanswered:
            k = len(record.state.parts[n].attempts) - 1
            on_doubt = OnDoubt.WAIT if always_wait else self._shared.on_doubt(record, n)
            outcomes.unanswered(record, n, k, "restart", on_doubt, at=at)
        if any(record.state.parts[n].status is PartStatus.IN_DOUBT for n in unanswered):
            self._shared.store.update(record)

    def _carriers_of(self, record: Record) -> Iterable[Carrier]:
        names = {attempt.carrier for part in record.state.parts for attempt in part.attempts}
        return [self.carriers[name] for name in names if name in self.carriers]

    def _carrier_of(self, record: Record) -> Carrier | None:
        """The carrier of the last attempt, else the first candidate that is still configured."""
        attempted = [part.attempts[-1].carrier for part in record.state.parts if part.attempts]
        for name in (*reversed(attempted), *record.message.carriers):
            if name in self.carriers:
                return self.carriers[name]
        return None

    async def _empty_lane(self, lane: str) -> None:
        """The lane's carrier is not configured any more: its messages go by their next candidate, or fail."""
        log.warning("a lane has lost its carrier: its messages go elsewhere", lane=lane)
        after = MessageId(0)
        while records := await self._shared.store.queued(lane, after=after, limit=500):
            for record in records:
                self._shared.live.add(record)
                self._queue_on_disk(record)
            after = records[-1].id

    def _queue_on_disk(self, record: Record) -> Commit:
        """Write a queued record into the lane of the best carrier, and let the lane read it from there in its turn."""
        name = self.elsewhere.best(record)
        carrier = None if name is None else self.carriers[name]
        if carrier is None:
            at = self._shared.clock()
            outcomes.end(record, Status.FAILED, at=at, reason=NO_CARRIER)
        else:
            record.lane = lane_name(carrier.name, record.message)
        commit = self._shared.store.update(record)
        self._shared.after.add(commit, partial(self._is_queued, carrier, record))
        return commit

    def _is_queued(self, carrier: Carrier | None, record: Record, succeeded: bool) -> None:
        if not succeeded:
            asyncio.get_running_loop().call_later(STORE_RETRY_SECONDS, self._queue_on_disk, record)
            return
        is_queued = carrier is not None and record.status is Status.QUEUED
        if carrier is not None and is_queued and any(part.attempts for part in record.state.parts):
            carrier.send_again(record)  # the answer to an earlier attempt may still come: it stays in memory
            return
        self._shared.live.drop(record)
        if carrier is not None and is_queued:
            carrier.queues.rewind(record)
            carrier.wake()

    def _end(self, record: Record) -> Commit:
        """Write a record that ended while it waited; the carrier it would have gone to is the one that counts it."""
        carrier = self._carrier_of(record) or next(iter(self.carriers.values()))
        return carrier.keep(record)

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _is_busy(self) -> bool:
        in_use = sum(carrier.in_use for carrier in self.carriers.values())
        pending = self._shared.after.pending + self._receipts.pending + self._inbound.pending
        return in_use > 0 or pending > 0

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._shared.settings.sweep_seconds)
            self._receipts.drop_old(now=self._shared.clock())
            self._inbound.expire()
            if self._sweeps is not None:
                await self._sweeps.sweep()
