"""Which rate to try next, to find the highest that is kept up: double until one is not, then halve the gap. Pure."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from loadtest.results import RunReport, Sample

GROWTH_SHARE: Final = 0.02  # of the rate: what waits may grow by so much a second, which is noise,
GROWTH_REQUESTS: Final = 5  # and by so many requests in all


class RateSearch:
    """Tell it of each trial; `rate` is what to try next, None once `precision` (0.05: within 5 %) is reached."""

    def __init__(self, *, low: float, high: float, precision: float) -> None:
        self._high = high
        self._precision = precision
        self.best: float | None = None
        self._failed: float | None = None
        self.rate: float | None = low

    def tell(self, kept_up: bool) -> None:
        """The rate was kept up, or was not."""
        assert self.rate is not None, "the search is over"
        if kept_up:
            self.best = self.rate
        else:
            self._failed = self.rate
        self.rate = self._next()

    def _next(self) -> float | None:
        if self.best is None:
            return None  # not even the lowest
        if self._failed is None:
            return None if self.best >= self._high else min(self._high, self.best * 2)
        if self._failed <= self.best * (1 + self._precision):
            return None
        # The middle as ratios go: from 1,000 and 4,000 it is 2,000.
        return math.sqrt(self.best * self._failed)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One rate that was tried. `why` is empty where it was kept up."""

    rate: float
    accept_p99: float
    final_p99: float
    growth: float
    why: str


def try_out(report: RunReport, rate: float, *, accept_bound: float, final_bound: float) -> Trial:
    """Return whether a run kept its rate up: every message accounted for, latencies within bounds, nothing growing."""
    figures = report.figures
    accept, final = figures.get("accept_p99", float("inf")), figures.get("final_p99", float("inf"))
    grown = growth(report.samples, report.sending_seconds)
    broken = [each.text for each in report.judgements if not each.kept]
    reasons = [f"not kept: {', '.join(broken)}"] if broken else []
    if accept > accept_bound:
        reasons.append(f"accept p99 {accept * 1000:,.0f} ms is above {accept_bound * 1000:,.0f} ms")
    if final > final_bound:
        reasons.append(f"final p99 {final * 1000:,.0f} ms is above {final_bound * 1000:,.0f} ms")
    # Requests come and go whole: some more or fewer of them at the end are no queue.
    noise = GROWTH_REQUESTS * report.plan.get("batch", 1)
    if grown > rate * GROWTH_SHARE and grown * report.sending_seconds / 2 > noise:
        reasons.append(f"what waits grows by {grown:,.0f} messages a second")
    return Trial(rate=rate, accept_p99=accept, final_p99=final, growth=grown, why="; ".join(reasons))


def growth(samples: Sequence[Sample], sending_seconds: float) -> float:
    """Return by how many messages a second what was due and is not final grew in the second half of the sending.

    The slope of the straight line that fits the samples best; 0 where there are too few of them.
    """
    half = [sample for sample in samples if sending_seconds / 2 <= sample.at <= sending_seconds]
    if len(half) < 3:
        return 0.0
    waiting = [sample.planned - sample.ended for sample in half]
    middle = sum(sample.at for sample in half) / len(half)
    mean = sum(waiting) / len(half)
    spread = sum((sample.at - middle) ** 2 for sample in half)
    return sum((sample.at - middle) * (count - mean) for sample, count in zip(half, waiting, strict=True)) / spread
