"""Receipts: whenever they come, by whichever bind, however spelt; acknowledged when they are on disk."""

import asyncio

import pytest

from gateway.delivery.settings import BindMode, MessageIdForm
from gateway.message import Status
from gateway.smpp import (
    AlertNotification,
    BindReceiver,
    CommandStatus,
    DataSm,
    DeliverSm,
    EsmClass,
    MessageState,
    TlvTag,
    find_tlv,
    make_tlv,
)
from tests.delivery.rig import RESEND, WAIT, Rig, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, Submit, accept, keep_silent, receipt, reset, scripted

UNDELIVERABLE = MessageState.UNDELIVERABLE


def a_carrier(smsc: ScriptedSmsc, **fields):
    settings = {"response_timeout_seconds": 5.0, "message_id": MessageIdForm.SAME} | fields
    return carrier_settings(bind_settings(smsc.port), **settings)


def reference_of(submit: Submit) -> int:
    reference = find_tlv(submit.body.tlvs, TlvTag.USER_MESSAGE_REFERENCE)
    assert isinstance(reference, int)
    return reference


async def submitted(rig: Rig, **fields):
    """A message that the carrier took."""
    record = await rig.accept(**fields)
    await rig.until(record, Status.SUBMITTED)
    return record


# --- what they say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (MessageState.DELIVERED, Status.DELIVERED),
        (MessageState.UNDELIVERABLE, Status.FAILED),
        (MessageState.REJECTED, Status.FAILED),
        (MessageState.EXPIRED, Status.FAILED),
        (MessageState.DELETED, Status.FAILED),
        (MessageState.UNKNOWN, Status.UNKNOWN),
        (MessageState.ENROUTE, Status.SUBMITTED),
        (MessageState.ACCEPTED, Status.SUBMITTED),
    ],
    ids=lambda value: value.name,
)
async def test_a_receipt_brings_its_message_to_its_end(state: MessageState, status: Status):
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        assert await smsc.deliver(receipt(smsc.submits[0], "a", state, error="042")) == 0

        stored = rig.store.stored(record)
        assert stored.status is status
        assert stored.state.parts[0].attempts[0].error == ("042" if status is Status.FAILED else "")
        if stored.is_final:
            await eventually(lambda: record.id not in rig.shared.live and not rig.carrier.awaiting)


async def test_an_intermediate_notification_is_acknowledged_and_changes_nothing():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        notification = receipt(smsc.submits[0], "a", esm_class=EsmClass.INTERMEDIATE_NOTIFICATION)
        assert await smsc.deliver(notification) == 0
        assert rig.status_on_disk(record) is Status.SUBMITTED


async def test_a_message_of_three_parts_is_delivered_with_its_last():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig, text=LONG, parts=3)
        ids = list(smsc.accepted)
        for carrier_message_id in (ids[2], ids[0]):
            assert await smsc.deliver(receipt(smsc.accepted[carrier_message_id], carrier_message_id)) == 0
            assert rig.status_on_disk(record) is Status.SUBMITTED
        assert await smsc.deliver(receipt(smsc.accepted[ids[1]], ids[1])) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED
        assert rig.metrics.messages_finished.value((CARRIER, "cmcc", record.message.category, Status.DELIVERED)) == 1


async def test_a_message_is_counted_as_finished_once_that_is_on_disk_and_then_once_only():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        labels = (CARRIER, "cmcc", record.message.category, Status.DELIVERED)
        finished = rig.metrics.messages_finished
        rig.store.hold()
        sent = smsc.send(receipt(smsc.submits[0], "a"))
        await eventually(lambda: record.status is Status.DELIVERED)
        assert (finished.value(labels), rig.status_on_disk(record)) == (0, Status.SUBMITTED)
        rig.store.let_go()
        await eventually(lambda: smsc.answer_to(sent) == 0)
        assert (finished.value(labels), rig.status_on_disk(record)) == (1, Status.DELIVERED)
        assert await smsc.deliver(receipt(smsc.submits[0], "a")) == 0
        assert finished.value(labels) == 1


