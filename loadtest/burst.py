"""Many messages at once through a gateway and a simulator of its own, each followed to its end and accounted for."""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from loadtest.answers import read_totals
from loadtest.api import Api
from loadtest.audit import Audit, Findings
from loadtest.configuration import Tables, change_carriers, read_tables
from loadtest.errors import CannotRun
from loadtest.files import shipped
from loadtest.machine import describe_machine, describe_versions, file_system
from loadtest.plan import MOST_IN_A_REQUEST, MOST_MESSAGES, Mix, Plan, make_plan
from loadtest.processes import read_usage
from loadtest.report import FIGURES, Measurement, figures_of, findings_line, lines_of, spent
from loadtest.requirements import Requirement, parse_requirements
from loadtest.rig import Rig, RigSettings, run_directory, start_rig
from loadtest.screen import make_console, say
from loadtest.tasks import together

KEPT: Final = 0
NOT_KEPT: Final = 1

FINISHED: Final = "gateway_messages_finished_total"
LOOK_SECONDS: Final = 0.1
LAST_LOOK_SECONDS: Final = 0.03  # once every request is answered
LINE_SECONDS: Final = 1.0

# What is required of every load, whatever else is.
ALWAYS: Final = ",".join(f"{name}=0" for name in ("refused", *Findings.__struct_fields__))

# No carrier shall be what slows it: the gateway is measured, not a contract.
THROUGHPUT: Final = 1_000_000
# PDUs that one part makes are four: submit, response, receipt, response. The audit needs all of them in the journal.
JOURNAL_ENTRIES_A_PART: Final = 6
LEAST_JOURNAL_ENTRIES: Final = 200_000
# How long a telephone takes is not what is measured: receipts come soon, spread enough to come in another order.
RECEIPTS_SECONDS: Final = (0.01, 0.1)


class BurstSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, how, and what must be kept."""

    config: Path
    messages: int
    batch: int
    connections: int
    seed: int
    mix: Mix
    timeout_seconds: float
    requirements: list[Requirement]


class Sent:
    """What came back so far."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused = 0
        self.retried = 0
        self.latencies: list[float] = []
        self.finished = 0
        self.last_answer_at: float | None = None  # once every request is answered


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("--messages", type=int, default=20_000, metavar="N", help="how many (20000)")
    parser.add_argument("--batch", type=int, default=100, metavar="N", help="messages in a request (100)")
    parser.add_argument("--connections", type=int, default=4, metavar="N", help="requests under way at once (4)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of numbers and texts (1)")
    parser.add_argument("--codes", type=float, default=Mix().codes, metavar="SHARE", help="one-time passwords (0.10)")
    parser.add_argument("--two-parts", type=float, default=Mix().two_parts, metavar="SHARE", help="long ones (0.05)")
    parser.add_argument("--rate-at-least", type=float, default=10_000, metavar="N", help="messages a second (10000)")
    parser.add_argument("--require", default="", metavar="LIST", help=f"such as accept_p99<50ms: {', '.join(FIGURES)}")
    parser.add_argument("--timeout-seconds", type=float, default=120, metavar="N", help="until all are final (120)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gateway's config (config/demo.toml)")


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    settings = settings_of(options)
    return await measure(settings, make_console())


def settings_of(options: argparse.Namespace) -> BurstSettings:
    """Return the settings that the arguments make. Raises CannotRun with the one that is wrong."""
    for name, value, most in (
        ("messages", options.messages, MOST_MESSAGES),
        ("batch", options.batch, MOST_IN_A_REQUEST),
        ("connections", options.connections, 1000),
    ):
        if not 1 <= value <= most:
            raise CannotRun(f"--{name} {value}: must be 1 to {most}")
    try:
        mix = msgspec.convert({"codes": options.codes, "two_parts": options.two_parts}, Mix)
    except msgspec.ValidationError as error:
        raise CannotRun(f"--codes {options.codes} --two-parts {options.two_parts}: {error}") from error
    required = f"rate>={options.rate_at_least:g},{ALWAYS},{options.require}"
    return BurstSettings(
        config=options.config or shipped("demo.toml"),
        messages=options.messages,
        batch=options.batch,
        connections=options.connections,
        seed=options.seed,
        mix=mix,
        timeout_seconds=options.timeout_seconds,
        requirements=parse_requirements(required, FIGURES),
    )


async def measure(settings: BurstSettings, console: Console) -> int:
    """Start both, send everything, audit it, and report. Returns the exit code; raises CannotRun."""
    plan = make_plan(settings.messages, batch=settings.batch, seed=settings.seed, mix=settings.mix)
    async with run_directory("load") as directory:
        rig_settings = RigSettings(
            config=settings.config,
            tables=unhindered(read_tables(settings.config)),
            simulator_tables=_simulator_tables(plan),
            connections=settings.connections + 1,  # one more to look at the counters
        )
        async with start_rig(rig_settings, directory) as rig:
            _introduce(console, settings, plan, directory)
            measurement = await rig.during(_load(rig, plan, settings, console))
            findings = await rig.during(_audit(rig, plan, measurement.accepted))
    return _report(console, measurement, findings, settings.requirements)


