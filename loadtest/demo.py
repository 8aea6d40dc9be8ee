"""The demo: a simulator and a gateway of its own, a property company's week, and what became of each message."""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from loadtest.answers import read_results
from loadtest.api import Api
from loadtest.board import Board, differences
from loadtest.clocks import check_shift, offset_seconds, shifted_environment
from loadtest.configuration import Tables, account_of, read_tables
from loadtest.errors import CannotRun
from loadtest.files import shipped
from loadtest.rig import Ports, Rig, RigSettings, run_directory, start_rig
from loadtest.sample import REFUSED, Entry, Request, read_sample, requests_of
from loadtest.screen import Progress, make_console, open_screen, say
from loadtest.summary import show_summary
from loadtest.tasks import together

KEPT: Final = 0
NOT_KEPT: Final = 1

CONTROL_PORT: Final = 8775  # the simulator's default
SENDERS: Final = 4
LOOK_SECONDS: Final = 0.2
MOST_DIFFERENCES: Final = 50
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: the gateway's config, the sample, and whether to stay up when all is done."""

    config: Path
    sample: Path
    once: bool
    timeout_seconds: float
    ports: str = ""  # "auto": free ones; empty: the config's
    wall_clock: str = ""  # HH:MM: the gateway thinks that it is then


class Stopwatch:
    """When sending began, and when everything was answered. Monotonic seconds."""

    def __init__(self) -> None:
        self.started_at: Final = time.monotonic()
        self.sent_at: float | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("--once", action="store_true", help="end when all is final; 0 only if as the sample says")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gateway's config (config/demo.toml)")
    parser.add_argument("--sample", type=Path, metavar="FILE", help="what to send (config/demo/messages.jsonl)")
    parser.add_argument(
        "--timeout-seconds", type=float, default=60.0, metavar="N", help="how long a message may take to end (60)"
    )
    parser.epilog = (
        "DEMO_PORTS=auto takes free ports. DEMO_WALL_CLOCK=HH:MM runs the gateway as if it were that hour in China."
    )


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    settings = DemoSettings(
        config=options.config or shipped("demo.toml"),
        sample=options.sample or shipped("demo/messages.jsonl"),
        once=options.once,
        timeout_seconds=options.timeout_seconds,
        ports=os.environ.get("DEMO_PORTS", ""),
        wall_clock=os.environ.get("DEMO_WALL_CLOCK", ""),
    )
    return await show_demo(settings, make_console())


async def show_demo(settings: DemoSettings, console: Console) -> int:
    """Start both, send the sample, follow it to its end, and say how it went. Raises CannotRun."""
    entries = read_sample(settings.sample)
    tables = read_tables(settings.config)
    shift = offset_seconds(settings.wall_clock, now=datetime.now(UTC)) if settings.wall_clock else 0.0
    async with run_directory("demo") as directory:
        rig_settings = RigSettings(
            config=settings.config,
            tables=tables,
            ports=ports_of(settings.ports, tables),
            gateway_environment=shifted_environment(shift, directory) if shift else {},
        )
        say(console, "Yizhan 驿站: starting a simulated carrier and the gateway …", "bold")
        async with start_rig(rig_settings, directory) as rig:
            _introduce(console, rig, settings, len(entries))
            board = Board(entries)
            progress = await rig.during(_send_and_follow(rig.api, board, console, settings.timeout_seconds))
            _check_clock(board, shift)
            code = _report(console, board, progress)
            if not settings.once:
                _, key = account_of(tables, settings.config)
                _lead_on(console, rig, board, key)
                await rig.during(_asked_to_end())
                say(console, "\nEnding the gateway, then the simulator …")
    return code


def ports_of(wanted: str, tables: Tables) -> Ports:
    """Return the ports to listen on: free ones for "auto", else those of the config. Raises CannotRun."""
    if wanted == "auto":
        return Ports()
    if wanted:
        raise CannotRun(f"DEMO_PORTS={wanted}: must be auto, or not set")
    smpp = {bind["port"] for carrier in tables.get("carrier", []) for bind in carrier.get("bind", [])}
    listen = tables.get("http", {}).get("listen", "127.0.0.1:8080")
    if len(smpp) != 1:
        raise CannotRun("carrier.bind.port: must be the same for all binds: one simulator is all the carriers")
    return Ports(gateway=int(listen.rpartition(":")[2]), smpp=smpp.pop(), control=CONTROL_PORT)


