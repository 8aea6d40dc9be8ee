"""Binds, receipts and limits, over real sockets."""

import asyncio

import pytest

from gateway.smpp import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    CommandStatus,
    DataSm,
    DeliverSm,
    EsmClass,
    MessageState,
    Pdu,
    QuerySm,
    QuerySmResp,
    SessionBroken,
    SessionClosed,
    TlvTag,
    encode,
    find_tlv,
    make_tlv,
)
from simulator import AddressTaken, Simulator
from simulator.scenario import read_scenario
from simulator.smsc import NobodyReceives
from tests.simulator.clients import bound, connected, eventually, id_of, states, submit_to
from tests.simulator.conftest import Start, quick_settings

PHONE = "8613800001234"


@pytest.mark.parametrize("bind", [BindTransceiver, BindTransmitter, BindReceiver])
@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [
        ("stranger", "secret", CommandStatus.ESME_RINVSYSID),
        ("gateway", "wrong", CommandStatus.ESME_RINVPASWD),
        ("gateway", "secret", CommandStatus.ESME_ROK),
    ],
)
async def test_a_bind_is_accepted_by_system_id_and_password(
    simulator: Simulator, bind: type[BindTransceiver], system_id: str, password: str, status: CommandStatus
) -> None:
    async with connected(simulator.port) as client:
        response = await client.ask(bind(system_id=system_id, password=password))

        assert response.command_status == status
        assert simulator.counts()["binds"] == {"gateway": int(status == 0)}


async def test_a_second_bind_on_one_connection_is_refused(simulator: Simulator) -> None:
    bind = BindTransceiver(system_id="gateway", password="secret")
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    try:
        # Our own session would not send the second one.
        answers = []
        for number in (1, 2):
            writer.write(encode(Pdu(0, number, bind)))
            answers.append(await read_header(reader))
    finally:
        writer.close()
        await writer.wait_closed()

    assert answers == [(0x80000009, 0, 1), (0x80000009, CommandStatus.ESME_RALYBND, 2)]


async def read_header(reader: asyncio.StreamReader) -> tuple[int, int, int]:
    """Read a PDU and return its command_id, command_status and sequence_number."""
    header = await reader.readexactly(16)
    length, command_id, status, number = (int.from_bytes(header[at : at + 4], "big") for at in range(0, 16, 4))
    await reader.readexactly(length - 16)
    return command_id, status, number


async def test_an_account_has_its_modes_and_no_more_binds_than_its_own(start: Start) -> None:
    account = {"max_binds": 1, "modes": ["transmitter", "receiver"]}
    async with start(account=[account]) as simulator, connected(simulator.port) as client:
        refused = await client.ask(BindTransceiver(system_id="gateway", password="secret"))
        accepted = await client.ask(BindTransmitter(system_id="gateway", password="secret"))
        async with connected(simulator.port) as second:
            too_many = await second.ask(BindReceiver(system_id="gateway", password="secret"))

    assert refused.command_status == too_many.command_status == CommandStatus.ESME_RBINDFAIL
    assert accepted.command_status == 0


async def test_every_bind_is_refused_while_the_scenario_says_so(start: Start) -> None:
    bind = BindTransceiver(system_id="gateway", password="secret")
    async with start(binds={"refuse_with": "ESME_RSYSERR"}) as simulator, connected(simulator.port) as client:
        refused = await client.ask(bind)
        simulator.change(read_scenario({"binds": {"refuse_with": ""}}, simulator.settings))
        accepted = await client.ask(bind)

    assert (refused.command_status, accepted.command_status) == (CommandStatus.ESME_RSYSERR, 0)


async def test_message_ids_are_unique_over_all_binds_of_an_account(simulator: Simulator) -> None:
    async with bound(simulator.port) as one, bound(simulator.port) as two:
        responses = [await client.submit(PHONE) for client in (one, two, one, two)]

    ids = [id_of(response) for response in responses]
    assert len(set(ids)) == 4
    assert all(message_id.isdecimal() for message_id in ids)


