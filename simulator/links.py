"""A connection that can misbehave: what no honest peer does, beside what the protocol has."""

import asyncio
import socket
import struct
from typing import Final, cast

from gateway.connection import Connection
from gateway.smpp import Body, Pdu

# With this option a close sends RST and forgets what was not sent: linger on, for 0 seconds. socket(7), SO_LINGER.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

# A loop may gather what is written and hand it to the socket an iteration later; a reset would forget it.
_LEAVE_SECONDS: Final = 0.01


class FaultyConnection(Connection):
    """A Connection whose transport can be reached past the session."""

    _raw: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._raw = cast("asyncio.Transport", transport)
        super().connection_made(transport)

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

    def pause_reading(self) -> None:
        """Leave what the peer writes in the socket."""
        if self._raw is not None and not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._raw is not None and not self._raw.is_closing():
            self._raw.resume_reading()

    def _write_raw(self, data: bytes) -> None:
        if data and self._raw is not None and not self._raw.is_closing():
            self._raw.write(data)

    def _reset(self) -> None:
        if self._raw is None or self._raw.is_closing():
            return
        self._raw.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._raw.abort()
