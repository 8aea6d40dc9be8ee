"""Two reports side by side; without any, the same messages through this gateway and through Kannel, in turns.

The simulator is the same for both, and what is printed is the ratio of both.
Each runs as its users run it: Kannel with its file store and one message a request, which is all that its API takes;
the gateway durable and with everything on, once in batches and once with one message a request. A run ends when the
last message is final; with Kannel, when the application has its last report.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from loadtest.burst import FINISHED, RECEIPTS_SECONDS, unhindered
from loadtest.configuration import Tables, read_tables
from loadtest.control import Control
from loadtest.errors import CannotRun
from loadtest.files import shipped
from loadtest.kannel import running_kannel
from loadtest.machine import describe_machine, describe_versions, file_system
from loadtest.plan import Mix, Plan, make_plan
from loadtest.requirements import parse_requirements
from loadtest.results import FIGURES, read_report
from loadtest.rig import RigSettings, run_directory, running_simulator, start_rig
from loadtest.screen import make_console, say
from loadtest.tasks import together
from loadtest.versus import differences_of, ratios_of, table_of

MOST_REPORTS: Final = 2
KEPT: Final = 0
NOT_KEPT: Final = 1
TIMEOUT_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.03

OURS_BATCHED: Final = "yizhan, batches of 100"
OURS_SINGLE: Final = "yizhan, one a request"
KANNEL: Final = "kannel, one a request"
CONNECTIONS: Final = {OURS_BATCHED: 4, OURS_SINGLE: 50, KANNEL: 50}


class Outcome(msgspec.Struct, frozen=True):
    """One run: how long it took, and how many parts the simulator was given."""

    seconds: float
    submitted: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument(
        "reports", nargs="*", type=Path, metavar="REPORT", help="two reports to put side by side instead"
    )
    parser.add_argument("--require", default="", metavar="LIST", help="of the ratios B / A of reports: rate>=0.9")
    parser.add_argument("--messages", type=int, default=5_000, metavar="N", help="in each run (5000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each, in turns (3)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of numbers and texts (1)")


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code: 1 when a part was lost or doubled. Raises CannotRun."""
    if options.reports or options.require:
        return compare_reports(options.reports, options.require)
    for name, value, most in (("messages", options.messages, 1_000_000), ("rounds", options.rounds, 100)):
        if not 1 <= value <= most:
            raise CannotRun(f"--{name} {value}: must be 1 to {most}")
    console = make_console()
    plans = {
        name: make_plan(options.messages, batch=100 if name == OURS_BATCHED else 1, seed=options.seed, mix=Mix())
        for name in CONNECTIONS
    }
    outcomes: dict[str, list[Outcome]] = {name: [] for name in plans}
    for number in range(options.rounds):
        for name, plan in plans.items():
            async with run_directory("compare") as directory:
                if number == 0 and name == OURS_BATCHED:
                    _introduce(console, options, directory)
                measure = _through_kannel if name == KANNEL else _through_us
                outcome = await measure(plan, CONNECTIONS[name], directory)
            outcomes[name].append(outcome)
            say(
                console, f"round {number + 1}    {name:24} {options.messages / outcome.seconds:8,.0f} messages a second"
            )
    return _report(console, outcomes, options.messages, plans[KANNEL].parts)


def compare_reports(paths: Sequence[Path], required: str) -> int:
    """Put two reports side by side, and return the exit code: 1 when a ratio is not kept. Raises CannotRun."""
    if len(paths) != MOST_REPORTS:
        raise CannotRun(f"{len(paths)} reports: must be two, A and B, or none for Kannel")
    requirements = parse_requirements(required, FIGURES)
    console = make_console()
    first, second = (read_report(path) for path in paths)
    for line in table_of(first, second):
        say(console, line)
    for line in differences_of(first, second):
        say(console, f"not alike  {line}", "bold yellow")
    ratios = ratios_of(first, second)
    broken = [each for each in requirements if each.figure not in ratios or not each.keeps(ratios)]
    for each in broken:
        say(console, f"not kept   {each.text}: B / A is {ratios.get(each.figure, 'not known')}", "bold red")
    return NOT_KEPT if broken else KEPT


async def _through_us(plan: Plan, connections: int, directory: Path) -> Outcome:
    config = shipped("demo.toml")
    settings = RigSettings(
        config=config,
        tables=unhindered(read_tables(config)),
        simulator_tables=_simulator_tables(plan),
        connections=connections + 1,
    )
    async with start_rig(settings, directory) as rig:
        waiting = iter(plan.bodies)

        async def send() -> None:
            for body in waiting:
                await rig.api.submit(body)

        async def load() -> float:
            started_at = time.perf_counter()
            await together(*(send() for _ in range(connections)))
            await _until(lambda: rig.api.total(FINISHED), len(plan.messages))
            return time.perf_counter() - started_at

        seconds = await rig.during(load())
        return Outcome(seconds, await _count(rig.control))


async def _through_kannel(plan: Plan, connections: int, directory: Path) -> Outcome:
    async with (
        running_simulator(_simulator_tables(plan), directory) as (smpp, control),
        running_kannel(smpp, directory, connections=connections) as kannel,
    ):
        started_at = time.perf_counter()
        waiting = iter(plan.messages)
        await together(*(kannel.send_each(waiting) for _ in range(connections)))
        await _until(kannel.count_receipts, len(plan.messages))
        seconds = time.perf_counter() - started_at
        return Outcome(seconds, await _count(control))


async def _until(count: Callable[[], Awaitable[float]], expected: int) -> None:
    """Wait for a count. Raises CannotRun when it is not reached in time."""
    deadline = time.perf_counter() + TIMEOUT_SECONDS
    while (reached := await count()) < expected:
        if time.perf_counter() > deadline:
            raise CannotRun(f"after {TIMEOUT_SECONDS:g} s only {reached:,.0f} of {expected:,} messages have ended")
        await asyncio.sleep(LOOK_SECONDS)


async def _count(control: Control) -> int:
    count = 0
    async for _ in control.submitted():
        count += 1
    return count


def _simulator_tables(plan: Plan) -> Tables:
    low, high = RECEIPTS_SECONDS
    return {
        "memory": {"journal_entries": max(200_000, plan.parts * 6)},
        "receipts": {"delay_seconds": {"kind": "uniform", "low": low, "high": high}},
    }


def _introduce(console: Console, options: argparse.Namespace, directory: Path) -> None:
    low, high = RECEIPTS_SECONDS
    say(console, f"plan       {options.messages:,} messages in each of {options.rounds} rounds; seed {options.seed}")
    say(console, f"           every message has a receipt, {low:g} to {high:g} s after its submit")
    say(console, f"machine    {describe_machine()}; stores on {file_system(directory)}")
    say(console, f"           {describe_versions()}")


def _report(console: Console, outcomes: dict[str, list[Outcome]], messages: int, parts: int) -> int:
    rates = {name: statistics.median(messages / each.seconds for each in runs) for name, runs in outcomes.items()}
    for name, rate in rates.items():
        say(console, f"median     {name:24} {rate:8,.0f} messages a second, {rate / rates[KANNEL]:.1f} times Kannel")
    broken = [name for name, runs in outcomes.items() if any(each.submitted != parts for each in runs)]
    for name in broken:
        submitted = ", ".join(str(each.submitted) for each in outcomes[name])
        say(console, f"not kept   {name}: {parts} parts were planned, and {submitted} submitted", "bold red")
    return NOT_KEPT if broken else KEPT
