"""The kinds of field that a PDU is made of (SMPP 3.4, section 3.1), and the header that all begin with (3.2).

A kind says how wide a field is, what fits it, and with which status a damaged one is refused. `layouts.py` turns
declarations made of them into code.

Strings hold octets: a C-Octet String is ASCII by the specification, and what some peers put above 0x7F is carried as
Latin-1, one character an octet, so that it goes back as it came.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from .errors import DecodeError
from .statuses import CommandStatus

# command_length, command_id, command_status, sequence_number.
HEADER: Final = struct.Struct(">IIII")
HEADER_BYTES: Final = 16


class UInt(msgspec.Struct, frozen=True):
    """An unsigned integer of `octets` octets, big-endian."""

    octets: int

    def explain(self, value: int) -> str | None:
        """Why `value` does not fit, or None if it does."""
        limit = (1 << (8 * self.octets)) - 1
        return None if 0 <= value <= limit else f"must be 0 to {limit}"


class CString(msgspec.Struct, frozen=True):
    """A string that ends with NUL, of at most `size` octets with it, as the specification prints sizes."""

    size: int
    refusal: CommandStatus = CommandStatus.ESME_RINVPARLEN

    def explain(self, value: str) -> str | None:
        """Why `value` does not fit, or None if it does."""
        if len(value) >= self.size:
            return f"must be at most {self.size - 1} characters"
        if "\0" in value:
            return "must not contain NUL"
        if any(ord(character) > 0xFF for character in value):
            return "must be of one-octet characters"
        return None


class Counted(msgspec.Struct, frozen=True):
    """Octets after a length octet. We send `size` at most and take what the length octet can say (5.0 allows 255)."""

    size: int
    refusal: CommandStatus = CommandStatus.ESME_RINVMSGLEN

    def explain(self, value: bytes) -> str | None:
        """Why `value` does not fit, or None if it does."""
        return None if len(value) <= self.size else f"must be at most {self.size} octets"


class Records(msgspec.Struct, frozen=True):
    """A tuple of records after a count octet, coded by two functions.

    `encode(records)` gives the count and all records; `decode(data, at)` gives them and where they end. They raise
    ValueError and DecodeError.
    """

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes, int], tuple[Any, int]]

    def explain(self, value: Any) -> str | None:
        """Why `value` does not fit, or None if it does."""
        try:
            self.encode(value)
        except ValueError as error:
            return str(error)
        return None


class OptionalParameters(msgspec.Struct, frozen=True):
    """The optional parameters that end a PDU (section 3.2.4)."""

    def explain(self, value: Any) -> str | None:
        """Why `value` does not fit, or None if it does."""
        for tlv in value:
            if not 0 <= tlv.tag <= 0xFFFF:
                return f"tag {tlv.tag:#x} must be 0 to 0xffff"
            if len(tlv.value) > 0xFFFF:
                return f"value of tag {tlv.tag:#06x} must be at most 65535 octets"
        return None


UINT8: Final = UInt(1)
UINT32: Final = UInt(4)
TLVS: Final = OptionalParameters()

Field = UInt | CString | Counted | Records | OptionalParameters


def encode_cstring(value: str, kind: CString, field: str) -> bytes:
    """`value` with its NUL. For records; layouts do it in line. Raises ValueError where it does not fit."""
    reason = kind.explain(value)
    if reason is not None:
        raise ValueError(f"{field} {reason}")
    return value.encode("latin-1") + b"\0"


def decode_cstring(data: bytes, at: int, kind: CString, field: str) -> tuple[str, int]:
    """The string that begins at `at` and the offset behind its NUL. For records; layouts do it in line."""
    end = data.find(b"\0", at, at + kind.size)
    if end < 0:
        raise unterminated(len(data), at, kind, field)
    return data[at:end].decode("latin-1"), end + 1


def unterminated(size: int, at: int, kind: CString, field: str) -> DecodeError:
    """The error for a string at `at` without NUL: too long for its field, or cut off by the end of the PDU."""
    if size - at < kind.size:
        return cut_off(field)
    return DecodeError(field, f"no NUL within {kind.size} octets", kind.refusal)


def cut_off(field: str) -> DecodeError:
    """The error for a PDU that ends before or inside `field`."""
    return DecodeError(field, "the PDU ends before it does", CommandStatus.ESME_RINVCMDLEN)
