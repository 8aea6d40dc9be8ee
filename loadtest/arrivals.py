"""When messages arrive: a rate over time, as a shape, and the moments that it makes. Pure; the same for a seed.

An arrival is due whatever became of those before it: that is what makes a load open, as people are who do not know of
each other.
"""

import math
import random
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from loadtest.errors import CannotRun

MOST_RATE: Final = 1_000_000.0  # arrivals a second
MOST_SECONDS: Final = 86_400.0
MOST_STEPS: Final = 1_000


class Stretch(msgspec.Struct, frozen=True):
    """So many seconds in which the rate goes in a straight line from one value to another, in arrivals a second."""

    seconds: float
    from_rate: float
    to_rate: float

    @property
    def arrivals(self) -> float:
        """How many it makes."""
        return self.seconds * (self.from_rate + self.to_rate) / 2

    def moment(self, count: float) -> float:
        """Return when the first `count` of its arrivals are there, in seconds from its start."""
        slope = (self.to_rate - self.from_rate) / self.seconds
        # The root of count = from_rate * t + slope * t² / 2, in the form that a slope of 0 does not break.
        return 2 * count / (self.from_rate + math.sqrt(max(0.0, self.from_rate**2 + 2 * slope * count)))


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A rate over time. With `random_gaps` arrivals come as they like (Poisson). `text` is how it was written."""

    text: str
    stretches: Sequence[Stretch]
    random_gaps: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return sum(stretch.seconds for stretch in self.stretches)

    @property
    def arrivals(self) -> float:
        """How many are expected."""
        return sum(stretch.arrivals for stretch in self.stretches)


def make_arrivals(shape: Shape, *, seed: int, together: int = 1) -> "array[float]":
    """Return the moments at which `together` messages arrive at once, in seconds from the start, in order."""
    moments = array("d")
    counts = _counts(shape.random_gaps, random.Random(f"arrivals {seed}"))
    start, count = 0.0, next(counts)
    passed = 0.0  # groups that the stretches before this one made
    for stretch in shape.stretches:
        groups = stretch.arrivals / together
        while count < passed + groups:
            moments.append(start + stretch.moment((count - passed) * together))
            count = next(counts)
        passed += groups
        start += stretch.seconds
    return moments


def _counts(random_gaps: bool, source: random.Random) -> Iterator[float]:
    """Return at which counts of what is expected something arrives: at each whole one, or by gaps of one on average."""
    count = 0.0
    while True:
        if random_gaps:
            count += source.expovariate(1.0)
        yield count
        if not random_gaps:
            count += 1.0


def parse_shape(text: str, *, seconds: float) -> Shape:
    """Return the shape that `text` names, which lasts `seconds`. Raises CannotRun.

    `constant:1000`, `poisson:1000`, `ramp:100,1000`, `steps:500,1000,2000`, and `spike:500,5000,10,2`, which goes from
    500 a second to 5000 after 10 s for 2 s. Rates are in messages a second.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise CannotRun(f"--seconds {seconds:g}: must be more than 0, and at most {MOST_SECONDS:g}")
    name, colon, rest = text.partition(":")
    make = _SHAPES.get(name)
    if make is None or not colon:
        raise CannotRun(f"--plan {text!r}: must be one of {', '.join(USAGES)}")
    try:
        values = [float(value) for value in rest.split(",")]
        stretches = make(values, seconds)
    except (ValueError, TypeError):
        raise CannotRun(f"--plan {text!r}: must be like {USAGES[list(_SHAPES).index(name)]}") from None
    rates = [rate for stretch in stretches for rate in (stretch.from_rate, stretch.to_rate)]
    if not all(0 < rate <= MOST_RATE for rate in rates):
        raise CannotRun(f"--plan {text!r}: rates must be more than 0, and at most {MOST_RATE:g} messages a second")
    if not all(stretch.seconds > 0 for stretch in stretches):
        raise CannotRun(f"--plan {text!r}: what it does must begin and end within its {seconds:g} seconds")
    return Shape(text=text, stretches=stretches, random_gaps=name == "poisson")


def _constant(values: list[float], seconds: float) -> list[Stretch]:
    [rate] = values
    return [Stretch(seconds, rate, rate)]


def _ramp(values: list[float], seconds: float) -> list[Stretch]:
    low, high = values
    return [Stretch(seconds, low, high)]


def _steps(values: list[float], seconds: float) -> list[Stretch]:
    if len(values) > MOST_STEPS:
        raise ValueError("too many steps")
    return [Stretch(seconds / len(values), rate, rate) for rate in values]


def _spike(values: list[float], seconds: float) -> list[Stretch]:
    base, peak, at, lasts = values
    return [Stretch(at, base, base), Stretch(lasts, peak, peak), Stretch(seconds - at - lasts, base, base)]


USAGES: Final = ("constant:RATE", "poisson:RATE", "ramp:FROM,TO", "steps:RATE,RATE,…", "spike:BASE,PEAK,AT,LASTS")
_SHAPES: Final[Mapping[str, Callable[[list[float], float], list[Stretch]]]] = {
    "constant": _constant,
    "poisson": _constant,
    "ramp": _ramp,
    "steps": _steps,
    "spike": _spike,
}
