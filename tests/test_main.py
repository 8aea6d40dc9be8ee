"""The gateway as a process: what it says, what it ends with."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.version import VERSION
from tests.config_documents import LEAST, Document, a_document, write

READY = re.compile(r"gateway ready http=127\.0\.0\.1:[0-9]+\n")
ROOT = Path(__file__).parents[1]


def a_runnable_document(directory: Path) -> Document:
    """A gateway on a free port, with a store of its own, whose carrier is not there."""
    document = a_document()
    document["http"]["listen"] = "127.0.0.1:0"
    document["store"]["path"] = str(directory / "store")
    document["log"] = {"format": "json"}
    document["carrier"][0]["bind"][0]["port"] = 1
    return document


@contextlib.asynccontextmanager
async def gateway(
    *arguments: str | Path, directory: Path = ROOT, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *map(str, arguments),
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def ready_line(child: Process) -> str:
    assert child.stdout is not None
    return (await child.stdout.readline()).decode()


async def refusal(*arguments: str | Path) -> str:
    """What a gateway that cannot start says: one line on standard error, status 2."""
    async with gateway(*arguments) as child:
        output, errors = await child.communicate()
    assert (child.returncode, output) == (2, b"")
    [line] = [line for line in errors.decode().splitlines() if not line.startswith("{")]  # beside its log
    return line


# --- asked about itself or its file ----------------------------------------------------------------------------------


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"yizhan {VERSION}\n"


def test_it_must_be_told_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])

    assert ended.value.code == 2
    assert "--config" in capsys.readouterr().err


def test_a_good_file_passes_the_check_and_nothing_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, a_runnable_document(tmp_path))

    assert main(["--config", str(path), "--check"]) == 0
    assert capsys.readouterr() == (f"{path}: good\n", "")
    assert not (tmp_path / "store").exists()


def test_a_wrong_file_fails_the_check_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = a_runnable_document(tmp_path)
    document["carrier"][0]["bind"][0]["window"] = 0

    assert main(["--config", str(write(tmp_path, document)), "--check"]) == 2
    expected = "gateway: carrier[cmcc-a].bind[cmcc-a-1].window = 0: must be 1 to 10000\n"
    assert capsys.readouterr() == ("", expected)


def test_the_check_reads_the_number_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = a_runnable_document(tmp_path)
    document["numbers"] = {"plan": str(tmp_path / "absent.csv")}

    assert main(["--config", str(write(tmp_path, document)), "--check"]) == 2
    assert capsys.readouterr().err.startswith('gateway: numbers.plan = "')


def test_a_name_over_two_lines_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "no such\nfile"]) == 2
    assert capsys.readouterr().err == "gateway: no such\\nfile: cannot be read: No such file or directory\n"


async def test_the_file_with_every_setting_passes_the_check() -> None:
    secrets = {"GATEWAY_DEMO_KEY": "a-key-of-the-test", "GATEWAY_CARRIER_A_PASSWORD": "secret"}

    async with gateway("--config", "config/gateway.toml", "--check", environment=secrets) as child:
        output, errors = await child.communicate()

    assert (child.returncode, output, errors) == (0, b"config/gateway.toml: good\n", b"")


# --- running ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_is_ready_and_ends_in_order(number: signal.Signals, tmp_path: Path) -> None:
    path = write(tmp_path, a_runnable_document(tmp_path))

    async with gateway("--config", path) as child:
        assert READY.fullmatch(await ready_line(child))
        child.send_signal(number)
        output, errors = await child.communicate()

    assert (child.returncode, output) == (0, b"")
    events = [json.loads(line)["event"] for line in errors.splitlines()]
    assert events[0] == "the gateway is ready"
    assert "the gateway stops: it finishes what is under way" in events


async def test_a_file_with_only_the_necessary_tables_runs(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    path = tmp_path / "gateway.toml"
    path.write_text(LEAST.replace("127.0.0.1:8080", "127.0.0.1:0"), encoding="utf-8")

    async with gateway("--config", path, directory=tmp_path) as child:
        assert READY.fullmatch(await ready_line(child))
        child.terminate()
        await child.communicate()

    assert child.returncode == 0
    assert (tmp_path / "var" / "gateway" / "control.db").is_file()


async def test_it_starts_again_on_the_same_store(tmp_path: Path) -> None:
    path = write(tmp_path, a_runnable_document(tmp_path))

    for _ in range(2):
        async with gateway("--config", path) as child:
            assert READY.fullmatch(await ready_line(child))
            child.terminate()
            await child.communicate()
        assert child.returncode == 0


# --- what keeps it from starting -------------------------------------------------------------------------------------


async def test_a_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    document = a_runnable_document(tmp_path)
    document["route"][0]["carriers"] = ["backup"]

    line = await refusal("--config", write(tmp_path, document))

    assert line == 'gateway: route[1].carriers = "backup": must be the name of a [[carrier]]'


async def test_a_taken_port_stops_the_start_and_is_named(tmp_path: Path) -> None:
    document = a_runnable_document(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        document["http"]["listen"] = address

        line = await refusal("--config", write(tmp_path, document))

    rule = "must be an address that is free here (Address already in use)"
    assert line == f'gateway: http.listen = "{address}": {rule}'


@pytest.mark.parametrize(
    ("listen", "reason"),
    [("192.0.2.1:8080", "Cannot assign requested address"), ("[::zz]:8080", "no such host")],
)
async def test_an_address_that_is_not_this_machines_stops_the_start(listen: str, reason: str, tmp_path: Path) -> None:
    document = a_runnable_document(tmp_path)
    document["http"]["listen"] = listen

    line = await refusal("--config", write(tmp_path, document))

    assert line == f'gateway: http.listen = "{listen}": must be an address that is free here ({reason})'


async def test_a_store_that_another_gateway_has_stops_the_start(tmp_path: Path) -> None:
    path = write(tmp_path, a_runnable_document(tmp_path))

    async with gateway("--config", path) as first:
        await ready_line(first)
        line = await refusal("--config", path)

    assert line.startswith(f"gateway: {tmp_path / 'store'}: is in use by process {first.pid}")


async def test_a_damaged_store_stops_the_start_and_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, a_runnable_document(tmp_path))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "control.db").write_bytes(b"this is no database, whatever it says" * 100)

    line = await refusal("--config", path)

    assert line.startswith(f"gateway: {tmp_path / 'store' / 'control.db'}: ")


async def test_a_store_that_cannot_be_made_stops_the_start_and_is_named(tmp_path: Path) -> None:
    document = a_runnable_document(tmp_path)
    (tmp_path / "file").touch()
    document["store"]["path"] = str(tmp_path / "file" / "store")

    line = await refusal("--config", write(tmp_path, document))

    assert line.startswith(f"gateway: {tmp_path / 'file' / 'store'}: Not a directory")
