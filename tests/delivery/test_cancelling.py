"""A message is cancelled while it waits, wherever it waits; and later only if its carrier can, and by its id."""

import asyncio

import pytest

from gateway.message import Message, PartStatus, Record, Status
from gateway.rulings import Ruling
from gateway.smpp import CancelSm, CancelSmResp, CommandStatus, MessageState, SubmitSmResp
from tests.delivery.rig import RESEND, WAIT, OpenGate, Rig, SlowStore, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, keep_silent, receipt, refuse, scripted


class CountingGate(OpenGate):
    """Agrees to everything, and remembers what was given back."""

    def __init__(self) -> None:
        self.given_back: list[tuple[int, int]] = []

    def give_back(self, message: Message, *, charged_at: int, now: int) -> None:
        self.given_back.append((message.id, charged_at))

    def release(self, message: Message, *, charged: bool, now: int) -> Ruling:
        return None


@pytest.fixture
def gate() -> CountingGate:
    return CountingGate()


def a_carrier(smsc: ScriptedSmsc, **fields):
    return carrier_settings(bind_settings(smsc.port, f"{CARRIER}-1", window=4), **fields)


async def cancelled(rig: Rig, record: Record, account: str = "demo") -> bool | None:
    """Whether it was, None: there is no such message."""
    result = await rig.delivery.cancel(record.id, account)
    if result is not None and result.done:
        assert rig.status_on_disk(record) is Status.CANCELLED
    return None if result is None else result.done


def last(rig: Rig, record: Record) -> tuple[Status, str]:
    entry = rig.store.stored(record).state.timeline[-1]
    return entry.status, entry.reason


# --- while it waits ---------------------------------------------------------------------------------------------------


async def test_a_message_that_waits_in_a_lane_is_cancelled_and_never_sent(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate) as rig:
            first, second = [await rig.accept() for _ in range(2)]
            assert await cancelled(rig, first)
            assert last(rig, first) == (Status.CANCELLED, "cancelled")
            assert gate.given_back == [(first.id, first.message.accepted_at)]
            await smsc.start()
            await rig.until(second, Status.SUBMITTED)
            assert len(smsc.submits) == 1
            await eventually(lambda: rig.carrier.waiting == 0)
            assert rig.metrics.messages_finished.value((CARRIER, "cmcc", RESEND, Status.CANCELLED)) == 1


async def test_a_message_that_waits_on_disk_is_cancelled_and_never_read(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate, lane_window=10) as rig:
            records = [rig.a_message(to=f"+8613800{n:06}") for n in range(40)]
            await rig.hand_in(*records)
            assert records[35].id not in rig.shared.live
            assert await cancelled(rig, records[35])
            assert rig.carrier.waiting == 39
            await smsc.start()
            await eventually(lambda: len(smsc.submits) == 39)
            await eventually(lambda: rig.carrier.waiting == 0)


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.HELD])
async def test_what_was_never_charged_gives_nothing_back(gate, status):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = rig.a_message(send_at=rig.now() + 60_000)
        record.state.status = status
        record.state.timeline[0] = type(record.state.timeline[0])(record.message.accepted_at, status)
        await rig.hand_in(record)
        assert await cancelled(rig, record)
        assert gate.given_back == []
        rig.ahead_milliseconds = 61_000
        rig.delivery._waiting.note(0)
        await asyncio.sleep(0.1)
        assert smsc.submits == []


async def test_what_a_carrier_refused_once_is_cancelled_and_stays_charged(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate, retry_first_seconds=30.0) as rig:
        smsc.otherwise = refuse(CommandStatus.ESME_RSYSERR)
        record = await rig.accept()
        await eventually(lambda: rig.carrier.waiting == 1 and rig.status_on_disk(record) is Status.QUEUED)
        await eventually(lambda: rig.store.stored(record).state.parts[0].attempts != ())
        assert await cancelled(rig, record)
        assert gate.given_back == []


async def test_cancelling_again_says_the_same(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate) as rig:
            record = await rig.accept()
            results = await asyncio.gather(*(cancelled(rig, record) for _ in range(5)))
            assert results == [True] * 5
            assert await cancelled(rig, record)
            assert len(gate.given_back) == 1
            timeline = [entry.status for entry in rig.store.stored(record).state.timeline]
            assert timeline == [Status.QUEUED, Status.CANCELLED]
        await smsc.start()


