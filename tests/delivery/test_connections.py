"""Binds: opened, kept up, opened again whatever the peer does; and nothing is lost with them."""

import asyncio
from collections import Counter

import pytest

from gateway.delivery.settings import BindMode, InterfaceVersion
from gateway.message import PartStatus, Status
from gateway.smpp import (
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    CommandId,
    CommandStatus,
    Outbind,
    Pdu,
    Unbind,
    encode,
)
from tests.delivery.rig import RESEND, WAIT, running
from tests.delivery.samples import CARRIER, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import (
    Answer,
    BindAnswer,
    ScriptedSmsc,
    accept,
    keep_silent,
    receipt,
    refuse_bind,
    reset,
    reset_connection,
    scripted,
    write,
)

TWO_GIGABYTES = (0x8000_0000).to_bytes(4, "big") + CommandId.SUBMIT_SM_RESP.to_bytes(4, "big") + bytes(8)


def a_carrier(smsc: ScriptedSmsc, *, window: int = 100, **fields):
    settings = {"response_timeout_seconds": 0.3} | fields
    return carrier_settings(bind_settings(smsc.port, window=window), **settings)


def hang_up(connection, _: Pdu) -> None:
    """Close without an answer."""
    connection.abort()


def say_nothing(_, __: Pdu) -> None:
    """Leave the bind unanswered."""


def scribble(data: bytes) -> BindAnswer:
    return lambda connection, _: connection._transport.write(data)


# --- coming up --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "body"),
    [
        (BindMode.TRANSCEIVER, BindTransceiver),
        (BindMode.TRANSMITTER, BindTransmitter),
        (BindMode.RECEIVER, BindReceiver),
    ],
)
async def test_a_bind_says_who_it_is(mode: BindMode, body: type):
    async with scripted() as smsc:
        settings = bind_settings(smsc.port, mode=mode, system_type="sms")
        async with running(carrier_settings(settings)) as rig:
            await eventually(lambda: smsc.binds and rig.carrier.binds[0].is_up)
            bound = smsc.bodies[smsc.binds[0]]
            assert bound == body(system_id="gateway", password="secret", system_type="sms")
            assert rig.carrier.is_up is (mode is not BindMode.RECEIVER)


@pytest.mark.parametrize(("version", "stated"), [(InterfaceVersion.V3_4, 0x34), (InterfaceVersion.V5_0, 0x50)])
async def test_a_bind_states_its_version(version: InterfaceVersion, stated: int):
    async with (
        scripted() as smsc,
        running(carrier_settings(bind_settings(smsc.port, interface_version=version))) as rig,
    ):
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert smsc.bodies[smsc.binds[0]].interface_version == stated


async def test_several_sessions_of_one_account_share_its_messages():
    async with scripted() as smsc:
        binds = [bind_settings(smsc.port, f"cmcc-a-{n}", window=2) for n in range(3)]
        smsc.otherwise = keep_silent
        async with running(carrier_settings(*binds, response_timeout_seconds=5.0)) as rig:
            await eventually(lambda: smsc.bind_count == 3)
            await rig.hand_in(*(rig.a_message() for _ in range(10)))
            await eventually(lambda: len(smsc.submits) == 6)
            assert {bind.system_id for bind in smsc.bodies.values()} == {"gateway"}
            assert Counter(submit.connection for submit in smsc.submits) == dict.fromkeys(smsc.binds, 2)
            assert rig.carrier.in_use == 6
            for submit in list(smsc.submits):
                smsc.accept(submit)


