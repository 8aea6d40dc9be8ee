"""The bad network itself: what it does to octets is what a fault says it does."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import Proxy, Weather

SENT = bytes(range(256)) * 40


class Far:
    """A peer behind the proxy that repeats whatever it hears."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(65_536):
                self.reads.append(octets)
                writer.write(octets)
        except ConnectionResetError:
            pass
        self.ended.set()
        writer.close()


@asynccontextmanager
async def network() -> AsyncIterator[tuple[Proxy, Far]]:
    far = Far()
    server = await asyncio.start_server(far, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with Proxy(f"{host}:{port}", random.Random(1)).listening() as proxy:
        yield proxy, far
    server.close()


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = proxy.address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def test_fair_and_torn_networks_pass_on_every_octet_in_order():
    async with network() as (proxy, far):
        reader, writer = await connect(proxy)
        for weather in (Weather(), Weather(torn_octets=40), Weather(delay_seconds=(0.0, 0.01))):
            proxy.change(weather)
            writer.write(SENT)
            assert await reader.readexactly(len(SENT)) == SENT
        assert b"".join(far.reads) == 3 * SENT
        writer.close()


async def test_a_silent_network_passes_nothing_on_until_it_heals():
    async with network() as (proxy, far):
        reader, writer = await connect(proxy)
        proxy.change(Weather(silent=True))
        writer.write(SENT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert far.reads == []
        proxy.heal()
        assert await reader.readexactly(len(SENT)) == SENT
        writer.close()


async def test_a_cut_resets_both_sides_and_a_refusing_network_lets_nobody_in():
    async with network() as (proxy, far):
        reader, writer = await connect(proxy)
        writer.write(SENT)
        await reader.readexactly(len(SENT))
        proxy.change(Weather(refusing=True))
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        await asyncio.wait_for(far.ended.wait(), 5)

        reader, _ = await connect(proxy)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        assert proxy.refused == 1


async def test_a_cut_midway_lets_half_through():
    async with network() as (proxy, far):
        reader, writer = await connect(proxy)
        writer.write(b"a")
        await reader.readexactly(1)
        proxy.cut_midway()
        writer.write(SENT)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(len(SENT))
        await asyncio.wait_for(far.ended.wait(), 5)
        assert len(b"".join(far.reads)) <= 1 + len(SENT) // 2


async def test_a_half_open_connection_ends_for_the_far_side_and_is_silent_for_the_near():
    async with network() as (proxy, far):
        reader, writer = await connect(proxy)
        writer.write(b"a")
        await reader.readexactly(1)
        assert proxy.half_open() == 1
        await asyncio.wait_for(far.ended.wait(), 5)
        writer.write(SENT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert (proxy.half, b"".join(far.reads)) == (1, b"a")
        writer.close()
        async with asyncio.timeout(5):
            while proxy.half:
                await asyncio.sleep(0.01)
