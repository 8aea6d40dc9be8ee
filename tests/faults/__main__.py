"""The fault suite: `make faults`, or `python -m tests.faults kill --seed 7`. A table of what came of it ends it."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from loadtest.machine import describe_machine, file_system
from tests.faults.many import many
from tests.faults.mounts import NotHereError
from tests.faults.outcome import Outcome
from tests.faults.soak import soak
from tests.faults.suite import FAULTS, Fault
from tests.faults.table import line_of, table_of
from tests.faults.world import Plan

KEPT, NOT_KEPT = 0, 1


def main(arguments: list[str] | None = None) -> int:
    """Try every fault that is asked for, and return the exit code: 0 when every promise was kept, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("fault", nargs="*", help=f"these only: {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, help="a number to begin with; left out, one is drawn")
    parser.add_argument("--short", action="store_true", help="some minutes in all, as CI has them")
    parser.add_argument("--times", type=int, help="how often each is tried")
    parser.add_argument("--at-once", type=int, help="faults that are tried at the same time: 1, and 3 with --short")
    long = parser.add_argument_group("long runs, by hand: soak, many")
    long.add_argument("--minutes", type=float, default=30.0, help="of a soak (30)")
    long.add_argument("--rate", type=float, default=200.0, help="messages a second of a soak (200)")
    long.add_argument("--picture", type=Path, default=Path("soak.svg"), help="where a soak draws its plot (soak.svg)")
    long.add_argument("--messages", type=int, default=10_000_000, help="of many (10000000)")
    options = parser.parse_args(arguments)
    known = {**FAULTS, **_long_runs(options)}
    for name in options.fault:
        if name not in known:
            parser.error(f"{name}: must be one of {', '.join(known)}")
    for option, least in (("times", 1), ("at_once", 1), ("minutes", 0.5), ("rate", 1), ("messages", 10_000)):
        value = getattr(options, option)
        if value is not None and value < least:
            parser.error(f"--{option.replace('_', '-')} {value}: must be {least} or more")

    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    say(f"seed {seed}; {describe_machine()}; stores on {file_system(Path(tempfile.gettempdir()))}")
    at_once = options.at_once or (3 if options.short else 1)
    outcomes = asyncio.run(try_all(_chosen(options, known), known, seed=seed, at_once=at_once))
    say("")
    say(table_of(outcomes))
    return NOT_KEPT if any(outcome.broken for outcome in outcomes) else KEPT


def _chosen(options: argparse.Namespace, known: Mapping[str, Fault]) -> dict[str, int]:
    """The faults that are asked for, and how often each is to be tried. What is named is tried in any case."""
    if options.times:
        return dict.fromkeys(options.fault or FAULTS, options.times)
    if options.fault:
        return {name: max(1, known[name].short_times) if options.short else known[name].times for name in options.fault}
    times = {name: fault.short_times if options.short else fault.times for name, fault in FAULTS.items()}
    return {name: often for name, often in times.items() if often}


async def try_all(chosen: Mapping[str, int], known: Mapping[str, Fault], *, seed: int, at_once: int) -> list[Outcome]:
    """Try each so often, a few faults at a time; what came of them, in their order."""
    turns = asyncio.Semaphore(at_once)

    async def one(name: str, times: int) -> Outcome:
        async with turns:
            return await attempt(name, known[name], seed=seed, times=times)

    return await asyncio.gather(*(one(name, times) for name, times in chosen.items()))


def _long_runs(options: argparse.Namespace) -> dict[str, Fault]:
    soaking = partial(soak, minutes=options.minutes, messages_per_second=options.rate, picture=options.picture)
    return {
        "soak": Fault(soaking, times=1, short_times=0),
        "many": Fault(partial(many, messages=options.messages), times=1, short_times=0),
    }


async def attempt(name: str, fault: Fault, *, seed: int, times: int) -> Outcome:
    """Try one fault. What a run leaves is kept where it shows what broke."""
    directory = Path(tempfile.mkdtemp(prefix=f"yizhan-faults-{name}-"))
    plan = Plan(random.Random(f"{seed} {name}"), times, directory)
    start = time.monotonic()
    try:
        outcome = await fault.attempt(plan)
    except NotHereError as error:
        shutil.rmtree(directory)
        say(f"{name}: NOT TRIED, it cannot be on this machine: {error}")
        return Outcome(fault=name, tried=0, note=f"cannot be here: {error}")
    except Exception as error:  # noqa: BLE001 - one fault that cannot be tried must not hide what comes of the others
        traceback.print_exc()
        outcome = Outcome(fault=name, tried=times, broken=(f"{type(error).__name__}: {error}",))
    say(f"{name}, {time.monotonic() - start:.0f} s: {line_of(outcome)}")
    if outcome.ledger:
        say(f"    ledger: {outcome.ledger}")
    for line in outcome.broken:
        say(f"    {line}")
    if outcome.broken:
        say(
            f"    again with: python -m tests.faults {name} --seed {seed} --times {times}; its files are in {directory}"
        )
    else:
        shutil.rmtree(directory)
    return outcome


def say(line: str) -> None:
    """Tell at once: a run takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
