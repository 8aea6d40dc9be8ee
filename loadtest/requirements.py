"""What a run must keep: `accept_p99<50ms,lost=0` against its figures."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from loadtest.errors import CannotRun

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
# What a figure is given in, by unit: figures of time are in seconds.
UNITS: Final[Mapping[str, float]] = {"": 1.0, "s": 1.0, "ms": 0.001}

_REQUIREMENT: Final = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(<=|>=|<|>|=)\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|)\s*")


class Requirement(msgspec.Struct, frozen=True):
    """One figure and its bound. `text` is how it was written."""

    figure: str
    comparison: str
    bound: float
    text: str

    def keeps(self, figures: Mapping[str, float]) -> bool:
        """Say whether the figures keep it."""
        return OPERATORS[self.comparison](figures[self.figure], self.bound)


def parse_requirements(text: str, known: Sequence[str]) -> list[Requirement]:
    """Return the requirements in a list with commas. Raises CannotRun for one that cannot be read, or is unknown."""
    return [_parse(each, known) for each in text.split(",") if each.strip()]


def _parse(text: str, known: Sequence[str]) -> Requirement:
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        raise CannotRun(f"--require {text.strip()!r}: must be like accept_p99<50ms or lost=0")
    figure, comparison, number, unit = match.groups()
    if figure not in known:
        raise CannotRun(f"--require {text.strip()!r}: {figure} is none of the figures: {', '.join(known)}")
    return Requirement(figure, comparison, float(number) * UNITS[unit], text.strip())
