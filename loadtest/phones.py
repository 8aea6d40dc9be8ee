"""Numbers for as many messages as there are, no two the same, and none of them kept: the next one is computed."""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Final

from loadtest.numbers import PREFIXES

# The last four digits begin at 0100: the simulator gives special outcomes to those below.
_FIRST_ENDING: Final = 100
_ENDINGS: Final = 10_000 - _FIRST_ENDING
_A_PREFIX: Final = 10_000 * _ENDINGS


def make_phones(shares: Mapping[str, float], *, seed: int) -> Iterator[int]:
    """Return different numbers of eleven digits without end, over the networks by their shares. The same for a seed.

    It ends where a network has given all of its numbers, of which each has at least 99 million.
    """
    source = random.Random(f"phones {seed}")
    series = [_series(PREFIXES[network], source) for network in shares]
    weights = list(shares.values())
    while True:
        for each in source.choices(series, weights=weights, k=1_000):
            yield next(each)


def _series(prefixes: tuple[str, ...], source: random.Random) -> Iterator[int]:
    """Return every number of a network once, in an order that looks like none."""
    size = len(prefixes) * _A_PREFIX
    # Steps of a width that has no divisor in common with the size come by every place before they come back.
    width = source.randrange(size // 3, size // 2)
    while math.gcd(width, size) != 1:
        width += 1
    place = source.randrange(size)
    heads = [int(prefix) * 100_000_000 for prefix in prefixes]
    for _ in range(size):
        place = (place + width) % size
        head, rest = divmod(place, _A_PREFIX)
        middle, ending = divmod(rest, _ENDINGS)
        yield heads[head] + middle * 10_000 + ending + _FIRST_ENDING
