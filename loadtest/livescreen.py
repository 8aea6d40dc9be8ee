"""A load as it goes, drawn in its place on a terminal; a line now and then where there is none."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from loadtest.results import Sample
from loadtest.screen import say

MEBIBYTE: Final = 2**20


class LoadScreen:
    """Shows samples while its context lasts. `errors` are those of the load, which change meanwhile."""

    def __init__(self, console: Console, title: str, errors: Mapping[str, int]) -> None:
        self._console = console
        self._title = title
        self._errors = errors
        self._before: Sample | None = None
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, sample: Sample) -> None:
        """Show the newest sample."""
        if self._live is None:
            say(self._console, line_of(sample))
        else:
            self._live.update(draw(self._title, sample, self._before, self._errors), refresh=True)
        self._before = sample


def line_of(sample: Sample) -> str:
    """Return a sample in one line."""
    return (
        f"{sample.at:6.1f} s  planned {sample.planned:,}, accepted {sample.accepted:,}, final {sample.ended:,};"
        f" accept p99 {sample.accept_p99 * 1000:.1f} ms, final p99 {sample.final_p99 * 1000:,.0f} ms"
    )


def draw(title: str, sample: Sample, before: Sample | None, errors: Mapping[str, int]) -> Table:
    """Return a sample as a table: counts with their rates since the one before, latencies, processes, errors."""
    table = Table(title=Text(f"{title}   {sample.at:.0f} s"), box=None, padding=(0, 2), title_justify="left")
    for heading in ("", "so far", "a second"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in ("planned", "accepted", "not_accepted", "ended"):
        count = getattr(sample, name)
        rate = 0.0
        if before is not None and sample.at > before.at:
            rate = (count - getattr(before, name)) / (sample.at - before.at)
        table.add_row(name.replace("_", " "), f"{count:,}", f"{rate:,.0f}")
    table.add_row("accepted, not final", f"{max(0, sample.accepted - sample.ended):,}", "")
    table.add_row("requests open", f"{sample.open_requests:,}", "")
    table.add_row("accept p50, p99", f"{sample.accept_p50 * 1000:,.1f} ms", f"{sample.accept_p99 * 1000:,.1f} ms")
    table.add_row("final p50, p99", f"{sample.final_p50 * 1000:,.0f} ms", f"{sample.final_p99 * 1000:,.0f} ms")
    for process, used in sample.processes.items():
        table.add_row(process, f"{used.cores:.0%} CPU", f"{used.resident_bytes / MEBIBYTE:,.0f} MiB")
    for name, count in sorted(errors.items()):
        table.add_row(Text(name, style="red"), f"{count:,}", "")
    return table
