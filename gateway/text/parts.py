"""Cutting a text into the parts that each fit in one short message.

A short message holds 140 octets on the air (3GPP TS 23.040, section 9.2.3.24): 160 septets, or 70 UTF-16 code units.
The parts of a longer text each begin with a user data header that says which they are, and have that much less room.
"""

from itertools import pairwise
from typing import Final

import msgspec

from gateway.text.coding import ESCAPE, Coding, choose_coding, encode
from gateway.text.errors import TooManyParts

MAX_PARTS: Final = 255  # the header counts parts in one octet
UDH_INDICATOR: Final = 0x40  # SMPP 3.4, section 5.2.12: `short_message` begins with a user data header

_AIR_OCTETS: Final = 140
_UNIT_OCTETS: Final = {coding: 2 if coding is Coding.UCS2 else 1 for coding in Coding}


class Segments(msgspec.Struct, frozen=True):
    """A text ready to send: a `short_message` a part, in order, and the `data_coding` and `esm_class` of all."""

    coding: Coding
    esm_class: int
    parts: tuple[bytes, ...]


def _room(coding: Coding, header_octets: int) -> int:
    """Return how many octets of `short_message` one part has for its text."""
    octets = _AIR_OCTETS - header_octets
    if coding is Coding.GSM7:
        return octets * 8 // 7  # unpacked over SMPP: an octet a septet
    return octets - octets % _UNIT_OCTETS[coding]


_ALONE: Final = {coding: _room(coding, 0) for coding in Coding}
_NUMBERED: Final = {  # by coding and whether the reference is 16 bits wide: a header of six or seven octets
    (coding, wide): _room(coding, 7 if wide else 6) for coding in Coding for wide in (False, True)
}


def count_parts(text: str, *, coding: Coding | None = None, wide_reference: bool = False, reserve: int = 0) -> int:
    """Return how many parts `cut` makes of `text`, also where these are too many. Raises UnencodableText."""
    if coding is None:
        coding = choose_coding(text)
        if coding is Coding.UCS2 and not reserve and not wide_reference:  # most texts, quickly
            octets = len(encode(text, coding))
            if octets <= _AIR_OCTETS:
                return 1
            if octets == 2 * len(text):  # no pairs, so no part ends early
                return -(-octets // _NUMBERED[coding, False])
    return len(_ends(encode(text, coding), coding, wide_reference=wide_reference, reserve=reserve))


def units(text: str, coding: Coding) -> int:
    """Return how much room `text` takes: septets, octets or UTF-16 code units. Raises UnencodableText."""
    return len(encode(text, coding)) // _UNIT_OCTETS[coding]


def cut(
    text: str,
    *,
    reference: int,
    wide_reference: bool = False,
    coding: Coding | None = None,
    reserve: int = 0,
    udh: bool = True,
) -> Segments:
    """Return `text` cut into parts, in `coding` or in the one that `choose_coding` gives.

    `reference` tells the parts of one message from those of another: 0 to 255, or to 65,535 with `wide_reference`.
    `reserve` is the room that the first part leaves for what the carrier writes in front of it: septets, octets or
    UTF-16 code units, by coding. Without `udh` the parts are as long but bare, for SAR TLVs: their total is
    `len(parts)`, and the n-th has number n.

    Raises UnencodableText; TooManyParts; ValueError for a reference or reserve out of range.
    """
    coding = choose_coding(text) if coding is None else coding
    data = encode(text, coding)
    ends = _ends(data, coding, wide_reference=wide_reference, reserve=reserve)
    total = len(ends)
    if total == 1:
        return Segments(coding, 0, (data,))
    if total > MAX_PARTS:
        raise TooManyParts(total, MAX_PARTS)
    bodies = [data[start:end] for start, end in pairwise([0, *ends])]
    if not udh:
        return Segments(coding, 0, tuple(bodies))
    head = _header(reference, wide_reference=wide_reference)
    parts = tuple(head + bytes((total, number)) + body for number, body in enumerate(bodies, 1))
    return Segments(coding, UDH_INDICATOR, parts)


def _header(reference: int, *, wide_reference: bool) -> bytes:
    """Return the user data header up to its reference (3GPP TS 23.040, 9.2.3.24.1 and .8); total and number follow."""
    largest = 0xFFFF if wide_reference else 0xFF
    if not 0 <= reference <= largest:
        raise ValueError(f"reference = {reference}: must be 0 to {largest}")
    if wide_reference:
        return b"\x06\x08\x04" + reference.to_bytes(2, "big")
    return bytes((0x05, 0x00, 0x03, reference))


def _ends(data: bytes, coding: Coding, *, wide_reference: bool, reserve: int) -> list[int]:
    """Return where each part of `data` ends, in octets: as late as its room allows, but never inside a pair."""
    unit = _UNIT_OCTETS[coding]
    room = _NUMBERED[coding, wide_reference]
    if not 0 <= reserve <= room // unit - 2:  # a pair must fit
        raise ValueError(f"reserve = {reserve}: must be 0 to {room // unit - 2}")
    if len(data) <= _ALONE[coding] - reserve * unit:
        return [len(data)]
    ends = []
    end = room - reserve * unit
    while end < len(data):
        if coding is Coding.UCS2:
            if 0xD8 <= data[end - 2] <= 0xDB:  # the first half of a surrogate pair
                end -= 2
        elif coding is Coding.GSM7 and data[end - 1] == ESCAPE:
            end -= 1
        ends.append(end)
        end += room
    ends.append(len(data))
    return ends
