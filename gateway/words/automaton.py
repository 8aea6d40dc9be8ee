"""Searches for many patterns at once; can be built in one process and taken in by another.

daachorse has no wheel for Linux on aarch64. There ahocorasick-rs is used: it is built where it is taken in, so that a
large list holds up the loop for a tenth of a second when it is reloaded.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Final, Protocol

import msgspec

HAS_DAACHORSE: Final = find_spec("daachorse") is not None

Hit = tuple[int, int, int]  # where it begins and ends, and which pattern it is


class Automaton(Protocol):
    """Finds patterns in octets."""

    def find_overlapping(self, haystack: bytes, /) -> Sequence[Hit]:
        """Every occurrence of every pattern, by its end."""


def pack(patterns: list[bytes], *, with_daachorse: bool = HAS_DAACHORSE) -> bytes:
    """What `unpack` makes an automaton of, quickly where that can be."""
    if not with_daachorse:
        return msgspec.msgpack.encode(patterns)
    from daachorse import DoubleArrayAhoCorasick  # noqa: PLC0415 not installed everywhere

    return DoubleArrayAhoCorasick(patterns, use_prefilter=False).serialize()


def unpack(packed: bytes, *, with_daachorse: bool = HAS_DAACHORSE) -> Automaton:
    """The automaton that was packed. Raises ValueError."""
    if not with_daachorse:
        return _Slower(msgspec.msgpack.decode(packed, type=list[bytes]))
    from daachorse import DoubleArrayAhoCorasick  # noqa: PLC0415 not installed everywhere

    return DoubleArrayAhoCorasick.deserialize(packed)


class _Slower:
    """ahocorasick-rs, asked as daachorse is."""

    def __init__(self, patterns: list[bytes]) -> None:
        from ahocorasick_rs import BytesAhoCorasick  # noqa: PLC0415 not installed everywhere

        self._automaton: Final[Any] = BytesAhoCorasick(patterns)

    def find_overlapping(self, haystack: bytes, /) -> Sequence[Hit]:
        found = self._automaton.find_matches_as_indexes(haystack, overlapping=True)
        return [(start, end, pattern) for pattern, start, end in found]
