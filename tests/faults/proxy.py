"""A network that can be made bad: a TCP proxy whose connections are slow, torn, silent, half open, cut or refused."""

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

_READ_OCTETS: Final = 65_536


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How a network is. Fair: what comes in goes out at once."""

    delay_seconds: tuple[float, float] = (0.0, 0.0)  # of each piece, drawn between the two
    torn_octets: int = 0  # pieces are of 1 to so many; 0 tears nothing
    silent: bool = False  # takes octets and passes none on until that is over
    refusing: bool = False  # resets whoever connects


FAIR: Final = Weather()


class Proxy:
    """Passes connections on to `target`, as the weather is. With `tls` it is where TLS ends."""

    def __init__(self, target: str, chance: random.Random, *, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._chance = chance
        self.tls = tls
        self.weather = FAIR
        self.refused = 0
        self._fair = asyncio.Event()
        self._fair.set()
        self._links: set[_Link] = set()
        self.address = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Listen on a free port of loopback, `address`; at the end every connection is reset."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0, ssl=self.tls)
        host, port = server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        try:
            yield self
        finally:
            server.close()
            self.heal()
            self.cut()

    @property
    def half(self) -> int:
        """How many connections have no far side any more."""
        return sum(link.is_half for link in self._links)

    def change(self, weather: Weather) -> None:
        """Be so from now on, also for connections that are open."""
        self.weather = weather
        if weather.silent:
            self._fair.clear()
        else:
            self._fair.set()

    def heal(self) -> None:
        """Be fair again."""
        self.change(FAIR)

    def cut(self) -> int:
        """Reset every connection on both sides, and return how many there were."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    def cut_midway(self) -> None:
        """Let the next octets of every connection through by half, and reset it: in the midst of a PDU, or a record."""
        for link in self._links:
            link.tear = True

    def half_open(self) -> int:
        """Reset the far side of every connection, and leave the near side open: it hears nothing, ever again."""
        links = [link for link in self._links if not link.is_half]
        for link in links:
            link.halve()
        return len(links)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.refusing:
            self.refused += 1
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(link, reader, far_writer), self._pump(link, far_reader, writer))
        finally:
            link.reset()
            self._links.discard(link)

    async def _pump(self, link: "_Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one direction of a connection until it ends; then end the other as well."""
        with suppress(OSError):
            while octets := await reader.read(_READ_OCTETS):
                if link.is_half:
                    continue  # into nothing
                await self._fair.wait()
                if link.tear:
                    writer.write(octets[: max(1, len(octets) // 2)])
                    await asyncio.wait_for(writer.drain(), 1)
                    await asyncio.sleep(0)
                    break
                await self._pass_on(octets, writer)
        if not link.is_half or writer is link.far:
            link.reset()

    async def _pass_on(self, octets: bytes, writer: asyncio.StreamWriter) -> None:
        torn, (least, most) = self.weather.torn_octets, self.weather.delay_seconds
        while octets:
            size = self._chance.randint(1, torn) if torn else len(octets)
            if most:
                await asyncio.sleep(self._chance.uniform(least, most))
            writer.write(octets[:size])
            await writer.drain()
            octets = octets[size:]


class _Link:
    """One connection and its other half."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.is_half = False
        self.tear = False

    def halve(self) -> None:
        self.is_half = True
        _reset(self.far)

    def reset(self) -> None:
        for writer in (self.near, self.far):
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a broken network does: the other end is told of a reset and of no end."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
