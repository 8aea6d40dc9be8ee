"""What the tables of a config are made of: their base, and the kinds of value that several of them have."""

from typing import Annotated, Final

import msgspec

from gateway.smpp import CommandStatus
from gateway.text import TextError, cut
from simulator.checking import BrokenRule

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]
Interval = Annotated[float, msgspec.Meta(ge=0.001, le=864_000)]
PerSecond = Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]

LONGEST_ADDRESS: Final = 20  # SMPP 3.4, section 4.6.1


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the config."""


def check_status(field: str, name: str) -> None:
    """Raise BrokenRule unless `name` is that of a command_status which refuses."""
    if name not in CommandStatus.__members__ or name == CommandStatus.ESME_ROK.name:
        raise BrokenRule(field, "must be the name of a command_status that refuses, such as ESME_RSYSERR")


def check_text(field: str, text: str) -> None:
    """Raise BrokenRule unless `text` can be sent."""
    try:
        cut(text, reference=0)
    except TextError as error:
        raise BrokenRule(field, f"must be a text that can be sent: {error}") from error


def check_number(field: str, number: str) -> None:
    """Raise BrokenRule unless `number` can be an address."""
    if not (1 <= len(number) <= LONGEST_ADDRESS and number.isascii() and number.isprintable()):
        raise BrokenRule(field, f"must be 1 to {LONGEST_ADDRESS} printable ASCII characters")
