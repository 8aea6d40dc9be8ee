"""What a message costs the simulator: submit_sm, its answer, its receipt, and the answer to that. `make bench`

From the octets of a read to the octets of a write, so everything but the socket and the loop. The figures are CPU time
of the thread, each the least of many rounds: what else the machine does matters little.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.connection import Connection
from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    Event,
    Pdu,
    RequestReceived,
    Role,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
    encode,
)
from simulator import Settings, Simulator
from simulator.checking import settings_from

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

STAGES = ("submits and answers", "receipts", "answers to receipts")
MESSAGES = 2000  # of one round
A_READ = 50  # PDUs that come together, as they do where a core is busy
ROUNDS = 40
# So many that the journal and the memory of messages are full when it is measured.
ROUNDS_BEFORE = 30

TEXT = "【阳光物业】尊敬的业主，因供水管网检修，3号楼将于11月26日9时至16时停水，请提前储水，谢谢。".encode("utf-16-be")
SETTINGS = settings_from(
    {
        "smpp": {"listen": "127.0.0.1:0", "window": 10_000, "enquire_link_seconds": 0},
        "control": {"listen": "127.0.0.1:0"},
        "memory": {"journal_entries": 4 * 40_000, "messages": 40_000},
    },
    Settings,
)
RECEIPT = DeliverSm(
    source_addr="8613812345678",
    destination_addr="1069000112345",
    esm_class=4,
    short_message=(
        b"id:1000000001 sub:001 dlvrd:001 submit date:2611220730 done date:2611220731 stat:DELIVRD err:000 text:"
    ),
)


class Recorder(asyncio.Transport):
    """A transport that counts what is written and drops it."""

    def __init__(self) -> None:
        super().__init__()
        self.octets = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.octets += len(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Client:
    """The octets of a client: what it submits in a round, and how it answers the receipts of that round."""

    def __init__(self) -> None:
        self._sequence = 1
        self._receipt = 0

    def bind(self) -> bytes:
        return encode(Pdu(0, 1, BindTransceiver(system_id="gateway", password="secret")))

    def submits(self) -> list[bytes]:
        first = self._sequence + 1
        self._sequence += MESSAGES
        return together(encode(Pdu(0, number, submit_to(number))) for number in range(first, self._sequence + 1))

    def answers(self) -> list[bytes]:
        first = self._receipt + 1
        self._receipt += MESSAGES
        return together(encode(Pdu(0, number, DeliverSmResp())) for number in range(first, self._receipt + 1))


def submit_to(number: int) -> SubmitSm:
    return SubmitSm(
        source_addr_npi=1,
        source_addr="1069000112345",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=f"8613{number:06d}111",  # none that asks for something special
        validity_period="000002000000000R",
        registered_delivery=1,
        data_coding=8,
        short_message=TEXT,
    )


def together(pdus: Iterator[bytes]) -> list[bytes]:
    """Join PDUs to what is read at once."""
    every = list(pdus)
    return [b"".join(every[at : at + A_READ]) for at in range(0, len(every), A_READ)]


def measure(connection: Connection, deliver: Callable[[], None], benchmark: BenchmarkFixture) -> None:
    """Run the rounds, and report the least CPU time of a message, whole and by stage."""
    transport, client = Recorder(), Client()
    connection.connection_made(transport)
    connection.data_received(client.bind())
    spent: list[tuple[float, ...]] = []

    def run_round(submits: list[bytes], answers: list[bytes]) -> None:
        times = [time.thread_time()]
        for data in submits:
            connection.data_received(data)
        times.append(time.thread_time())
        deliver()
        times.append(time.thread_time())
        for data in answers:
            connection.data_received(data)
        times.append(time.thread_time())
        spent.append(tuple(end - start for start, end in pairwise(times)))

    def next_round() -> tuple[tuple[list[bytes], list[bytes]], dict[str, object]]:
        return (client.submits(), client.answers()), {}

    benchmark.pedantic(run_round, setup=next_round, rounds=ROUNDS, warmup_rounds=ROUNDS_BEFORE)
    assert connection.window_in_use == 0, "every receipt was sent, and every answer taken"
    figures = {
        "all": min(map(sum, spent)),
        **{stage: min(times) for stage, times in zip(STAGES, zip(*spent, strict=True), strict=True)},
    }
    for name, seconds in figures.items():
        benchmark.extra_info[name] = round(seconds / MESSAGES * 1e6, 2)
    sys.stderr.write(f"\nµs of CPU a message: {benchmark.extra_info}\n")


@contextmanager
def as_a_process_of_its_own() -> Iterator[None]:
    """Spare the collector what the test runner has."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.benchmark(group="2000 messages with receipts, from octets to octets")
def test_a_message_through_the_simulator(benchmark: BenchmarkFixture):
    async def run() -> None:
        async with Simulator(SETTINGS) as simulator:
            connection = simulator.main._make_connection()

            def deliver() -> None:
                now = asyncio.get_running_loop().time()
                for tick in range(200):
                    connection._scheduled = True  # the loop, which would write, does not go round here
                    simulator.smsc.work(now=now + tick * 0.005)
                    connection._write()

            try:
                with as_a_process_of_its_own():
                    measure(connection, deliver, benchmark)
                results = simulator.counts()["delivery_results"]
                assert results == {"acknowledged": (ROUNDS_BEFORE + ROUNDS) * MESSAGES}
            finally:
                connection.connection_lost(None)
                await asyncio.sleep(0)  # the simulator forgets it

    uvloop.run(run())


@pytest.mark.benchmark(group="2000 messages with receipts, from octets to octets")
def test_a_message_through_the_protocol_alone(benchmark: BenchmarkFixture):
    """The same octets for an owner of the connection that does nothing but answer: the floor of the other figure."""

    def take(connection: Connection, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived(pdu=Pdu(body=SubmitSm()) as pdu):
                    connection.respond(pdu, SubmitSmResp(message_id="1000000001"))
                case RequestReceived(pdu=pdu):
                    connection.respond(pdu, BindTransceiverResp())

    async def run() -> None:
        connection = Connection(Role.SMSC, SessionSettings(window=10_000), take)

        def deliver() -> None:
            connection._scheduled = True
            for _ in range(MESSAGES):
                connection.send(RECEIPT)
            connection._write()

        with as_a_process_of_its_own():
            measure(connection, deliver, benchmark)

    uvloop.run(run())
