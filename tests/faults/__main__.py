"""The fault suite: `make faults`, or `python -m tests.faults kill --seed 7`. A table of what came of it ends it."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from loadtest.machine import describe_machine, file_system
from tests.faults.outcome import Outcome
from tests.faults.suite import FAULTS, Fault
from tests.faults.table import table_of
from tests.faults.world import Plan

KEPT, NOT_KEPT = 0, 1


def main(arguments: list[str] | None = None) -> int:
    """Try every fault that is asked for, and return the exit code: 0 when every promise was kept, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("fault", nargs="*", help=f"these only: {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, help="a number to begin with; left out, one is drawn")
    parser.add_argument("--short", action="store_true", help="some minutes in all, as CI has them")
    parser.add_argument("--times", type=int, help="how often each is tried")
    options = parser.parse_args(arguments)
    for name in options.fault:
        if name not in FAULTS:
            parser.error(f"{name}: must be one of {', '.join(FAULTS)}")
    if options.times is not None and options.times < 1:
        parser.error(f"--times {options.times}: must be 1 or more")

    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    say(f"seed {seed}; {describe_machine()}; stores on {file_system(Path(tempfile.gettempdir()))}")
    outcomes = []
    for name in options.fault or FAULTS:
        fault = FAULTS[name]
        times = options.times or (fault.short_times if options.short else fault.times)
        if times:
            outcomes.append(attempt(name, fault, seed=seed, times=times))
    say("")
    say(table_of(outcomes))
    return NOT_KEPT if any(outcome.broken for outcome in outcomes) else KEPT


def attempt(name: str, fault: Fault, *, seed: int, times: int) -> Outcome:
    """Try one fault. What a run leaves is kept where it shows what broke."""
    directory = Path(tempfile.mkdtemp(prefix=f"yizhan-faults-{name}-"))
    plan = Plan(random.Random(f"{seed} {name}"), times, directory)
    start = time.monotonic()
    try:
        outcome = asyncio.run(fault.attempt(plan))
    except Exception as error:  # noqa: BLE001 - one fault that cannot be tried must not hide what comes of the others
        traceback.print_exc()
        outcome = Outcome(fault=name, tried=times, broken=(f"{type(error).__name__}: {error}",))
    say(f"{name}: {time.monotonic() - start:.0f} s, {'kept' if not outcome.broken else 'NOT KEPT'}")
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
