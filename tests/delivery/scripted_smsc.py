"""An SMSC that does what a test tells it: real sockets, and a script for every answer."""

import asyncio
import itertools
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.connection import Connection, serve
from gateway.smpp import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    CancelSm,
    CancelSmResp,
    CommandStatus,
    DataSm,
    DeliverSm,
    EsmClass,
    Event,
    MessageState,
    Pdu,
    RequestReceived,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
    TlvTag,
    format_receipt,
    make_tlv,
)
from tests.delivery.samples import eventually

_DATE = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
_BINDS: dict[type[Body], type[Body]] = {
    BindReceiver: BindReceiverResp,
    BindTransceiver: BindTransceiverResp,
    BindTransmitter: BindTransmitterResp,
}


class Submit(msgspec.Struct):
    """A submit_sm as it came."""

    connection: Connection
    pdu: Pdu

    @property
    def body(self) -> SubmitSm:
        assert isinstance(self.pdu.body, SubmitSm)
        return self.pdu.body

    @property
    def part(self) -> tuple[int, int, int] | None:
        """Reference, total and number, if it is one part of several."""
        head = self.body.short_message[:6]
        return (head[3], head[4], head[5]) if self.body.esm_class & EsmClass.UDHI else None


Answer = Callable[["ScriptedSmsc", Submit], None]
BindAnswer = Callable[[Connection, Pdu], None]


def accept(message_id: str = "") -> Answer:
    """Take it, under this id or the next."""
    return lambda smsc, submit: smsc.accept(submit, message_id)


def refuse(status: int) -> Answer:
    """Answer with a status and nothing else."""
    return lambda _, submit: submit.connection.respond(submit.pdu, SubmitSmResp(), command_status=status)


def keep_silent(_: "ScriptedSmsc", submit: Submit) -> None:
    """Never answer."""


def reset(_: "ScriptedSmsc", submit: Submit) -> None:
    """Drop the connection as a crashed machine does."""
    reset_connection(submit.connection)


def write(data: bytes, *, then: Answer = keep_silent) -> Answer:
    """Write octets past the session."""

    def answer(smsc: "ScriptedSmsc", submit: Submit) -> None:
        transport = submit.connection._transport
        assert transport is not None
        transport.write(data)
        then(smsc, submit)

    return answer


def reset_connection(connection: Connection) -> None:
    transport = connection._transport
    assert transport is not None
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


