"""Rounds of fuzzing: each has a seed of its own, so that a failure is repeated by one number."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import count

Target = Callable[[random.Random], object]


class Found(AssertionError):  # noqa: N818 - it is what fuzzing is for
    """A target failed. The text says how to see it again."""

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(f"{target} fails: python -m tests.fuzz --target {target} --seed {seed} --rounds 1")
        self.target = target
        self.seed = seed


def fuzz(
    targets: Mapping[str, Target], *, seed: int, rounds: int | None = None, seconds: float | None = None
) -> Counter[str]:
    """Run the targets in turn, until so many rounds or seconds have passed; return how often each has run.

    Round n has seed `seed + n`, and its target the round's turn. Raises Found, caused by what the target raised.
    """
    names = list(targets)
    done: Counter[str] = Counter()
    for number in _rounds(rounds, seconds):
        name = names[number % len(names)]
        try:
            targets[name](random.Random(seed + number))
        except Exception as error:
            raise Found(name, seed + number) from error
        done[name] += 1
    return done


def _rounds(rounds: int | None, seconds: float | None) -> Iterator[int]:
    end = None if seconds is None else time.monotonic() + seconds
    for number in count():
        if (rounds is not None and number >= rounds) or (end is not None and time.monotonic() >= end):
            return
        yield number
