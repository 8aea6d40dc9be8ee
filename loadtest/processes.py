"""Child processes of a run: started with their output in a file, waited for, watched, and always ended.

A child ends with its parent, however that ends: the kernel sees to it (PR_SET_PDEATHSIG).
"""

import asyncio
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.errors import CannotRun
from loadtest.files import CHECKOUT

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
LAST_LINES: Final = 20

_LOOK_SECONDS: Final = 0.02
_LAST_BYTES: Final = 16_384
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


class ChildEnded(CannotRun):
    """A child ended that should not have. The text says how, with its last lines."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a process has used since its start."""

    cpu_seconds: float
    resident_bytes: int
    peak_resident_bytes: int


class Child:
    """A process of ours. What it writes, to either output, goes to the file `log`."""

    def __init__(
        self, name: str, command: Sequence[str], *, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=CHECKOUT,  # so that `-m` finds our packages first
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, which ends children in order
                preexec_fn=_ends_with(os.getpid()),  # noqa: PLW1509 - one system call, and no lock
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def check(self) -> None:
        """Raise ChildEnded when it has ended."""
        code = self._process.poll()
        if code is not None:
            raise ChildEnded(f"the {self.name} {_ending(code)}{self._last_words()}")

    async def ready(self, *, timeout_seconds: float = READY_SECONDS) -> dict[str, str]:
        """Wait for its line `NAME ready KEY=VALUE …`, and return the pairs. Raises CannotRun."""
        line = re.compile(rf"^{re.escape(self.name)} ready (.*)$", re.MULTILINE)
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = line.search(self.log.read_text(encoding="utf-8", errors="replace"))
            if found is not None:
                return dict(pair.partition("=")[::2] for pair in found[1].split())
            self.check()
            if time.monotonic() >= deadline:
                raise CannotRun(f"the {self.name} is not ready after {timeout_seconds:g} s{self._last_words()}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def watch(self) -> None:
        """Wait until it ends. Raises ChildEnded."""
        while True:
            self.check()
            await asyncio.sleep(_LOOK_SECONDS)

    async def stop(self, *, timeout_seconds: float = STOP_SECONDS) -> int:
        """Ask it to end (SIGTERM), end it by force when it does not, and return its exit code."""
        try:
            if self.running:
                self._process.terminate()
            for _ in range(round(timeout_seconds / _LOOK_SECONDS)):
                if not self.running:
                    break
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if self.running:
                self._process.kill()
            self._process.wait()
        return self._process.returncode

    def usage(self) -> Usage:
        """Return what it has used. Raises ChildEnded when it has ended."""
        try:
            return read_usage(self.pid)
        except OSError:
            self.check()
            raise

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _LAST_BYTES))
            lines = log.read().decode(errors="replace").splitlines()[-LAST_LINES:]
        return "; it said nothing" if not lines else ". Its last lines:\n" + "\n".join(f"    {line}" for line in lines)


def read_usage(pid: int) -> Usage:
    """Return what a running process has used, as Linux counts it. Raises OSError where there is no such process."""
    # Fields 14 and 15 of proc(5), counted behind the command's closing bracket: the command may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return Usage(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _CLOCK_TICKS,
        resident_bytes=_kibibytes(status.get("VmRSS")),
        peak_resident_bytes=_kibibytes(status.get("VmHWM")),
    )


def check_port(address: tuple[str, int], purpose: str, advice: str) -> None:
    """Raise CannotRun, with the port, its `purpose` and the `advice`, when nobody can listen at `address`."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            host, port = address
            raise CannotRun(
                f"port {port} of {host}, for {purpose}, cannot be had: {error.strerror}. {advice}"
            ) from error


def _ends_with(parent: int) -> Callable[[], None]:
    """Return what a new child runs first, so that it is ended when its parent is."""

    def request() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # which ended in between
            os._exit(1)

    return request


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _kibibytes(field: str | None) -> int:
    return int(field.split()[0]) * 1024 if field else 0  # a process that just ended has no memory left
