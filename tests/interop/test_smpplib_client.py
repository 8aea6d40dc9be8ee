"""The real smpplib client against our end of a session, over sockets."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions

from gateway.connection import Connection, serve
from gateway.smpp import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    CommandStatus,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    EsmClass,
    Event,
    MessageState,
    Pdu,
    PeerUnbound,
    QuerySm,
    QuerySmResp,
    RequestReceived,
    ResponseReceived,
    SessionClosed,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
    TlvTag,
    make_tlv,
)

RECEIPT = b"id:m-1 sub:001 dlvrd:001 submit date:2611220730 done date:2611220731 stat:DELIVRD err:000 text:hello"


class Smsc:
    """Our end, on a loop in a thread of its own, as smpplib blocks. It delivers a receipt for each message."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.port = 0
        self.ended = threading.Event()
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Smsc":
        self._thread.start()
        assert self._listening.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await serve("127.0.0.1", 0, settings=SessionSettings(), on_events=self._take)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        await server.wait_closed()

    def _take(self, connection: Connection, events: list[Event]) -> None:
        self.events += events
        for event in events:
            match event:
                case RequestReceived(pdu=pdu):
                    self._answer(connection, pdu)
                case SessionClosed():
                    self.ended.set()

    def _answer(self, connection: Connection, pdu: Pdu) -> None:
        responses: dict[type[Body], Body] = {
            BindTransmitter: BindTransmitterResp(system_id="ours"),
            BindReceiver: BindReceiverResp(system_id="ours"),
            BindTransceiver: BindTransceiverResp(system_id="ours", tlvs=(make_tlv(TlvTag.SC_INTERFACE_VERSION, 0x34),)),
            SubmitSm: SubmitSmResp(message_id="m-1"),
            QuerySm: QuerySmResp(message_id="m-1", message_state=MessageState.ENROUTE),
        }
        status = 0
        match pdu.body:
            case BindTransceiver(password="wrong"):
                status = CommandStatus.ESME_RINVPASWD
            case SubmitSm(destination_addr="throttled"):
                status = CommandStatus.ESME_RTHROTTLED
        connection.respond(pdu, responses[type(pdu.body)], command_status=status)
        if isinstance(pdu.body, SubmitSm) and not status:
            connection.send(DeliverSm(esm_class=EsmClass.DELIVERY_RECEIPT, short_message=RECEIPT))
        if isinstance(pdu.body, QuerySm):
            connection.send(EnquireLink(), context="ours")


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


@pytest.fixture
def client(smsc: Smsc) -> Iterator[Any]:
    """A connected smpplib client that notes what it hears in `heard`."""
    logging.getLogger("smpplib").setLevel(logging.ERROR)
    client = smpplib.client.Client("127.0.0.1", smsc.port, timeout=10, allow_unknown_opt_params=True)
    client.heard = []
    client.set_message_sent_handler(lambda pdu: client.heard.append((pdu.command, pdu.message_id)))
    client.set_message_received_handler(lambda pdu: client.heard.append((pdu.command, pdu.short_message)))
    client.set_query_resp_handler(lambda pdu: client.heard.append((pdu.command, pdu.message_state)))
    client.set_error_pdu_handler(lambda pdu: client.heard.append((pdu.command, pdu.status)))
    client.connect()
    yield client
    if client._socket is not None:
        client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
        client.disconnect()


def send(client: Any, destination: str = "8613812345678") -> None:
    client.send_message(
        source_addr_ton=0,
        source_addr_npi=1,
        source_addr="10690001",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=destination,
        short_message="停水通知".encode("utf-16-be"),
        data_coding=8,
        registered_delivery=True,
    )


def test_a_foreign_client_binds_submits_gets_its_receipt_and_leaves(client: Any, smsc: Smsc):
    response = client.bind_transceiver(system_id="foreign", password="secret")
    assert (response.system_id, response.sc_interface_version) == (b"ours", 0x34)
    send(client)
    client.read_once()
    client.read_once()
    assert client.heard == [("submit_sm_resp", b"m-1"), ("deliver_sm", RECEIPT)]
    client.unbind()
    assert smsc.ended.wait(10.0)
    [_, submitted, delivered, unbound, closed] = smsc.events
    assert isinstance(submitted, RequestReceived)
    assert isinstance(submitted.pdu.body, SubmitSm)
    assert submitted.pdu.body.short_message.decode("utf-16-be") == "停水通知"
    assert isinstance(delivered, ResponseReceived)
    assert (delivered.response, delivered.command_status) == (DeliverSmResp(), 0)
    assert (unbound, closed) == (PeerUnbound(), SessionClosed())


@pytest.mark.parametrize("mode", ["transmitter", "receiver"])
def test_a_foreign_client_binds_in_the_other_modes(client: Any, mode: str):
    response = getattr(client, f"bind_{mode}")(system_id="foreign", password="secret")
    assert response.command == f"bind_{mode}_resp"
    client.unbind()


def test_a_foreign_client_understands_a_refused_bind_and_a_refused_submit(client: Any):
    with pytest.raises(smpplib.exceptions.PDUError) as refused:
        client.bind_transceiver(system_id="foreign", password="wrong")
    assert refused.value.args[1] == CommandStatus.ESME_RINVPASWD
    client.bind_transceiver(system_id="foreign", password="secret")
    send(client, "throttled")
    client.read_once()
    # smpplib tells both its handlers; the refusal has no body, so there is no id.
    assert client.heard == [("submit_sm_resp", CommandStatus.ESME_RTHROTTLED), ("submit_sm_resp", None)]
    client.unbind()


def test_a_foreign_client_queries_and_answers_our_keep_alive(client: Any, smsc: Smsc):
    client.bind_transceiver(system_id="foreign", password="secret")
    client.query_message(message_id="m-1", source_addr_ton=0, source_addr_npi=1, source_addr="10690001")
    client.read_once()
    client.read_once()
    assert client.heard == [("query_sm_resp", MessageState.ENROUTE)]
    client.unbind()
    assert smsc.ended.wait(10.0)
    assert ResponseReceived(1, EnquireLink(), EnquireLinkResp(), 0, "ours") in smsc.events


def test_our_end_answers_a_foreign_keep_alive(client: Any):
    client.bind_transceiver(system_id="foreign", password="secret")
    client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=client))
    assert client.read_pdu().command == "enquire_link_resp"
    client.unbind()
