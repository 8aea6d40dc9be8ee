"""How long something takes: a fixed time, or one drawn from a distribution. Pure: the chance is an argument."""

from collections.abc import Callable
from math import exp, inf
from statistics import NormalDist
from typing import Annotated, Final

import msgspec

from simulator.checking import BrokenRule

Seconds = Annotated[float, msgspec.Meta(ge=0, le=864_000)]  # ten days, so that a receipt can be days late

_STANDARD_NORMAL: Final = NormalDist()


class Uniform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="uniform"):
    """Any time from `low` to `high` seconds, each as likely."""

    low: Seconds
    high: Seconds

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise BrokenRule("high", f"must be at least low, {self.low}")

    def at(self, chance: float) -> float:
        """Return the time that a share of `chance` (0 to below 1) of all draws is below."""
        return self.low + (self.high - self.low) * chance


class LogNormal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="log-normal"):
    """What delays of networks look like: half are below `median` seconds, with a long tail cut off at `longest`."""

    median: Annotated[float, msgspec.Meta(gt=0, le=864_000)]
    sigma: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.0
    longest: Seconds = 864_000.0

    def at(self, chance: float) -> float:
        """Return the time that a share of `chance` (0 to below 1) of all draws is below."""
        deviation = _STANDARD_NORMAL.inv_cdf(chance) if chance > 0 else -inf
        return min(self.longest, self.median * exp(self.sigma * deviation))


Delay = Seconds | Uniform | LogNormal


def draw(delay: Delay, chance: float) -> float:
    """Return the seconds that `delay` has for a chance, 0 to below 1."""
    return delay if isinstance(delay, (float, int)) else delay.at(chance)


def drawing(delay: Delay) -> Callable[[float], float]:
    """Return what gives the seconds that `delay` has for a chance, 0 to below 1."""
    if isinstance(delay, (float, int)):
        return lambda _: delay
    return delay.at
