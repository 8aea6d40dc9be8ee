"""What `deploy/` has, as far as it can be tried without a systemd and a Docker daemon: the unit by systemd's own check,
the image's steps in a directory, and the gateway that they install as nobody in particular, told by the protocol."""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.config_documents import LEAST

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NOBODY = 10_001  # the image's user
MOST_EXPOSED = 2.0  # of 10, as systemd-analyze counts; a unit without any hardening has 9.6
SECONDS = 60.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
needs_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")


def run(*command: str | Path, directory: Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_systemd
def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path):
    unit = (DEPLOY / "yizhan.service").read_text(encoding="utf-8")
    (tmp_path / "yizhan.service").write_text(unit.replace("/opt/yizhan/bin/python", sys.executable), encoding="utf-8")
    assert run("systemd-analyze", "verify", tmp_path / "yizhan.service") == ""
    told = run("systemd-analyze", "security", "--offline=true", tmp_path / "yizhan.service")
    level = re.search(r"Overall exposure level for yizhan\.service: ([0-9.]+)", told)
    assert level is not None, told
    assert float(level[1]) <= MOST_EXPOSED


@needs_compose
def test_the_compose_file_is_one():
    run("docker-compose", "-f", DEPLOY / "docker-compose.yml", "config", "--quiet")


class Image:
    """A Dockerfile's instructions, by stage."""

    def __init__(self, text: str) -> None:
        self.stages: list[list[tuple[str, str]]] = []
        for line in re.sub(r"\\\n", " ", text).splitlines():
            if line.strip() and not line.startswith("#"):
                keyword, rest = line.split(maxsplit=1)
                if keyword == "FROM":
                    self.stages.append([])
                self.stages[-1].append((keyword, rest))

    def of(self, stage: int, keyword: str) -> list[str]:
        return [rest for each, rest in self.stages[stage] if each == keyword]


@pytest.fixture(scope="module", name="installed")
def installed_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first stage of the image installs to, with its steps carried out here."""
    image = Image((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    source = tmp_path_factory.mktemp("src")
    target = tmp_path_factory.mktemp("opt") / "yizhan"
    for copied in image.of(0, "COPY"):
        *names, where = copied.split()
        for name in names:
            place = source / where / name if where == "./" else source / where
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, place)
    for step in image.of(0, "RUN"):
        python = f"{sys.executable} -m venv" if "-m venv" in step else ""
        run("sh", "-c", step.replace("python -m venv", python).replace("/opt/yizhan", str(target)), directory=source)
    return target


def test_the_image_has_a_user_and_a_place_of_its_own_and_is_asked_how_it_is():
    image = Image((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    assert image.of(1, "USER") == [f"{NOBODY}:{NOBODY}"]
    assert image.of(1, "VOLUME") == image.of(1, "WORKDIR") == ["/var/lib/yizhan"]
    [health] = image.of(1, "HEALTHCHECK")
    assert "/healthz" in health
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    names = [name for copied in image.of(0, "COPY") for name in copied.split()[:-1]]
    assert sorted(line[1:] for line in ignored.splitlines() if line.startswith("!")) == sorted(names)


# As the image is run: nothing but the store can be written, and root, if that is who we are, may do nothing that others
# may not. (Its own user cannot be had here: Python may lie where only its owner gets in.)
CONFINED = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && cd "$1" && shift &&
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def test_what_it_installs_needs_no_rights_nor_a_root_to_write_to_and_tells_systemd_how_it_is(
    installed: Path, tmp_path: Path
):
    state = tmp_path / "state"
    state.mkdir()
    config = tmp_path / "gateway.toml"
    config.write_text(LEAST.replace("127.0.0.1:8080", "127.0.0.1:0"), encoding="utf-8")
    python = installed / "bin" / "python"
    command: list[str | Path] = [python, "-m", "gateway", "--config", config]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", CONFINED, "sh", state, *command]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"yizhan-deployed-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.settimeout(SECONDS)
        gateway = subprocess.Popen(
            [*map(str, command)],
            cwd=state,
            env={
                "PATH": os.environ["PATH"],
                "NOTIFY_SOCKET": f"@{name}",
                "WATCHDOG_USEC": "1000000",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=refuse_new_code,  # noqa: PLW1509 as the unit's MemoryDenyWriteExecute does
        )
        try:
            heard = listen(manager, until="READY=1")
            [address] = re.findall(r"STATUS=listens on (127\.0\.0\.1:[0-9]+)", heard[-1])
            assert [listen(manager, until="") for _ in range(2)] == [["WATCHDOG=1"]] * 2
            [health] = Image((DEPLOY / "Dockerfile").read_text(encoding="utf-8")).of(1, "HEALTHCHECK")
            [statement] = re.findall(r'"-c", "([^"]+)"', health)
            run(python, "-c", statement.replace("127.0.0.1:8080", address))
            with urllib.request.urlopen(f"http://{address}/metrics") as answer:
                assert b"process_start_time_seconds" in answer.read()
            gateway.terminate()
            assert set(listen(manager, until="STOPPING=1")[:-1]) <= {"WATCHDOG=1"}
            _, errors = gateway.communicate(timeout=SECONDS)
        finally:
            if gateway.poll() is None:
                gateway.kill()
                gateway.communicate()
    assert gateway.returncode == 0, errors
    assert (state / "var" / "gateway" / "control.db").is_file()


def listen(manager: socket.socket, *, until: str) -> list[str]:
    """What the gateway tells, to the first message that begins so."""
    heard = [manager.recv(4_096).decode()]
    while not heard[-1].startswith(until):
        heard.append(manager.recv(4_096).decode())
    return heard


def refuse_new_code() -> None:
    """What MemoryDenyWriteExecute asks of the kernel, from Linux 6.3 on; before, it is not tried here."""
    pr_set_mdwe, refuse_exec_gain = 65, 1
    ctypes.CDLL(None).prctl(pr_set_mdwe, refuse_exec_gain, 0, 0, 0)
