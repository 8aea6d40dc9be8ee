"""The demo as a user starts it: a process of its own, with a real gateway and a real simulator."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "config" / "demo" / "messages.jsonl"
COMMAND = (sys.executable, "-m", "loadtest", "demo")
STAYS_UP = "Both stay up until Ctrl-C"
PATIENCE_SECONDS = 60.0


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo makes its directory."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


async def start(temporary: Path, *arguments: str, **environment: str) -> Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEMO_")}
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=ROOT,
        env={**inherited, "TMPDIR": str(temporary), "DEMO_PORTS": "auto", **environment},
    )


async def finish(process: Process) -> str:
    """Wait for its end, and return what it wrote."""
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode()


async def read_until(process: Process, text: str) -> str:
    """Return its output up to the line with `text`."""
    assert process.stdout is not None
    read = ""
    while text not in read:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)
        assert line, f"it ended without {text!r}:\n{read}"
        read += line.decode()
    return read


def children_of(process: Process) -> dict[str, int]:
    """The processes that it has started, by name."""
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0") for pid in pids}
    return {command[2]: pid for pid, command in commands.items() if command[1:2] == ["-m"]}


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def write_sample(directory: Path, status: str) -> Path:
    """A sample of one message, which is delivered, and of what is expected of it."""
    message = {"to": "13812345678", "text": "停水通知", "client_ref": "only"}
    sample = directory / "sample.jsonl"
    line = {"message": message, "expect": {"status": status, "parts": 1}, "note": "water: one"}
    sample.write_text(json.dumps(line) + "\n", encoding="utf-8")
    return sample


async def test_every_message_ends_as_the_sample_says_also_at_another_hour_and_beside_another_demo(temporary: Path):
    processes = [await start(temporary, "--once"), await start(temporary, "--once", DEMO_WALL_CLOCK="23:30")]
    outputs = await asyncio.gather(*map(finish, processes))
    count = len(SAMPLE.read_text(encoding="utf-8").splitlines())
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
        assert f"All {count} messages ended as the sample says." in output
        assert "\x1b" not in output
        assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", output), "a number is not masked"
    assert "its wall clock at 23:30 in China" in outputs[1]
    assert os.listdir(temporary) == []


async def test_it_stays_up_until_it_is_interrupted_and_what_it_leads_on_to_works(temporary: Path, tmp_path: Path):
    process = await start(temporary, "--sample", str(write_sample(tmp_path, "delivered")))
    try:
        output = await read_until(process, STAYS_UP)
        children = children_of(process)
        assert set(children) == {"gateway", "simulator"}
        links = re.findall(r"curl (http://\S+)", output)
        assert len(links) == 4
        key = re.search(r"'(Authorization): (Bearer \S+)'", output)
        assert key is not None
        body = re.search(r"-d '(.*)'$", output, re.MULTILINE)
        assert body is not None
        answers = [ask(link, dict([key.groups()]), body[1] if n == 0 else None) for n, link in enumerate(links)]
        assert json.loads(answers[0])["status"] in {"queued", "sending", "submitted"}
        assert json.loads(answers[1])["client_ref"] == "only"
        assert "gateway_messages_accepted_total" in answers[2]
        assert json.loads(answers[3])["submitted"] >= 1
        process.send_signal(signal.SIGINT)
        output = await finish(process)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output
    assert all(map(is_gone, children.values()))
    assert os.listdir(temporary) == []


def ask(link: str, headers: dict[str, str], body: str | None) -> str:
    """What a copied curl line would show."""
    data = None if body is None else body.encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(link, data, headers | kind), timeout=10) as response:
        shown: str = response.read().decode()
    return shown


async def test_interrupted_before_it_is_done_it_ends_both_and_says_so_with_its_exit_code(temporary: Path):
    process = await start(temporary)
    await read_until(process, "sample")
    children = children_of(process)
    process.send_signal(signal.SIGINT)
    output = await finish(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert all(map(is_gone, children.values()))
    assert os.listdir(temporary) == []


async def test_a_message_that_ends_otherwise_is_named_and_the_exit_code_is_1(temporary: Path, tmp_path: Path):
    process = await start(temporary, "--once", "--sample", str(write_sample(tmp_path, "failed")))
    output = await finish(process)
    assert process.returncode == 1, output
    assert (
        "1 differences from what the sample says:\n  only (water: one): status must be failed, is delivered" in output
    )


async def test_a_taken_port_is_named_and_the_exit_code_is_2(temporary: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
        config = tmp_path / "demo.toml"
        config.write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{port}"), encoding="utf-8")
        process = await start(temporary, "--once", "--config", str(config), DEMO_PORTS="")
        output = await finish(process)
    assert process.returncode == 2, output
    assert f"port {port} of 127.0.0.1, for the gateway's HTTP, cannot be had" in output
    assert "DEMO_PORTS=auto" in output
    assert os.listdir(temporary) == []


@pytest.mark.parametrize(
    ("environment", "rule"),
    [({"DEMO_PORTS": "free"}, "must be auto, or not set"), ({"DEMO_WALL_CLOCK": "late"}, "must be an hour of the day")],
)
async def test_a_wrong_variable_is_named_and_the_exit_code_is_2(
    temporary: Path, environment: dict[str, str], rule: str
):
    process = await start(temporary, "--once", **environment)
    output = await finish(process)
    assert process.returncode == 2, output
    assert rule in output


async def test_a_gateway_that_dies_ends_the_demo_with_its_last_lines(temporary: Path, tmp_path: Path):
    process = await start(temporary, "--sample", str(write_sample(tmp_path, "delivered")))
    await read_until(process, STAYS_UP)
    children = children_of(process)
    os.kill(children["gateway"], signal.SIGKILL)
    output = await finish(process)
    assert process.returncode == 2, output
    assert "the gateway was ended by SIGKILL. Its last lines:" in output
    assert is_gone(children["simulator"])
    assert os.listdir(temporary) == []


async def test_a_config_that_the_gateway_refuses_is_shown_with_its_words(temporary: Path, tmp_path: Path):
    text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
    config = tmp_path / "demo.toml"
    config.write_text(text.replace("throughput = 1000", "throughput = 0"), encoding="utf-8")
    process = await start(temporary, "--once", "--config", str(config))
    output = await finish(process)
    assert process.returncode == 2, output
    assert "the gateway ended with exit code 2" in output
    assert "throughput = 0" in output
