"""What systemd hears, at a socket that is as its own."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service_manager import ServiceManager


class Listener:
    """The end of systemd."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Everything since the last time."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4_096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(name="listener")
def listener_fixture(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.close()


def test_it_tells_when_it_is_ready_and_when_it_stops(listener: Listener, tmp_path: Path):
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    service.ready("listens on 127.0.0.1:8080")
    service.stopping()
    assert listener.heard() == [
        "READY=1\nSTATUS=listens on 127.0.0.1:8080",
        "STOPPING=1\nSTATUS=finishing what is under way",
    ]


def test_the_watchdog_hears_twice_in_its_time_however_often_the_loop_turns(listener: Listener, tmp_path: Path):
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000"})
    for tenths in range(201):
        service.alive(1_000.0 + tenths / 10)
    assert listener.heard() == ["WATCHDOG=1"] * 5


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_watchdog_of_this_process_nobody_is_told_that_it_lives(
    watchdog: dict[str, str], listener: Listener, tmp_path: Path
):
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), **watchdog})
    service.alive(1.0)
    assert listener.heard() == []


def test_the_watchdog_of_this_process_is_its_own(listener: Listener, tmp_path: Path):
    watchdog = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())}
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), **watchdog}).alive(1.0)
    assert listener.heard() == ["WATCHDOG=1"]


def test_a_socket_without_a_place_in_the_file_system_is_found():
    name = f"yizhan-test-{os.getpid()}"
    listener = Listener(f"\0{name}")
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready("up")
    assert listener.heard() == ["READY=1\nSTATUS=up"]
    listener.close()


@pytest.mark.parametrize("named", ["", "vsock:2:1", "relative", "/no/such/socket", "/" + "x" * 300])
def test_where_nobody_listens_it_goes_on(named: str):
    service = ServiceManager({"NOTIFY_SOCKET": named, "WATCHDOG_USEC": "1000"})
    service.ready("up")
    service.alive(1.0)
    service.stopping()


def test_a_manager_that_does_not_read_holds_nothing_up(listener: Listener, tmp_path: Path):
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1"})
    for n in range(2_000):  # more than any socket's buffer takes
        service.alive(float(n))
    assert set(listener.heard()) == {"WATCHDOG=1"}
