"""The tables at the end of the demo: what became of each kind of notice, what was refused and why, what went wrong."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.board import Board
from loadtest.numbers import mask
from loadtest.sample import REFUSED, Entry

SMALLEST_KIND: Final = 10  # entries; kinds with fewer share a row
OTHERS: Final = "other notices"
SPECIAL: Final = "simulator"  # the kind of those whose numbers ask the simulator for something
TESTS: Final = (SPECIAL, "to be refused")  # kinds that are in a sample to show what happens to them
LABELS: Final = {SPECIAL: "special numbers"}  # of kinds whose notes call them otherwise

# In a window narrower than this, texts are left out rather than everything broken into pieces.
COLUMNS_WITH_TEXTS: Final = 100
TEXT_COLUMNS: Final = 36


def show_summary(console: Console, board: Board) -> None:
    """Write the tables that have something in them, as wide as the console."""
    with_texts = console.width >= COLUMNS_WITH_TEXTS
    tables = (
        kinds_table(board, with_texts=with_texts),
        refused_table(board, with_texts=with_texts),
        special_table(board),
    )
    for table in tables:
        if table.row_count:
            console.print()
            console.print(table)


def kinds_table(board: Board, *, with_texts: bool) -> Table:
    """Return the outcomes by kind of notice, each kind with one of its texts."""
    table = _table("What became of them", "kind of notice")
    statuses = [status for status in ("delivered", "failed", "unknown", REFUSED) if board.counts[status]]
    statuses += sorted(set(board.counts) - set(statuses))  # none, where all went well
    for figure in ("messages", "parts", *statuses):
        table.add_column(figure.replace("_", " "), justify="right", no_wrap=True)
    if with_texts:
        _add_text_column(table, "for example")
    for name, entries in _groups(board.entries).items():
        example = [_text(entries[0])] if with_texts else []
        table.add_row(LABELS.get(name, name), *_figures(board, entries, statuses), *example)
    table.add_section()
    table.add_row("all", *_figures(board, board.entries, statuses), style="bold")
    return table


def refused_table(board: Board, *, with_texts: bool) -> Table:
    """Return every message that was refused, with its code and the reason."""
    table = _table("Refused, each with its reason", "to", "code")
    table.add_column("reason")
    if with_texts:
        _add_text_column(table, "text")
    for entry in board.entries:
        result = board.result(entry)
        if result is None or result.error is None:
            continue
        text = [_text(entry)] if with_texts else []
        table.add_row(_number(entry), result.error.code, Text(result.error.detail), *text)
    return table


def special_table(board: Board) -> Table:
    """Return those whose numbers ask the simulator for something: what, how often they were sent, how they ended."""
    table = _table("Numbers that ask the simulator for something", "to")
    table.add_column("what happens")
    table.add_column("submits", justify="right", no_wrap=True)
    table.add_column("ended")
    for entry in board.entries:
        seen = board.seen(entry)
        if entry.kind != SPECIAL or seen is None:
            continue
        attempts = [attempt for part in seen.parts for attempt in part.attempts]
        errors = [attempt.error for attempt in attempts if attempt.error]
        ended = seen.status if seen.status == "delivered" or not errors else f"{seen.status}: {errors[-1]}"
        table.add_row(_number(entry), Text(entry.note.partition(":")[2].strip()), str(len(attempts)), Text(ended))
    return table


def _groups(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return entries by kind: the large kinds first, then the others in one, then those that are there as a test."""
    by_kind: dict[str, list[Entry]] = {}
    for entry in entries:
        by_kind.setdefault(entry.kind, []).append(entry)
    tests: dict[str, list[Entry]] = {kind: by_kind.pop(kind) for kind in TESTS if kind in by_kind}
    large = {kind: group for kind, group in by_kind.items() if len(group) >= SMALLEST_KIND}
    small = [entry for kind, group in by_kind.items() if kind not in large for entry in group]
    return {**large, **({OTHERS: small} if small else {}), **tests}


def _figures(board: Board, entries: Sequence[Entry], statuses: Sequence[str]) -> list[str]:
    counts = Counter(board.status(entry) for entry in entries)
    endings = [board.ending(entry) for entry in entries]
    parts = sum(ending.parts or 0 for ending in endings if ending is not None)
    return [str(len(entries)), str(parts or ""), *(str(counts[status] or "") for status in statuses)]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _add_text_column(table: Table, header: str) -> None:
    table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=TEXT_COLUMNS)


def _number(entry: Entry) -> str:
    return mask(str(entry.message["to"]))


def _text(entry: Entry) -> Text:
    """Return the text in one line; what cannot be shown is marked."""
    text = str(entry.message["text"])
    if not text.strip():
        return Text("(nothing but space)", style="dim")
    return Text("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))
