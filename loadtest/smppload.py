"""An open load over SMPP against an SMSC, by a plan of arrivals, each message followed to its receipts.

Without --smsc it starts a simulator of its own. With it, it drives the SMSC there: a carrier's for tests, or a
simulator, whose journal is audited with --simulator.
"""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from typing import Any, Final

import msgspec
from rich.console import Console

from loadtest.accounting import Accounting
from loadtest.arrivals import make_arrivals
from loadtest.control import Control
from loadtest.course import Course, finish
from loadtest.errors import CannotRun
from loadtest.guard import check_target, read_numbers
from loadtest.machine import describe_machine, describe_versions
from loadtest.options import LoadSettings, add_load_arguments, add_plan_arguments, check_range, common_settings
from loadtest.phones import make_phones
from loadtest.results import RunReport
from loadtest.rig import run_directory, started_simulator
from loadtest.screen import make_console, say
from loadtest.smppclient import SmppLoad, SmppTarget
from loadtest.smppsupply import SmppSupply
from loadtest.targets import simulator_tables

MOST_BINDS: Final = 100
MOST_WINDOW: Final = 10_000


class SmppSettings(LoadSettings, frozen=True, kw_only=True):
    """What to send, and where to, over SMPP."""

    smsc: str  # host:port; "" starts a simulator
    system_id: str
    password: str
    source: str
    binds: int
    window: int

    @property
    def plan(self) -> dict[str, Any]:
        """What is sent, for the report."""
        return {**super().plan, "binds": self.binds, "window": self.window}


class _Smsc(msgspec.Struct, frozen=True, kw_only=True):
    """The SMSC. `pid` is None where somebody else runs it, `control` where there is no journal to see."""

    host: str
    port: int
    pid: int | None
    control: Control | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_plan_arguments(parser)
    add_load_arguments(parser)
    parser.add_argument("--smsc", default="", metavar="HOST:PORT", help="an SMSC that runs already")
    parser.add_argument("--system-id", default="gateway", metavar="NAME", help="the account there (gateway)")
    parser.add_argument("--password", default="secret", help="of the account (secret)")
    parser.add_argument("--source", default="10690001", metavar="NUMBER", help="what messages are from (10690001)")
    parser.add_argument("--binds", type=int, default=1, metavar="N", help="transceivers, which send in turns (1)")
    parser.add_argument("--window", type=int, default=100, metavar="N", help="unanswered submits of each (100)")


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    settings = settings_of(options)
    console = make_console()
    return finish(await measure(settings, console), settings, console)


def settings_of(options: argparse.Namespace) -> SmppSettings:
    """Return the settings that the arguments make. Raises CannotRun with the one that is wrong."""
    check_range("binds", options.binds, MOST_BINDS)
    check_range("window", options.window, MOST_WINDOW)
    if options.smsc:
        _, colon, port = options.smsc.rpartition(":")
        if not colon or not port.isdecimal():
            raise CannotRun(f"--smsc {options.smsc}: must be HOST:PORT, such as 127.0.0.1:2775")
        check_target(f"smpp://{options.smsc}", allowed=options.allow, numbers=options.numbers)
    return SmppSettings(
        **common_settings(options),
        smsc=options.smsc,
        system_id=options.system_id,
        password=options.password,
        source=options.source,
        binds=options.binds,
        window=options.window,
    )


async def measure(settings: SmppSettings, console: Console) -> RunReport:
    """Carry a load out, and return its report, also when it is interrupted. Raises CannotRun."""
    numbers = cycle(read_numbers(settings.numbers)) if settings.numbers else None
    phones = numbers or make_phones(settings.networks, seed=settings.seed)
    supply = SmppSupply(settings.mix, phones, seed=settings.seed, source=settings.source)
    accounting = Accounting("")
    arrivals = make_arrivals(settings.shape, seed=settings.seed)
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(_open_smsc(settings))
        load = SmppLoad(
            supply,
            accounting,
            SmppTarget(
                host=smsc.host,
                port=smsc.port,
                system_id=settings.system_id,
                password=settings.password,
                binds=settings.binds,
                window=settings.window,
            ),
        )
        stack.push_async_callback(load.close)
        await load.connect()
        _introduce(console, settings)
        pids = {"load": os.getpid()} | ({} if smsc.pid is None else {"simulator": smsc.pid})
        course = Course("smpp", settings, load, accounting, pids)
        await course.during(course.run(arrivals, console))
        accounting.take_strangers(load.early)
        if smsc.control is not None:
            await course.read_journal(smsc.control)
    return course.report({})


@asynccontextmanager
async def _open_smsc(settings: SmppSettings) -> AsyncIterator[_Smsc]:
    """The SMSC that the load drives: a simulator of its own, or one that is there. Raises CannotRun."""
    async with AsyncExitStack() as stack:
        if settings.smsc:
            control = Control(settings.simulator) if settings.simulator else None
            if control is not None:
                await stack.enter_async_context(control)
            host, _, port = settings.smsc.rpartition(":")
            yield _Smsc(host=host.strip("[]"), port=int(port), pid=None, control=control)
            return
        directory = await stack.enter_async_context(run_directory("smpp"))
        tables = simulator_tables(settings)
        simulator, smpp, control = await stack.enter_async_context(started_simulator(tables, directory))
        host, _, port = smpp.rpartition(":")
        yield _Smsc(host=host, port=int(port), pid=simulator.pid, control=control)


def _introduce(console: Console, settings: SmppSettings) -> None:
    plan = settings.plan
    say(
        console,
        f"plan       {plan['arrivals']} for {plan['seconds']:g} s; {settings.binds} binds, window {settings.window}",
    )
    say(console, f"           {plan['mix']}; {plan['networks']}; seed {settings.seed}")
    say(console, f"machine    {describe_machine()}")
    say(console, f"           {describe_versions()}")
