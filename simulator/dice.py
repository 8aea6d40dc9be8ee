"""Chance that can be replayed: a function of seed, destination and the how-manieth submit it is. Pure."""

from hashlib import blake2b
from struct import Struct
from typing import Final
from zlib import crc32

import msgspec

_WORDS: Final = Struct("<3I")
_STARTS: Final = Struct("<2I")
_UNIT: Final = 2.0**-32
_GOLDEN_RATIO: Final = 0x9E37_79B1  # of 2**32: its multiples lie far apart


class Roll(msgspec.Struct, frozen=True, gc=False):
    """One chance (0 to below 1) for each thing that is decided of a submit."""

    error: float
    outcome: float
    fault: float


class Dice:
    """The rolls of one seed, the same in every process and version of Python.

    How long something takes is drawn for every submit and nothing else depends on it, so a checksum is good enough.
    """

    def __init__(self, seed: int) -> None:
        key = str(seed).encode()
        self._start = blake2b(digest_size=_WORDS.size, key=key)
        starts = blake2b(digest_size=_STARTS.size, key=key).digest()
        self._delay_start, self._latency_start = _STARTS.unpack(starts)

    def roll(self, destination: str, turn: int) -> Roll:
        """Return the chances of the `turn`-th submit (from 1) to `destination`."""
        digest = self._start.copy()
        digest.update(b"%s:%d" % (destination.encode(), turn))
        error, outcome, fault = _WORDS.unpack(digest.digest())
        return Roll(error * _UNIT, outcome * _UNIT, fault * _UNIT)

    def receipt_delay(self, destination: str, turn: int) -> float:
        """Return the chance, 0 to below 1, that says how late the receipt of that submit comes."""
        return crc32(destination.encode(), self._delay_start + turn * _GOLDEN_RATIO & 0xFFFF_FFFF) * _UNIT

    def response_latency(self, destination: str, turn: int) -> float:
        """Return the chance, 0 to below 1, that says how late the answer to that submit comes."""
        return crc32(destination.encode(), self._latency_start + turn * _GOLDEN_RATIO & 0xFFFF_FFFF) * _UNIT

    def chance(self, purpose: str, key: str, turn: int) -> float:
        """Return the chance, 0 to below 1, that decides what `purpose` says of the `turn`-th of `key`."""
        digest = self._start.copy()
        digest.update(b"%s:%s:%d" % (purpose.encode(), key.encode(), turn))
        return _WORDS.unpack(digest.digest())[0] * _UNIT  # type: ignore[no-any-return]


class Turns:
    """Counts how often each key came, and remembers `limit` keys.

    The counts are in two halves: when the younger is full the older is forgotten, so a key that is in use stays.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._younger: dict[object, int] = {}
        self._older: dict[object, int] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def next(self, key: object) -> int:
        """Return which time this is that `key` comes: 1 for the first that is remembered."""
        younger = self._younger
        turn = younger.get(key, 0) + 1
        if turn == 1 and self._older:
            turn += self._older.pop(key, 0)
        younger[key] = turn
        if len(younger) > self._half:
            self._older, self._younger = younger, {}
        return turn

    def clear(self) -> None:
        """Forget every count."""
        self._younger.clear()
        self._older.clear()