def _check_clock(board: Board, shift: float) -> None:
    """Raise CannotRun when the gateway's times show that its clock is not where it was wanted."""
    times = [entry.at for each in board.entries if (seen := board.seen(each)) is not None for entry in seen.timeline]
    if times:
        check_shift(datetime.fromisoformat(max(times)), shift, now=datetime.now(UTC))


async def _send_and_follow(api: Api, board: Board, console: Console, timeout_seconds: float) -> Progress:
    """Send every request, and show where the messages are until all are final or the time is over."""
    watch = Stopwatch()
    with open_screen(console) as screen:

        def show() -> None:
            screen.show(progress_of(board, watch))

        await together(
            _send(api, board, requests_of(board.entries), watch),
            _follow(api, board, show, deadline=watch.started_at + timeout_seconds),
        )
    return progress_of(board, watch)


async def _send(api: Api, board: Board, requests: Sequence[Request], watch: Stopwatch) -> None:
    waiting = iter(requests)
    await together(*(_send_each(api, board, waiting) for _ in range(SENDERS)))
    watch.sent_at = time.monotonic()


async def _send_each(api: Api, board: Board, waiting: Iterator[Request]) -> None:
    """Send the next request that waits, until none does."""
    for request in waiting:
        results = read_results(await api.submit(request.body))
        if len(results) != len(request.entries):
            raise CannotRun(f"the gateway answers {len(results)} results to {len(request.entries)} messages")
        board.take_results(request.entries, results)


async def _follow(api: Api, board: Board, show: Callable[[], None], *, deadline: float) -> None:
    while board.finished < len(board.entries) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        board.take_list([message async for page in api.pages() for message in page])
        show()


def progress_of(board: Board, watch: Stopwatch) -> Progress:
    """Return how far the sample has come."""
    now = time.monotonic()
    return Progress(
        elapsed_seconds=now - watch.started_at,
        sending_seconds=(watch.sent_at or now) - watch.started_at,
        total=len(board.entries),
        accepted=board.accepted,
        finished=board.finished,
        counts=dict(board.counts),
    )


def _introduce(console: Console, rig: Rig, settings: DemoSettings, count: int) -> None:
    clock = f", its wall clock at {settings.wall_clock} in China" if settings.wall_clock else ""
    say(console, f"  simulator  SMPP {rig.smpp_address}, control {rig.control.base_url}")
    say(console, f"  gateway    {rig.api.base_url}, {rig.binds} binds up, a store of its own{clock}")
    say(console, f"  sample     {count} messages of a property company, to the simulator only\n")


def _report(console: Console, board: Board, progress: Progress) -> int:
    """Write the tables and every difference from the sample, and return the exit code."""
    show_summary(console, board)
    found = differences(board)
    say(console, f"\nAnswered in {progress.sending_seconds:.1f} s, ended in {progress.elapsed_seconds:.1f} s.")
    if not found:
        say(console, f"All {len(board.entries)} messages ended as the sample says.", "bold green")
        return KEPT
    say(console, f"{len(found)} differences from what the sample says:", "bold red")
    for line in found[:MOST_DIFFERENCES]:
        say(console, f"  {line}")
    if len(found) > MOST_DIFFERENCES:
        say(console, f"  … and {len(found) - MOST_DIFFERENCES} more")
    return NOT_KEPT


def _lead_on(console: Console, rig: Rig, board: Board, key: str) -> None:
    """Say what to try next, in lines that can be copied."""
    url, control = rig.api.base_url, rig.control.base_url
    header = f"-H 'Authorization: Bearer {key}'"
    say(console, "\nWhere to go next", "bold")
    say(console, "  send a message")
    message = '{"to": "13800138000", "text": "您好，您的快递已到前台，请及时领取。"}'
    say(console, f"    curl {url}/v1/messages {header} -H 'Content-Type: application/json' -d '{message}'")
    accepted = next((result for entry in board.entries if (result := _accepted(board, entry))), None)
    if accepted is not None:
        say(console, "  see what became of one of the sample")
        say(console, f"    curl {url}/v1/messages/{accepted.id} {header}")
    say(console, "  see the counters, for Prometheus")
    say(console, f"    curl {url}/metrics")
    say(console, "  ask the simulator what it saw")
    say(console, f"    curl {control}/counts")
    say(console, f"  read what the two log\n    {rig.gateway.log}\n    {rig.simulator.log}")
    say(console, "\nBoth stay up until Ctrl-C; then store and logs are removed.")


def _accepted(board: Board, entry: Entry) -> Any:
    result = board.result(entry)
    return result if result is not None and result.status != REFUSED else None


async def _asked_to_end() -> None:
    """Wait for Ctrl-C, or for the signal that asks a process to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