async def test_nobody_elses_message_can_be_cancelled(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept(send_at=rig.now() + 60_000)
        assert await cancelled(rig, record, account="other") is None
        assert rig.status_on_disk(record) is Status.SCHEDULED
        assert await rig.delivery.cancel(record.id + 1, "demo") is None


async def test_no_answer_before_it_is_on_disk(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept(send_at=rig.now() + 60_000)
        rig.store.hold()
        task = asyncio.create_task(rig.delivery.cancel(record.id, "demo"))
        await asyncio.sleep(0.05)
        assert not task.done()
        rig.store.let_go()
        assert (await task).done


async def test_a_cancelled_message_stays_so_over_a_crash(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate) as rig:
            record = await rig.accept()
            assert await cancelled(rig, record)
            store: SlowStore = await rig.store.after_a_crash()
        await smsc.start()
        async with running(carrier, gate=gate, store=store) as rig:
            await eventually(lambda: rig.carrier.is_up)
            await asyncio.sleep(0.05)
            assert smsc.submits == []
            assert await cancelled(rig, record)


# --- once it moves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", [RESEND, WAIT])
async def test_a_message_that_is_being_sent_is_not_cancelled(gate, category):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        smsc.otherwise = keep_silent
        record = await rig.accept(category=category)
        await eventually(lambda: len(smsc.submits) == 1)
        assert await cancelled(rig, record) is False
        smsc.accept(smsc.submits[0])
        await rig.until(record, Status.SUBMITTED)


async def test_a_submitted_message_is_not_cancelled_where_the_carrier_cannot(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        assert await cancelled(rig, record) is False
        assert smsc.cancels == []


async def test_a_submitted_message_is_cancelled_by_the_carriers_id_and_from_its_source(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True, source="10690001"), gate=gate) as rig:
        record = await rig.accept(sender="88")
        await rig.until(record, Status.SUBMITTED)
        assert await cancelled(rig, record)
        [pdu] = smsc.cancels
        body = pdu.body
        assert isinstance(body, CancelSm)
        assert (body.message_id, body.source_addr, body.destination_addr) == ("id-1", "1069000188", "")
        assert gate.given_back == []
        assert await cancelled(rig, record)
        assert len(smsc.cancels) == 1


async def test_every_part_of_a_long_message_is_cancelled_or_the_message_is_not(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        one, other = [await rig.accept(text=LONG, parts=3) for _ in range(2)]
        await rig.until(one, Status.SUBMITTED)
        await rig.until(other, Status.SUBMITTED)
        assert await cancelled(rig, one)
        assert len({pdu.body.message_id for pdu in smsc.cancels}) == 3
        smsc.cancel_script += [CommandStatus.ESME_ROK, CommandStatus.ESME_RCANCELFAIL, CommandStatus.ESME_ROK]
        assert await cancelled(rig, other) is False
        assert rig.status_on_disk(other) is Status.SUBMITTED


async def test_without_an_id_nothing_is_cancelled(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        smsc.otherwise = lambda _, submit: submit.connection.respond(submit.pdu, SubmitSmResp())
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        assert await cancelled(rig, record) is False
        assert smsc.cancels == []


async def test_an_unanswered_cancel_is_no_cancel_until_the_receipt_says_deleted(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc, cancel_sm=True, response_timeout_seconds=0.1)
        async with running(carrier, gate=gate) as rig:
            record = await rig.accept()
            await rig.until(record, Status.SUBMITTED)
            smsc.cancel_script.append(None)
            assert await cancelled(rig, record) is False
            assert rig.carrier.in_use == 0
            await smsc.deliver(receipt(smsc.accepted["id-1"], "id-1", MessageState.DELETED))
            assert last(rig, record) == (Status.CANCELLED, "cancelled")


async def test_a_deleted_receipt_that_comes_before_the_answer_is_the_same_cancel(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        smsc.cancel_script.append(None)
        task = asyncio.create_task(cancelled(rig, record))
        await eventually(lambda: len(smsc.cancels) == 1)
        await smsc.deliver(receipt(smsc.accepted["id-1"], "id-1", MessageState.DELETED))
        smsc.binds[0].respond(smsc.cancels[0], CancelSmResp())
        assert await task
        assert [entry.status for entry in rig.store.stored(record).state.timeline].count(Status.CANCELLED) == 1


async def test_deleted_without_our_asking_is_a_failure(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        await smsc.deliver(receipt(smsc.accepted["id-1"], "id-1", MessageState.DELETED))
        await rig.until(record, Status.FAILED)


async def test_a_cancelled_message_that_arrives_all_the_same_is_delivered(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        assert await cancelled(rig, record)
        await smsc.deliver(receipt(smsc.accepted["id-1"], "id-1", MessageState.DELETED))
        assert rig.status_on_disk(record) is Status.CANCELLED
        await smsc.deliver(receipt(smsc.accepted["id-1"], "id-1", MessageState.DELIVERED))
        stored = await rig.until(record, Status.DELIVERED)
        assert stored.state.parts[0].status is PartStatus.DELIVERED


async def test_a_cancel_while_no_bind_is_up_is_refused_and_holds_nothing_up(gate):
    async with scripted() as smsc, running(a_carrier(smsc, cancel_sm=True), gate=gate) as rig:
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        await smsc.stop()
        await eventually(lambda: not rig.carrier.is_up)
        assert await cancelled(rig, record) is False
        await smsc.start()
