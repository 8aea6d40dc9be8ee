"""The highest rate that a gateway of its own keeps up: latencies within bounds, every message final, no growing queue.

Each rate is tried with new processes and an empty store. The rate doubles until one is not kept up, then the gap is
halved. The report of the best one is kept.
"""

import argparse
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.arrivals import MOST_RATE, parse_shape
from loadtest.course import INTERRUPTED, finish
from loadtest.errors import CannotRun
from loadtest.httpload import measure
from loadtest.options import add_http_arguments, add_load_arguments, settings_of
from loadtest.ratesearch import RateSearch, Trial, try_out
from loadtest.requirements import Requirement
from loadtest.results import RunReport, judge
from loadtest.screen import make_console, say

LEAST_SECONDS: Final = 5.0  # a queue that grows shows in less only by chance
NOT_FOUND: Final = 1
MOST_BOUND_SECONDS: Final = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="of each trial (10)")
    parser.set_defaults(plan="constant:1")  # which each trial replaces
    add_load_arguments(parser)
    add_http_arguments(parser)
    parser.add_argument("--low", type=float, default=500, metavar="N", help="messages a second to begin with (500)")
    parser.add_argument("--high", type=float, default=50_000, metavar="N", help="the most that is tried (50000)")
    parser.add_argument("--precision", type=float, default=0.05, metavar="SHARE", help="how close is enough (0.05)")
    parser.add_argument("--accept-bound", type=float, default=0.5, metavar="N", help="accept p99, in seconds (0.5)")
    parser.add_argument("--final-bound", type=float, default=2.0, metavar="N", help="final p99, in seconds (2)")


async def run(options: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises CannotRun."""
    _check(options)
    settings = settings_of(options)
    console = make_console()
    search = RateSearch(low=options.low, high=options.high, precision=options.precision)
    trials: list[Trial] = []
    best: RunReport | None = None
    # What must be reached at the end decides about no single trial.
    trial_settings = msgspec.structs.replace(settings, requirements=[])
    while (rate := search.rate) is not None:
        say(console, f"trying     {rate:,.0f} messages a second", "bold")
        shape = parse_shape(f"poisson:{rate:.0f}", seconds=options.seconds)
        report = await measure(msgspec.structs.replace(trial_settings, shape=shape), console)
        if report.interrupted:
            break
        trial = try_out(report, rate, accept_bound=options.accept_bound, final_bound=options.final_bound)
        trials.append(trial)
        search.tell(not trial.why)
        best = best if trial.why else report
    for trial in trials:
        say(console, _line(trial), "yellow" if trial.why else "green")
    if best is None:
        say(console, "not found  not even the lowest rate was kept up", "bold red")
        return INTERRUPTED if search.rate is not None else NOT_FOUND
    say(console, f"highest    {search.best:,.0f} messages a second", "bold green")
    code = finish(_judged(best, settings.requirements), settings, console)
    return INTERRUPTED if search.rate is not None else code


def _judged(report: RunReport, requirements: Sequence[Requirement]) -> RunReport:
    """Return the report of the best trial, held against what was required."""
    return msgspec.structs.replace(report, judgements=judge(requirements, report.figures))


def _line(trial: Trial) -> str:
    latencies = f"accept p99 {trial.accept_p99 * 1000:,.1f} ms, final p99 {trial.final_p99 * 1000:,.0f} ms"
    return f"{trial.rate:10,.0f} a second: {latencies}; {trial.why or 'kept up'}"


def _check(options: argparse.Namespace) -> None:
    """Raise CannotRun with the argument that is wrong."""
    if options.url:
        raise CannotRun("--url: a search starts processes of its own, with an empty store for each rate")
    if not 0 < options.low <= options.high <= MOST_RATE:
        raise CannotRun(
            f"--low {options.low:g} --high {options.high:g}: must be in order, from above 0 to {MOST_RATE:g}"
        )
    if not 0.01 <= options.precision <= 1:
        raise CannotRun(f"--precision {options.precision:g}: must be 0.01 to 1")
    if options.seconds < LEAST_SECONDS:
        raise CannotRun(f"--seconds {options.seconds:g}: must be at least {LEAST_SECONDS:g} for a search")
    for name in ("accept_bound", "final_bound"):
        if not 0 < getattr(options, name) <= MOST_BOUND_SECONDS:
            raise CannotRun(f"--{name.replace('_', '-')} {getattr(options, name):g}: must be more than 0, in seconds")
