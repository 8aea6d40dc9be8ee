"""`python -m simulator`: read the config, listen, say so, and stay until SIGTERM or SIGINT."""

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from simulator.checking import SettingError
from simulator.server import AddressTaken, Simulator
from simulator.settings import MAIN, Settings, read_settings, with_scenario

EXIT_CANNOT_START = 2

_GARBAGE_THRESHOLDS = (50_000, 20, 100)


def main(arguments: list[str] | None = None) -> int:
    """Run the simulator, and return its exit code: 0 when it was told to end, 2 when it could not start."""
    options = _parse(arguments)
    try:
        settings = read_settings(options.config) if options.config is not None else Settings()
        if options.scenario is not None:
            settings = with_scenario(settings, options.scenario)
        settings = _with_ports(settings, options.port, options.control_port)
    except SettingError as error:
        return _fail(str(error))
    except OSError as error:  # a file that cannot be read
        return _fail(f"{error.filename}: {error.strerror}")
    try:
        uvloop.run(_run(settings))
    except AddressTaken as error:
        return _fail(str(error))
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulator", description="An SMSC that can misbehave, to test SMPP clients.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML; see config/simulator.toml")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="behave by this; see config/scenarios/")
    parser.add_argument("--port", type=int, help="SMPP port in place of the config's; 0 takes a free one")
    parser.add_argument(
        "--control-port", type=int, help="control HTTP port in place of the config's; 0 takes a free one"
    )
    return parser.parse_args(arguments)


def _with_ports(settings: Settings, port: int | None, control_port: int | None) -> Settings:
    """Return `settings` with other ports where they are given. Raises SettingError."""
    smpp, control = settings.smpp, settings.control
    if port is not None:
        smpp = msgspec.structs.replace(smpp, listen=_with_port("--port", smpp.listen, port))
    if control_port is not None:
        control = msgspec.structs.replace(control, listen=_with_port("--control-port", control.listen, control_port))
    return msgspec.structs.replace(settings, smpp=smpp, control=control)


def _with_port(option: str, address: str, port: int) -> str:
    if not 0 <= port <= 65_535:
        raise SettingError(option, "must be 0 to 65535", port)
    host = address.rpartition(":")[0]
    return f"{host}:{port}"


async def _run(settings: Settings) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with Simulator(settings) as simulator:
        # What is here now stays: the collector need not look at it again. Nor often at what comes, of which little can
        # be in a cycle: at its own thresholds it takes a fiftieth of a busy core.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        others = "".join(f" {name}={each.address}" for name, each in simulator.stations.items() if name != MAIN)
        sys.stdout.write(f"simulator ready smpp={simulator.address} control={simulator.control_address}{others}\n")
        sys.stdout.flush()
        await ended.wait()


def _fail(reason: str) -> int:
    sys.stderr.write(f"simulator: {reason}\n")
    return EXIT_CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
