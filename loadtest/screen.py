"""What a run shows while it goes on: a picture that is drawn again at a terminal, plain lines anywhere else."""

import os
import sys
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtest.answers import STATUSES
from loadtest.sample import REFUSED

PLAIN_COLUMNS: Final = 120
BAR_COLUMNS: Final = 40
LINE_SECONDS: Final = 1.0

# Shown from the start; the others when there is a message in them.
ALWAYS: Final = frozenset({REFUSED, "queued", "sending", "submitted", "delivered", "failed"})
COLOURS: Final = {
    REFUSED: "magenta",
    "in_doubt": "yellow",
    "delivered": "green",
    "failed": "red",
    "expired": "red",
    "unknown": "yellow",
}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run has come. `counts` is by status; an accepted message is counted where it stands."""

    elapsed_seconds: float
    sending_seconds: float  # until now, or until everything was answered
    total: int
    accepted: int
    finished: int
    counts: dict[str, int]

    @property
    def rates(self) -> str:
        """How many messages a second were answered, and how many came to their end."""
        answered = (self.accepted + self.counts.get(REFUSED, 0)) / max(self.sending_seconds, 0.001)
        return (
            f"{answered:,.0f} answered a second, {self.finished / max(self.elapsed_seconds, 0.001):,.0f} ended a second"
        )

    @property
    def rows(self) -> list[tuple[str, int]]:
        """Each status that is shown, in the order in which messages come through them, with its count."""
        return [
            (status, self.counts.get(status, 0))
            for status in (REFUSED, *STATUSES)
            if status in ALWAYS or self.counts.get(status)
        ]


class Screen(Protocol):
    """Shows progress while its context lasts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, progress: Progress) -> None: ...


class LiveScreen:
    """A table with bars that is drawn again in its place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw it."""
        self._live.update(draw(progress), refresh=True)


class LineScreen:
    """A line now and then, where something has changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_at = 0.0
        self._shown: dict[str, int] = {}
        self._newest: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._newest is not None:
            self._write(self._newest)

    def show(self, progress: Progress) -> None:
        """Write it, where the last line is LINE_SECONDS old."""
        self._newest = progress
        if progress.elapsed_seconds >= self._next_at:
            self._write(progress)

    def _write(self, progress: Progress) -> None:
        if progress.counts == self._shown:
            return
        self._shown = progress.counts
        self._next_at = progress.elapsed_seconds + LINE_SECONDS
        say(self._console, line_of(progress))


def open_screen(console: Console) -> Screen:
    """Return the screen that fits where the console writes to."""
    return LiveScreen(console) if console.is_terminal else LineScreen(console)


def make_console() -> Console:
    """Return a console for standard output, without control codes in a pipe, a file or a dumb terminal."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Chinese shows question marks and goes on
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return Console(highlight=False)
    return Console(force_terminal=False, no_color=True, color_system=None, width=PLAIN_COLUMNS, highlight=False)


def say(console: Console, text: str = "", style: str = "") -> None:
    """Write a line as it is: never wrapped, so that a command in it can be copied."""
    console.print(Text(text, style=style), soft_wrap=True)


def line_of(progress: Progress) -> str:
    """Return progress in one line."""
    statuses = ", ".join(f"{status.replace('_', ' ')} {count}" for status, count in progress.rows)
    return f"{progress.elapsed_seconds:6.1f} s  accepted {progress.accepted} of {progress.total}: {statuses}"


def draw(progress: Progress) -> Table:
    """Return progress as a table with bars."""
    table = Table(box=None, show_header=False, padding=(0, 1), caption_justify="left", caption_style="")
    table.caption = Text(f"{progress.elapsed_seconds:5.1f} s   {progress.rates}", style="dim")
    for status, count in (("accepted", progress.accepted), *progress.rows):
        colour = COLOURS.get(status, "cyan")
        bar = ProgressBar(
            total=progress.total, completed=count, width=BAR_COLUMNS, complete_style=colour, finished_style=colour
        )
        table.add_row(Text(status.replace("_", " ")), Text(f"{count:,}", justify="right"), bar)
    return table
