"""The client against an SMSC that says what the test tells it to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.connection import Connection, serve
from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    CommandStatus,
    DeliverSm,
    EsmClass,
    Event,
    Pdu,
    RequestReceived,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
)
from loadtest.accounting import Accounting
from loadtest.errors import CannotRun
from loadtest.phones import make_phones
from loadtest.smppclient import SmppLoad, SmppTarget
from loadtest.smppsupply import SmppSupply

OnSubmit = Callable[[Connection, Pdu, SubmitSm], None]


def receipt(message_id: str, state: str = "DELIVRD") -> DeliverSm:
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2603010000 done date:2603010000 stat:{state} err:000 text:"
    return DeliverSm(esm_class=EsmClass.DELIVERY_RECEIPT, short_message=text.encode())


def name(pdu: Pdu) -> str:
    return f"id-{pdu.sequence_number}"


def deliver(connection: Connection, pdu: Pdu, _: SubmitSm) -> None:
    connection.respond(pdu, SubmitSmResp(message_id=name(pdu)))
    connection.send(receipt(name(pdu)))


@asynccontextmanager
async def loading(
    on_submit: OnSubmit, *, bind_status: int = 0, **weights: float
) -> AsyncIterator[tuple[SmppLoad, Accounting]]:
    def take(connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived(pdu=pdu) if isinstance(pdu.body, BindTransceiver):
                    connection.respond(pdu, BindTransceiverResp(system_id="smsc"), command_status=bind_status)
                case RequestReceived(pdu=pdu) if isinstance(pdu.body, SubmitSm):
                    on_submit(connection, pdu, pdu.body)
                case _:
                    pass

    server = await serve("127.0.0.1", 0, settings=SessionSettings(window=1000), on_events=take)
    supply = SmppSupply(weights or {"notice": 1}, make_phones({"cmcc": 1}, seed=1), seed=1, source="10690001")
    accounting = Accounting("")
    port = server.sockets[0].getsockname()[1]
    target = SmppTarget(host="127.0.0.1", port=port, system_id="gateway", password="secret", binds=2, window=5)
    load = SmppLoad(supply, accounting, target)
    try:
        yield load, accounting
    finally:
        await load.close()
        server.close()


async def finished(load: SmppLoad, accounting: Accounting, ended: int) -> None:
    """Wait for receipts that come behind the last answer; the test's timeout ends it when they do not."""
    import asyncio

    while accounting.ended < ended:
        await asyncio.sleep(0.01)


async def test_more_than_the_windows_hold_is_sent_as_they_empty_and_all_is_delivered():
    async with loading(deliver, notice=1, long=1) as (load, accounting):
        await load.connect()
        await load.send([0.0] * 60)
        await finished(load, accounting, 60)
    account = accounting.account()
    assert (account.planned, account.accepted, account.delivered) == (60, 60, 60)
    stages = load.stages.latencies()
    assert (stages["accept"].count, stages["final"].count) == (60, 60)
    assert load.early == 0


async def test_a_receipt_may_come_before_the_answer_that_gives_its_id():
    def early(connection: Connection, pdu: Pdu, _: SubmitSm) -> None:
        connection.send(receipt(name(pdu)))
        connection.respond(pdu, SubmitSmResp(message_id=name(pdu)))

    async with loading(early) as (load, accounting):
        await load.connect()
        await load.send([0.0] * 10)
        await finished(load, accounting, 10)
    assert accounting.account().delivered == 10


@pytest.mark.parametrize(
    ("status", "counted"),
    [(CommandStatus.ESME_RINVDSTADR, "refused"), (CommandStatus.ESME_RTHROTTLED, "turned_away")],
)
async def test_a_refusal_is_told_from_being_asked_for_time(status: CommandStatus, counted: str):
    def refuse(connection: Connection, pdu: Pdu, _: SubmitSm) -> None:
        connection.respond(pdu, SubmitSmResp(), command_status=status)

    async with loading(refuse) as (load, accounting):
        await load.connect()
        await load.send([0.0] * 7)
    assert getattr(accounting.account(), counted) == 7
    [error] = load.errors
    assert status.name in error


async def test_of_the_parts_of_a_message_the_worst_receipt_decides():
    def half(connection: Connection, pdu: Pdu, submit: SubmitSm) -> None:
        connection.respond(pdu, SubmitSmResp(message_id=name(pdu)))
        connection.send(receipt(name(pdu), "DELIVRD" if submit.short_message[5] == 1 else "UNDELIV"))

    async with loading(half, long=1) as (load, accounting):
        await load.connect()
        await load.send([0.0] * 3)
        await finished(load, accounting, 3)
    assert (accounting.account().ended_otherwise, accounting.account().delivered) == (3, 0)


async def test_receipts_about_what_was_never_sent_are_left_over():
    def more(connection: Connection, pdu: Pdu, submit: SubmitSm) -> None:
        connection.send(receipt(f"nobody-{pdu.sequence_number}"))
        deliver(connection, pdu, submit)

    async with loading(more) as (load, accounting):
        await load.connect()
        await load.send([0.0] * 4)
        await finished(load, accounting, 4)
    assert 1 <= load.early <= 4  # sequence numbers of the two binds may be the same


async def test_a_bind_that_is_lost_fails_what_it_had_and_what_is_for_it():
    def drop(connection: Connection, _pdu: Pdu, _submit: SubmitSm) -> None:
        connection.abort()

    async with loading(drop) as (load, accounting):
        await load.connect()
        await load.send([0.0] * 20 + [0.5] * 2)
    assert accounting.account().failed == 22
    assert set(load.errors) == {"the bind was lost", "no bind"}


async def test_a_bind_that_is_refused_is_said_with_the_status():
    async with loading(deliver, bind_status=CommandStatus.ESME_RINVPASWD) as (load, _):
        with pytest.raises(CannotRun, match="refuses the bind: ESME_RINVPASWD"):
            await load.connect()


async def test_an_smsc_that_is_not_there_is_named():
    target = SmppTarget(host="127.0.0.1", port=1, system_id="x", password="x", binds=1, window=1)
    supply = SmppSupply({"notice": 1}, make_phones({"cmcc": 1}, seed=1), seed=1, source="1")
    with pytest.raises(CannotRun, match=r"127\.0\.0\.1:1 cannot be bound to"):
        await SmppLoad(supply, Accounting(""), target).connect()