@pytest.mark.parametrize(
    "trouble",
    [
        refuse_bind(CommandStatus.ESME_RINVPASWD),
        refuse_bind(CommandStatus.ESME_RBINDFAIL),
        hang_up,
        lambda connection, _: reset_connection(connection),
        say_nothing,
        scribble(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        scribble(TWO_GIGABYTES),
        scribble(b"\x00\x00"),
    ],
    ids=["refused", "failed", "closed", "reset", "silence", "garbage", "two gigabytes", "half a header"],
)
async def test_a_bind_that_fails_is_tried_again(trouble: BindAnswer):
    async with scripted() as smsc:
        smsc.bind_script.extend([trouble, trouble])
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept()
            await rig.until(record, Status.SUBMITTED)
            assert smsc.connections == 3
            assert rig.carrier.binds[0].error == ""


async def test_why_a_bind_is_down_can_be_seen():
    async with scripted() as smsc:
        smsc.bind_script.extend([refuse_bind(CommandStatus.ESME_RINVPASWD)] * 1_000)
        async with running(a_carrier(smsc)) as rig:
            bind = rig.carrier.binds[0]
            assert bind.error == "not connected yet"
            await eventually(lambda: "ESME_RINVPASWD" in bind.error)
            assert not bind.is_up
            assert not rig.delivery.is_up(CARRIER)


async def test_a_carrier_that_breaks_the_session_right_after_the_bind_is_not_taken_for_one_that_is_up():
    def accept_and_scribble(connection, pdu: Pdu) -> None:
        smsc.bind_script.extend([hang_up] * 1_000)
        response = Pdu(0, pdu.sequence_number, BindTransceiverResp(system_id="scripted"))
        connection._transport.write(encode(response) + b"\xff" * 64)

    async with scripted() as smsc:
        smsc.bind_script.append(accept_and_scribble)
        async with running(a_carrier(smsc)) as rig:
            await eventually(lambda: smsc.connections >= 3)
            assert not rig.carrier.is_up
            assert rig.carrier.binds[0].error != ""
            await rig.drain()


async def test_nobody_listens_for_a_while():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept()
            await eventually(lambda: rig.carrier.binds[0].error not in {"", "not connected yet"})
            assert rig.status_on_disk(record) is Status.QUEUED
            await smsc.start()
            await rig.until(record, Status.SUBMITTED)


async def test_an_outbind_before_the_answer_does_no_harm():
    def outbind_first(connection, pdu: Pdu) -> None:
        connection._transport.write(encode(Pdu(0, 1, Outbind(system_id="smsc", password="x"))))
        smsc._bind(connection, pdu)

    async with scripted() as smsc:
        smsc.bind_script.append(outbind_first)
        async with running(a_carrier(smsc)) as rig:
            await rig.until(await rig.accept(), Status.SUBMITTED)


# --- going down -------------------------------------------------------------------------------------------------------


def half_an_answer(smsc: ScriptedSmsc, submit) -> None:
    write(b"\x00\x00\x00\x15" + CommandId.SUBMIT_SM_RESP.to_bytes(4, "big"))(smsc, submit)
    submit.connection._transport.close()


@pytest.mark.parametrize(
    "trouble",
    [
        reset,
        half_an_answer,
        write(b"\xff" * 64),
        write(b"\x00" * 16),
        write(TWO_GIGABYTES),
        write(b"\x00\x00\x00\x05\x80"),
        lambda _, submit: submit.connection._transport.close(),
        lambda _, submit: submit.connection.send(Unbind()),
    ],
    ids=["reset", "half an answer", "garbage", "zeros", "two gigabytes", "length of five", "closed", "unbind"],
)
@pytest.mark.parametrize("category", [RESEND, WAIT])
async def test_whatever_a_carrier_does_to_a_connection_nothing_is_lost(trouble: Answer, category):
    async with scripted(accept(), trouble) as smsc, running(a_carrier(smsc, window=4)) as rig:
        records = [rig.a_message(category=category, to=f"+86138001380{n:02}") for n in range(20)]
        await rig.hand_in(*records)
        settled = {Status.SUBMITTED} if category is RESEND else {Status.SUBMITTED, Status.IN_DOUBT}
        await eventually(lambda: {rig.status_on_disk(record) for record in records} <= settled)

        assert smsc.bind_count >= 2
        copies = [submit.body.destination_addr for submit in smsc.submits]
        if category is WAIT:
            assert len(copies) == len(set(copies))
            in_doubt = [record for record in records if rig.status_on_disk(record) is Status.IN_DOUBT]
            assert 1 <= len(in_doubt) <= 4
        assert set(copies) == {record.message.to.removeprefix("+") for record in records}
        await eventually(lambda: rig.carrier.in_use == 0)


async def test_a_carrier_that_fails_again_and_again_loses_nothing():
    """Every third submit brings the connection down, in one way or another."""
    troubles = [reset, half_an_answer, write(b"\xff" * 64), write(TWO_GIGABYTES), keep_silent]
    script: list[Answer] = []
    for trouble in troubles * 4:
        script += [accept(), accept(), trouble]
    async with (
        scripted(*script) as smsc,
        running(a_carrier(smsc, window=3, response_timeout_seconds=0.1), copies=20) as rig,
    ):
        records = [rig.a_message(category=RESEND) for _ in range(60)]
        await rig.hand_in(*records)
        await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records), seconds=15)


