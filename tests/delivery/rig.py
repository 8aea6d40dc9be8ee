"""Delivery in full, on a store in memory, against carriers that listen on this machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.delivery.carriers import Carrier
from gateway.delivery.delivery import Delivery
from gateway.delivery.durable import AfterCommit
from gateway.delivery.inbound import OwnerOf
from gateway.delivery.live import Live
from gateway.delivery.receipt_codes import NO_CODES, ReceiptCodes
from gateway.delivery.settings import CarrierSettings, DeliverySettings, default_categories
from gateway.delivery.shared import Shared
from gateway.message import Category, IdSource, Message, MessageId, Record, Status, lane_name, new_record
from gateway.metrics import Metrics
from gateway.replies import Replies
from gateway.rulings import Gate, Ruling
from gateway.smpp import State
from gateway.store.api import Commit, Query, UnmatchedReceipt
from gateway.store.memory import MemoryStore
from tests.delivery.samples import CARRIER, PHONE, TEXT, eventually

RESEND, WAIT = Category.NOTIFICATION, Category.MARKETING


class SlowStore(MemoryStore):
    """A store in memory whose commits can be held up, and which remembers what was committed when."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held = False
        self.on_commit: Callable[[], None] = lambda: None

    def hold(self) -> None:
        """From now on nothing is committed."""
        self.is_held = True

    def let_go(self) -> None:
        """Commit what was held up, and what comes."""
        self.is_held = False
        self._cut()

    def _cut(self) -> None:
        if not self.is_held:
            super()._cut()
            self.on_commit()

    async def close(self) -> None:
        self.is_held = False
        await super().close()

    def stored(self, record: Record) -> Record:
        """What is on disk of a record."""
        return self._records[record.id]

    @property
    def receipts(self) -> list[UnmatchedReceipt]:
        return list(self._receipts)

    async def after_a_crash(self) -> "SlowStore":
        """What a start finds if everything stopped now. This one commits nothing more."""
        self.is_held = True
        page = await self.find(Query(since=0, limit=1_000_000))
        found = SlowStore()
        await found.open()
        if page.records:
            await found.append(page.records[::-1])
        for receipt in self.receipts:
            await found.keep_receipt(receipt)
        await found.close()
        found._inbound, found._entries = list(self._inbound), dict(self._entries)
        found._last_id, found._last_time = self._last_id, self._last_time
        return found


class OpenGate:
    """Rules that agree to everything."""

    def release(self, message: Message, *, charged: bool, now: int) -> Ruling:
        return None

    def hand_over(self, message: Message, carrier: str, *, now: int) -> Ruling:
        return None

    def give_back(self, message: Message, *, charged_at: int, now: int) -> None:
        pass


class NoBooks:
    """Counts nothing."""

    def submitted(self, record: Record, carrier: str, *, at: int) -> None:
        pass

    def finished(self, record: Record, carrier: str, *, at: int) -> None:
        pass


class Rig:
    """A running delivery, and what a test does with it."""

    def __init__(self, store: SlowStore, delivery: Delivery, shared: Shared, ids: IdSource) -> None:
        self.store = store
        self.delivery = delivery
        self.shared = shared
        self.metrics = shared.metrics
        self.ahead_milliseconds = 0
        self._ids = ids

    def now(self) -> int:
        """The wall clock, which a test may put ahead."""
        return time.time_ns() // 1_000_000 + self.ahead_milliseconds

    @property
    def carrier(self) -> Carrier:
        return self.delivery.carriers[CARRIER]

    def a_message(self, *, carrier: str = CARRIER, valid_for_seconds: float = 3_600, **fields: Any) -> Record:
        """A message that policy has agreed to, on nobody's disk yet."""
        now = self.now()
        send_at = fields.get("send_at")
        values = {
            "id": self._ids.next(now),
            "account": "demo",
            "to": PHONE,
            "text": TEXT,
            "network": "cmcc",
            "category": RESEND,
            "accepted_at": now,
            "expires_at": (send_at or now) + round(valid_for_seconds * 1000),
            "carriers": (carrier,),
        }
        message = Message(**(values | fields))
        status = Status.QUEUED if send_at is None else Status.SCHEDULED
        return new_record(message, status, lane=lane_name(carrier, message))

    def hand_in(self, *records: Record) -> Commit:
        """Accept messages as the intake does: the commit hands them to delivery."""
        commit = self.store.append(records)

        def accepted(done: Commit) -> None:
            if done.exception() is None:
                self.delivery.accept(records)

        commit.add_done_callback(accepted)
        return commit

    async def accept(self, **fields: Any) -> Record:
        """Accept one message, and return its record, which delivery works on while it is in memory."""
        record = self.a_message(**fields)
        await self.hand_in(record)
        return record

    def status_on_disk(self, record: Record) -> Status:
        return self.store.stored(record).status

    async def until(self, record: Record, status: Status) -> Record:
        """Wait until a message is in a state on disk; return what is there."""
        await eventually(lambda: self.status_on_disk(record) is status)
        return self.store.stored(record)

    async def drain(self) -> None:
        """Stop as SIGTERM does."""
        await self.delivery.drain()
        await self.delivery.unbind()


@asynccontextmanager
async def running(
    *carriers: CarrierSettings,
    store: Any = None,
    recover: bool = True,
    gate: Gate | None = None,
    receipt_codes: ReceiptCodes = NO_CODES,
    owners: OwnerOf | None = None,
    replies: Replies | None = None,
    **delivery_settings: Any,
) -> AsyncIterator[Rig]:
    """Delivery with these carriers. At the end everything stops as it does in a crash, unless it was drained."""
    store = store or SlowStore()
    recovered = await store.open()
    not_ours = asyncio.all_tasks()
    values = {"sweep_seconds": 0.02, "retry_first_seconds": 0.02, "retry_longest_seconds": 0.1, "drain_seconds": 2.0}
    shared = Shared(
        store=store,
        live=Live(),
        after=AfterCommit(),
        metrics=Metrics(),
        settings=DeliverySettings(**(values | delivery_settings)),
        categories=default_categories(),
        clock=lambda: rig.now(),
        random=lambda: 0.5,
        gate=gate or OpenGate(),
        usage=NoBooks(),
    )
    ids = IdSource(node=0, last=recovered.last_id)
    delivery = Delivery(
        carriers,
        shared,
        recovered,
        lambda: MessageId(ids.next(rig.now())),
        {carrier.name: receipt_codes for carrier in carriers},
        owners=owners,
        replies=replies,
    )
    rig = Rig(store, delivery, shared, ids)
    if recover:
        await delivery.recover()
    task = asyncio.create_task(delivery.run())
    try:
        yield rig
        assert not task.done(), task.exception()
    finally:
        await _stop(task, delivery, not_ours)
        await store.close()


async def _stop(task: asyncio.Task[None], delivery: Delivery, not_ours: set[asyncio.Task[Any]]) -> None:
    for carrier in delivery.carriers.values():
        carrier.stop()
    connections = [bind.connection for carrier in delivery.carriers.values() for bind in carrier.binds]
    task.cancel()
    await asyncio.wait([task])
    for connection in connections:
        if connection is not None:
            connection.abort()
            await eventually(lambda connection=connection: connection.state is State.CLOSED)
    reads = asyncio.all_tasks() - not_ours
    if reads:
        await asyncio.wait(reads, timeout=2.0)
    if not task.cancelled():
        task.result()