async def test_receipts_go_to_the_bind_that_submitted(simulator: Simulator) -> None:
    async with bound(simulator.port) as one, bound(simulator.port) as two:
        first, second = id_of(await one.submit(PHONE)), id_of(await two.submit(PHONE))
        await one.receipts_of(first)
        await two.receipts_of(second)

    assert (len(one.receipts), len(two.receipts)) == (1, 1)


async def test_a_transmitter_gets_its_receipts_over_a_receiver(simulator: Simulator) -> None:
    async with bound(simulator.port, BindTransmitter) as sender, bound(simulator.port, BindReceiver) as receiver:
        response = await sender.submit(PHONE)
        [receipt] = await receiver.receipts_of(id_of(response))

    assert receipt.state is MessageState.DELIVERED
    assert sender.deliveries == []


async def test_a_receipt_waits_for_the_next_bind_that_receives(simulator: Simulator) -> None:
    async with bound(simulator.port, BindTransmitter) as sender:
        response = await sender.submit(PHONE)
        await eventually(lambda: simulator.counts()["deliveries_waiting"] == 1)

    async with bound(simulator.port, BindReceiver) as receiver:
        await receiver.receipts_of(id_of(response))

    assert simulator.counts()["deliveries_waiting"] == 0


async def test_a_receipt_that_is_refused_for_now_comes_again(simulator: Simulator) -> None:
    answers = iter([CommandStatus.ESME_RX_T_APPN, CommandStatus.ESME_RX_T_APPN, CommandStatus.ESME_ROK])
    async with bound(simulator.port, answer=lambda _: next(answers)) as client:
        response = await client.submit(PHONE)
        await client.receipts_of(id_of(response), 3)

    assert simulator.counts()["delivery_results"] == {"sent again": 2, "acknowledged": 1}


async def test_a_receipt_that_is_refused_for_good_does_not_come_again(simulator: Simulator) -> None:
    async with bound(simulator.port, answer=lambda _: CommandStatus.ESME_RX_R_APPN) as client:
        await client.receipts_of(id_of(await client.submit(PHONE)))
        await asyncio.sleep(0.15)

    assert simulator.counts()["delivery_results"] == {"refused": 1}
    assert len(client.receipts) == 1


async def test_a_receipt_without_answer_comes_again_and_is_given_up_in_the_end(start: Start) -> None:
    smpp = {"response_timeout_seconds": 0.1}
    receipts = {"retry_seconds": 0.05, "retries": 2}
    async with (
        start(smpp=smpp, receipts=receipts) as simulator,
        bound(simulator.port, answer=lambda _: None) as client,
    ):
        await client.receipts_of(id_of(await client.submit(PHONE)), 3)
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)

        assert simulator.counts()["delivery_results"] == {"sent again": 2, "given up": 1}


async def test_a_receipt_in_flight_on_a_lost_connection_comes_again_on_another(simulator: Simulator) -> None:
    async with bound(simulator.port, answer=lambda _: None) as client:
        message_id = id_of(await client.submit(PHONE))
        await client.receipts_of(message_id)

    async with bound(simulator.port) as client:
        await client.receipts_of(message_id)

    assert simulator.counts()["delivery_results"] == {"sent again": 1, "acknowledged": 1}


async def test_no_more_receipts_are_in_flight_than_the_window_has_room_for(start: Start) -> None:
    async with start(smpp={"window": 3}) as simulator, bound(simulator.port, answer=lambda _: None) as client:
        for _ in range(10):
            await client.submit(PHONE)
        await eventually(lambda: simulator.counts()["deliveries_waiting"] == 7)
        await client.until(lambda: len(client.receipts) >= 3)

        assert len(client.receipts) == 3


async def test_a_full_window_is_emptied_by_answers(start: Start) -> None:
    async with start(smpp={"window": 3}) as simulator, bound(simulator.port) as client:
        for _ in range(30):
            client.connection.send(submit_to(PHONE))
        await client.until(lambda: len(client.receipts) == 30)

    assert len({receipt.message_id for receipt in client.receipts}) == 30


