"""A loop whose clock jumps to the next thing to do, and SMSCs in memory: a day of traffic takes seconds.

Both ends are the real connections and sessions; only the wire between them is ours.
"""

import asyncio
import selectors
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from gateway.connection import Connection
from gateway.delivery import binds
from gateway.delivery.delivery import Delivery
from gateway.delivery.durable import AfterCommit
from gateway.delivery.live import Live
from gateway.delivery.settings import CarrierSettings, DeliverySettings, default_categories
from gateway.delivery.shared import Shared
from gateway.message import MessageId
from gateway.metrics import Metrics
from gateway.smpp import (
    BindTransceiverResp,
    DeliverSm,
    EsmClass,
    Event,
    Pdu,
    RequestReceived,
    Role,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
    TlvTag,
    Unbind,
    make_tlv,
)
from gateway.store.memory import MemoryStore
from tests.delivery.rig import NoBooks, OpenGate

_NO_DELAY = 0.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing is waited for: when nothing is to be done now, it is later at once."""

    def __init__(self) -> None:
        self.now = 1_000.0
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self._loop.now += timeout + 1e-6
        return super().select(0)


class Wire(asyncio.Transport):
    """One direction of a connection: what is written arrives at the other end a little later."""

    def __init__(self, latency_seconds: float) -> None:
        super().__init__()
        self._latency_seconds = latency_seconds
        self._closed = False
        self.other: Wire | None = None
        self.end: Connection | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closed

    def write(self, data: Any) -> None:
        assert self.other is not None
        if not self._closed:
            asyncio.get_running_loop().call_later(self._latency_seconds, self.other.arrive, bytes(data))

    def arrive(self, data: bytes) -> None:
        if not self._closed and self.end is not None:
            self.end.data_received(data)

    def close(self) -> None:
        self._lose(None)

    def abort(self) -> None:
        self._lose(ConnectionAbortedError("aborted"))

    def _lose(self, error: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        if self.end is not None:
            loop.call_soon(self.end.connection_lost, error)
        if self.other is not None:
            loop.call_later(self._latency_seconds, self.other._lose, error)


class Taken(msgspec.Struct):
    """A submit_sm that came: when, to whom, and what was answered (None: nothing)."""

    at: float
    to: str
    reference: bytes  # what tells its parts apart
    status: int | None


# From a submit_sm and the time: the status to answer with (None: keep silent) and after how many seconds.
Behaviour = Callable[[SubmitSm, float], tuple[int | None, float]]


class MemorySmsc:
    """An SMSC without a network. `receipt_seconds`: how long after it took a message its receipt comes."""

    def __init__(self, behave: Behaviour, *, latency_seconds: float = 0.02, receipt_seconds: float = 3.0) -> None:
        self.behave = behave
        self.is_listening = True
        self.taken: list[Taken] = []
        self._latency_seconds = latency_seconds
        self._receipt_seconds = receipt_seconds
        self._bound: list[Connection] = []
        self._ids = 0

    def connect(self, settings: SessionSettings, on_events: Any, on_writable: Any) -> Connection:
        """A connection to it, as `open_connection` gives one. Raises OSError while it does not listen."""
        if not self.is_listening:
            raise ConnectionRefusedError("it is down")
        ours = Connection(Role.ESME, settings, on_events, on_writable=on_writable)
        theirs = Connection(Role.SMSC, SessionSettings(window=1_000), self._take)
        there, back = Wire(self._latency_seconds), Wire(self._latency_seconds)
        there.other, back.other = back, there
        there.end, back.end = ours, theirs
        theirs.connection_made(back)
        ours.connection_made(there)
        return ours

    def go_down(self) -> None:
        """Lose every connection, and take none."""
        self.is_listening = False
        for connection in self._bound:
            connection.abort()
        self._bound.clear()

    def _take(self, connection: Connection, events: list[Event]) -> None:
        for event in events:
            if not isinstance(event, RequestReceived):
                continue
            body = event.pdu.body
            if isinstance(body, SubmitSm):
                self._submitted(connection, event.pdu, body)
            elif not isinstance(body, Unbind):
                connection.respond(event.pdu, BindTransceiverResp(system_id="memory"))
                self._bound.append(connection)

    def _submitted(self, connection: Connection, pdu: Pdu, body: SubmitSm) -> None:
        loop = asyncio.get_running_loop()
        status, delay = self.behave(body, loop.time())
        reference = body.short_message[:6] if body.esm_class & EsmClass.UDHI else b""
        self.taken.append(Taken(loop.time(), "+" + body.destination_addr, reference, status))
        if status is None:
            return
        self._ids += 1
        message_id = "" if status else f"{self._ids}"
        loop.call_later(delay, self._answer, connection, pdu, message_id, status)
        if not status:
            loop.call_later(delay + self._receipt_seconds, self._deliver, body, message_id)

    def _answer(self, connection: Connection, pdu: Pdu, message_id: str, status: int) -> None:
        if connection in self._bound:
            connection.respond(pdu, SubmitSmResp(message_id=message_id), command_status=status)

    def _deliver(self, submit: SubmitSm, message_id: str) -> None:
        """A receipt, over whichever bind there is; while there is none it is kept."""
        if not self._bound:
            asyncio.get_running_loop().call_later(60.0, self._deliver, submit, message_id)
            return
        tlvs = (make_tlv(TlvTag.RECEIPTED_MESSAGE_ID, message_id), make_tlv(TlvTag.MESSAGE_STATE, 2))
        body = DeliverSm(
            source_addr=submit.destination_addr,
            destination_addr=submit.source_addr,
            esm_class=EsmClass.DELIVERY_RECEIPT,
            short_message=f"id:{message_id} stat:DELIVRD".encode(),
            tlvs=tlvs,
        )
        self._bound[-1].send(body)


async def open_delivery(
    carriers: Sequence[CarrierSettings],
    smscs: Mapping[int, MemorySmsc],
    *,
    settings: DeliverySettings,
    clock: Callable[[], int],
    random: Callable[[], float],
    next_id: Callable[[], MessageId],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Delivery, Shared]:
    """All of delivery on a store in memory. `smscs`: by the port that a bind has in its settings."""

    async def connect(_: str, port: int, **fields: Any) -> Connection:
        return smscs[port].connect(fields["settings"], fields["on_events"], fields["on_writable"])

    monkeypatch.setattr(binds, "open_connection", connect)
    shared = Shared(
        store=MemoryStore(),
        live=Live(),
        after=AfterCommit(),
        metrics=Metrics(),
        settings=settings,
        categories=default_categories(),
        clock=clock,
        random=random,
        gate=OpenGate(),
        usage=NoBooks(),
    )
    delivery = Delivery(carriers, shared, await shared.store.open(), next_id)
    await delivery.recover()
    return delivery, shared
