"""Phone numbers of mainland China: made up by seed for a load, and masked for a screen."""

import random
import re
from collections.abc import Mapping
from typing import Final

# Prefixes that were given out to subscribers of each network, and how many of a load's numbers each network gets.
PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "cmcc": ("135", "136", "137", "138", "139", "150", "151", "152", "157", "158", "159", "182", "183", "187", "188"),
    "ctcc": ("133", "153", "177", "180", "181", "189", "199"),
    "cucc": ("130", "131", "132", "155", "156", "185", "186"),
    "cbn": ("192",),
}
SHARES: Final[Mapping[str, float]] = {"cmcc": 0.50, "ctcc": 0.24, "cucc": 0.22, "cbn": 0.04}

# The simulator gives special outcomes to numbers that end in 0000 to 0099.
_FIRST_ENDING: Final = 100
_ENDINGS: Final = 10_000
_MIDDLES: Final = 10_000

_SHORTEST_SHOWN: Final = 9  # of fewer digits too few would be hidden
_PUNCTUATION: Final = re.compile(r"[^0-9A-Za-z]")


def make_numbers(count: int, *, seed: int) -> list[str]:
    """Return `count` different numbers of eleven digits, over the networks by their SHARES. The same for a seed."""
    source = random.Random(seed)
    networks = source.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    numbers: dict[str, None] = {}
    for network in networks:
        size = len(numbers)
        while len(numbers) == size:
            numbers[_make_number(source, network)] = None
    return list(numbers)


def _make_number(source: random.Random, network: str) -> str:
    prefix = source.choice(PREFIXES[network])
    return f"{prefix}{source.randrange(_MIDDLES):04}{source.randrange(_FIRST_ENDING, _ENDINGS):04}"


def mask(spelling: str) -> str:
    """Return a number as a screen may show it, `138****5678`, however it was spelt and whether or not it is one."""
    digits = _PUNCTUATION.sub("", spelling)
    if len(digits) == len("8613800138000") and digits.startswith("861"):
        digits = digits[2:]
    if len(digits) < _SHORTEST_SHOWN:
        return "****"
    return f"{digits[:3]}****{digits[-4:] if len(digits) >= len('13800138000') else digits[-2:]}"