async def test_a_message_whose_end_cannot_be_written_is_counted_when_it_can():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        labels = (CARRIER, "cmcc", record.message.category, Status.DELIVERED)
        rig.store.break_down("the disk is full")
        assert await smsc.deliver(receipt(smsc.submits[0], "a")) != 0
        assert rig.metrics.messages_finished.value(labels) == 0
        rig.store.repair()
        await eventually(lambda: rig.metrics.messages_finished.value(labels) == 1)
        assert rig.status_on_disk(record) is Status.DELIVERED
        await eventually(lambda: len(rig.shared.live) == 0)
        assert await smsc.deliver(receipt(smsc.submits[0], "a")) == 0
        assert rig.metrics.messages_finished.value(labels) == 1


# --- when they come ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [False, True])
async def test_a_receipt_that_comes_before_the_answer_finds_its_message(pause: bool):
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=5.0)) as rig:
        record = await rig.accept()
        await eventually(lambda: smsc.submits)
        sent = smsc.send(receipt(smsc.submits[0], "a"))
        if pause:
            await eventually(lambda: smsc.answer_to(sent) == 0)
            assert len(rig.store.receipts) == 1
        smsc.accept(smsc.submits[0], "a")
        await rig.until(record, Status.DELIVERED)
        await eventually(lambda: smsc.answer_to(sent) == 0 and not rig.store.receipts)


async def test_a_receipt_that_comes_twice_is_acknowledged_twice():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        both = [smsc.send(receipt(smsc.submits[0], "a")) for _ in range(2)]
        await eventually(lambda: [smsc.answer_to(sent) for sent in both] == [0, 0])
        assert rig.status_on_disk(record) is Status.DELIVERED
        await eventually(lambda: record.id not in rig.shared.live)

        assert await smsc.deliver(receipt(smsc.submits[0], "a")) == 0  # and once more, when only the disk knows it
        assert rig.status_on_disk(record) is Status.DELIVERED
        assert rig.store.receipts == []
        assert len(rig.store.stored(record).state.timeline) == len(record.state.timeline)


async def test_a_receipt_comes_by_another_bind_of_the_carrier():
    async with scripted(accept("a")) as smsc:
        transmitter = bind_settings(smsc.port, "tx", mode=BindMode.TRANSMITTER)
        receiver = bind_settings(smsc.port, "rx", mode=BindMode.RECEIVER)
        async with running(carrier_settings(transmitter, receiver)) as rig:
            await eventually(lambda: smsc.bind_count == 2)
            record = await submitted(rig)
            by_receiver = next(bind for bind in smsc.binds if type(smsc.bodies[bind]) is BindReceiver)
            assert smsc.submits[0].connection is not by_receiver
            assert await smsc.deliver(receipt(smsc.submits[0], "a"), by_receiver) == 0
            assert rig.status_on_disk(record) is Status.DELIVERED


async def test_a_receipt_of_a_message_that_left_the_memory_finds_it_on_disk():
    async with scripted() as smsc, running(a_carrier(smsc), awaiting_in_memory=1_000) as rig:
        record = await submitted(rig)
        rig.carrier.awaiting._evict([rig.carrier.awaiting.find("id-1", "8613800138000")])  # as newer ones would
        assert record.id not in rig.shared.live

        assert await smsc.deliver(receipt(smsc.submits[0], "id-1")) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


