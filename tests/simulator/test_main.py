"""The simulator as a process of its own."""

import asyncio
import contextlib
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.smpp import SessionBroken, Unbind
from simulator.__main__ import main
from tests.simulator.clients import bound, id_of, submit_to

READY = re.compile(r"simulator ready smpp=127\.0\.0\.1:(\d+) control=127\.0\.0\.1:(\d+)\n")
ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_is_serves_and_ends_cleanly(number: signal.Signals) -> None:
    async with process("--port", "0", "--control-port", "0") as child:
        assert child.stdout is not None
        ready = READY.fullmatch((await child.stdout.readline()).decode())
        assert ready is not None
        async with bound(int(ready[1])) as client:
            await client.receipts_of(id_of(await client.submit("8613800000000")))
            child.send_signal(number)
            await client.until(lambda: client.end is not None)
        output, errors = await child.communicate()

    assert type(client.end).__name__ == "SessionClosed"
    assert (child.returncode, output, errors) == (0, b"", b"")


async def test_it_misbehaves_on_its_own_loop_as_it_does_on_ours() -> None:
    async with process("--port", "0", "--control-port", "0") as child:
        assert child.stdout is not None
        ready = READY.fullmatch((await child.stdout.readline()).decode())
        assert ready is not None
        errors = []
        for suffix in ("0016", "0017", "0022"):
            async with bound(int(ready[1])) as client:
                client.connection.send(submit_to("8613800000006"))
                client.connection.send(submit_to(f"861380000{suffix}"))
                await client.until(lambda: client.end is not None)
                assert client.responses[0].request == submit_to("8613800000006")
                assert isinstance(client.end, SessionBroken)
                errors.append(type(client.end.error).__name__)
        async with bound(int(ready[1])) as client:
            client.connection.send(submit_to("8613800000014"))
            client.connection.send(Unbind())
            await client.until(lambda: client.end is not None)
        child.terminate()
        output, complaints = await child.communicate()

    assert errors == ["ConnectionLost", "FramingError", "ConnectionLost"]
    assert (child.returncode, output, complaints) == (0, b"", b"")


def test_a_wrong_setting_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "simulator.toml"
    config.write_text("[receipts]\ndelay_seconds = -1\n")

    assert main(["--config", str(config)]) == 2
    assert capsys.readouterr().err == "simulator: receipts.delay_seconds = -1: must be 0 or more\n"


def test_a_wrong_scenario_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("[smpp]\nwindow = 1\n")

    assert main(["--scenario", str(scenario)]) == 2
    assert capsys.readouterr().err.startswith('simulator: smpp = {"window":1}: unknown; known here are receipts, ')


def test_a_wrong_port_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "65536"]) == 2
    assert capsys.readouterr().err == "simulator: --port = 65536: must be 0 to 65535\n"


def test_a_config_that_is_not_there_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "none.toml"

    assert main(["--config", str(missing)]) == 2
    assert capsys.readouterr().err == f"simulator: {missing}: No such file or directory\n"


def test_a_taken_port_stops_the_start_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--port", str(port), "--control-port", "0"]) == 2

    assert f"smpp.listen = '127.0.0.1:{port}'" in capsys.readouterr().err
