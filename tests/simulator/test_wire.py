"""How octets go: a few at a time, slowly, or not at all."""

import asyncio
import time
from contextlib import suppress

from gateway.smpp import BindTransceiver, EnquireLink, Pdu, encode
from simulator import Simulator
from simulator.scenario import read_scenario
from tests.simulator.clients import bound, connected, id_of, submit_to
from tests.simulator.conftest import Start

PHONE = "8613800001234"
BIND = encode(Pdu(0, 1, BindTransceiver(system_id="gateway", password="secret")))


def behave(simulator: Simulator, **wire: object) -> None:
    simulator.change(read_scenario({"wire": wire}, simulator.settings))


async def test_octets_that_leave_one_by_one_make_the_same_pdus(start: Start) -> None:
    async with start(wire={"write_octets": 1}) as simulator, bound(simulator.port) as client:
        ids = [id_of(await client.submit(PHONE)) for _ in range(5)]
        await client.until(lambda: len(client.receipts) == 5)

    assert sorted(receipt.message_id for receipt in client.receipts) == ids


async def test_octets_leave_no_faster_than_is_said(start: Start) -> None:
    async with start(wire={"write_octets": 8, "write_pause_seconds": 0.05}) as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(BIND)
        started = time.monotonic()
        first = await reader.read(1000)
        await reader.readexactly(int.from_bytes(first[:4], "big") - len(first))
        elapsed_seconds = time.monotonic() - started
        writer.close()
        await writer.wait_closed()

    assert len(first) == 8
    assert elapsed_seconds >= 0.1  # 31 octets are three pauses, and timers may be early by a little


async def test_the_rest_leaves_at_once_when_the_scenario_lets_it(start: Start) -> None:
    async with start(wire={"write_octets": 1, "write_pause_seconds": 60}) as simulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(BIND)
        first = await reader.readexactly(1)
        behave(simulator, write_octets=0)
        rest = await asyncio.wait_for(reader.readexactly(30), timeout=10)
        writer.close()
        await writer.wait_closed()

    assert (first + rest)[4:8] == b"\x80\0\0\x09"


async def test_a_slow_reader_reads_so_many_octets_a_second_and_loses_none(start: Start) -> None:
    size = len(encode(Pdu(0, 1, submit_to(PHONE))))
    async with start() as simulator, bound(simulator.port) as client:
        behave(simulator, read_octets_per_second=size * 20)
        started = time.monotonic()
        for _ in range(10):
            client.connection.send(submit_to(PHONE))
        await client.until(lambda: len(client.responses) == 10)
        elapsed_seconds = time.monotonic() - started

    assert elapsed_seconds >= 0.4  # half a second's worth, less the first bite
    assert simulator.counts()["processed"] == 10


async def test_a_slow_reader_leaves_what_is_too_much_in_the_socket(start: Start) -> None:
    async with start(wire={"read_octets_per_second": 1000}) as simulator:
        _, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.transport.set_write_buffer_limits(high=0)
        submit = encode(Pdu(0, 2, submit_to(PHONE, short_message=b"x" * 250)))
        for _ in range(100):
            writer.write(submit * 1000)
        try:
            async with asyncio.timeout(0.5):
                await writer.drain()
            drained = True
        except TimeoutError:
            drained = False
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()

    assert not drained


async def test_who_is_silent_answers_nothing_and_everything_afterwards(start: Start) -> None:
    async with start() as simulator, bound(simulator.port) as client:
        behave(simulator, silent=True)
        client.connection.send(submit_to(PHONE))
        client.connection.send(EnquireLink())
        await asyncio.sleep(0.2)
        assert client.received == []
        assert client.end is None
        assert simulator.counts()["processed"] == 0

        behave(simulator)
        await client.until(lambda: len(client.receipts) == 1)

    assert client.responses[0].command_status == 0


async def test_a_connection_that_is_made_to_who_is_silent_is_not_answered(start: Start) -> None:
    bind = BindTransceiver(system_id="gateway", password="secret")
    async with start(wire={"silent": True}) as simulator, connected(simulator.port) as client:
        client.connection.send(bind)
        await asyncio.sleep(0.1)
        assert client.received == []

        behave(simulator, silent=False)
        await client.until(lambda: len(client.responses) == 1)


async def test_who_is_silent_ends_all_the_same(start: Start) -> None:
    async with start(wire={"silent": True}) as simulator, connected(simulator.port) as client:
        started = time.monotonic()

    assert client.end is not None
    assert time.monotonic() - started < 30
