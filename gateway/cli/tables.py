"""Text for a terminal: tables that line up with Chinese in them, times of here, nothing that moves the cursor."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

_GAP: Final = "  "


class Table(msgspec.Struct, frozen=True):
    """Rows under headings. None is shown as a dash."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]

    def lines(self) -> list[str]:
        """The table, a line a row; numbers stand to the right."""
        cells = [[_cell(value) for value in row] for row in self.rows]
        widths = [max(map(width, column)) for column in zip(self.headings, *cells, strict=True)]
        to_right = [
            bool(self.rows) and all(isinstance(value, int | float) for value in column)
            for column in ([row[n] for row in self.rows] for n in range(len(self.headings)))
        ]
        return [
            _GAP.join(_pad(*each) for each in zip(line, widths, to_right, strict=True)).rstrip()
            for line in (self.headings, *cells)
        ]


def width(text: str) -> int:
    """How many columns of a terminal a text takes: two for each Chinese character, none for what combines."""
    return sum(_columns(character) for character in text)


def harmless(text: str) -> str:
    """A text on one line, without what a terminal would obey: texts come from subscribers and carriers too."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def local_time(written: str) -> str:
    """A time of the API as it is here, to the second, with its offset."""
    try:
        return datetime.fromisoformat(written).astimezone().isoformat(sep=" ", timespec="seconds")
    except ValueError:
        return written


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    return harmless(f"{value:g}" if isinstance(value, float) else str(value))


def _pad(text: str, columns: int, to_right: bool) -> str:
    blank = " " * (columns - width(text))
    return blank + text if to_right else text + blank


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
