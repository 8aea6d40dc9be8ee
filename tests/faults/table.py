"""The outcomes of a run as a table in Markdown, as the README has it. Pure."""

from collections.abc import Sequence

from tests.faults.outcome import Outcome

_HEADS = ("fault", "tried", "accepted", "lost", "doubled (`wait`)", "doubled (`resend`)", "")


def table_of(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each outcome, and one above them that says what the columns are."""
    rows = [_HEADS, *map(_row, outcomes)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join(" " + "-" * width + " " for width in widths) + "|")
    return "\n".join(lines)


def line_of(outcome: Outcome) -> str:
    """Return the same of one outcome, for somebody who waits for the table."""
    _, *cells = _row(outcome)
    return ", ".join(f"{head} {cell}".strip() for head, cell in zip(_HEADS[1:], cells, strict=True))


def _row(outcome: Outcome) -> tuple[str, ...]:
    verdict = "NOT KEPT" if outcome.broken else "kept" if outcome.tried else "NOT TRIED"
    return (
        outcome.fault,
        f"{outcome.tried:,}",
        f"{outcome.accepted:,}",
        f"{outcome.lost:,}",
        f"{outcome.doubled_wait:,}",
        f"{outcome.doubled_resend:,} of at most {outcome.most_resend:,}"
        if outcome.most_resend
        else f"{outcome.doubled_resend:,}",
        f"{verdict}; {outcome.note}" if outcome.note else verdict,
    )
