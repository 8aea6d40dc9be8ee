"""Tables line up, whatever is in them, and nothing in them reaches the terminal as a command."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.tables import Table, harmless, local_time, width


def test_columns_line_up_with_chinese_in_them() -> None:
    table = Table(["NAME", "TEXT", "N"], [["阳光物业", "停水", 7], ["demo", "a", 12]])

    assert table.lines() == [
        "NAME      TEXT   N",
        "阳光物业  停水   7",
        "demo      a     12",
    ]


def test_what_there_is_not_is_a_dash() -> None:
    assert Table(["A", "B"], [[None, ""]]).lines() == ["A  B", "-  -"]


def test_a_chinese_character_is_two_columns_wide_and_a_combining_one_none() -> None:
    assert [width(text) for text in ("ab", "停水", "e\u0301", "Ａ", "")] == [2, 4, 1, 2, 0]


def test_what_a_terminal_would_obey_is_not_written() -> None:
    assert harmless("a\x1b[2Jb\r\nc\u202e") == "a\ufffd[2Jb\ufffd\ufffdc\ufffd"


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=5))
def test_every_row_is_one_line_and_the_last_column_begins_at_the_same_place(rows: list[list[str]]) -> None:
    lines = Table(["ONE", "TWO"], rows).lines()

    assert len(lines) == len(rows) + 1
    widest = max([3, *(width(harmless(row[0])) for row in rows)])
    assert all(line.isprintable() for line in lines)
    assert lines[0].rstrip() == "ONE" + " " * (widest - 3) + "  TWO"


def test_a_time_is_shown_with_its_offset_and_what_is_none_as_it_is() -> None:
    assert local_time("2026-03-01T00:00:00.012+00:00")[-6] in "+-"
    assert local_time("soon") == "soon"
