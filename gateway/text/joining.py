"""Putting the parts of an inbound text together again, whatever order they come in."""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec

from gateway.text.coding import Coding, decode

# What a held part costs beside its octets: the objects around them, at most (the first of a text; by tracemalloc).
PART_OVERHEAD_OCTETS: Final = 768
KEY_OCTETS: Final = 64

_REFERENCE_8_BIT: Final = (0x00, 3)  # element identifier and length; 3GPP TS 23.040, section 9.2.3.24.1
_REFERENCE_16_BIT: Final = (0x08, 4)  # section 9.2.3.24.8


class PartNumber(msgspec.Struct, frozen=True):
    """Which part of which text: `number` is 1 to `total`."""

    reference: int
    total: int
    number: int


class InboundPart(msgspec.Struct, frozen=True):
    """One part as it came, without its header. `key`: the name that its owner knows it by, if it has one."""

    place: PartNumber
    coding: Coding
    data: bytes
    key: int | None = None

    def says_the_same(self, other: "InboundPart") -> bool:
        """Whether `other` is this part once more, whatever its owner calls it."""
        return self.place == other.place and self.coding is other.coding and self.data == other.data


class InboundText(msgspec.Struct, frozen=True):
    """A text put together; `missing` has the numbers of the parts that never came, and is empty when all did.

    `keys`: those of its parts, in the order they came; a part that came twice has two.
    """

    source: str
    destination: str
    text: str
    missing: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()


def split_header(short_message: bytes) -> tuple[PartNumber | None, bytes]:
    """Return which part `short_message` is, and its octets after the user data header that `esm_class` announced.

    None when the header numbers no parts, or numbers them wrongly: then it is ignored, as 3GPP TS 23.040 wants.
    A header that is longer than the message is no header, and everything is text.
    """
    header_end = 1 + short_message[0] if short_message else 1
    if header_end > len(short_message):
        return None, short_message
    body = short_message[header_end:]
    position = 1
    while position + 2 <= header_end:
        kind = (short_message[position], short_message[position + 1])
        value = short_message[position + 2 : min(position + 2 + kind[1], header_end)]
        position += 2 + kind[1]
        if kind in {_REFERENCE_8_BIT, _REFERENCE_16_BIT} and len(value) == kind[1]:
            total, number = value[-2:]
            if 1 <= number <= total:
                return PartNumber(int.from_bytes(value[:-2], "big"), total, number), body
    return None, body


def join(parts: Iterable[InboundPart]) -> str:
    """Return the text of `parts`, given in any order.

    Octets are joined before they are decoded, since some senders do cut inside a surrogate pair.
    """
    ordered = sorted(parts, key=lambda part: part.place.number)
    runs = groupby(ordered, key=attrgetter("coding"))
    return "".join(decode(b"".join(part.data for part in run), coding) for coding, run in runs)


class _Pending:
    """The parts of one text that have come so far."""

    __slots__ = ("deadline", "keys", "octets", "parts", "total")

    def __init__(self, total: int, deadline: float) -> None:
        self.total = total
        self.deadline = deadline
        self.parts: dict[int, InboundPart] = {}
        self.keys: list[int] = []
        self.octets = 0

    def accepts(self, part: InboundPart) -> bool:
        """Say whether `part` can be of this text, and not of a later one under the same reference."""
        held = self.parts.get(part.place.number)
        return part.place.total == self.total and (held is None or held.says_the_same(part))


_Key = tuple[str, str, int]


class Reassembler:
    """Holds the parts of inbound texts until each is whole, its time is up, or memory is short.

    A text is known by source, destination and reference. Its time runs from its first part; then it is given out with
    what came, marked. Past `limit_octets` the texts that have waited longest are given out early in the same way.
    Nothing is dropped.
    """

    def __init__(self, *, timeout_seconds: float = 300.0, limit_octets: int = 8 * 1024 * 1024) -> None:
        self._timeout_seconds = timeout_seconds
        self._limit_octets = limit_octets
        self._pending: dict[_Key, _Pending] = {}  # oldest first
        self._held_octets = 0

    @property
    def held_octets(self) -> int:
        """What the waiting parts take, their overhead included; never above the limit between calls."""
        return self._held_octets

    @property
    def deadline(self) -> float | None:
        """When the next text must be given out whole or not; None while nothing waits."""
        return next((pending.deadline for pending in self._pending.values()), None)

    def add(self, source: str, destination: str, part: InboundPart, *, now: float) -> list[InboundText]:
        """Take one part and return the texts that are ready now, oldest first. A part that came twice counts once."""
        ready = self.expire(now=now)
        key = (source, destination, part.place.reference)
        pending = self._pending.get(key)
        if pending is not None and not pending.accepts(part):
            ready.append(self._give_out(key))
            pending = None
        if pending is None:
            pending = self._pending[key] = _Pending(part.place.total, now + self._timeout_seconds)
        octets = 0
        if part.place.number not in pending.parts:
            pending.parts[part.place.number] = part
            octets += len(part.data) + len(source) + len(destination) + PART_OVERHEAD_OCTETS
        if part.key is not None:
            pending.keys.append(part.key)
            octets += KEY_OCTETS
        pending.octets += octets
        self._held_octets += octets
        if len(pending.parts) == pending.total:
            ready.append(self._give_out(key))
        while self._held_octets > self._limit_octets:
            ready.append(self._give_out(next(iter(self._pending))))
        return ready

    def expire(self, *, now: float) -> list[InboundText]:
        """Return the texts whose time is up, oldest first, each marked with what is missing."""
        ready = []
        while self._pending:
            key, pending = next(iter(self._pending.items()))
            if pending.deadline > now:
                break
            ready.append(self._give_out(key))
        return ready

    def _give_out(self, key: _Key) -> InboundText:
        pending = self._pending.pop(key)
        self._held_octets -= pending.octets
        source, destination, _ = key
        missing = tuple(number for number in range(1, pending.total + 1) if number not in pending.parts)
        return InboundText(source, destination, join(pending.parts.values()), missing, tuple(pending.keys))
