"""The simulator before a client that shares no code with it: smpplib."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm
import smpplib.smpp

from simulator import Settings, Simulator
from simulator.checking import settings_from

PHONE = "8613800001234"
TIMEOUT_SECONDS = 10.0


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    free = {"listen": "127.0.0.1:0"}
    settings = settings_from({"smpp": free, "control": free, "receipts": {"delay_seconds": 0.02}}, Settings)
    async with Simulator(settings) as running:
        yield running


class Talk:
    """A smpplib client in its own thread's hands, with what it was told."""

    def __init__(self, port: int) -> None:
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=TIMEOUT_SECONDS, allow_unknown_opt_params=True)
        self.sent: list[Any] = []
        self.received: list[Any] = []
        self.client.set_message_sent_handler(lambda pdu: self.sent.append(pdu))
        self.client.set_message_received_handler(lambda pdu: self.received.append(pdu))

    def submit(self, text: str, destination: str = PHONE) -> None:
        parts, coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr="10690001",
                destination_addr=destination,
                short_message=part,
                data_coding=coding,
                esm_class=esm_class,
                registered_delivery=True,
            )

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.client.read_once()


@contextmanager
def talking(port: int, mode: str = "transceiver") -> Iterator[Talk]:
    talk = Talk(port)
    talk.client.connect()
    getattr(talk.client, f"bind_{mode}")(system_id="gateway", password="secret")
    try:
        yield talk
    finally:
        talk.client.unbind()
        talk.client.disconnect()


def converse(port: int, text: str) -> Talk:
    """Bind, submit `text`, wait for every answer and receipt, and unbind."""
    with talking(port) as talk:
        talk.submit(text)
        count = len(smpplib.gsm.make_parts(text)[0])
        talk.until(lambda: len(talk.sent) == count and len(talk.received) == count)
    return talk


async def in_thread(action: Callable[..., Any], *arguments: Any) -> Any:
    """Run a blocking conversation beside the simulator."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return await asyncio.to_thread(action, *arguments)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Your parcel is at the gate.", 1),
        ("【阳光物业】您的快递已到", 1),
        ("long " * 60, 2),
        ("停水通知" * 50, 3),
    ],
)
async def test_a_message_is_taken_and_gets_its_receipt(simulator: Simulator, text: str, parts: int) -> None:
    talk = await in_thread(converse, simulator.port, text)

    ids = [response.message_id.decode() for response in talk.sent]
    assert len(set(ids)) == parts
    assert [response.status for response in talk.sent] == [0] * parts
    assert sorted(receipt.receipted_message_id.rstrip(b"\0").decode() for receipt in talk.received) == sorted(ids)
    for receipt in talk.received:
        assert receipt.source_addr == PHONE.encode()
        assert receipt.destination_addr == b"10690001"
        assert receipt.esm_class == 0x04  # a delivery receipt of the SMSC: SMPP 3.4, section 5.2.12
        assert b"stat:DELIVRD err:000" in receipt.short_message
        assert receipt.message_state == smpplib.consts.SMPP_MESSAGE_STATE_DELIVERED
    assert simulator.counts()["binds"] == {"gateway": 0}


async def test_a_transmitter_and_a_receiver_share_the_work(simulator: Simulator) -> None:
    def conversation() -> tuple[Talk, Talk]:
        with talking(simulator.port, "receiver") as receiver, talking(simulator.port, "transmitter") as sender:
            sender.submit("hello")
            sender.until(lambda: len(sender.sent) == 1)
            receiver.until(lambda: len(receiver.received) == 1)
        return sender, receiver

    sender, receiver = await in_thread(conversation)

    assert sender.received == []
    assert receiver.received[0].receipted_message_id.rstrip(b"\0") == sender.sent[0].message_id


@pytest.mark.parametrize(("system_id", "password", "status"), [("nobody", "secret", 0x0F), ("gateway", "wrong", 0x0E)])
async def test_a_bind_with_wrong_credentials_is_refused(
    simulator: Simulator, system_id: str, password: str, status: int
) -> None:
    def conversation() -> int:
        client = smpplib.client.Client(
            "127.0.0.1", simulator.port, timeout=TIMEOUT_SECONDS, allow_unknown_opt_params=True
        )
        client.connect()
        with pytest.raises(smpplib.exceptions.PDUError) as refusal:
            client.bind_transceiver(system_id=system_id, password=password)
        client.disconnect()
        return int(refusal.value.args[1])

    assert await in_thread(conversation) == status


async def test_an_inbound_message_and_a_keep_alive_are_understood(simulator: Simulator) -> None:
    loop = asyncio.get_running_loop()

    def conversation() -> Talk:
        with talking(simulator.port) as talk:
            talk.client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=talk.client))
            assert talk.client.read_pdu().command == "enquire_link_resp"
            loop.call_soon_threadsafe(simulator.send_inbound, "8613800001111", "10690001", "退订")
            talk.until(lambda: len(talk.received) == 1)
        return talk

    talk = await in_thread(conversation)

    assert talk.received[0].short_message.decode("utf-16-be") == "退订"
    assert talk.received[0].source_addr == b"8613800001111"
