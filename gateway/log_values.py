"""What a log line may hold: no phone number, nothing that breaks a line, no more than fits.

Nothing of ours logs a number on purpose. This is the last line of defence, for what peers, libraries and mistakes put
into a value.
"""

import re
import traceback
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from gateway.numbers import mask

VALUE_CHARACTERS: Final = 2_000  # of one value; what is longer is cut, so that no peer can fill a disk with one line
VALUE_ITEMS: Final = 50  # of one list or table
VALUE_DEPTH: Final = 4  # of lists in lists; what is deeper is left out
TRACEBACK_FRAMES: Final = 20  # of one error, the innermost
TRACEBACK_ERRORS: Final = 5  # of one error, with its causes and those it groups

# How numbers are written: with a country code, as mainland numbers are dialled, or as a run of as many digits as a
# number with its country code has. Ids of messages have 16 digits or more.
_NUMBER: Final = re.compile(
    r"""(?<!\d)(?:
        [+＋]\s?\d(?:[ ().-]{0,2}\d){6,14}
        | (?:(?:00)?86[ -]?)?0?(?:1(?:[12]\d|79)\d\d)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}
        | 00\d{7,15}
        | \d{11,15}
    )(?!\d)""",
    re.VERBOSE,
)
# The same digits as an integer: from the first to below the second. What is large for another reason says so by name.
_SMALLEST_NUMBER: Final = 10**10
_BEYOND_NUMBERS: Final = 10**15
_UNITS: Final = ("_bytes", "_milliseconds", "_nanoseconds")

# Line breaks of every kind, what moves a terminal's cursor or the direction of its text, halves of surrogate pairs.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def mask_numbers(text: str) -> str:
    """A text with whatever looks like a phone number masked: `+86138****5678` as `138****5678`."""
    return _NUMBER.sub(_masked, text)


def one_line(text: str) -> str:
    """A text with what is not for printing escaped as Python does: a line break becomes `\\n`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def safe_text(text: str) -> str:
    """A text as it may stand in a log line."""
    # Masking never shortens to a quarter, so a number that is cut in two here is not in what is kept below.
    return _cut(one_line(mask_numbers(text[: 4 * VALUE_CHARACTERS])), len(text))


def safe_value(value: Any, name: str = "", depth: int = 0) -> Any:
    """A value as it may stand in a log line: itself, or a text, list or table made of it. `name`: of its field."""
    match value:
        case None | bool() | float():
            return value
        case int():
            is_number = _SMALLEST_NUMBER <= value < _BEYOND_NUMBERS and not name.endswith(_UNITS)
            return safe_text(str(value)) if is_number else value
        case str():
            return safe_text(str(value))
        case BaseException():
            return safe_text(f"{type(value).__name__}: {value}")
        case msgspec.Struct():  # a message, a PDU: its fields hold texts that nobody shall read
            return f"<{type(value).__name__}>"
        case Mapping() | list() | tuple() | set() | frozenset() if depth == VALUE_DEPTH:
            return "…"
        case Mapping():
            items = islice(value.items(), VALUE_ITEMS)
            return {safe_text(str(key)): safe_value(each, str(key), depth + 1) for key, each in items}
        case list() | tuple() | set() | frozenset():
            return [safe_value(each, name, depth + 1) for each in islice(value, VALUE_ITEMS)]
        case _:
            return safe_text(repr(value))


def safe_traceback(error: BaseException) -> str:
    """Errors and where they were raised, innermost place first, in one line: the error, its causes, what it groups."""
    described = [_described(each) for each in islice(_with_causes(error), TRACEBACK_ERRORS)]
    return "; after ".join(described)


def places_of(error: BaseException) -> str:
    """Where an error was raised, innermost place first; not its own words, which may quote a number or a text."""
    frames = reversed(traceback.extract_tb(error.__traceback__)[-TRACEBACK_FRAMES:])
    return " < ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)


def _masked(found: re.Match[str]) -> str:
    digits = "".join(str(int(character)) for character in found[0] if character.isdecimal())
    return mask(f"+{digits}" if found[0][0] in "+＋" else digits)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]}… ({length} characters)"


def _with_causes(error: BaseException) -> Iterable[BaseException]:
    """An error, then those it came from."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _with_causes(each)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _with_causes(cause)


def _described(error: BaseException) -> str:
    places = places_of(error)
    return f"{safe_text(f'{type(error).__name__}: {error}')}{f' at {places}' if places else ''}"
