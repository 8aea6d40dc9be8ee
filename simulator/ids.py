"""Message ids: a number, and how it is written in a response and in a receipt. Pure."""

from typing import Final

from simulator.scenario import IdForm, Receipts

# Ids begin here, so that they have ten decimal digits or eight hexadecimal ones with a letter among them. So no id is
# another one's in the other form.
FIRST_NUMBER: Final = 1_000_000_001

_DECIMAL_DIGITS: Final = 10
_HEX: Final = IdForm.HEX


def spell_id_of_response(number: int, receipts: Receipts, *, is_altered: bool) -> str:
    """Return the id of message `number` as the answer to its submit gives it.

    One that its receipt is to alter is hexadecimal, so that it has letters to alter.
    """
    if is_altered or receipts.id_in_response is _HEX:
        return f"{number:X}"
    return str(number)


def spell_id_of_receipt(number: int, receipts: Receipts, *, is_altered: bool) -> str:
    """Return the id of message `number` as its receipt gives it: altered, in small letters and with leading zeros."""
    if is_altered:
        return f"{number:016x}"
    return f"{number:X}" if receipts.id_in_receipt is _HEX else str(number)


def read(message_id: str) -> int | None:
    """Return the number of the message whose id this is, in either form and any case; None if it cannot be one."""
    digits = message_id.lstrip("0")
    try:
        return int(digits, 10 if len(digits) == _DECIMAL_DIGITS else 16)
    except ValueError:
        return None