def unhindered(tables: Tables) -> Tables:
    """Return a config whose carriers take what they are given, and are given the default time to answer."""

    def change(carrier: Tables) -> Tables:
        kept = {name: value for name, value in carrier.items() if name != "response_timeout_seconds"}
        return {**kept, "throughput": THROUGHPUT}

    return change_carriers(tables, change)


async def _load(rig: Rig, plan: Plan, settings: BurstSettings, console: Console) -> Measurement:
    """Send every request, and wait until every message is final."""
    sent, waiting = Sent(), iter(plan.bodies)
    before = [read_usage(pid) for pid in (rig.gateway.pid, rig.simulator.pid, os.getpid())]
    started_at = time.perf_counter()

    async def send_all() -> None:
        await together(*(_send_each(rig.api, waiting, sent) for _ in range(settings.connections)))
        sent.last_answer_at = time.perf_counter()

    await together(send_all(), _follow(rig.api, sent, console, started_at, settings.timeout_seconds))
    finished_at = time.perf_counter()
    after = [read_usage(pid) for pid in (rig.gateway.pid, rig.simulator.pid, os.getpid())]
    gateway, simulator, load = (spent(*pair) for pair in zip(before, after, strict=True))
    assert sent.last_answer_at is not None, "send_all has ended"
    return Measurement(
        messages=len(plan.messages),
        parts=plan.parts,
        accepted=sent.accepted,
        refused=sent.refused,
        retried=sent.retried,
        accept_seconds=sent.last_answer_at - started_at,
        total_seconds=finished_at - started_at,
        latencies=sorted(sent.latencies),
        gateway=gateway,
        simulator=simulator,
        load=load,
    )


async def _send_each(api: Api, waiting: Iterator[bytes], sent: Sent) -> None:
    """Send the next request that waits, until none does."""
    for body in waiting:
        reply = await api.submit(body)
        totals = read_totals(reply)
        sent.accepted += totals.accepted
        sent.refused += totals.refused
        sent.retried += reply.tries > 1
        sent.latencies.append(reply.seconds)


async def _follow(api: Api, sent: Sent, console: Console, started_at: float, timeout_seconds: float) -> None:
    """Look at the gateway's counters until all that was accepted is final, or the time is over."""
    next_line_at = started_at + LINE_SECONDS
    while True:
        sent.finished = round(await api.total(FINISHED))
        now = time.perf_counter()
        done = sent.last_answer_at is not None and sent.finished >= sent.accepted
        if done or now >= next_line_at:
            next_line_at = now + LINE_SECONDS
            say(console, f"{now - started_at:6.1f} s  accepted {sent.accepted:,}, final {sent.finished:,}")
        if done or (sent.last_answer_at is not None and now - sent.last_answer_at > timeout_seconds):
            return
        await asyncio.sleep(LOOK_SECONDS if sent.last_answer_at is None else LAST_LOOK_SECONDS)


async def _audit(rig: Rig, plan: Plan, accepted: int) -> Findings:
    """Ask both sides for every message."""
    audit = Audit(plan.messages)
    async for page in rig.api.pages():
        for message in page:
            audit.take_message(message)
    async for submit in rig.control.submitted():
        audit.take_submit(submit)
    return audit.findings(accepted=accepted)


def _simulator_tables(plan: Plan) -> Tables:
    low, high = RECEIPTS_SECONDS
    return {
        "memory": {"journal_entries": max(LEAST_JOURNAL_ENTRIES, plan.parts * JOURNAL_ENTRIES_A_PART)},
        "receipts": {"delay_seconds": {"kind": "uniform", "low": low, "high": high}},
    }


def _introduce(console: Console, settings: BurstSettings, plan: Plan, directory: Path) -> None:
    say(
        console,
        f"plan       {len(plan.messages):,} messages, {settings.batch} a request, {settings.connections} at once",
    )
    say(console, f"           {plan.mix}; seed {plan.seed}")
    low, high = RECEIPTS_SECONDS
    say(console, f"           every message has a receipt, {low:g} to {high:g} s after its submit")
    say(console, f"machine    {describe_machine()}; store on {file_system(directory)}")
    say(console, f"           {describe_versions()}")


def _report(console: Console, measurement: Measurement, findings: Findings, requirements: list[Requirement]) -> int:
    figures = figures_of(measurement, findings)
    for line in (*lines_of(measurement, figures), findings_line(findings, measurement.refused)):
        say(console, line)
    broken = [each for each in requirements if not each.keeps(figures)]
    for each in broken:
        say(console, f"not kept   {each.text}: {each.figure} is {figures[each.figure]:,.6g}", "bold red")
    if not broken:
        asked = ", ".join(each.text for each in requirements if not each.text.endswith("=0"))
        say(console, f"kept       {asked}", "bold green")
    return NOT_KEPT if broken else KEPT
