import asyncio
import os
import socket
import sys
import textwrap
import time
from pathlib import Path

import pytest

from loadtest.errors import CannotRun
from loadtest.processes import Child, ChildEnded, check_port, read_usage

STAYS = "import time; print('child ready port=7 host=here', flush=True); time.sleep(60)"


def start(code: str, directory: Path, **environment: str) -> Child:
    return Child("child", (sys.executable, "-c", code), directory=directory, environment=environment)


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than one that has ended and waits to be asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_child_says_when_it_is_ready_and_where(tmp_path: Path):
    child = start(STAYS, tmp_path)
    try:
        assert await child.ready() == {"port": "7", "host": "here"}
    finally:
        assert await child.stop() == -15


async def test_a_child_that_ends_before_it_is_ready_is_named_with_its_last_lines(tmp_path: Path):
    child = start("import sys; sys.exit('port 8080 is taken')", tmp_path)
    with pytest.raises(ChildEnded, match=r"the child ended with exit code 1\. Its last lines:\n    port 8080 is taken"):
        await child.ready()


async def test_a_child_that_is_never_ready_is_given_up(tmp_path: Path):
    child = start("import time; time.sleep(60)", tmp_path)
    try:
        with pytest.raises(CannotRun, match=r"the child is not ready after 0\.2 s; it said nothing"):
            await child.ready(timeout_seconds=0.2)
    finally:
        await child.stop()


async def test_a_child_that_is_killed_is_noticed_by_who_watches(tmp_path: Path):
    child = start(STAYS, tmp_path)
    await child.ready()
    watching = asyncio.create_task(child.watch())
    os.kill(child.pid, 9)
    with pytest.raises(ChildEnded, match="the child was ended by SIGKILL"):
        await asyncio.wait_for(watching, 5)


async def test_a_child_that_does_not_listen_is_ended_by_force(tmp_path: Path):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS.replace("; ", "\n")
    child = start(deaf, tmp_path)
    await child.ready()
    assert await child.stop(timeout_seconds=0.2) == -9
    assert not is_running(child.pid)


async def test_a_child_is_ended_by_force_when_its_end_is_not_waited_for(tmp_path: Path):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS.replace("; ", "\n")
    child = start(deaf, tmp_path)
    await child.ready()
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0.1)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert not is_running(child.pid)


async def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path):
    parent = textwrap.dedent(f"""
        import asyncio, os
        from pathlib import Path
        from loadtest.processes import Child
        import sys
        child = Child("child", (sys.executable, "-c", {STAYS!r}), directory=Path({str(tmp_path)!r}))
        asyncio.run(child.ready())
        print(child.pid, flush=True)
        os.kill(os.getpid(), 9)
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == -9
    deadline = time.monotonic() + 5
    while is_running(int(output)) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not is_running(int(output))


async def test_a_child_gets_the_environment_that_it_is_given(tmp_path: Path):
    child = start(
        "import os, time; print('child ready name=' + os.environ['NAME'], flush=True); time.sleep(60)",
        tmp_path,
        NAME="x",
    )
    try:
        assert await child.ready() == {"name": "x"}
    finally:
        await child.stop()


def test_usage_grows_with_work():
    before = read_usage(os.getpid())
    deadline = time.process_time() + 0.05
    while time.process_time() < deadline:
        pass
    after = read_usage(os.getpid())
    assert after.cpu_seconds >= before.cpu_seconds + 0.03
    assert after.peak_resident_bytes >= after.resident_bytes > 1_000_000


def test_a_port_that_is_taken_is_named_with_what_it_is_for_and_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            CannotRun, match=rf"port {port} of 127\.0\.0\.1, for the gateway, .* in use\. Take another\."
        ):
            check_port(("127.0.0.1", port), "the gateway", "Take another.")
    check_port(("127.0.0.1", port), "the gateway", "Take another.")