async def test_a_silent_carrier_is_noticed_by_its_keep_alive():
    async with scripted() as smsc:
        settings = bind_settings(smsc.port, enquire_link_seconds=0.05)
        async with running(carrier_settings(settings, response_timeout_seconds=0.1)) as rig:
            await eventually(lambda: smsc.binds)
            smsc.binds[0]._transport.pause_reading()
            await eventually(lambda: smsc.bind_count == 2)
            await rig.until(await rig.accept(), Status.SUBMITTED)


async def test_a_peer_that_unbinds_gets_its_answers_and_no_more_messages():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept()
        await rig.until(record, Status.SUBMITTED)
        rig.store.hold()
        smsc.send(receipt(smsc.submits[0], "a"))
        await eventually(lambda: record.status is Status.DELIVERED)
        leaving = smsc.binds[0]
        leaving.send(Unbind())
        await eventually(lambda: rig.carrier.binds[0]._leaving)
        rig.store.let_go()
        await eventually(lambda: smsc.unbound == 1 and smsc.bind_count == 2)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert smsc.submits[-1].connection is not leaving


async def test_the_carrier_says_how_many_slots_its_binds_use():
    async with scripted(keep_silent, keep_silent) as smsc, running(a_carrier(smsc)) as rig:
        for _ in range(2):
            await rig.accept()
        await eventually(lambda: rig.carrier.in_use == 2)
        assert rig.carrier.binds[0].in_use == 2


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_a_stop_finishes_the_window_and_unbinds():
    async with scripted() as smsc, running(a_carrier(smsc, window=2, response_timeout_seconds=5.0)) as rig:
        smsc.otherwise = keep_silent
        records = [rig.a_message() for _ in range(5)]
        await rig.hand_in(*records)
        await eventually(lambda: len(smsc.submits) == 2)
        drain = asyncio.create_task(rig.drain())
        await eventually(lambda: rig.carrier.stopping)
        assert not drain.done()
        for submit in list(smsc.submits):
            smsc.accept(submit)
        await drain

        assert [rig.status_on_disk(record) for record in records] == [Status.SUBMITTED] * 2 + [Status.QUEUED] * 3
        assert (len(smsc.submits), smsc.unbound) == (2, 1)
        assert rig.carrier.binds[0].connection is None


async def test_a_stop_does_not_wait_for_ever_for_a_carrier_that_is_silent():
    async with (
        scripted(keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2), drain_seconds=0.05) as rig,
    ):
        record = await rig.accept(category=WAIT)
        await eventually(lambda: smsc.submits)
        await rig.drain()
        await rig.until(record, Status.IN_DOUBT)
        assert record.state.parts[0].status is PartStatus.IN_DOUBT


async def test_a_stop_waits_for_intents_and_receipts_under_way():
    async with scripted(accept("a")) as smsc, running(a_carrier(smsc, response_timeout_seconds=2.0)) as rig:
        delivered = await rig.accept()
        await rig.until(delivered, Status.SUBMITTED)
        record = rig.a_message(category=WAIT)
        await rig.hand_in(record)
        rig.store.hold()
        await eventually(lambda: rig.carrier.in_use == 1)
        sent = smsc.send(receipt(smsc.submits[0], "a"))
        await eventually(lambda: delivered.status is Status.DELIVERED)
        drain = asyncio.create_task(rig.drain())
        await eventually(lambda: rig.carrier.stopping)
        assert not drain.done()
        rig.store.let_go()
        await drain

        assert smsc.answer_to(sent) == 0
        assert rig.status_on_disk(delivered) is Status.DELIVERED
        assert rig.status_on_disk(record) is Status.SUBMITTED


async def test_a_stop_while_the_carrier_cannot_be_reached_is_quick():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept()
            await eventually(lambda: rig.carrier.binds[0].error not in {"", "not connected yet"})
            async with asyncio.timeout(1.0):
                await rig.drain()
            assert rig.status_on_disk(record) is Status.QUEUED
        await smsc.start()


async def test_a_bind_that_is_answered_after_the_stop_is_ended_in_order():
    asked: list[tuple] = []
    async with scripted() as smsc:
        smsc.bind_script.append(lambda connection, pdu: asked.append((connection, pdu)))
        async with running(a_carrier(smsc)) as rig:
            await eventually(lambda: asked)
            await rig.drain()
            assert not rig.carrier.binds[0].is_up
            smsc._bind(*asked[0])
            await eventually(lambda: smsc.unbound == 1 and not rig.carrier.binds[0].is_up)
