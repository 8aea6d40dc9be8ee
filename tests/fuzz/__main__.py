"""The protocol and the text under damaged valid input: `make fuzz`, or `python -m tests.fuzz --seed 7`."""

import argparse
import random
import sys
import time
import traceback

from tests.fuzz.run import Found, fuzz
from tests.fuzz.targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Fuzz and return the exit code: 0 when nothing was found, 1 when something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="a number to begin with; left out, one is drawn")
    parser.add_argument("--seconds", type=float, help="how long; 60 where --rounds is not given either")
    parser.add_argument("--rounds", type=int, help="how many inputs")
    parser.add_argument("--target", choices=TARGETS, help="this one only")
    options = parser.parse_args(arguments)

    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    seconds = 60.0 if options.seconds is None and options.rounds is None else options.seconds
    targets = TARGETS if options.target is None else {options.target: TARGETS[options.target]}
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    start = time.monotonic()
    try:
        done = fuzz(targets, seed=seed, rounds=options.rounds, seconds=seconds)
    except Found as found:
        traceback.print_exception(found.__cause__)
        sys.stderr.write(f"\n{found}\n")
        return 1
    for name, rounds in sorted(done.items()):
        sys.stdout.write(f"{rounds:>10,}  {name.replace('_', ' ')}\n")
    sys.stdout.write(f"{done.total():>10,}  inputs in {time.monotonic() - start:.0f} s from seed {seed}: no fault\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
