"""A client for tests: our own connection, driven step by step, that remembers what came."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from gateway.connection import Connection, open_connection
from gateway.smpp import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    Body,
    CommandStatus,
    DeliverSm,
    DeliverSmResp,
    Event,
    Pdu,
    Receipt,
    RequestReceived,
    RequestUnanswered,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    SessionSettings,
    StrayResponse,
    SubmitSm,
    SubmitSmResp,
    parse_receipt,
)

TIMEOUT_SECONDS = 10.0

Answerer = Callable[[DeliverSm], int | None]


def accept(_: DeliverSm) -> int | None:
    """Acknowledge each deliver_sm."""
    return CommandStatus.ESME_ROK


class Client:
    """One bound session. `answer` gives the status that a deliver_sm is answered with, or None for no answer."""

    def __init__(self, answer: Answerer) -> None:
        self.connection: Connection
        self.answer = answer
        self.received: list[object] = []  # DeliverSm and ResponseReceived, as they came
        self.stray: list[StrayResponse] = []
        self.unanswered = 0
        self.end: SessionBroken | SessionClosed | None = None
        self._news = asyncio.Event()

    def take(self, connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived(pdu=Pdu(body=DeliverSm() as body) as pdu):
                    self.received.append(body)
                    status = self.answer(body)
                    if status is not None:
                        connection.respond(pdu, DeliverSmResp(), command_status=status)
                case ResponseReceived():
                    self.received.append(event)
                case RequestUnanswered():
                    self.unanswered += 1
                case StrayResponse():
                    self.stray.append(event)
                case SessionBroken() | SessionClosed():
                    self.end = event
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that came makes `condition` true."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition():
                self._news.clear()
                await self._news.wait()

    @property
    def responses(self) -> list[ResponseReceived]:
        return [item for item in self.received if isinstance(item, ResponseReceived)]

    @property
    def deliveries(self) -> list[DeliverSm]:
        return [item for item in self.received if isinstance(item, DeliverSm)]

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for body in self.deliveries if (receipt := parse_receipt(body)) is not None]

    async def ask(self, body: Body) -> ResponseReceived:
        """Send a request and return its answer."""
        number = self.connection.send(body)
        await self.until(lambda: any(response.sequence_number == number for response in self.responses))
        return next(response for response in self.responses if response.sequence_number == number)

    async def submit(self, destination: str, **fields: Any) -> ResponseReceived:
        """Submit a message and return the answer."""
        return await self.ask(submit_to(destination, **fields))

    async def receipts_of(self, message_id: str, count: int = 1) -> list[Receipt]:
        """Wait for `count` receipts of a message, and return them."""

        def found() -> list[Receipt]:
            return [receipt for receipt in self.receipts if receipt.message_id == message_id]

        await self.until(lambda: len(found()) >= count)
        return found()


def submit_to(destination: str, **fields: Any) -> SubmitSm:
    """Return a submit_sm that wants a receipt."""
    defaults = {"source_addr": "10690001", "short_message": b"hello", "registered_delivery": 1}
    return SubmitSm(destination_addr=destination, **{**defaults, **fields})


def id_of(response: ResponseReceived) -> str:
    """Return the message id that a submit was answered with."""
    assert response.command_status == 0
    assert isinstance(response.response, SubmitSmResp)
    return response.response.message_id


@asynccontextmanager
async def connected(
    port: int, *, answer: Answerer = accept, window: int = 100, response_timeout_seconds: float = 5.0
) -> AsyncIterator[Client]:
    """A client that has connected and not bound."""
    client = Client(answer)
    settings = SessionSettings(window=window, response_timeout_seconds=response_timeout_seconds)
    client.connection = await open_connection("127.0.0.1", port, settings=settings, on_events=client.take)
    try:
        yield client
    finally:
        client.connection.abort()
        await client.connection.closed


@asynccontextmanager
async def bound(
    port: int,
    bind: type[BindTransceiver | BindTransmitter | BindReceiver] = BindTransceiver,
    *,
    system_id: str = "gateway",
    password: str = "secret",
    **options: Any,
) -> AsyncIterator[Client]:
    """A client that has bound."""
    async with connected(port, **options) as client:
        response = await client.ask(bind(system_id=system_id, password=password))
        assert response.command_status == 0
        client.received.remove(response)
        yield client


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` is true of something that tells nobody when it changes."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def states(receipts: Iterable[Receipt]) -> list[str]:
    """Return what the receipts say, by name."""
    return [receipt.state.name for receipt in receipts]
