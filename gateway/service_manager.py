"""What systemd is told: that the gateway is ready, alive, and stopping. Nothing where it was not started by systemd.

The protocol is that of sd_notify(3) and sd_watchdog_enabled(3): datagrams to a socket that the environment names.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

_MICROSECONDS: Final = 1_000_000
# Datagrams are for systemd to read at once. Where it does not, nothing here waits for it.
_FLAGS: Final = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class ServiceManager:
    """Speaks to the socket of one environment. Never raises: a manager that cannot hear is no reason to stop."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval_seconds = _interval_seconds(environment) if self._address else None
        self._alive_at = float("-inf")

    def ready(self, status: str) -> None:
        """The start is over: what it waits for may go on. `status` is shown by `systemctl status`."""
        self._tell(f"READY=1\nSTATUS={status}")

    def alive(self, now: float) -> None:
        """The loop turns. To be called often; tells the watchdog twice in the time that it allows. `now`: seconds."""
        if self._interval_seconds is not None and now - self._alive_at >= self._interval_seconds / 2:
            self._alive_at = now
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """What is under way is being finished."""
        self._tell("STOPPING=1\nSTATUS=finishing what is under way")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifying:
            try:
                notifying.sendto(message.encode(), _FLAGS, self._address)
            except OSError:
                return


def _address(named: str) -> str:
    """The address of a socket; empty for none. `@` stands for the zero octet of an abstract one."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""


def _interval_seconds(environment: Mapping[str, str]) -> float | None:
    """How often the watchdog of this process wants to hear; None when it has none."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / _MICROSECONDS if microseconds.isdecimal() and int(microseconds) > 0 else None