async def test_the_receipt_of_an_earlier_attempt_counts():
    async with (
        scripted(keep_silent, keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig,
    ):
        record = await rig.accept(category=RESEND)
        await eventually(lambda: len(smsc.submits) == 2)
        first, second = smsc.submits
        smsc.accept(second, "second")
        await rig.until(record, Status.SUBMITTED)
        sent = receipt(first, "first", reference=reference_of(first))
        assert await smsc.deliver(sent) == 0
        stored = rig.store.stored(record)
        assert stored.status is Status.DELIVERED
        assert [attempt.carrier_message_id for attempt in stored.state.parts[0].attempts] == ["first", "second"]


async def test_a_late_receipt_corrects_a_final_state():
    async with scripted(accept("a"), accept("b")) as smsc, running(a_carrier(smsc)) as rig:
        overdue, failed = await submitted(rig), await submitted(rig)
        assert await smsc.deliver(receipt(smsc.submits[1], "b", UNDELIVERABLE)) == 0
        rig.ahead_milliseconds = 400_000_000
        stored = await rig.until(overdue, Status.UNKNOWN)
        assert stored.state.timeline[-1].reason == "receipt deadline"

        for submit, carrier_message_id in zip(smsc.submits, "ab", strict=True):
            assert await smsc.deliver(receipt(submit, carrier_message_id)) == 0
        assert [rig.status_on_disk(record) for record in (overdue, failed)] == [Status.DELIVERED] * 2


# --- how they are spelt -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "in_response", "in_receipt"),
    [
        (MessageIdForm.SAME, "00ABCD", "00ABCD"),
        (MessageIdForm.SAME, "ABCD", "abcd"),
        (MessageIdForm.SAME, "77", "0000000077"),
        (MessageIdForm.SAME, "0000000077", "77"),
        (MessageIdForm.HEX_IN_RESPONSE, "1a2b", "6699"),
        (MessageIdForm.HEX_IN_RESPONSE, "00001A2B", "0000006699"),
        (MessageIdForm.HEX_IN_RECEIPT, "6699", "1A2B"),
    ],
)
@pytest.mark.parametrize("where", ["in memory", "on disk"])
async def test_the_id_of_a_receipt_may_be_spelt_otherwise(
    form: MessageIdForm, in_response: str, in_receipt: str, where: str
):
    async with scripted(accept(in_response)) as smsc, running(a_carrier(smsc, message_id=form)) as rig:
        record = await submitted(rig)
        if where == "on disk":
            rig.carrier.awaiting.forget(record)
            rig.shared.live.drop(record)
        assert await smsc.deliver(receipt(smsc.submits[0], in_receipt)) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


@pytest.mark.parametrize("number", ["13800138000", "+8613800138000", "008613800138000"])
async def test_the_number_of_a_receipt_may_be_spelt_otherwise(number: str):
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        assert await smsc.deliver(receipt(smsc.submits[0], "a", source_addr=number)) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


@pytest.mark.parametrize("where", ["in memory", "on disk"])
async def test_of_a_reused_id_the_newest_message_to_that_number_is_meant(where: str):
    async with scripted(*[accept("7")] * 3) as smsc, running(a_carrier(smsc)) as rig:
        old = await submitted(rig)
        other = await submitted(rig, to="+8613900139000")
        new = await submitted(rig)
        if where == "on disk":
            for record in (old, other, new):
                rig.carrier.awaiting.forget(record)
                rig.shared.live.drop(record)
        assert await smsc.deliver(receipt(smsc.submits[1], "7")) == 0
        assert [rig.status_on_disk(record) for record in (old, other, new)] == [
            Status.SUBMITTED,
            Status.DELIVERED,
            Status.SUBMITTED,
        ]
        assert await smsc.deliver(receipt(smsc.submits[2], "7")) == 0
        assert rig.status_on_disk(new) is Status.DELIVERED
        assert rig.status_on_disk(old) is Status.SUBMITTED


# --- without a known id -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [keep_silent, reset])
async def test_a_doubt_is_settled_by_the_receipt_that_carries_our_reference(answer):
    async with scripted(answer, keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        first = await rig.accept(category=WAIT)
        await rig.until(first, Status.IN_DOUBT)
        second = await rig.accept(category=WAIT)
        await rig.until(second, Status.IN_DOUBT)
        await eventually(lambda: smsc.binds)
        sent = receipt(smsc.submits[0], "unknown", reference=reference_of(smsc.submits[0]))
        assert await smsc.deliver(sent) == 0

        stored = rig.store.stored(first)
        assert stored.status is Status.DELIVERED
        assert stored.state.parts[0].attempts[0].carrier_message_id == "unknown"
        assert rig.status_on_disk(second) is Status.IN_DOUBT


async def test_the_only_message_in_doubt_is_settled_by_a_receipt_with_an_unknown_id():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT)
        await rig.until(record, Status.IN_DOUBT)
        assert await smsc.deliver(receipt(smsc.submits[0], "unknown")) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


async def test_each_part_of_the_only_message_in_doubt_takes_one_receipt():
    async with scripted(*[keep_silent] * 3) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT, text=LONG, parts=3)
        await rig.until(record, Status.IN_DOUBT)
        await eventually(lambda: rig.carrier.in_use == 0)
        for name in ("x", "x", "y"):
            assert await smsc.deliver(receipt(smsc.submits[0], name)) == 0
            assert rig.status_on_disk(record) is Status.IN_DOUBT
        assert await smsc.deliver(receipt(smsc.submits[0], "z")) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


