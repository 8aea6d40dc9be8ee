"""How many messages a second the simulator takes on one core, each with its answer and its receipt, over a socket.

The simulator is a process of its own, and its client hand-packs octets, so that it is not what slows it down. The
figure is messages a second of the simulator's CPU time, system calls included: what one core gives that does nothing
else, even where the machine does much else. Beside it stands a calibration of the same run: CPU time of our codec for
one submit_sm, encoded and decoded. The two together make figures of different machines comparable. `make bench`
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from struct import Struct
from typing import cast

import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.smpp import BindTransceiver, Pdu, SubmitSm, decode, encode

pytestmark = [pytest.mark.bench, pytest.mark.timeout(180)]

MESSAGES = 100_000
WINDOW = 500
PATIENCE_SECONDS = 50.0
ROOT = Path(__file__).parents[2]
TEXT = "【阳光物业】尊敬的业主，因供水管网检修，3号楼将于11月26日9时至16时停水，请提前储水，谢谢。".encode("utf-16-be")
CONFIG = """
smpp = { listen = "127.0.0.1:0", window = 10_000, enquire_link_seconds = 0 }
control = { listen = "127.0.0.1:0" }
receipts = { delay_seconds = { kind = "uniform", low = 0.05, high = 0.4 } }
"""

_HEADER = Struct(">IIII")
_SUBMIT_SM_RESP = 0x8000_0004
_DELIVER_SM = 0x0000_0005
_DELIVER_SM_RESP = 0x8000_0005


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


class Client(asyncio.Protocol):
    """Keeps a window full, and answers every receipt; what it submits was encoded before."""

    def __init__(self, submits: list[bytes]) -> None:
        self.submits = submits
        self.sent = self.answered = self.receipts = 0
        self.finished = asyncio.Event()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(encode(Pdu(0, 1, BindTransceiver(system_id="gateway", password="secret"))))

    def data_received(self, data: bytes) -> None:
        data, at, size = self._rest + data, 0, len(self._rest) + len(data)
        answers = []
        while size - at >= 16:
            length, command_id, status, number = _HEADER.unpack_from(data, at)
            if size - at < length:
                break
            at += length
            assert status == 0
            if command_id == _DELIVER_SM:
                self.receipts += 1
                answers.append(_HEADER.pack(17, _DELIVER_SM_RESP, 0, number) + b"\0")
            elif command_id == _SUBMIT_SM_RESP:
                self.answered += 1
        self._rest = data[at:]
        self._go_on(answers)

    def _go_on(self, answers: list[bytes]) -> None:
        until = min(len(self.submits), self.answered + WINDOW)
        data = b"".join([*answers, *self.submits[self.sent : until]])
        self.sent = max(self.sent, until)
        if data:
            self.transport.write(data)
        if self.receipts == len(self.submits):
            self.finished.set()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its system calls included. proc(5), stat: utime and stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def codec_seconds() -> float:
    """Return the CPU time that our codec takes for one submit_sm, encoded and decoded: the least of many tries."""
    pdu, count, least = Pdu(0, 1, submit_to(1)), 500, 1.0
    for _ in range(40):
        begun = time.thread_time()
        for _ in range(count):
            decode(encode(pdu))
        least = min(least, (time.thread_time() - begun) / count)
    return least


async def drive(port: int, submits: list[bytes]) -> None:
    """Submit everything, and wait for the last receipt."""
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(submits), "127.0.0.1", port)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.finished.wait()
    client.transport.close()


@pytest.mark.benchmark(group="100,000 messages with receipts over a socket")
def test_messages_a_second_of_a_core(benchmark: BenchmarkFixture, tmp_path: Path):
    config = tmp_path / "simulator.toml"
    config.write_text(CONFIG)
    submits = [encode(Pdu(0, number + 2, submit_to(number))) for number in range(MESSAGES)]
    spent: list[float] = []

    def run() -> None:
        command = [sys.executable, "-m", "simulator", "--config", str(config)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as simulator:
            try:
                assert simulator.stdout is not None
                port = int(simulator.stdout.readline().split()[2].rpartition(":")[2])
                before = cpu_seconds(simulator.pid)
                uvloop.run(drive(port, submits))
                spent.append(cpu_seconds(simulator.pid) - before)
            finally:
                simulator.terminate()

    benchmark.pedantic(run, rounds=3, iterations=1)
    codec, message = codec_seconds(), min(spent) / MESSAGES
    figures = {
        "messages a second of a core": round(1 / message),
        "µs a message": round(message * 1e6, 2),
        "µs for the codec": round(codec * 1e6, 2),
        "ratio": round(message / codec, 2),
    }
    benchmark.extra_info.update(figures)
    sys.stderr.write(f"\nthe simulator on one core: {figures}\n")
