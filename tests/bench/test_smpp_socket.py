"""How many submits a second go through a socket, client and server each in a process of its own: `make bench`."""

import os
import subprocess
import sys
import time
from asyncio import Event as Flag
from pathlib import Path

import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.connection import Connection, open_connection, serve
from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    Event,
    Pdu,
    RequestReceived,
    ResponseReceived,
    SessionClosed,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
)

pytestmark = [pytest.mark.bench, pytest.mark.timeout(60)]

MESSAGES = 200_000
WINDOW = 100
ROOT = Path(__file__).parents[2]
HELLO = SubmitSm(
    source_addr="1069000112345",
    destination_addr="8613812345678",
    registered_delivery=1,
    data_coding=8,
    short_message="【阳光物业】今晚停水，请提前储水。".encode("utf-16-be") * 4,
)


async def run_server() -> None:
    """Take everything, until the first client has left. The port is the first line written."""
    left = Flag()

    def take(connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived(pdu=Pdu(body=SubmitSm()) as pdu):
                    connection.respond(pdu, SubmitSmResp(message_id=str(pdu.sequence_number)))
                case RequestReceived(pdu=pdu):
                    connection.respond(pdu, BindTransceiverResp(system_id="bench"))
                case SessionClosed():
                    left.set()

    server = await serve("127.0.0.1", 0, settings=SessionSettings(), on_events=take)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await left.wait()
    server.close()


async def run_client(port: int) -> float:
    """Send `MESSAGES` submits, never more than the window unanswered, and return the seconds they took."""
    finished, sent, answered = Flag(), 0, 0

    def go_on(connection: Connection, events: list[Event]) -> None:
        nonlocal sent, answered
        for event in events:
            if isinstance(event, ResponseReceived) and event.command_status == 0 and type(event.request) is SubmitSm:
                answered += 1
        for _ in range(min(connection.window_free, MESSAGES - sent)):
            connection.send(HELLO)
            sent += 1
        if answered == MESSAGES:
            finished.set()

    client = await open_connection("127.0.0.1", port, settings=SessionSettings(window=WINDOW), on_events=go_on)
    client.send(BindTransceiver(system_id="bench", password="secret"))
    start = time.perf_counter()
    await finished.wait()
    elapsed = time.perf_counter() - start
    client.on_events = lambda _connection, _events: None
    await client.unbind()
    return elapsed


@pytest.mark.benchmark(group="submit_sm over a socket, two processes, window 100")
def test_200_000_submits_through_a_socket(benchmark: BenchmarkFixture):
    rates = []

    def run() -> None:
        with subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                rates.append(MESSAGES / uvloop.run(run_client(int(server.stdout.readline()))))
                assert server.wait(10.0) == 0
            finally:
                server.kill()

    benchmark.pedantic(run, rounds=3, iterations=1)
    benchmark.extra_info["submits_per_second"] = [round(rate) for rate in rates]
    sys.stderr.write(f"\nsubmit_sm a second over a socket: {', '.join(f'{rate:,.0f}' for rate in rates)}\n")


if __name__ == "__main__":
    uvloop.run(run_server())
