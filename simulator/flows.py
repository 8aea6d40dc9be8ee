"""Octets that go over a connection as no honest peer's do: a few at a time, slowly, or not at all."""

import asyncio
from typing import Any, Final


class Outflow(asyncio.Transport):
    """A transport before a transport: what is written leaves at once, or in small pieces, or waits.

    Closing waits for what has not left. Whoever writes looks at `get_write_buffer_size`, which counts that too.
    """

    def __init__(self, raw: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._raw: Final = raw
        self._loop: Final = loop
        self._octets = 0  # that leave at once; 0 for all
        self._pause_seconds = 0.0
        self._is_frozen = False
        self._waiting = bytearray()
        self._timer: asyncio.Handle | None = None
        self._is_ending = False
        self.write = raw.write  # type: ignore[method-assign]  # until something is to go wrong nothing is in the way
        self.get_write_buffer_size = raw.get_write_buffer_size  # type: ignore[method-assign]
        self.is_closing = raw.is_closing  # type: ignore[method-assign]

    def shape(self, octets: int, pause_seconds: float) -> None:
        """Let at most `octets` leave at once, 0 for all, and the next ones after a pause."""
        self._octets, self._pause_seconds = octets, pause_seconds
        self._switch()

    def freeze(self) -> None:
        """Let nothing leave."""
        self._is_frozen = True
        self._switch()

    def thaw(self) -> None:
        """Let it leave again."""
        self._is_frozen = False
        self._switch()

    def _switch(self) -> None:
        if self._octets or self._is_frozen or self._waiting:
            self.write = self._hold  # type: ignore[method-assign]
            self.get_write_buffer_size = self._size  # type: ignore[method-assign]
            self.is_closing = self._is_closing  # type: ignore[method-assign]
        if self._timer is not None:  # what waits does so by what was said before
            self._timer.cancel()
        self._pump()

    def _hold(self, data: bytes | bytearray | memoryview) -> None:
        self._waiting += data
        if self._timer is None:
            self._pump()

    def _size(self) -> int:
        return len(self._waiting) + self._raw.get_write_buffer_size()

    def _is_closing(self) -> bool:
        return self._is_ending or self._raw.is_closing()

    def _pump(self) -> None:
        """Write a piece, and come back for the next."""
        self._timer = None
        if self._is_frozen or self._raw.is_closing():
            return
        size = self._octets or len(self._waiting)
        if self._waiting:
            self._raw.write(bytes(self._waiting[:size]))
            del self._waiting[:size]
        if self._waiting:
            later, pause = self._loop.call_later, self._pause_seconds
            self._timer = later(pause, self._pump) if pause else self._loop.call_soon(self._pump)
        elif self._is_ending:
            self._raw.close()

    # --- what else a transport is asked --------------------------------------------------------------------------

    def close(self) -> None:
        """Close when everything has left."""
        self._is_ending = True
        if not self._waiting:
            self._raw.close()

    def abort(self) -> None:
        """Close now."""
        self._waiting.clear()
        self._raw.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport below knows."""
        return self._raw.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits of the transport below."""
        self._raw.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Leave what the peer writes in the socket."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._raw.resume_reading()