@pytest.mark.parametrize(
    ("registered_delivery", "failed", "delivered"),
    [(0, [], []), (1, ["UNDELIVERABLE"], ["DELIVERED"]), (2, ["UNDELIVERABLE"], []), (3, [], ["DELIVERED"])],
)
async def test_receipts_come_for_what_registered_delivery_asks(
    simulator: Simulator, registered_delivery: int, failed: list[str], delivered: list[str]
) -> None:
    async with bound(simulator.port) as client:
        failing = id_of(await client.submit("8613800000001", registered_delivery=registered_delivery))
        passing = id_of(await client.submit(PHONE, registered_delivery=registered_delivery))
        await client.receipts_of(id_of(await client.submit(PHONE)))
        await asyncio.sleep(0.05)

    assert states(receipt for receipt in client.receipts if receipt.message_id == failing) == failed
    assert states(receipt for receipt in client.receipts if receipt.message_id == passing) == delivered


async def test_an_intermediate_notification_comes_to_who_asks_for_it(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit(PHONE, registered_delivery=0x11)
        await client.receipts_of(id_of(response), 2)

    classes = [delivery.esm_class for delivery in client.deliveries]
    assert classes == [EsmClass.INTERMEDIATE_NOTIFICATION, EsmClass.DELIVERY_RECEIPT]
    assert states(client.receipts) == ["ENROUTE", "DELIVERED"]


@pytest.mark.parametrize("form", ["text", "tlv", "both"])
async def test_a_receipt_has_the_form_that_is_set(start: Start, form: str) -> None:
    async with start(receipts={"form": form}) as simulator, bound(simulator.port) as client:
        response = await client.submit("8613800000001")
        [receipt] = await client.receipts_of(id_of(response))
        [delivery] = client.deliveries

    assert (receipt.state, receipt.error) == (MessageState.UNDELIVERABLE, "001")
    assert bool(delivery.short_message) is (form != "tlv")
    assert (find_tlv(delivery.tlvs, TlvTag.RECEIPTED_MESSAGE_ID) is not None) is (form != "text")
    assert (delivery.source_addr, delivery.destination_addr) == ("8613800000001", "10690001")


async def test_ids_are_decimal_in_one_place_and_hexadecimal_in_the_other_when_set(start: Start) -> None:
    async with start(receipts={"id_in_receipt": "hex"}) as simulator, bound(simulator.port) as client:
        response = await client.submit(PHONE)
        await client.until(lambda: len(client.receipts) == 1)

    assert int(id_of(response)) == int(client.receipts[0].message_id, 16)


@pytest.mark.parametrize("echo", [True, False])
async def test_a_receipt_brings_back_the_reference_of_its_submit(start: Start, echo: bool) -> None:
    reference = make_tlv(TlvTag.USER_MESSAGE_REFERENCE, 4242)
    async with start(receipts={"echo_reference": echo}) as simulator, bound(simulator.port) as client:
        response = await client.submit(PHONE, tlvs=(reference,))
        [receipt] = await client.receipts_of(id_of(response))

    assert receipt.user_message_reference == (4242 if echo else None)


async def test_past_its_rate_an_account_is_throttled_over_all_its_binds(start: Start) -> None:
    async with (
        start(rate={"segments_per_second": 1, "burst_seconds": 3}) as simulator,
        bound(simulator.port) as one,
        bound(simulator.port) as two,
    ):
        statuses = [(await client.submit(PHONE)).command_status for client in (one, two, one, two)]

    assert statuses == [0, 0, 0, CommandStatus.ESME_RTHROTTLED]


async def test_answers_take_as_long_as_the_scenario_says_and_receipts_come_after_them(start: Start) -> None:
    loop = asyncio.get_running_loop()
    async with (
        start(response={"latency_seconds": 0.2}, receipts={"delay_seconds": 0.01}) as simulator,
        bound(simulator.port) as client,
    ):
        started = loop.time()
        response = await client.submit(PHONE)
        elapsed_seconds = loop.time() - started
        await client.receipts_of(id_of(response))

    assert elapsed_seconds >= 0.2
    assert [type(item).__name__ for item in client.received] == ["ResponseReceived", "DeliverSm"]


@pytest.mark.parametrize(("overload", "refused"), [("refuse", 7), ("read-slower", 0)])
async def test_past_the_window_submits_are_refused_or_left_in_the_socket(
    start: Start, overload: str, refused: int
) -> None:
    smpp = {"window": 3, "overload": overload}
    async with start(smpp=smpp, response={"latency_seconds": 0.1}) as simulator, bound(simulator.port) as client:
        for _ in range(10):
            client.connection.send(submit_to(PHONE))
            await asyncio.sleep(0.002)  # so that they are not all read together
        await client.until(lambda: len(client.responses) == 10)

    statuses = [response.command_status for response in client.responses]
    assert statuses.count(CommandStatus.ESME_RMSGQFUL) == refused
    assert statuses.count(0) == 10 - refused


async def test_with_too_many_messages_under_way_a_submit_is_refused(start: Start) -> None:
    async with (
        start(memory={"open_messages": 2}, receipts={"delay_seconds": 60}) as simulator,
        bound(simulator.port) as client,
    ):
        statuses = [(await client.submit(PHONE)).command_status for _ in range(3)]

    assert statuses == [0, 0, CommandStatus.ESME_RMSGQFUL]


async def test_a_query_tells_the_state_of_a_message(start: Start) -> None:
    async with start(receipts={"delay_seconds": 0.3}) as simulator, bound(simulator.port) as client:
        message_id = id_of(await client.submit("8613800000001"))
        before = await client.ask(QuerySm(message_id=message_id))
        await client.receipts_of(message_id)
        after = await client.ask(QuerySm(message_id=message_id))
        unknown = await client.ask(QuerySm(message_id="nonsense"))

    assert isinstance(before.response, QuerySmResp)
    assert isinstance(after.response, QuerySmResp)
    assert (before.response.message_state, before.response.final_date) == (MessageState.ENROUTE, "")
    assert (after.response.message_state, after.response.error_code) == (MessageState.UNDELIVERABLE, 1)
    assert after.response.final_date.endswith("000+")
    assert unknown.command_status == CommandStatus.ESME_RQUERYFAIL


async def test_only_the_newest_messages_are_remembered(start: Start) -> None:
    async with start(memory={"messages": 2}) as simulator, bound(simulator.port) as client:
        ids = [id_of(await client.submit(PHONE)) for _ in range(3)]
        statuses = [(await client.ask(QuerySm(message_id=message_id))).command_status for message_id in ids]

    assert statuses == [CommandStatus.ESME_RQUERYFAIL, 0, 0]


async def test_a_message_under_way_can_be_cancelled_and_its_receipt_says_so(start: Start) -> None:
    async with start(receipts={"delay_seconds": 0.2}) as simulator, bound(simulator.port) as client:
        message_id = id_of(await client.submit(PHONE))
        cancelled = await client.ask(CancelSm(message_id=message_id))
        [receipt] = await client.receipts_of(message_id)
        too_late = await client.ask(CancelSm(message_id=message_id))

    assert (cancelled.command_status, too_late.command_status) == (0, CommandStatus.ESME_RCANCELFAIL)
    assert receipt.state is MessageState.DELETED


async def test_what_is_not_offered_is_refused(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.ask(DataSm(destination_addr=PHONE))

    assert response.command_status == CommandStatus.ESME_RINVCMDID


async def test_an_empty_destination_is_refused(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        response = await client.submit("")

    assert response.command_status == CommandStatus.ESME_RINVDSTADR


async def test_an_inbound_message_reaches_a_bind_that_receives(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        assert simulator.send_inbound("8613800001111", "10690001", "退订") == 1
        await client.until(lambda: len(client.deliveries) == 1)

    expected = DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="8613800001111",
        destination_addr="10690001",
        data_coding=8,
        short_message="退订".encode("utf-16-be"),
    )
    assert client.deliveries == [expected]


async def test_a_long_inbound_message_comes_in_parts(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        assert simulator.send_inbound("8613800001111", "10690001", "x" * 300) == 2
        await client.until(lambda: len(client.deliveries) == 2)

    assert [delivery.short_message[3:6] for delivery in client.deliveries] == [b"\x01\x02\x01", b"\x01\x02\x02"]
    assert b"".join(delivery.short_message[6:] for delivery in client.deliveries) == b"x" * 300


async def test_an_inbound_message_needs_a_bind_that_receives(simulator: Simulator) -> None:
    with pytest.raises(NobodyReceives):
        simulator.send_inbound("8613800001111", "10690001", "hello")

    async with bound(simulator.port, BindTransmitter):
        with pytest.raises(NobodyReceives):
            simulator.send_inbound("8613800001111", "10690001", "hello")


async def test_a_dropped_connection_breaks_and_an_unbound_one_closes(simulator: Simulator) -> None:
    async with bound(simulator.port) as dropped:
        assert simulator.drop() == 1
        await dropped.until(lambda: dropped.end is not None)
    async with bound(simulator.port) as unbound:
        assert await simulator.unbind() == 1
        await unbound.until(lambda: unbound.end is not None)

    assert isinstance(dropped.end, SessionBroken)
    assert isinstance(unbound.end, SessionClosed)
    assert simulator.counts()["binds"] == {"gateway": 0}


async def test_a_reset_forgets_what_happened_and_what_is_to_come(start: Start) -> None:
    async with start(receipts={"delay_seconds": 0.1}) as simulator, bound(simulator.port) as client:
        await client.submit("8613800000011")
        await client.submit("8613800000011")
        simulator.reset()
        assert len(simulator.journal) == 0
        assert simulator.counts()["submitted"] == simulator.counts()["deliveries_open"] == 0
        again = await client.submit("8613800000011")
        await asyncio.sleep(0.2)

    assert again.command_status == CommandStatus.ESME_RTHROTTLED
    assert client.receipts == []


async def test_an_answer_to_what_a_reset_has_forgotten_means_nothing(simulator: Simulator) -> None:
    async with bound(simulator.port, answer=lambda _: None) as client:
        await client.receipts_of(id_of(await client.submit(PHONE)))
        simulator.reset()

    async with bound(simulator.port) as client:
        await asyncio.sleep(0.2)

    assert client.receipts == []
    assert simulator.counts()["deliveries_open"] == 0


async def test_a_scenario_holds_from_the_next_submit_on(simulator: Simulator) -> None:
    async with bound(simulator.port) as client:
        simulator.change(read_scenario({"outcomes": {"mix": {"EXPIRED": 1}}}, simulator.settings))
        expired = id_of(await client.submit(PHONE))
        simulator.change(read_scenario({"outcomes": {"errors": {"ESME_RSYSERR": 1}}}, simulator.settings))
        refused = await client.submit(PHONE)
        simulator.change(simulator.settings)
        delivered = id_of(await client.submit(PHONE))
        receipts = [(await client.receipts_of(message_id))[0] for message_id in (expired, delivered)]

    assert states(receipts) == ["EXPIRED", "DELIVERED"]
    assert refused.command_status == CommandStatus.ESME_RSYSERR


async def test_a_taken_port_is_named(simulator: Simulator) -> None:
    smpp = {"listen": f"127.0.0.1:{simulator.port}"}
    control = {"listen": f"127.0.0.1:{simulator.control_port}"}

    with pytest.raises(AddressTaken, match=rf"smpp\.listen = '127\.0\.0\.1:{simulator.port}'"):
        await Simulator(quick_settings(smpp=smpp)).__aenter__()
    with pytest.raises(AddressTaken, match=rf"control\.listen = '127\.0\.0\.1:{simulator.control_port}'"):
        await Simulator(quick_settings(control=control)).__aenter__()