async def test_of_two_messages_in_doubt_neither_is_settled_by_a_guess():
    async with (
        scripted(keep_silent, keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig,
    ):
        records = [await rig.accept(category=WAIT) for _ in range(2)]
        for record in records:
            await rig.until(record, Status.IN_DOUBT)
        assert await smsc.deliver(receipt(smsc.submits[0], "unknown")) == 0
        assert [rig.status_on_disk(record) for record in records] == [Status.IN_DOUBT] * 2
        assert len(rig.store.receipts) == 1


async def test_a_receipt_to_another_source_settles_no_doubt():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT)
        await rig.until(record, Status.IN_DOUBT)
        assert await smsc.deliver(receipt(smsc.submits[0], "unknown", destination_addr="1069000177")) == 0
        assert rig.status_on_disk(record) is Status.IN_DOUBT


@pytest.mark.parametrize("first", ["the doubt", "the receipt"])
async def test_a_receipt_that_may_be_of_a_message_on_its_way_settles_no_doubt(first: str):
    """Receipts do come before answers: the id is unknown because the answer is still to come."""
    async with (
        scripted(keep_silent, keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.3)) as rig,
    ):
        in_doubt = await rig.accept(category=WAIT)
        await eventually(lambda: len(smsc.submits) == 1)
        if first == "the doubt":
            await rig.until(in_doubt, Status.IN_DOUBT)
        on_its_way = await rig.accept(category=WAIT)
        await eventually(lambda: len(smsc.submits) == 2)
        assert await smsc.deliver(receipt(smsc.submits[1], "early")) == 0
        await rig.until(in_doubt, Status.IN_DOUBT)
        smsc.accept(smsc.submits[1], "early")
        await rig.until(on_its_way, Status.DELIVERED)
        assert rig.status_on_disk(in_doubt) is Status.IN_DOUBT
        await eventually(lambda: not rig.store.receipts)


@pytest.mark.parametrize("by_reference", [True, False])
async def test_a_receipt_that_came_before_the_doubt_settles_it_once_it_is_one(by_reference: bool):
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.3)) as rig:
        record = await rig.accept(category=WAIT)
        await eventually(lambda: smsc.submits)
        reference = reference_of(smsc.submits[0]) if by_reference else 0
        assert await smsc.deliver(receipt(smsc.submits[0], "unknown", reference=reference)) == 0
        assert len(rig.store.receipts) == 1
        stored = await rig.until(record, Status.DELIVERED)
        await eventually(lambda: not rig.store.receipts)
        assert Status.IN_DOUBT in [entry.status for entry in stored.state.timeline]


async def test_a_receipt_of_nobody_from_before_settles_no_doubt_of_now():
    async with (
        scripted(accept("a"), keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig,
    ):
        await submitted(rig)
        assert await smsc.deliver(receipt(smsc.submits[0], "of another gateway")) == 0
        rig.ahead_milliseconds = 1  # times are in milliseconds: within one, before and after are the same
        record = await rig.accept(category=WAIT)
        await rig.until(record, Status.IN_DOUBT)
        assert len(rig.store.receipts) == 1


async def test_a_receipt_saves_a_second_copy():
    """It came before the answer, which never does: the part need not go again."""
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.3)) as rig:
        record = await rig.accept(category=RESEND)
        await eventually(lambda: smsc.submits)
        sent = receipt(smsc.submits[0], "unknown", reference=reference_of(smsc.submits[0]))
        assert await smsc.deliver(sent) == 0
        await rig.until(record, Status.DELIVERED)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert len(smsc.submits) == 2


async def test_a_receipt_of_nobody_is_kept_and_acknowledged_and_given_up_after_its_time():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await eventually(lambda: smsc.binds)
        stranger = DeliverSm(
            source_addr="8613800138000",
            destination_addr="10690001",
            esm_class=EsmClass.DELIVERY_RECEIPT,
            short_message=b"id:nobody stat:DELIVRD err:000",
        )
        assert await smsc.deliver(stranger) == 0
        assert [kept.carrier_message_id for kept in rig.store.receipts] == ["nobody"]
        assert rig.metrics.receipts.value((CARRIER, "delivered", "no")) == 1

        rig.ahead_milliseconds = 90_000_000
        await eventually(lambda: not rig.store.receipts)


