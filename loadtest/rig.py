"""A simulator and a gateway of a run's own, on loopback, in a directory that goes when they do."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from loadtest.api import Api
from loadtest.configuration import Tables, account_of, place, to_toml
from loadtest.control import Control
from loadtest.errors import CannotRun
from loadtest.processes import Child, check_port

Result = TypeVar("Result")

HOST: Final = "127.0.0.1"
BINDS_SECONDS: Final = 15.0

_LOOK_SECONDS: Final = 0.05
# A connection breaks a moment before its process is seen to be gone.
_LAST_LOOK_SECONDS: Final = 0.5


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where the three listen, on loopback; 0 takes free ones."""

    gateway: int = 0
    smpp: int = 0
    control: int = 0


class RigSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to start. `tables` are the gateway's config, from the file `config`; addresses and store are replaced."""

    config: Path
    tables: Tables
    simulator_tables: Tables = {}
    ports: Ports = Ports()
    gateway_environment: Mapping[str, str] = {}
    connections: int = 8  # of the API's client


class Rig(msgspec.Struct, frozen=True, kw_only=True):
    """Both processes, ready and bound to each other, and the clients of both."""

    simulator: Child
    gateway: Child
    api: Api
    control: Control
    smpp_address: str
    binds: int
    directory: Path

    async def watch(self) -> None:
        """Wait until one of the two ends. Raises ChildEnded."""
        while True:
            self.simulator.check()
            self.gateway.check()
            await asyncio.sleep(_LOOK_SECONDS)

    async def during(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns. Raises ChildEnded as soon as one of the two ends, and what `work` raises."""
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self.watch())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and isinstance(working.exception(), CannotRun):
                await asyncio.wait({watching}, timeout=_LAST_LOOK_SECONDS)
            if watching.done():
                watching.result()
            return await working
        finally:
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)


@asynccontextmanager
async def start_rig(settings: RigSettings, directory: Path) -> AsyncIterator[Rig]:
    """Start both in `directory`, wait until they are ready, and end them in order: gateway, then simulator.

    Raises CannotRun: a port that is taken, a config that is refused, a child that ends.
    """
    _check_ports(settings.ports)
    simulator = _start_simulator(settings.simulator_tables, settings.ports, directory)
    try:
        addresses = await simulator.ready()
        gateway = _start_gateway(settings, addresses["smpp"], directory)
        try:
            listen = (await gateway.ready())["http"]
            _, key = account_of(settings.tables, settings.config)
            async with (
                Api(f"http://{listen}", key, connections=settings.connections) as api,
                Control(f"http://{addresses['control']}") as control,
            ):
                binds = await _wait_for_binds(api, gateway)
                yield Rig(
                    simulator=simulator,
                    gateway=gateway,
                    api=api,
                    control=control,
                    smpp_address=addresses["smpp"],
                    binds=binds,
                    directory=directory,
                )
        finally:
            await gateway.stop()
    finally:
        await simulator.stop()


@asynccontextmanager
async def running_simulator(tables: Tables, directory: Path) -> AsyncIterator[tuple[str, Control]]:
    """A simulator on free ports: its SMPP address, and a client of its control HTTP. Raises CannotRun."""
    async with started_simulator(tables, directory) as (_, smpp, control):
        yield smpp, control


@asynccontextmanager
async def started_simulator(tables: Tables, directory: Path) -> AsyncIterator[tuple[Child, str, Control]]:
    """The same, with its process."""
    simulator = _start_simulator(tables, Ports(), directory)
    try:
        addresses = await simulator.ready()
        async with Control(f"http://{addresses['control']}") as control:
            yield simulator, addresses["smpp"], control
    finally:
        await simulator.stop()


def _start_simulator(tables: Tables, ports: Ports, directory: Path) -> Child:
    config = directory / "simulator.toml"
    config.write_text(to_toml(tables), encoding="utf-8")
    arguments = ("--config", str(config), "--port", str(ports.smpp), "--control-port", str(ports.control))
    return Child("simulator", (sys.executable, "-m", "simulator", *arguments), directory=directory)


def _start_gateway(settings: RigSettings, smpp: str, directory: Path) -> Child:
    host, _, port = smpp.rpartition(":")
    tables = place(
        settings.tables,
        gateway=f"{HOST}:{settings.ports.gateway}",
        simulator=(host, int(port)),
        store=directory / "store",
    )
    config = directory / "gateway.toml"
    config.write_text(to_toml(tables), encoding="utf-8")
    command = (sys.executable, "-m", "gateway", "--config", str(config))
    return Child("gateway", command, directory=directory, environment=settings.gateway_environment)


async def _wait_for_binds(api: Api, gateway: Child) -> int:
    """Wait until the gateway is ready and every bind is up, and return how many there are. Raises CannotRun."""
    deadline = time.monotonic() + BINDS_SECONDS
    while True:
        gateway.check()
        readiness = await api.readiness()
        if readiness.ready and all(bind.state == "bound" for bind in readiness.binds):
            return len(readiness.binds)
        if time.monotonic() >= deadline:
            states = ", ".join(f"{bind.name} {bind.state}" for bind in readiness.binds)
            raise CannotRun(f"after {BINDS_SECONDS:g} s the gateway is not ready with all its binds up: {states}")
        await asyncio.sleep(_LOOK_SECONDS)


def _check_ports(ports: Ports) -> None:
    advice = "End what listens there, or take free ports: DEMO_PORTS=auto."
    for port, purpose in (
        (ports.gateway, "the gateway's HTTP"),
        (ports.smpp, "the simulator's SMPP"),
        (ports.control, "the simulator's control HTTP"),
    ):
        if port:
            check_port((HOST, port), purpose, advice)


@asynccontextmanager
async def run_directory(name: str) -> AsyncIterator[Path]:
    """A new directory for one run, removed at the end with all that is in it."""
    with tempfile.TemporaryDirectory(prefix=f"yizhan-{name}-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
