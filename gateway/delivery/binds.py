"""One bind: a connection to an SMSC that is opened, bound, watched and, when it is lost, opened again.

One task supervises it for as long as the gateway runs. What the peer sends goes to the carrier that it belongs to.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog

from gateway.connection import WRITE_HIGH_WATER_BYTES, Connection, open_connection
from gateway.delivery.questions import Question
from gateway.delivery.settings import BindMode, BindSettings, InterfaceVersion
from gateway.delivery.tls import TlsFault, client_context
from gateway.message import Milliseconds
from gateway.rates import Backoff
from gateway.smpp import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    Body,
    Event,
    Pdu,
    PeerUnbound,
    RequestReceived,
    RequestUnanswered,
    ResponseReceived,
    SessionBroken,
    SessionClosed,
    SessionSettings,
    SmppError,
    Unanswered,
    describe,
)

_REQUESTS: Final = {
    BindMode.TRANSCEIVER: BindTransceiver,
    BindMode.TRANSMITTER: BindTransmitter,
    BindMode.RECEIVER: BindReceiver,
}
_VERSIONS: Final = {InterfaceVersion.V3_4: 0x34, InterfaceVersion.V5_0: 0x50}  # SMPP 5.0, section 4.7.13
DRAIN_LOOK_SECONDS: Final = 0.02
STABLE_SECONDS: Final = 10.0  # a bind that lasted this long starts its backoff afresh when it is lost
# A submit_sm has more octets than this, with any text: so many of them a slot of the window are less than one window,
# and that is all that may wait in front of a one-time password on its way into the socket.
SHORT_SUBMIT_BYTES: Final = 64

log = structlog.get_logger(__name__)


class BindRefused(Exception):  # noqa: N818 - it is an answer
    """The SMSC answered the bind with a status other than ESME_ROK."""


class BindOwner(Protocol):
    """What a bind tells its carrier."""

    def bind_is_up(self, bind: "Bind") -> None: ...

    def bind_is_down(self, bind: "Bind", connection: Connection) -> None: ...

    def response_received(self, bind: "Bind", connection: Connection, event: ResponseReceived) -> None: ...

    def request_unanswered(self, bind: "Bind", event: RequestUnanswered | Unanswered, error: str) -> None: ...

    def request_received(self, bind: "Bind", connection: Connection, pdu: Pdu) -> None: ...

    def events_done(self, bind: "Bind") -> None:
        """All events of one read, or one timer, have been told."""


class Bind:
    """A supervised connection. `reserved` slots are promised to parts whose intent is being written to disk."""

    def __init__(
        self,
        settings: BindSettings,
        owner: BindOwner,
        *,
        response_timeout_seconds: float,
        otp_share: float,
        random: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.reserved = 0
        # Slots that are kept for one-time passwords. One at least is for all.
        self._kept = min(settings.window - 1, math.ceil(settings.window * otp_share))
        self.connection: Connection | None = None
        self.error = "not connected yet"
        self.since: Milliseconds = _wall_clock()
        self._owner = owner
        self._session_settings = SessionSettings(
            window=settings.window,
            response_timeout_seconds=response_timeout_seconds,
            enquire_link_interval_seconds=settings.enquire_link_seconds,
            hold_slots=True,
        )
        self._backoff = Backoff(
            first_seconds=settings.reconnect_first_seconds,
            longest_seconds=settings.reconnect_longest_seconds,
            random=random,
        )
        self._bound: asyncio.Future[str] | None = None  # why the bind under way has failed; "" when it has not
        self._leaving = False  # the session is ending: it takes no more requests
        self._closing = asyncio.Event()  # it shall not be opened again
        self._rebind = asyncio.Event()  # it shall be closed and opened again, at once
        self._log = log.bind(bind=settings.name)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def is_up(self) -> bool:
        return self.connection is not None

    @property
    def can_send(self) -> bool:
        return self.settings.mode is not BindMode.RECEIVER

    @property
    def free(self) -> int:
        """How many parts it can take now, what is kept for one-time passwords with them."""
        connection = self.connection
        if connection is None or self._leaving:
            return 0
        return connection.window_free - self.reserved

    @property
    def free_for_others(self) -> int:
        """How many parts it can take now that are no one-time passwords: none while some wait to be written."""
        connection = self.connection
        if connection is None or self._leaving or not connection.writable:
            return 0
        return connection.window_free - self.reserved - self._kept

    def is_usable_by(self, connection: Connection) -> bool:
        """Whether this is still the connection that a slot was reserved on, and takes requests."""
        return self.connection is connection and not self._leaving

    @property
    def in_use(self) -> int:
        """Slots taken: parts without an answer on disk, and parts whose intent is being written."""
        return self.reserved + (self.connection.window_in_use if self.connection is not None else 0)

    async def run(self) -> None:
        """Keep the bind up until it is closed."""
        while not self._closing.is_set():
            self._rebind.clear()  # what comes now is what was asked for
            try:
                connection = await self._open()
            except (OSError, TimeoutError, TlsFault, SmppError, BindRefused) as error:
                self._note_down(str(error) or type(error).__name__)
            else:
                up_at = time.monotonic()
                if self._closing.is_set():
                    await connection.unbind()
                await self._until_closed(connection)
                if time.monotonic() - up_at >= STABLE_SECONDS:
                    self._backoff.reset()
            if self._closing.is_set():
                return
            if not self._rebind.is_set():
                delay = self._backoff.next()
                self._log.info("bind is down", error=self.error, retry_in_seconds=round(delay, 2))
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._rebind.wait()

    def rebind(self) -> None:
        """Finish what is under way, unbind, and bind again; when it is down: try at once."""
        self._backoff.reset()
        self._rebind.set()

    async def _until_closed(self, connection: Connection) -> None:
        """Return when the connection has ended, which is also when it is to be opened again."""
        asked = asyncio.create_task(self._rebind.wait())
        ends: set[asyncio.Future[Any]] = {asked, connection.closed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if connection.closed.done():
            return
        self._leaving = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._session_settings.response_timeout_seconds
        while self.in_use and not connection.closed.done() and loop.time() < deadline:  # noqa: ASYNC110 no event for it
            await asyncio.sleep(DRAIN_LOOK_SECONDS)
        await connection.unbind()

    def ask(self, body: Body) -> Question:
        """Send a request about a message. Only while it has a slot free: see `free`."""
        assert self.connection is not None
        question = Question()
        self.connection.send(body, question)
        return question

    async def close(self) -> None:
        """Unbind in order, if it is up, and stay down."""
        self._closing.set()
        if self.connection is not None:
            self._leaving = True
            await self.connection.unbind()

    async def _open(self) -> Connection:
        """Connect and bind, or raise why not."""
        settings = self.settings
        context = client_context(settings)
        self._bound = asyncio.get_running_loop().create_future()
        connection = await open_connection(
            settings.host,
            settings.port,
            settings=self._session_settings,
            on_events=self._take,
            on_writable=self._writable,
            ssl=context,
            server_hostname=(settings.tls_server_name or settings.host) if context is not None else None,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            write_high_water_bytes=min(WRITE_HIGH_WATER_BYTES, settings.window * SHORT_SUBMIT_BYTES),
        )
        try:
            request = _REQUESTS[settings.mode]
            connection.send(
                request(
                    system_id=settings.system_id,
                    password=settings.password,
                    system_type=settings.system_type,
                    interface_version=_VERSIONS[settings.interface_version],
                )
            )
            fault = await self._bound
            if fault:
                raise BindRefused(fault)
        except BaseException:
            connection.abort()
            raise
        return connection

    def _take(self, connection: Connection, events: list[Event]) -> None:
        """Everything the session reports, in order."""
        owner = self._owner
        for event in events:
            if type(event) is ResponseReceived:
                if event.context is None:
                    self._bind_answered(connection, event)
                elif type(event.context) is Question:
                    if not event.late:
                        connection.release(event.sequence_number)
                    event.context.answer(event)
                else:
                    owner.response_received(self, connection, event)
            elif type(event) is RequestReceived:
                owner.request_received(self, connection, event.pdu)
            elif type(event) is RequestUnanswered:
                if type(event.context) is Question:
                    event.context.give_up()
                elif event.context is not None:
                    owner.request_unanswered(self, event, "timeout")
            elif isinstance(event, SessionBroken | SessionClosed):
                self._ended(connection, event)
            elif isinstance(event, PeerUnbound):
                self._leaving = True
                self._log.info("the peer unbinds")
        owner.events_done(self)

    def _writable(self, _connection: Connection) -> None:
        self._owner.events_done(self)

    def _bind_answered(self, connection: Connection, event: ResponseReceived) -> None:
        connection.release(event.sequence_number)
        if self._bound is None or self._bound.done():
            return
        if event.command_status:
            self._bound.set_result(f"bind refused: {describe(event.command_status)}")
            return
        # At once: what comes in the same read, receipts or the end, is for a bind that is up.
        self._bound.set_result("")
        self.connection = connection
        self._leaving = False
        self.error = ""
        self.since = _wall_clock()
        settings = self.settings
        self._log.info("bind is up", host=settings.host, port=settings.port, mode=settings.mode)
        self._owner.bind_is_up(self)

    def _ended(self, connection: Connection, event: SessionBroken | SessionClosed) -> None:
        error = str(event.error) if isinstance(event, SessionBroken) else "unbound"
        if self._bound is not None and not self._bound.done():
            self._bound.set_result(f"the connection ended before the bind was answered: {error}")
        if connection is not self.connection:
            return
        self.connection = None
        self._note_down(error)
        self._owner.bind_is_down(self, connection)
        for unanswered in event.unanswered:
            if type(unanswered.context) is Question:
                unanswered.context.give_up()
            elif unanswered.context is not None:
                self._owner.request_unanswered(self, unanswered, "connection_lost")

    def _note_down(self, error: str) -> None:
        if not self.error:
            self.since = _wall_clock()
        self.error = error


def _wall_clock() -> Milliseconds:
    return time.time_ns() // 1_000_000
