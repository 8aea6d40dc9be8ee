"""A connection that can misbehave: what no honest peer does, beside what the protocol has."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final, cast

from gateway.connection import Connection
from gateway.smpp import Body, LocalProtocolError, Pdu, Unbind
from simulator.flows import Outflow
from simulator.scenario import Wire

# With this option a close sends RST and forgets what was not sent: linger on, for 0 seconds. socket(7), SO_LINGER.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

# A loop may gather what is written and hand it to the socket an iteration later; a reset would forget it.
_LEAVE_SECONDS: Final = 0.01

# What was read and waits for its turn; past it the rest stays in the socket.
_HELD_BYTES: Final = 64 * 1024
_TICK_SECONDS: Final = 0.02


class FaultyConnection(Connection):
    """A Connection whose transport can be reached past the session."""

    _raw: Outflow | None = None
    _held: bytearray | None = None  # what was read and is kept from the session; None: nothing is kept
    _held_timer: asyncio.TimerHandle | None = None
    _wire = Wire()
    _is_frozen = False  # by a fault of its own, to the end
    _is_paused = False  # its owner wants nothing read
    _is_full = False  # too much is held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._raw = Outflow(cast("asyncio.Transport", transport), self._loop)
        super().connection_made(self._raw)
        if not self._wire.is_plain:
            self.shape(self._wire)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        if self._held_timer is not None:
            self._held_timer.cancel()
        super().connection_lost(exc)

    # --- octets that are no PDU of the session -------------------------------------------------------------------

    def inject(self, data: bytes) -> None:
        """Write `data` as it is, after what the session has to send."""
        # The session's own data is written before the loop goes round, so this comes after it.
        self._loop.call_soon(self._write_raw, data)

    def lose(self, request: Pdu, response: Body) -> None:
        """Answer a request, as the session sees it, and let the answer be lost on the way."""
        self._write()
        self._session.respond(request, response, now=self._loop.time())
        data = self._session.data_to_send()
        # The last answer that was owed is followed by that to an unbind.
        self._write_raw(data[int.from_bytes(data[:4], "big") :])

    def inject_and_reset(self, data: bytes) -> None:
        """Write `data` as it is, after what the session has to send, and reset the connection when it has left."""
        self.inject(data)
        self._loop.call_later(_LEAVE_SECONDS, self._reset)

    def reset(self) -> None:
        """Send what the session has to send, then reset the connection as a crashed peer does."""
        self._loop.call_later(_LEAVE_SECONDS, self._reset)

    def end_session(self) -> None:
        """Ask the peer to end the session, after what the session has to send."""
        with suppress(LocalProtocolError):  # it has ended
            self.send(Unbind())

    def _write_raw(self, data: bytes) -> None:
        if data and self._raw is not None and not self._raw.is_closing():
            self._raw.write(data)

    def _reset(self) -> None:
        if self._raw is None or self._raw.is_closing():
            return
        self._raw.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._raw.abort()

    # --- how octets go -------------------------------------------------------------------------------------------

    def shape(self, wire: Wire) -> None:
        """Let octets go as `wire` says from now on."""
        self._wire = wire
        if self._raw is None or self._is_frozen:
            return
        self._raw.shape(wire.write_octets, wire.write_pause_seconds)
        if wire.silent:
            self._raw.freeze()
        else:
            self._raw.thaw()
        if wire.silent or wire.read_octets_per_second:
            self._hold()
        if self._held is not None:
            self._feed()

    def freeze_after(self, data: bytes) -> None:
        """Write `data` as it is, after what the session has to send, and then neither read nor write any more."""
        self._hold()
        self._is_frozen = True
        self.inject(data)
        if self._raw is not None:
            self._loop.call_soon(self._raw.freeze)

    def data_received(self, data: bytes) -> None:
        """Octets of the peer: to the session, or held back."""
        if self._held is None:
            super().data_received(data)
            return
        self._held += data
        self._mind_room()
        if self._held_timer is None:
            self._feed()

    def _hold(self) -> None:
        if self._held is None:
            self._held = bytearray()

    def _feed(self) -> None:
        """Give the session what it may have of what is held, and come back for more."""
        self._held_timer = None
        if self._is_silent or self._held is None:
            return
        rate = self._wire.read_octets_per_second
        size = max(1, int(rate * _TICK_SECONDS)) if rate else len(self._held)
        data = bytes(self._held[:size])
        del self._held[:size]
        if data:
            super().data_received(data)
        self._mind_room()
        if rate:
            if self._held:
                self._held_timer = self._loop.call_later(max(_TICK_SECONDS, size / rate), self._feed)
        elif not self._is_silent:
            self._held = None
            self._set_timer()  # it may be past, if this was silent

    @property
    def _is_silent(self) -> bool:
        return self._is_frozen or self._wire.silent

    def _on_timer(self, deadline: float) -> None:
        """The session's time has come; what is silent has none."""
        if self._is_silent:
            self._timer = None
            return
        super()._on_timer(deadline)

    def pause_reading(self) -> None:
        """Leave what the peer writes in the socket."""
        self._is_paused = True
        self._mind_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._is_paused = False
        self._mind_reading()

    def _mind_room(self) -> None:
        is_full = self._held is not None and len(self._held) >= _HELD_BYTES
        if is_full is not self._is_full:
            self._is_full = is_full
            self._mind_reading()

    def _mind_reading(self) -> None:
        if self._raw is None or self._raw.is_closing():
            return
        if self._is_paused or self._is_full:
            self._raw.pause_reading()
        else:
            self._raw.resume_reading()
