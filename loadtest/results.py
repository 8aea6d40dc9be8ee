"""The report of a load as data: what was asked for, on what it ran, and what came of it. It goes to a file as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.accounting import Account, Wire
from loadtest.errors import CannotRun
from loadtest.processes import Usage
from loadtest.recording import Latencies
from loadtest.requirements import Requirement

VERSION: Final = 1


class ProcessSample(msgspec.Struct, frozen=True):
    """A process in one interval: how many cores it kept busy, and the memory that it held at the end."""

    cores: float
    resident_bytes: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One interval. `at` is its end, in seconds from the start; counts are totals so far, latencies of the interval."""

    at: float
    planned: int
    accepted: int
    not_accepted: int
    ended: int
    open_requests: int
    accept_p50: float
    accept_p99: float
    final_p50: float
    final_p99: float
    processes: Mapping[str, ProcessSample]


class Judgement(msgspec.Struct, frozen=True):
    """A requirement, what was measured, or None where nothing was, and whether that keeps it."""

    text: str
    value: float | None
    kept: bool


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times in seconds."""

    version: int = VERSION
    mode: str  # http, smpp, …
    command: str
    started_at: str  # RFC 3339
    interrupted: bool
    machine: str
    versions: str  # Python, kernel and commit
    cores: Mapping[str, Sequence[int]]  # of each process: those that it may use
    seed: int
    plan: Mapping[str, Any]
    config: Mapping[str, Any]  # of the gateway, without its secrets
    sending_seconds: float
    total_seconds: float  # until the last message was final
    account: Account
    wire: Wire | None  # None where there was no journal to see
    stages: Mapping[str, Latencies]
    errors: Mapping[str, int]
    usage: Mapping[str, Usage]
    samples: Sequence[Sample]
    figures: Mapping[str, float]
    judgements: Sequence[Judgement]

    @property
    def exit_code(self) -> int:
        """0 when every requirement was kept, 1 when not."""
        return int(not all(each.kept for each in self.judgements))


# Must be 0 in a good run. What is required by name is not required like this.
ZERO: Final = (
    "refused",
    "turned_away",
    "failed",
    "unsent",
    "ended_otherwise",
    "unfinished",
    "lost",
    "contradicted",
    "strangers",
    "corrected",
    "missing_parts",
    "repeated_parts",
    "disordered_parts",
    "foreign_parts",
)
STAGES: Final = ("late", "accept", "submit", "final", "otp_final", "notification_final", "marketing_final")
_PERCENTILES: Final = ("p50", "p99", "p999", "longest")
PROCESSES: Final = ("gateway", "simulator", "load")
# Everything that may be required, to check requirements before anything runs.
FIGURES: Final = (
    "rate",
    "planned_rate",
    *(f"{stage}_{name}" for stage in STAGES for name in _PERCENTILES),
    *ZERO,
    "told_again",
    *(f"{process}_{what}" for process in PROCESSES for what in ("microseconds", "mebibytes")),
)


def figures_of(
    account: Account,
    wire: Wire | None,
    stages: Mapping[str, Latencies],
    usage: Mapping[str, Usage],
    *,
    sending_seconds: float,
    total_seconds: float,
) -> dict[str, float]:
    """Return the figures by name, but for those that were not measured. Times in seconds, but for CPU a message."""
    ended = account.delivered + account.ended_otherwise
    figures = {
        "rate": ended / total_seconds if total_seconds else 0.0,
        "planned_rate": account.planned / sending_seconds if sending_seconds else 0.0,
    }
    for stage, latencies in stages.items():
        if latencies.count:
            figures |= {f"{stage}_{name}": getattr(latencies, name) for name in _PERCENTILES}
    counts = msgspec.structs.asdict(account) | ({} if wire is None else msgspec.structs.asdict(wire))
    figures |= {name: float(counts[name]) for name in (*ZERO, "told_again") if name in counts}
    for process, used in usage.items():
        figures[f"{process}_microseconds"] = used.cpu_seconds * 1e6 / max(1, ended)
        figures[f"{process}_mebibytes"] = used.peak_resident_bytes / 2**20
    return figures


def judge(
    requirements: Sequence[Requirement], figures: Mapping[str, float], *, interrupted: bool = False
) -> list[Judgement]:
    """Return what became of each requirement, and of those that always hold. What was not measured is not kept.

    What an interrupted run left open is no fault of the gateway's.
    """
    named = {each.figure for each in requirements}
    always = [
        Requirement(name, "=", 0.0, f"{name}=0")
        for name in ZERO
        if name not in named and name in figures and not (interrupted and name in {"unfinished", "lost", "failed"})
    ]
    return [
        Judgement(each.text, figures.get(each.figure), each.figure in figures and each.keeps(figures))
        for each in (*requirements, *always)
    ]


def write_report(report: RunReport, directory: Path) -> Path:
    """Write the report as JSON, and return where. Raises CannotRun."""
    path = directory / "report.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    except OSError as error:
        raise CannotRun(f"--report {directory}: cannot be written: {error}") from error
    return path


def read_report(path: Path) -> RunReport:
    """Return the report in a file, or in the directory of a run. Raises CannotRun."""
    file = path / "report.json" if path.is_dir() else path
    try:
        report = msgspec.json.decode(file.read_bytes(), type=RunReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise CannotRun(f"{file}: cannot be read as a report: {error}") from error
    if report.version != VERSION:
        raise CannotRun(f"{file}: is of version {report.version}: must be of version {VERSION}")
    return report


def summary_lines(report: RunReport) -> list[str]:
    """Return the report in a few lines, for a terminal."""
    figures, account = report.figures, report.account
    sent = f"{account.planned:,} messages in {report.sending_seconds:.1f} s, {figures['planned_rate']:,.0f} a second"
    ended = f"{account.delivered:,} delivered, {account.ended_otherwise:,} otherwise in {report.total_seconds:.1f} s"
    lines = [f"sent       {sent}", f"ended      {ended}, {figures['rate']:,.0f} a second"]
    for stage, latencies in report.stages.items():
        if latencies.count:
            lines.append(
                f"{stage.replace('_', ' '):<10} p50 {latencies.p50 * 1000:,.1f} ms, p99 {latencies.p99 * 1000:,.1f} ms,"
                f" p99.9 {latencies.p999 * 1000:,.1f} ms, longest {latencies.longest * 1000:,.1f} ms"
                f" ({latencies.count:,})"
            )
    for process, used in report.usage.items():
        lines.append(
            f"{process:<10} {used.cpu_seconds:.2f} CPU seconds, {figures[f'{process}_microseconds']:.0f} microseconds"
            f" a message; at most {used.peak_resident_bytes / 2**20:.0f} MiB"
        )
    wrong = [f"{int(figures[name]):,} {name.replace('_', ' ')}" for name in ZERO if figures.get(name)]
    lines.append("audit      " + (", ".join(wrong) if wrong else _good(report)))
    if report.errors:
        lines.append("errors     " + ", ".join(f"{count:,} {name}" for name, count in sorted(report.errors.items())))
    return lines


def _good(report: RunReport) -> str:
    parts = "" if report.wire is None else f", each of {report.wire.parts:,} parts taken once and in order"
    return f"every accepted message was told to be delivered{parts}"
