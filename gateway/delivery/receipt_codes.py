"""What the codes of a carrier's receipts mean, and what is done about each: a table, a file for each carrier's profile.

The standard leaves the codes to the vendor (SMPP 3.4, appendix B: `err`); in mainland China they stand in `stat` too.
A code that is not in the table is final, and counted.
"""

import csv
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

COLUMNS: Final = ("code", "action", "value", "meaning")
PORTED_TO: Final = ("cmcc", "cucc", "ctcc", "cbn")
LONGEST_SECONDS: Final = 2_592_000
MAXIMUM_CODES: Final = 1_000  # each may become a label of a metric


class CodeAction(StrEnum):
    """What is done about a message that a carrier could not deliver, beside its end."""

    FINAL = "final"  # nothing: the code is only counted by its name
    ELSEWHERE = "elsewhere"  # sent once more, by another carrier; with a value, the number's network is learned
    RETRY = "retry"  # sent once more to the same, where the category says so, `value` seconds later
    REST = "rest"  # the carrier takes no more for this number for `value` seconds: others come first
    SUPPRESS = "suppress"  # nothing goes to this number by this carrier any more
    CONTENT = "content"  # an operator looks at the text
    ALERT = "alert"  # an operator looks at the carrier


class ReceiptCode(msgspec.Struct, frozen=True):
    """One row. `network` and `seconds`: its value, where the action has one."""

    code: str
    action: CodeAction
    network: str = ""
    seconds: int = 0
    meaning: str = ""


class ReceiptCodesError(ValueError):
    """A table that cannot be used: line, value and rule."""


class ReceiptCodes:
    """The table of one carrier."""

    def __init__(self, codes: Mapping[str, ReceiptCode]) -> None:
        self._codes = codes

    @classmethod
    def parse(cls, text: str) -> "ReceiptCodes":
        """From CSV with the columns code, action, value, meaning. Raises ReceiptCodesError."""
        rows = csv.reader(text.lstrip("\ufeff").splitlines(), strict=True)
        codes: dict[str, ReceiptCode] = {}
        try:
            if tuple(next(rows, ())) != COLUMNS:
                raise ReceiptCodesError(f"must have {','.join(COLUMNS)} in its first line")
            for row in filter(None, rows):
                code = _read(row, f"line {rows.line_num}")
                if codes.setdefault(code.code, code) is not code:
                    raise ReceiptCodesError(f"line {rows.line_num}: code = {code.code}: must not come twice")
        except csv.Error as error:
            raise ReceiptCodesError(f"line {max(rows.line_num, 1)}: {error}") from None
        if len(codes) > MAXIMUM_CODES:
            raise ReceiptCodesError(f"must have at most {MAXIMUM_CODES} codes, has {len(codes)}")
        return cls(codes)

    def find(self, error: str, state: str) -> ReceiptCode | None:
        """The row of a receipt's code, else of its state (such as EXPIRED); None when the table has neither."""
        return self._codes.get(error.upper()) or self._codes.get(state)


_ACTIONS: Final = frozenset(action.value for action in CodeAction)
NO_CODES: Final = ReceiptCodes({})


def _read(row: list[str], place: str) -> ReceiptCode:
    if len(row) != len(COLUMNS):
        raise ReceiptCodesError(f"{place}: {len(row)} columns: must be {len(COLUMNS)}")
    code, action, value, meaning = (field.strip() for field in row)
    if not code or len(code) > 32 or not code.isascii() or not code.isprintable():
        raise ReceiptCodesError(f"{place}: code = {code[:32]!r}: must be 1 to 32 printable ASCII characters")
    if action not in _ACTIONS:
        raise ReceiptCodesError(f"{place}: action = {action[:32]!r}: must be one of {', '.join(CodeAction)}")
    network, seconds = "", 0
    match CodeAction(action):
        case CodeAction.ELSEWHERE:
            if value and value not in PORTED_TO:
                raise ReceiptCodesError(
                    f"{place}: value = {value[:32]!r}: must be empty or one of {' '.join(PORTED_TO)}"
                )
            network = value
        case CodeAction.RETRY | CodeAction.REST:
            if not (value.isascii() and value.isdecimal() and 1 <= int(value[:9]) <= LONGEST_SECONDS):
                raise ReceiptCodesError(f"{place}: value = {value[:32]!r}: must be 1 to {LONGEST_SECONDS} seconds")
            seconds = int(value)
        case _:
            if value:
                raise ReceiptCodesError(f"{place}: value = {value[:32]!r}: must be empty: {action} has none")
    return ReceiptCode(code.upper(), CodeAction(action), network, seconds, meaning)
