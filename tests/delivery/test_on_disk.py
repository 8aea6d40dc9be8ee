"""Delivery on the store that the gateway uses, with its threads and files, against a carrier that misbehaves."""

import asyncio
import random
from pathlib import Path

import pytest

from gateway.message import MessageId, Record, Status
from gateway.smpp import CommandStatus, TlvTag, find_tlv
from gateway.store.api import Query
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore
from tests.delivery.rig import RESEND, WAIT, Rig, running
from tests.delivery.samples import LONG, bind_settings, carrier_settings
from tests.delivery.scripted_smsc import ScriptedSmsc, Submit, receipt, refuse, reset, scripted

SETTLED = {Status.DELIVERED, Status.IN_DOUBT}


def a_store(directory: Path) -> SqliteStore:
    """Many small files, so that most changes are to old ones."""
    return SqliteStore(
        StoreSettings(
            path=str(directory), file_messages=40, late_change_seconds=0.02, disk_reserve_bytes=0, retry_seconds=0.05
        )
    )


class Moody:
    """A carrier that takes most messages, and tells so in every order; `counts` is what it took, by number and part."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.seen: dict[tuple[str, int], int] = {}  # copies that it has not refused

    def answer(self, smsc: ScriptedSmsc, submit: Submit) -> None:
        number = submit.part[2] if submit.part else 1
        key = ("+" + submit.body.destination_addr, number)
        draw = self._chance.random()
        if draw < 0.01:
            refuse(CommandStatus.ESME_RTHROTTLED)(smsc, submit)
            return
        if draw < 0.05:
            refuse(CommandStatus.ESME_RSYSERR)(smsc, submit)
            return
        self.seen[key] = self.seen.get(key, 0) + 1
        if draw < 0.09:
            self._lose_the_answer(smsc, submit)
        elif draw < 0.10:
            reset(smsc, submit)
        else:
            self._take(smsc, submit)

    def _lose_the_answer(self, smsc: ScriptedSmsc, submit: Submit) -> None:
        """The message was taken all the same: its receipt may come, with our reference or without."""
        if self._chance.random() < 0.5:
            reference = find_tlv(submit.body.tlvs, TlvTag.USER_MESSAGE_REFERENCE)
            told = {"reference": reference} if self._chance.random() < 0.5 else {}
            smsc.send(receipt(submit, f"lost-{len(smsc.submits)}", **told), submit.connection)

    def _take(self, smsc: ScriptedSmsc, submit: Submit) -> None:
        message_id = f"{len(smsc.accepted):x}"
        told = receipt(submit, message_id)
        if self._chance.random() < 0.3:
            smsc.send(told, submit.connection)  # before the answer
            smsc.accept(submit, message_id)
        else:
            smsc.accept(submit, message_id)
            smsc.send(told, submit.connection)
        if self._chance.random() < 0.2:
            smsc.send(told, submit.connection)  # twice


async def everything(store: SqliteStore) -> list[Record]:
    """All records on disk, whatever became of them."""
    records: list[Record] = []
    before: MessageId | None = None
    while True:
        page = await store.find(Query(since=0, before=before, limit=1_000))
        records += page.records
        if page.cursor is None:
            return records
        before = page.cursor


async def until_all(store: SqliteStore, statuses: set[Status], *, seconds: float) -> list[Record]:
    """Wait until every record on disk is in one of these states."""

    async with asyncio.timeout(seconds):
        while True:
            records = await everything(store)
            if {record.status for record in records} <= statuses:
                return records
            await asyncio.sleep(0.02)


def some_messages(rig: Rig, chance: random.Random, first: int, count: int) -> list[Record]:
    messages = []
    for n in range(first, first + count):
        long = chance.random() < 0.2
        messages.append(
            rig.a_message(
                to=f"+86138{n:08}",
                category=chance.choice([RESEND, WAIT]),
                send_at=rig.now() + chance.randrange(1, 400) if chance.random() < 0.2 else None,
                **({"text": LONG, "parts": 3} if long else {}),
            )
        )
    return messages


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_the_carrier_does_every_message_ends_and_none_is_lost(tmp_path: Path, seed: int):
    chance, carrier = random.Random(seed), Moody(seed)
    accepted: list[Record] = []
    async with scripted() as smsc:
        smsc.otherwise = carrier.answer
        binds = [bind_settings(smsc.port, f"cmcc-a-{n}", window=8) for n in range(2)]
        settings = carrier_settings(*binds, response_timeout_seconds=0.3)
        for life in range(3):
            store = a_store(tmp_path)
            async with running(settings, store=store, lane_window=10) as rig:
                for _ in range(8):
                    batch = some_messages(rig, chance, len(accepted), 10)
                    accepted += batch
                    await rig.hand_in(*batch)
                if life < 2:
                    await rig.drain()
                    continue
                await until_all(store, SETTLED, seconds=20.0)
                rig.ahead_milliseconds = 400_000_000
                ended = await until_all(store, {Status.DELIVERED, Status.UNKNOWN}, seconds=10.0)

    assert {record.id for record in ended} == {record.id for record in accepted}
    for record in ended:
        copies = [carrier.seen.get((record.message.to, n + 1), 0) for n in range(record.message.parts)]
        if record.message.category is WAIT:
            assert max(copies) <= 1
        if record.message.category is RESEND or record.status is Status.DELIVERED:
            assert min(copies) >= 1
            assert record.status is Status.DELIVERED
