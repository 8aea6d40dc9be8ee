"""The table that ends a run."""

from tests.faults.outcome import Outcome
from tests.faults.table import line_of, table_of

KEPT = Outcome(fault="killed", tried=50, accepted=12_345, doubled_resend=7, most_resend=4_000)
BROKEN = Outcome(fault="cut", tried=3, accepted=10, lost=1, note="by chance", broken=("lost: 1",))
NOT_TRIED = Outcome(fault="namespace", tried=0, note="cannot be here: ip needs root")


def test_every_outcome_is_a_row_of_markdown_with_its_figures_and_whether_the_promises_were_kept():
    head, rule, *rows = table_of([KEPT, BROKEN, NOT_TRIED]).splitlines()
    assert head.split("|")[1].strip() == "fault"
    assert set(rule) <= set("| -")
    assert [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows] == [
        ["killed", "50", "12,345", "0", "0", "7 of at most 4,000", "kept"],
        ["cut", "3", "10", "1", "0", "0", "NOT KEPT; by chance"],
        ["namespace", "0", "0", "0", "0", "0", "NOT TRIED; cannot be here: ip needs root"],
    ]
    assert len({len(row) for row in (head, *rows)}) == 1


def test_a_line_says_the_same_without_the_name():
    assert line_of(BROKEN) == (
        "tried 3, accepted 10, lost 1, doubled (`wait`) 0, doubled (`resend`) 0, NOT KEPT; by chance"
    )
