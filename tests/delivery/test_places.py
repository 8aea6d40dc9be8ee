"""No message is in two places, or in none, while carriers come and go and batches are stopped: from a seed."""

import asyncio
import random
from collections import Counter
from contextlib import closing, suppress

import pytest

from gateway.controls import TooManyStopped
from gateway.delivery.settings import DeliverySettings, WhenPaused
from gateway.message import Category, IdSource, Message, MessageId, Priority, Record, Status, lane_name, new_record
from tests.delivery.samples import CARRIER, LONG, MORNING, TEXT, bind_settings, carrier_settings
from tests.delivery.virtual import MemorySmsc, VirtualLoop, open_delivery

NAMES = (CARRIER, "cmcc-b")
BATCHES = ("", "march", "april", "may")
WINDOW, STEPS = 6, 120


class Muddle:
    """Two carriers, some batches, and somebody who keeps changing their mind."""

    def __init__(self, loop: VirtualLoop, seed: int) -> None:
        self._loop = loop
        self._chance = random.Random(seed)
        self._ids = IdSource(node=0, last=MessageId(0))
        self.smscs = {n: MemorySmsc(lambda *_: (0, 0.1), receipt_seconds=1.0) for n in (1, 2)}
        self.records: list[Record] = []
        self.outages = 0
        self._count = 0

    def clock(self) -> int:
        return MORNING + round(self._loop.time() * 1000)

    def next_id(self) -> MessageId:
        return MessageId(self._ids.next(self.clock()))

    async def start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        carriers = [
            carrier_settings(
                bind_settings(n, name, window=WINDOW, reconnect_first_seconds=0.5, reconnect_longest_seconds=1.0),
                name=name,
                throughput=40,
                otp_share=0.2,
            )
            for n, name in enumerate(NAMES, start=1)
        ]
        self.delivery, self.shared = await open_delivery(
            carriers,
            self.smscs,
            settings=DeliverySettings(lane_window=15, move_after_seconds=2.0, sweep_seconds=10.0),
            clock=self.clock,
            random=self._chance.random,
            next_id=self.next_id,
            monkeypatch=monkeypatch,
        )

    # --- what somebody does -------------------------------------------------------------------------------------------

    async def do_something(self) -> None:
        chance, batches = self._chance, self.delivery.batches
        account, batch = chance.choice(("one", "two")), chance.choice(BATCHES[1:])
        with suppress(TooManyStopped):
            match chance.choices(range(7), (8, 4, 4, 1, 2, 2, 2))[0]:
                case 0:
                    self._hand_in(account, chance.choice(BATCHES), chance.randrange(1, 60))
                case 1:
                    await batches.pause(account, batch)
                case 2:
                    await batches.resume(account, batch)
                case 3:
                    await batches.cancel(account, batch, wait_seconds=0.5)
                case 4:
                    smsc = self.smscs[chance.choice((1, 2))]
                    self.outages += smsc.is_listening
                    smsc.go_down()
                case 5:
                    for smsc in self.smscs.values():
                        smsc.is_listening = True
                case _:
                    name = chance.choice(NAMES)
                    if self.delivery.carriers[name].paused is None:
                        await self.delivery.pause(name, chance.choice(list(WhenPaused)))
                    else:
                        await self.delivery.resume(name)

    def _hand_in(self, account: str, batch: str, count: int) -> None:
        records = [self._record(account, batch) for _ in range(count)]
        self.records += records
        self.shared.store.append(records).add_done_callback(lambda _: self.delivery.accept(records))

    def _record(self, account: str, batch: str) -> Record:
        now, chance = self.clock(), self._chance
        self._count += 1
        category = chance.choices((Category.NOTIFICATION, Category.OTP), (9, 1))[0]
        parts = 3 if chance.random() < 0.1 else 1
        message = Message(
            id=self._ids.next(now),
            account=account,
            to=f"+86138{self._count:08}",
            text=LONG if parts > 1 else TEXT,
            parts=parts,
            network="cmcc",
            category=category,
            priority=Priority.HIGH if category is Category.OTP else chance.choice((Priority.NORMAL, Priority.LOW)),
            accepted_at=now,
            expires_at=now + 86_400_000,
            carriers=NAMES if chance.random() < 0.5 else NAMES[::-1],
            batch=batch,
        )
        name = next(filter(self.delivery.is_up, message.carriers), message.carriers[0])
        return new_record(message, Status.QUEUED, lane=lane_name(name, message))

    async def put_right(self) -> None:
        """Everything may go again."""
        for smsc in self.smscs.values():
            smsc.is_listening = True
        for name in NAMES:
            await self.delivery.resume(name)
        for account in ("one", "two"):
            for batch in BATCHES[1:]:
                await self.delivery.batches.resume(account, batch)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Each record is in one lane at most, and none that is in memory is unknown there."""
        places: Counter[int] = Counter()
        for carrier in self.delivery.carriers.values():
            for level in carrier.queues.levels.values():
                for lane in level.lanes:
                    places.update(record.id for record in (*lane._again, *lane._records) if not record.is_final)
            places.update({each.record.id for each in carrier._under_way if each.record.first_waiting() is not None})
        twice = [message_id for message_id, count in places.items() if count > 1]
        assert twice == []
        assert [message_id for message_id in places if message_id not in self.shared.live] == []


async def muddle_through(muddle: Muddle, monkeypatch: pytest.MonkeyPatch) -> None:
    await muddle.start(monkeypatch)
    running = asyncio.create_task(muddle.delivery.run())
    chance = random.Random(muddle._chance.random())
    for _ in range(STEPS):
        await muddle.do_something()
        for _ in range(10):
            await asyncio.sleep(chance.random() * 0.3)
            muddle.check()
    await muddle.put_right()
    await asyncio.sleep(600.0)
    await muddle.put_right()  # what was being cancelled could not be resumed
    await asyncio.sleep(60.0)
    await muddle.delivery.drain()
    await muddle.delivery.unbind()
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize("seed", range(4))
def test_no_message_is_in_two_places_or_lost_whoever_stops_what(seed: int, monkeypatch: pytest.MonkeyPatch):
    with closing(VirtualLoop()) as loop:
        muddle = Muddle(loop, seed)
        loop.run_until_complete(muddle_through(muddle, monkeypatch))

    stored = muddle.shared.store._records
    ended = {record.message.to: stored[record.id].status for record in muddle.records}
    assert len(ended) == len(muddle.records) > 500
    assert set(ended.values()) <= {Status.DELIVERED, Status.CANCELLED}
    taken = Counter((each.to, each.reference) for smsc in muddle.smscs.values() for each in smsc.taken)
    assert not {to for to, _ in taken if ended[to] is Status.CANCELLED}
    assert {to for to, _ in taken} == {to for to, status in ended.items() if status is Status.DELIVERED}
    assert sum(copies - 1 for copies in taken.values()) <= WINDOW * muddle.outages  # whose answer was lost
    assert len(muddle.shared.live) == 0
    assert [carrier.waiting for carrier in muddle.delivery.carriers.values()] == [0, 0]
    assert not muddle.shared.stops
