"""asyncio: one SMPP session over one TCP or TLS connection.

After every call into the session: report, write, set its timer again. What is sent while events are handled, or within
one iteration of the loop, leaves in one write.
"""

import asyncio
import socket
import ssl as tls
from collections.abc import Callable
from typing import Final, cast

from gateway.smpp import (
    Body,
    ConnectionLost,
    Event,
    LocalProtocolError,
    Pdu,
    PeerTooSlow,
    Role,
    Session,
    SessionBroken,
    SessionClosed,
    SessionSettings,
    State,
    Unbind,
)

# Above this, `writable` is False, unless the owner says less.
WRITE_HIGH_WATER_BYTES: Final = 64 * 1024
# Above this, the peer does not read, and the connection is given up. Reading is never paused to make it read: two
# ends that did so to each other would wait for ever.
WRITE_LIMIT_BYTES: Final = 16 * 1024 * 1024
# How long the last bytes of a session that is over may take to leave.
LINGER_SECONDS: Final = 5.0
# What is taken of one read before the loop goes on: the answers to it leave while the rest is taken, so that both ends
# work at once, and a peer that sends much holds nobody up. A Chinese submit_sm has about 200 octets.
SLICE_BYTES: Final = 8 * 1024

OnEvents = Callable[["Connection", list[Event]], None]
OnConnection = Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """One session over one transport. All methods are for the loop's thread.

    `on_events` is called synchronously, with the events of one read or one timer, oldest first; the last ever are those
    of the session's end. If it raises, the connection is aborted and the loop's exception handler gets the error.
    `on_writable` is called when `writable` has become True again.
    """

    def __init__(
        self,
        role: Role,
        settings: SessionSettings,
        on_events: OnEvents,
        *,
        on_connection: OnConnection | None = None,
        on_writable: OnConnection | None = None,
        write_high_water_bytes: int = WRITE_HIGH_WATER_BYTES,
    ) -> None:
        self.role: Final = role
        self.settings: Final = settings
        self.on_events = on_events
        self.on_writable = on_writable
        self._on_connection: Final = on_connection
        self._write_high_water_bytes: Final = write_high_water_bytes
        self._loop: Final = asyncio.get_running_loop()
        self._session = Session(role, settings, now=self._loop.time())
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._busy = False  # inside a callback: what is sent now is written at its end
        self._scheduled = False  # a write is scheduled for the end of this iteration
        self._ended = False  # the session's last event has been reported
        self._read = b""  # a read that is taken in slices; reading is paused until all of it is
        self._taken = 0  # how much of it has been
        self.writable = False
        self.peer = "not connected"
        self.closed: Final[asyncio.Future[None]] = self._loop.create_future()

    # --- what the owner asks and does ----------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The session's state."""
        return self._session.state

    @property
    def window_free(self) -> int:
        """How many requests may be sent now."""
        return self._session.window_free

    @property
    def window_in_use(self) -> int:
        """How many slots of the window are taken."""
        return self._session.window_in_use

    def send(self, body: Body, context: object = None) -> int:
        """Send a request and return its sequence number. Raises as `Session.send` does."""
        number = self._session.send(body, now=self._loop.time(), context=context)
        if not (self._busy or self._scheduled):
            self._schedule_write()
        return number

    def respond(self, request: Pdu, body: Body, *, command_status: int = 0) -> None:
        """Answer a request. Raises as `Session.respond` does."""
        self._session.respond(request, body, now=self._loop.time(), command_status=command_status)
        if not (self._busy or self._scheduled):
            self._schedule_write()

    def release(self, sequence_number: int) -> None:
        """Free the slot of an answered request (with `hold_slots`)."""
        self._session.release(sequence_number)

    def abort(self) -> None:
        """Drop the connection now. What is unanswered comes back in a SessionBroken."""
        self.writable = False
        if self._transport is not None:
            self._transport.abort()

    async def unbind(self, *, timeout_seconds: float | None = None) -> None:
        """End the session in order, and return when the transport is closed.

        What is unanswered may still be answered while this waits, at most `timeout_seconds` (default: the response
        timeout); then the connection is aborted.
        """
        try:
            self.send(Unbind())
        except LocalProtocolError:
            if self._transport is not None and self.state is not State.UNBINDING:
                self._transport.close()  # never bound: there is nothing to unbind
        timeout = self.settings.response_timeout_seconds if timeout_seconds is None else timeout_seconds
        await asyncio.wait({self.closed}, timeout=timeout)
        if not self.closed.done():
            self.abort()
            await asyncio.wait({self.closed})

    # --- what the transport calls --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there: begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._write_high_water_bytes)
        raw_socket = transport.get_extra_info("socket")
        if raw_socket is not None and raw_socket.family != socket.AF_UNIX:
            raw_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # What the kernel holds and has not sent stands in the way of what is sent next, as does what we hold.
            raw_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, self._write_high_water_bytes)
        self.peer = _name_peer(transport.get_extra_info("peername"))
        self.writable = True
        if self._on_connection is not None:
            self._guard(self._on_connection)
        self._write()

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer: take them, a slice in each iteration of the loop."""
        if self._read or len(data) > SLICE_BYTES:
            self._take_in_slices(data)
        else:
            self._report(self._session.receive_data(data, now=self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone: report what is in doubt, then complete `closed`."""
        self.writable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._take_rest()
            if exc is not None:
                self._report(self._session.abandon(ConnectionLost(f"the connection was lost: {exc}")))
            else:
                self._report(self._session.receive_eof(now=self._loop.time()))
        finally:
            if not self.closed.done():
                self.closed.set_result(None)

    def pause_writing(self) -> None:
        """The transport holds more than the high-water mark."""
        self.writable = False

    def resume_writing(self) -> None:
        """The transport has written what it held."""
        self.writable = True
        if self.on_writable is not None:
            self._guard(self.on_writable)
            self._write()

    # --- a read that is taken in slices --------------------------------------------------------------------------

    def _take_in_slices(self, data: bytes) -> None:
        if self._read:
            self._read += data
            return
        self._read = data
        assert self._transport is not None
        self._transport.pause_reading()
        self._take_slice()

    def _take_slice(self) -> None:
        if not self._read:
            return  # the connection was lost in the meantime, or its owner failed
        piece = self._read[self._taken : self._taken + SLICE_BYTES]
        self._taken += len(piece)
        if self._taken < len(self._read):
            self._loop.call_soon(self._take_slice)
        else:
            self._read, self._taken = b"", 0
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
        self._report(self._session.receive_data(piece, now=self._loop.time()))

    def _take_rest(self) -> None:
        rest, self._read, self._taken = self._read[self._taken :], b"", 0
        if rest:
            self._report(self._session.receive_data(rest, now=self._loop.time()))

    # --- after every call into the session -----------------------------------------------------------------------

    def _report(self, events: list[Event]) -> None:
        """Report `events`, and write what the session and its owner have to say."""
        if events:
            if isinstance(events[-1], SessionBroken | SessionClosed):
                self._ended = True
            self._guard(lambda _: self.on_events(self, events))
        self._write()

    def _guard(self, callback: OnConnection) -> None:
        """Call the owner. If it raises, abort, and let the loop's exception handler report the error."""
        completed = False
        self._busy = True
        try:
            callback(self)
            completed = True
        finally:
            self._busy = False
            if not completed:
                self._read, self._taken = b"", 0
                self.abort()

    def _schedule_write(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._scheduled = False
        transport = self._transport
        if transport is None:
            return
        data = self._session.data_to_send()
        if data and not transport.is_closing():
            transport.write(data)
            if transport.get_write_buffer_size() > WRITE_LIMIT_BYTES and not self._ended:
                error = PeerTooSlow(f"more than {WRITE_LIMIT_BYTES} octets written and not read")
                transport.abort()
                self._report(self._session.abandon(error))
        if self._ended:
            self._close_transport(transport)
        else:
            self._set_timer()

    def _close_transport(self, transport: asyncio.Transport) -> None:
        if not transport.is_closing():
            transport.close()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(LINGER_SECONDS, transport.abort)

    def _set_timer(self) -> None:
        deadline = self._session.next_deadline
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline  # kept here: what uvloop gives for a time that is past cannot be asked
        self._timer = self._loop.call_at(deadline, self._on_timer, deadline)

    def _on_timer(self, deadline: float) -> None:
        self._timer = None
        # A loop with a coarse clock may call a little early.
        self._report(self._session.handle_timer(now=max(self._loop.time(), deadline)))


async def open_connection(
    host: str,
    port: int,
    *,
    settings: SessionSettings,
    on_events: OnEvents,
    on_writable: OnConnection | None = None,
    role: Role = Role.ESME,
    ssl: tls.SSLContext | None = None,
    server_hostname: str | None = None,
    connect_timeout_seconds: float = 10.0,
    write_high_water_bytes: int = WRITE_HIGH_WATER_BYTES,
) -> Connection:
    """Connect, with TLS if `ssl` is given, whose handshake is within the timeout too. Raises OSError or TimeoutError.

    The session is not bound: send a bind. With `role=Role.SMSC`, send an Outbind.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(connect_timeout_seconds):
        _, connection = await loop.create_connection(
            lambda: Connection(
                role,
                settings,
                on_events,
                on_writable=on_writable,
                write_high_water_bytes=write_high_water_bytes,
            ),
            host,
            port,
            ssl=ssl,
            server_hostname=server_hostname,
        )
    return connection


async def serve(
    host: str,
    port: int,
    *,
    settings: SessionSettings,
    on_events: OnEvents,
    on_connection: OnConnection | None = None,
    on_writable: OnConnection | None = None,
    role: Role = Role.SMSC,
    ssl: tls.SSLContext | None = None,
) -> asyncio.Server:
    """Listen, and make a Connection of each that comes; `on_connection` sees it first. Raises OSError.

    Port 0 takes a free one: `server.sockets[0].getsockname()`. With `role=Role.ESME`, wait for outbinds.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Connection(role, settings, on_events, on_connection=on_connection, on_writable=on_writable),
        host,
        port,
        ssl=ssl,
    )


def _name_peer(address: object) -> str:
    """`host:port` of a socket address, in brackets where the host has colons."""
    match address:
        case (str(host), int(port), *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return "unknown"
