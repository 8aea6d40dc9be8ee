"""Chance that can be replayed: a function of seed, destination and the how-manieth submit it is. Pure."""

from hashlib import blake2b
from struct import Struct
from typing import Final

import msgspec

_WORDS: Final = Struct("<5I")
_UNIT: Final = 2.0**-32


class Roll(msgspec.Struct, frozen=True, gc=False):
    """One chance (0 to below 1) for each thing that is decided of a submit."""

    error: float
    outcome: float
    fault: float
    receipt_delay: float
    response_latency: float


class Dice:
    """The rolls of one seed, the same in every process and version of Python."""

    def __init__(self, seed: int) -> None:
        self._start = blake2b(digest_size=_WORDS.size, key=str(seed).encode())

    def roll(self, destination: str, turn: int) -> Roll:
        """Return the chances of the `turn`-th submit (from 1) to `destination`."""
        digest = self._start.copy()
        digest.update(b"%s:%d" % (destination.encode(), turn))
        error, outcome, fault, receipt_delay, response_latency = _WORDS.unpack(digest.digest())
        return Roll(error * _UNIT, outcome * _UNIT, fault * _UNIT, receipt_delay * _UNIT, response_latency * _UNIT)


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
        turn = self._younger.get(key, 0) or self._older.pop(key, 0)
        self._younger[key] = turn + 1
        if len(self._younger) > self._half:
            self._older, self._younger = self._younger, {}
        return turn + 1

    def clear(self) -> None:
        """Forget every count."""
        self._younger.clear()
        self._older.clear()