async def test_past_the_limit_the_oldest_receipt_of_nobody_is_given_up():
    async with scripted(accept("x")) as smsc, running(a_carrier(smsc), unmatched_receipts=2) as rig:
        await submitted(rig)
        for name in "abc":
            assert await smsc.deliver(receipt(smsc.submits[0], name)) == 0
        await eventually(lambda: [kept.carrier_message_id for kept in rig.store.receipts] == ["b", "c"])


async def test_a_receipt_from_before_a_restart_is_not_taken_for_one_of_the_copy_after_it():
    async with scripted(keep_silent) as smsc:
        async with running(a_carrier(smsc, response_timeout_seconds=5.0)) as rig:
            record = await rig.accept(category=RESEND)
            await eventually(lambda: smsc.submits)
            assert await smsc.deliver(receipt(smsc.submits[0], "a")) == 0
            store = await rig.store.after_a_crash()
        smsc.otherwise = accept("a")  # the same message, so the same id
        async with running(a_carrier(smsc), store=store) as rig:
            await rig.until(record, Status.SUBMITTED)
            assert len(store.receipts) == 1


# --- acknowledged when on disk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_a_receipt_is_acknowledged_only_when_it_is_on_disk(known: bool):
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        on_disk: list[bool] = []
        rig.store.on_commit = lambda: on_disk.append(
            rig.status_on_disk(record) is Status.DELIVERED if known else bool(rig.store.receipts)
        )
        rig.store.hold()
        sent = smsc.send(receipt(smsc.submits[0], "a" if known else "b"))
        handled = rig.metrics.receipts
        await eventually(lambda: handled.value((CARRIER, "delivered", "yes" if known else "no")) == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert smsc.answer_to(sent) is None
        rig.store.let_go()
        await eventually(lambda: smsc.answer_to(sent) == 0)
        assert on_disk[0]


@pytest.mark.parametrize("known", [True, False])
async def test_a_receipt_that_cannot_be_written_is_refused_for_now_and_taken_when_it_comes_again(known: bool):
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        sent = receipt(smsc.submits[0], "a" if known else "b")
        rig.store.break_down("disk full")
        assert await smsc.deliver(sent) == CommandStatus.ESME_RX_T_APPN
        assert await smsc.deliver(sent) == CommandStatus.ESME_RX_T_APPN
        assert rig.status_on_disk(record) is Status.SUBMITTED

        rig.store.repair()
        assert await smsc.deliver(sent) == 0
        assert rig.status_on_disk(record) is (Status.DELIVERED if known else Status.SUBMITTED)
        assert bool(rig.store.receipts) is not known


async def test_a_receipt_whose_connection_is_gone_by_then_is_kept_all_the_same():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        rig.store.hold()
        smsc.send(receipt(smsc.submits[0], "a"))
        await eventually(lambda: record.status is Status.DELIVERED)
        smsc.binds[0].abort()
        await eventually(lambda: smsc.bind_count == 2)
        rig.store.let_go()
        await rig.until(record, Status.DELIVERED)
        assert await smsc.deliver(receipt(smsc.submits[0], "a")) == 0


# --- what is no receipt -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_a_receipt_may_come_as_data_sm(known: bool):
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await submitted(rig)
        sent = DataSm(
            source_addr=smsc.submits[0].body.destination_addr,
            destination_addr="10690001",
            esm_class=EsmClass.DELIVERY_RECEIPT,
            tlvs=(
                make_tlv(TlvTag.RECEIPTED_MESSAGE_ID, "a" if known else "b"),
                make_tlv(TlvTag.MESSAGE_STATE, MessageState.DELIVERED),
            ),
        )
        assert await smsc.deliver(sent) == 0
        assert rig.status_on_disk(record) is (Status.DELIVERED if known else Status.SUBMITTED)
        assert bool(rig.store.receipts) is not known


async def test_an_alert_is_passed_over_and_the_bind_stays():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await eventually(lambda: smsc.binds)
        smsc.binds[0].send(AlertNotification(source_addr="8613800138000", esme_addr="10690001"))
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert smsc.bind_count == 1
