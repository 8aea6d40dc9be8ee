"""The simulator before a second client that shares no code with it: aiosmpplib, which is asynchronous."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiosmpplib import (
    ESME,
    NPI,
    TON,
    AbstractHook,
    DeliverSm,
    EnquireLinkResp,
    GenericNack,
    PhoneNumber,
    SmppCommandStatus,
    SubmitSm,
    SubmitSmResp,
)

from simulator import Settings, Simulator
from simulator.checking import settings_from

# The client leaves a stream and a task behind when it stops.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

PHONE = "8613800001234"
TIMEOUT_SECONDS = 20.0


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    free = {"listen": "127.0.0.1:0"}
    settings = settings_from({"smpp": free, "control": free, "receipts": {"delay_seconds": 0.2}}, Settings)
    async with Simulator(settings) as running:
        yield running


class Hook(AbstractHook):
    """Keeps what the client was told."""

    def __init__(self) -> None:
        self.received_messages: list[Any] = []
        self.errors: list[Exception] = []
        self._news = asyncio.Event()

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Nothing is to be done."""

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        self.received_messages.append(smpp_message)
        self._news.set()

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
        self.errors.append(error)
        self._news.set()

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.received_messages if type(message) is kind]

    async def until(self, kind: type, count: int) -> list[Any]:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while len(self.of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(kind)


@asynccontextmanager
async def bound(port: int, **options: Any) -> AsyncIterator[tuple[ESME, Hook]]:
    hook = Hook()
    esme = ESME("127.0.0.1", port, "gateway", "secret", hook=hook, log_level="CRITICAL", **options)
    running = asyncio.create_task(esme.start())
    try:
        yield esme, hook
    finally:
        await esme.stop()
        await asyncio.wait_for(running, TIMEOUT_SECONDS)
        del esme, running
        gc.collect()  # so that what it leaves is found here, and not in another test


def message(text: str, log_id: str, destination: str = PHONE, **fields: Any) -> SubmitSm:
    return SubmitSm(
        short_message=text,
        source=PhoneNumber("10690001", TON.ALPHANUMERIC, NPI.UNKNOWN),
        destination=PhoneNumber(destination),
        log_id=log_id,
        registered_delivery=1,
        **fields,
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [("Your parcel is at the gate.", 1), ("【阳光物业】您的快递已到", 1), ("停水通知" * 50, 3)],
)
async def test_a_message_is_taken_and_gets_its_receipt(simulator: Simulator, text: str, parts: int) -> None:
    fields = {"esm_class": 0b0100_0000, "auto_message_payload": False} if parts > 1 else {}
    async with bound(simulator.port) as (esme, hook):
        await esme.broker.enqueue(message(text, "m1", encoding="ucs2" if not text.isascii() else "", **fields))
        [response] = await hook.until(SubmitSmResp, 1)
        receipts = await hook.until(DeliverSm, 1)

    assert hook.errors == []
    assert response.command_status is SmppCommandStatus.ESME_ROK
    assert response.log_id == "m1"
    [receipt] = receipts
    assert receipt.is_receipt()
    assert receipt.log_id == "m1"  # the client found the submit by the id in the receipt
    assert receipt.parse_receipt()["stat"] == "DELIVRD"
    assert simulator.counts()["processed"] == parts


async def test_a_refusal_and_a_failed_receipt_are_understood(simulator: Simulator) -> None:
    async with bound(simulator.port) as (esme, hook):
        await esme.broker.enqueue(message("hello", "refused", "8613800000010"))
        await esme.broker.enqueue(message("hello", "failed", "8613800000001"))
        responses = await hook.until(SubmitSmResp, 2)
        [receipt] = await hook.until(DeliverSm, 1)

    statuses = {response.log_id: response.command_status for response in responses}
    assert statuses == {"refused": SmppCommandStatus.ESME_RINVDSTADR, "failed": SmppCommandStatus.ESME_ROK}
    assert (receipt.log_id, receipt.parse_receipt()["stat"]) == ("failed", "UNDELIV")


async def test_an_inbound_message_is_put_together_from_its_parts(simulator: Simulator) -> None:
    async with bound(simulator.port) as (_, hook):
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not simulator.counts()["binds"]["gateway"]:
                await asyncio.sleep(0.01)
        assert simulator.send_inbound("8613800001111", "10690001", "电梯坏了" * 30) == 2
        [inbound] = await hook.until(DeliverSm, 1)

    assert not inbound.is_receipt()
    assert (inbound.source.number, inbound.short_message) == ("8613800001111", "电梯坏了" * 30)


async def test_a_keep_alive_is_answered(simulator: Simulator) -> None:
    async with bound(simulator.port, enquire_link_interval=0.2) as (_, hook), asyncio.timeout(TIMEOUT_SECONDS):
        while "enquire_link" not in simulator.counts()["pdus"]["in"]:
            await asyncio.sleep(0.01)
        await hook.until(EnquireLinkResp, 1)

    assert hook.of(GenericNack) == []
    assert simulator.counts()["pdus"]["out"]["enquire_link_resp"].keys() == {"ESME_ROK"}
