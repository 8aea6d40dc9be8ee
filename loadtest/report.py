"""The figures of a load, and how they are written."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from loadtest.audit import Findings
from loadtest.processes import Usage

MEBIBYTE: Final = 2**20


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a load. Times in seconds."""

    messages: int
    parts: int
    accepted: int
    refused: int
    retried: int  # requests that had to be sent again, because the gateway asked for time
    accept_seconds: float  # from the first request sent to the last answer
    total_seconds: float  # from the first request sent until every accepted message was seen to be final
    latencies: Sequence[float]  # of each request, from its start to its answer, sorted
    gateway: Usage  # of the time measured, but for the memory, which is as at its end
    simulator: Usage
    load: Usage

    @property
    def rate(self) -> float:
        """Messages a second, end to end."""
        return self.accepted / self.total_seconds


def figures_of(measurement: Measurement, findings: Findings) -> dict[str, float]:
    """Return everything that may be required, by name. Times in seconds."""
    return {
        "rate": measurement.rate,
        "accept_p50": percentile(measurement.latencies, 0.50),
        "accept_p99": percentile(measurement.latencies, 0.99),
        "refused": measurement.refused,
        **{name: float(count) for name, count in msgspec.structs.asdict(findings).items()},
    }


# By the names of figures_of, to check requirements before anything runs.
FIGURES: Final = ("rate", "accept_p50", "accept_p99", "refused", *Findings.__struct_fields__)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of sorted `values` that at least `share` of them do not exceed; 0 where there are none."""
    if not values:
        return 0.0
    return values[max(0, math.ceil(len(values) * share) - 1)]


def lines_of(measurement: Measurement, figures: Mapping[str, float]) -> list[str]:
    """Return the report, a line each."""
    fast, slow = figures["accept_p50"] * 1000, figures["accept_p99"] * 1000
    accept_rate = measurement.accepted / measurement.accept_seconds
    total = f"{measurement.accepted:,} messages ({measurement.parts:,} parts) in {measurement.total_seconds:.2f} s"
    return [
        f"rate       {measurement.rate:,.0f} messages a second end to end: {total}, receipts included",
        f"accept     {accept_rate:,.0f} messages a second until the last answer, {measurement.accept_seconds:.2f} s",
        f"           a request took p50 {fast:.1f} ms, p99 {slow:.1f} ms; {measurement.retried} had to be sent again",
        _usage_line("gateway", measurement.gateway, measurement.messages),
        _usage_line("simulator", measurement.simulator, measurement.messages),
        _usage_line("load", measurement.load, measurement.messages),
    ]


def findings_line(findings: Findings, refused: int) -> str:
    """Return the audit in one line: what was found wrong, or that nothing was."""
    counts = {"refused": refused, **msgspec.structs.asdict(findings)}
    wrong = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    return "audit      " + (
        ", ".join(wrong) if wrong else "every message is final and delivered, every part was submitted exactly once"
    )


def spent(before: Usage, after: Usage) -> Usage:
    """Return what was used between two looks; memory as at the second."""
    return Usage(
        cpu_seconds=after.cpu_seconds - before.cpu_seconds,
        resident_bytes=after.resident_bytes,
        peak_resident_bytes=after.peak_resident_bytes,
    )


def _usage_line(name: str, usage: Usage, messages: int) -> str:
    each = usage.cpu_seconds / messages * 1e6
    resident, peak = usage.resident_bytes / MEBIBYTE, usage.peak_resident_bytes / MEBIBYTE
    return (
        f"{name:<10} {usage.cpu_seconds:.2f} CPU seconds, {each:.0f} microseconds a message;"
        f" memory {resident:.0f} MiB, at most {peak:.0f}"
    )
