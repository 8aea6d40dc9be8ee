"""One-time passwords while a million other messages wait: how long they wait, what memory that takes, and a restart."""

import argparse
import asyncio
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from loadtest.answers import read_totals
from loadtest.api import Api
from loadtest.configuration import Tables, change_carriers, read_tables
from loadtest.control import Control
from loadtest.errors import CannotRun
from loadtest.files import shipped
from loadtest.machine import describe_machine, describe_versions, file_system
from loadtest.numbers import make_numbers
from loadtest.plan import MOST_MESSAGES
from loadtest.processes import Child, read_usage
from loadtest.report import MEBIBYTE, percentile
from loadtest.requirements import Requirement, parse_requirements
from loadtest.rig import Rig, RigSettings, run_directory, start_rig
from loadtest.screen import make_console, say
from loadtest.tasks import together

KEPT: Final = 0
NOT_KEPT: Final = 1
FIGURES: Final = ("queue_p99", "lag_p99", "wait_p50", "wait_p99", "codes_lost", "memory_mb", "start_seconds")
REQUIRED: Final = "queue_p99<=50ms,codes_lost=0,memory_mb<400,start_seconds<10"

QUEUED: Final = "gateway_queued_messages"
QUEUE_SECONDS: Final = "gateway_queue_seconds"
LAG_SECONDS: Final = "gateway_event_loop_lag_seconds"
BATCH: Final = 1_000
CONNECTIONS: Final = 4
LINE_SECONDS: Final = 5.0
FLOW_SECONDS: Final = 2.0  # until the others flow
LAST_CODES_SECONDS: Final = 5.0  # until the last codes are seen at the SMSC
RESTART_SECONDS: Final = 120.0
# Four PDUs a message while the codes are sent, and some time before and after.
JOURNAL_ENTRIES: Final = 400_000


class BacklogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, what comes meanwhile, and what must be kept."""

    config: Path
    messages: int
    throughput: int
    codes: int
    codes_a_second: float
    seed: int
    requirements: list[Requirement]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. Times in seconds."""

    queued: int  # when the first code was sent
    queue_p99: float  # from a code's place on disk to its bytes in the socket: the bound that 99 in 100 keep
    lag_p99: float  # by which the gateway's loop is late, the bound that 99 in 100 looks keep, the filling among them
    waits: Sequence[float]  # of each code, from the time it was to be sent until the SMSC had it, sorted
    codes_lost: int
    resident_bytes: int  # of the gateway, the most since its start
    start_seconds: float  # from its kill until it took messages again
    queued_after: int

    @property
    def by_name(self) -> dict[str, float]:
        return {
            "queue_p99": self.queue_p99,
            "lag_p99": self.lag_p99,
            "wait_p50": percentile(self.waits, 0.50),
            "wait_p99": percentile(self.waits, 0.99),
            "codes_lost": self.codes_lost,
            "memory_mb": self.resident_bytes / MEBIBYTE,
            "start_seconds": self.start_seconds,
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("--messages", type=int, default=1_000_000, metavar="N", help="that wait (1000000)")
    parser.add_argument("--throughput", type=int, default=1_000, metavar="N", help="segments a second (1000)")
    parser.add_argument("--codes", type=int, default=600, metavar="N", help="one-time passwords (600)")
    parser.add_argument("--codes-a-second", type=float, default=20.0, metavar="N", help="of them (20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the numbers (1)")
    parser.add_argument("--require", default=REQUIRED, metavar="LIST", help=f"({REQUIRED}): {', '.join(FIGURES)}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gateway's config (config/demo.toml)")


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    for name, value in (("messages", options.messages), ("codes", options.codes), ("throughput", options.throughput)):
        if not 1 <= value <= MOST_MESSAGES:
            raise CannotRun(f"--{name} {value}: must be 1 to {MOST_MESSAGES}")
    if not 0 < options.codes_a_second <= 1_000:
        raise CannotRun(f"--codes-a-second {options.codes_a_second}: must be above 0, and 1000 at most")
    settings = BacklogSettings(
        config=options.config or shipped("demo.toml"),
        messages=options.messages,
        throughput=options.throughput,
        codes=options.codes,
        codes_a_second=options.codes_a_second,
        seed=options.seed,
        requirements=parse_requirements(options.require, FIGURES),
    )
    return await measure(settings, make_console())


async def measure(settings: BacklogSettings, console: Console) -> int:
    """Fill the queues, send the codes, kill the gateway and start it again. Returns the exit code."""
    async with run_directory("backlog") as directory:
        rig_settings = RigSettings(
            config=settings.config,
            tables=_tables(settings),
            simulator_tables={"memory": {"journal_entries": JOURNAL_ENTRIES}},
            connections=CONNECTIONS + 1,
        )
        async with start_rig(rig_settings, directory) as rig:
            say(console, f"on         {describe_machine()}, {file_system(directory)}; {describe_versions()}")
            figures = await _measure(rig, settings, console)
    for line in _lines(figures, settings):
        say(console, line)
    broken = [each.text for each in settings.requirements if not each.keeps(figures.by_name)]
    say(console, "kept       " + ", ".join(each.text for each in settings.requirements if each.text not in broken))
    if broken:
        say(console, "NOT KEPT   " + ", ".join(broken))
    return NOT_KEPT if broken else KEPT


async def _measure(rig: Rig, settings: BacklogSettings, console: Console) -> Figures:
    numbers = make_numbers(settings.messages + settings.codes, seed=settings.seed)
    codes = numbers[settings.messages :]
    bodies = _bodies(numbers[: settings.messages])
    carrier = _tables(settings)["carrier"][0]["name"]
    await rig.api.pause(carrier)  # else much of it would be gone before all of it is there
    await rig.during(_fill(rig.api, bodies, settings.messages, console))
    await rig.api.resume(carrier)
    await asyncio.sleep(FLOW_SECONDS)
    queued = round(await rig.api.total(QUEUED))
    sent_at = await rig.during(_send_codes(rig.api, codes, settings.codes_a_second))
    await asyncio.sleep(LAST_CODES_SECONDS)
    seen_at = await _seen(rig.control, set(codes))
    queue_p99 = _bound_of(await rig.api.buckets(QUEUE_SECONDS, 'priority="high"'), 0.99)
    lag_p99 = _bound_of(await rig.api.buckets(LAG_SECONDS, ""), 0.99)
    resident = read_usage(rig.gateway.pid).peak_resident_bytes
    start_seconds, queued_after = await _restart(rig)
    return Figures(
        queued=queued,
        queue_p99=queue_p99,
        lag_p99=lag_p99,
        waits=sorted(seen_at[code] - sent_at[code] for code in codes if code in seen_at),
        codes_lost=sum(code not in seen_at for code in codes),
        resident_bytes=resident,
        start_seconds=start_seconds,
        queued_after=queued_after,
    )


async def _fill(api: Api, bodies: Iterator[bytes], messages: int, console: Console) -> None:
    """Hand in everything that shall wait."""
    accepted, next_line_at = 0, time.monotonic() + LINE_SECONDS

    async def send_each() -> None:
        nonlocal accepted, next_line_at
        for body in bodies:
            totals = read_totals(await api.submit(body))
            if totals.refused:
                raise CannotRun(f"{totals.refused} messages were refused: nothing shall be in their way")
            accepted += totals.accepted
            if time.monotonic() >= next_line_at:
                next_line_at = time.monotonic() + LINE_SECONDS
                say(console, f"           {accepted:,} of {messages:,} accepted")

    await together(*(send_each() for _ in range(CONNECTIONS)))


async def _send_codes(api: Api, numbers: Sequence[str], a_second: float) -> dict[str, float]:
    """Send a code to each number, in time whatever becomes of those before; return when each was to leave."""
    began = time.time() + 0.1
    due = {number: began + n / a_second for n, number in enumerate(numbers)}

    async def send(number: str) -> None:
        await asyncio.sleep(max(0.0, due[number] - time.time()))
        reply = await api.submit(_code_to(number))
        if reply.status != 202:
            raise CannotRun(f"a code was answered with {reply.status}")

    await together(*(send(number) for number in numbers))
    return due


async def _seen(control: Control, numbers: set[str]) -> dict[str, float]:
    """When the SMSC had the submit_sm to each of these numbers, in seconds since 1970."""
    seen: dict[str, float] = {}
    async for submitted in control.submitted():
        number = submitted.phone.removeprefix("+").removeprefix("86")
        if number in numbers:
            seen.setdefault(number, datetime.fromisoformat(submitted.at).timestamp())
    return seen


async def _restart(rig: Rig) -> tuple[float, int]:
    """Kill the gateway, start it again on the same store; the seconds until it is ready, and what waits then."""
    os.kill(rig.gateway.pid, signal.SIGKILL)
    while rig.gateway.running:  # noqa: ASYNC110 the kernel tells nobody
        await asyncio.sleep(0.01)
    command = (sys.executable, "-m", "gateway", "--config", str(rig.directory / "gateway.toml"))
    began = time.perf_counter()
    again = Child("gateway", command, directory=rig.directory)
    try:
        listen = (await again.ready(timeout_seconds=RESTART_SECONDS))["http"]
        seconds = time.perf_counter() - began
        async with Api(f"http://{listen}", "", connections=1) as api:
            return seconds, round(await api.total(QUEUED))
    finally:
        await again.stop()


def _bound_of(buckets: dict[float, float], share: float) -> float:
    """The smallest bound of a histogram that at least this share of its observations keep."""
    count = max(buckets.values(), default=0.0)
    return min((bound for bound, within in buckets.items() if count and within >= share * count), default=math.inf)


def _tables(settings: BacklogSettings) -> Tables:
    """The config, with one carrier for all, of the throughput that is asked for."""
    tables = read_tables(settings.config)
    [first, *_] = change_carriers(tables, lambda carrier: {**carrier, "throughput": settings.throughput})["carrier"]
    everyone = {name: value for name, value in first.items() if name not in {"networks", "signatures"}}
    return {**tables, "carrier": [everyone], "route": []}


def _bodies(numbers: Sequence[str]) -> Iterator[bytes]:
    text = "尊敬的业主您好，本小区将于本周六9:00至16:00因更换水泵停水，请提前储水，谢谢配合。"
    for first in range(0, len(numbers), BATCH):
        chunk = numbers[first : first + BATCH]
        messages = [{"to": number, "text": text, "priority": "low", "batch": "backlog"} for number in chunk]
        yield msgspec.json.encode(messages)


def _code_to(number: str) -> bytes:
    text = "您的登录验证码是482913，5分钟内有效，请勿告诉他人。"
    return msgspec.json.encode({"to": number, "text": text, "category": "otp"})


def _lines(figures: Figures, settings: BacklogSettings) -> list[str]:
    by_name = {name: value * 1000 for name, value in figures.by_name.items()}  # of times: in milliseconds
    longest = figures.waits[-1] * 1000 if figures.waits else math.nan
    return [
        f"waiting    {figures.queued:,} messages behind {settings.throughput:,} segments a second",
        f"codes      {len(figures.waits):,} at {settings.codes_a_second:g} a second; lost {figures.codes_lost}",
        f"           from disk into the socket: 99 in 100 within {by_name['queue_p99']:g} ms",
        (
            f"           from when each was to leave over HTTP until the SMSC had it: p50 {by_name['wait_p50']:.1f} ms,"
            f" p99 {by_name['wait_p99']:.1f} ms, longest {longest:.1f} ms"
        ),
        f"loop       late by {by_name['lag_p99']:g} ms at most in 99 of 100 looks, the filling among them",
        f"memory     at most {figures.resident_bytes / MEBIBYTE:.0f} MiB resident",
        f"restart    {figures.start_seconds:.1f} s from the start to ready, with {figures.queued_after:,} waiting",
    ]