class ScriptedSmsc:
    """Listens, binds, and answers submits by its script; when that has run out, by `otherwise`."""

    def __init__(self) -> None:
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self.script: deque[Answer] = deque()
        self.otherwise: Answer = accept()
        self.bind_script: deque[BindAnswer] = deque()
        self.submits: list[Submit] = []
        self.cancels: list[Pdu] = []
        self.cancel_script: deque[int | None] = deque()  # the statuses they are answered with; None: not at all
        self.accepted: dict[str, Submit] = {}  # by message id
        self.on_request: BindAnswer = lambda *_: None  # other requests
        self.binds: list[Connection] = []  # those that are bound, oldest first
        self.bodies: dict[Connection, Body] = {}  # what each has bound with
        self.bind_count = 0  # so many have bound since it began
        self.connections = 0  # so many have come
        self.unbound = 0  # so many have left in order
        self._ids = itertools.count(1)
        self._delivered: dict[tuple[Connection, int], int] = {}
        self._server: asyncio.Server | None = None
        self._all: list[Connection] = []

    async def start(self) -> None:
        """Listen; the second time on the port of the first."""
        settings = SessionSettings(window=10_000, response_timeout_seconds=5.0, enquire_link_interval_seconds=None)
        self._server = await serve(
            "127.0.0.1",
            self.port,
            settings=settings,
            on_events=self._take,
            on_connection=self._connected,
            ssl=self.tls,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone: nobody listens, and every connection is reset."""
        assert self._server is not None
        self._server.close()
        for connection in self._all:
            connection.abort()
        for connection in self._all:
            await connection.closed
        self._all.clear()
        await self._server.wait_closed()

    # --- what it does by itself ---------------------------------------------------------------------------------------

    def accept(self, submit: Submit, message_id: str = "") -> str:
        """Answer a submit with an id, in time or late."""
        message_id = message_id or f"id-{next(self._ids)}"
        self.accepted[message_id] = submit
        submit.connection.respond(submit.pdu, SubmitSmResp(message_id=message_id))
        return message_id

    def send(self, body: DeliverSm | DataSm, bind: Connection | None = None) -> tuple[Connection, int]:
        """Send a deliver_sm, by the newest bind that takes any."""
        if bind is None:
            bind = next(one for one in reversed(self.binds) if type(self.bodies[one]) is not BindTransmitter)
        return bind, bind.send(body)

    def answer_to(self, sent: tuple[Connection, int]) -> int | None:
        """The status that a deliver_sm was answered with, if it was."""
        return self._delivered.get(sent)

    async def deliver(self, body: DeliverSm | DataSm, bind: Connection | None = None) -> int:
        """Send a deliver_sm and return the status of its answer."""
        sent = self.send(body, bind)
        await eventually(lambda: sent in self._delivered)
        return self._delivered[sent]

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _connected(self, connection: Connection) -> None:
        self.connections += 1
        self._all.append(connection)

    def _take(self, connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived(pdu=Pdu(body=SubmitSm()) as pdu):
                    submit = Submit(connection, pdu)
                    self.submits.append(submit)
                    answer = self.script.popleft() if self.script else self.otherwise
                    answer(self, submit)
                case RequestReceived(pdu=Pdu(body=CancelSm()) as pdu):
                    self.cancels.append(pdu)
                    status = self.cancel_script.popleft() if self.cancel_script else CommandStatus.ESME_ROK
                    if status is not None:
                        connection.respond(pdu, CancelSmResp(), command_status=status)
                case RequestReceived(pdu=pdu) if type(pdu.body) in _BINDS:
                    self._bind(connection, pdu)
                case RequestReceived(pdu=pdu):
                    self.on_request(connection, pdu)
                case ResponseReceived(command_status=status, sequence_number=number):
                    self._delivered[connection, number] = status
                case SessionBroken() | SessionClosed():
                    self.unbound += isinstance(event, SessionClosed)
                    if connection in self.binds:
                        self.binds.remove(connection)
                case _:
                    pass

    def _bind(self, connection: Connection, pdu: Pdu) -> None:
        if self.bind_script:
            self.bind_script.popleft()(connection, pdu)
            return
        connection.respond(pdu, _BINDS[type(pdu.body)](system_id="scripted"))
        self.binds.append(connection)
        self.bodies[connection] = pdu.body
        self.bind_count += 1


def refuse_bind(status: int) -> BindAnswer:
    return lambda connection, pdu: connection.respond(pdu, _BINDS[type(pdu.body)](), command_status=status)


def receipt(
    submit: Submit,
    message_id: str,
    state: MessageState = MessageState.DELIVERED,
    *,
    error: str = "000",
    reference: int = 0,
    **fields: Any,
) -> DeliverSm:
    """The receipt for a submit, from its destination to its source."""
    values = {
        "source_addr": submit.body.destination_addr,
        "destination_addr": submit.body.source_addr,
        "esm_class": EsmClass.DELIVERY_RECEIPT,
        "short_message": format_receipt(message_id, state, error=error, submitted=_DATE, done=_DATE),
        "tlvs": (make_tlv(TlvTag.USER_MESSAGE_REFERENCE, reference),) if reference else (),
    }
    return DeliverSm(**(values | fields))


@asynccontextmanager
async def scripted(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedSmsc]:
    """A running SMSC with this script; with `tls` it speaks nothing else."""
    smsc = ScriptedSmsc()
    smsc.tls = tls
    smsc.script.extend(answers)
    await smsc.start()
    try:
        yield smsc
    finally:
        await smsc.stop()
