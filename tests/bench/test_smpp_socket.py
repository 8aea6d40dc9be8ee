"""How many submits a second go through a socket, client and server each in a process of its own: `make bench`.

The rate suffers from whatever else runs here. What a submit costs either end in CPU time hardly does: where each has a
core of its own, the dearer of the two sets the rate.
"""

import logging
import os
import resource
import subprocess
import sys
import time
from asyncio import Event as Flag
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import smpplib.client
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

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

MESSAGES = 100_000
FOREIGN_MESSAGES = 5_000  # smpplib takes its time
WINDOW = 100
ROUNDS = 3
ROOT = Path(__file__).parents[2]
GROUP = "submit_sm over a socket, two processes, window 100"
HELLO = SubmitSm(
    source_addr="1069000112345",
    destination_addr="8613812345678",
    registered_delivery=1,
    data_coding=8,
    short_message="【阳光物业】今晚停水，请提前储水。".encode("utf-16-be") * 4,
)


class Run(msgspec.Struct, frozen=True):
    """What one run gave: submits a second by the clock, and CPU time a submit in µs at either end."""

    rate: float
    client_us: float
    server_us: float


async def run_server() -> None:
    """Take everything, until the first client has left. The port is the first line written, the CPU time the last."""
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
    _say(server.sockets[0].getsockname()[1])
    began = _cpu_seconds()
    await left.wait()
    _say(_cpu_seconds() - began)
    server.close()


async def run_client(port: int, messages: int) -> float:
    """Send `messages` submits, never more than the window unanswered, and return the seconds they took."""
    finished, sent, answered = Flag(), 0, 0

    def go_on(connection: Connection, events: list[Event]) -> None:
        nonlocal sent, answered
        for event in events:
            if isinstance(event, ResponseReceived) and event.command_status == 0 and type(event.request) is SubmitSm:
                answered += 1
        for _ in range(min(connection.window_free, messages - sent)):
            connection.send(HELLO)
            sent += 1
        if answered == messages:
            finished.set()

    client = await open_connection("127.0.0.1", port, settings=SessionSettings(window=WINDOW), on_events=go_on)
    client.send(BindTransceiver(system_id="bench", password="secret"))
    start = time.perf_counter()
    await finished.wait()
    elapsed = time.perf_counter() - start
    client.on_events = lambda _connection, _events: None
    await client.unbind()
    return elapsed


def our_client(port: int) -> float:
    return uvloop.run(run_client(port, MESSAGES))


def their_client(port: int) -> float:
    """The same with smpplib's client: fill the window, read until it is empty, and again."""
    client = smpplib.client.Client("127.0.0.1", port, logger_name="bench", allow_unknown_opt_params=True)
    client.logger.setLevel(logging.CRITICAL)
    client.connect()
    client.bind_transceiver(system_id="bench", password="secret")
    fields = {name: getattr(HELLO, name) for name in HELLO.__struct_fields__ if getattr(HELLO, name) and name != "tlvs"}
    start = time.perf_counter()
    for _ in range(FOREIGN_MESSAGES // WINDOW):
        for _ in range(WINDOW):
            client.send_message(**fields)
        for _ in range(WINDOW):
            client.read_once()
    elapsed = time.perf_counter() - start
    client.unbind()
    client.disconnect()
    return elapsed


@contextmanager
def a_server() -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, __file__], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield server
        finally:
            server.kill()


def measure(client: Callable[[int], float], messages: int) -> Run:
    with a_server() as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        began = _cpu_seconds()
        rate = messages / client(port)
        client_seconds = _cpu_seconds() - began
        server_seconds = float(server.stdout.readline())
        assert server.wait(10.0) == 0
    return Run(rate, client_seconds / messages * 1e6, server_seconds / messages * 1e6)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize(("client", "messages"), [(our_client, MESSAGES), (their_client, FOREIGN_MESSAGES)])
def test_submits_through_a_socket(benchmark: BenchmarkFixture, client: Callable[[int], float], messages: int):
    runs: list[Run] = []
    benchmark.pedantic(lambda: runs.append(measure(client, messages)), rounds=ROUNDS, iterations=1)
    best = min(runs, key=lambda run: max(run.client_us, run.server_us))
    rates = sorted(run.rate for run in runs)
    benchmark.extra_info |= {
        "messages": messages,
        "submits_per_second": [round(rate) for rate in rates],
        "client_us": round(best.client_us, 2),
        "server_us": round(best.server_us, 2),
    }
    sys.stderr.write(
        f"\n{client.__name__.replace('_', ' ')}: {', '.join(f'{rate:,.0f}' for rate in rates)} submit_sm a second; "
        f"CPU a submit: client {best.client_us:.1f} µs, server {best.server_us:.1f} µs\n"
    )


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _say(value: float) -> None:
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(run_server())
