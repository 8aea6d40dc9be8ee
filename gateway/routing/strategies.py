"""In which order a route's carriers are tried: as listed, by weight, by price, or by how well they deliver.

Pure, without chance: the same number goes the same way while nothing changes, so that what `explain` says holds, and a
subscriber sees one source number.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from gateway.message import Milliseconds
from gateway.numbers import Network
from gateway.routing.quality import Quality, QualityBook

_BITS: Final = 64
_MASK: Final = (1 << _BITS) - 1
_UNTRIED_SHARE: Final = 0.02  # of the messages go first by a carrier of which too little is known
_UNTRIED: Final = "untried"  # what the dice for that are called


class Strategy(StrEnum):
    """How a route ranks its carriers."""

    ORDERED = "ordered"  # as listed
    WEIGHTED = "weighted"  # each gets its share of the numbers
    CHEAPEST = "cheapest"  # by price per segment
    QUALITY = "quality"  # by delivery rate and latency


def by_weight(carriers: Sequence[str], weights: Sequence[int], number: str) -> list[str]:
    """Carriers for a number in E.164, so that of many numbers each carrier is first for its share.

    Weighted rendezvous hashing: when a carrier is gone, only its numbers go elsewhere, and by the others' weights.
    """
    digits = int(number[1:])
    scores = [
        math.log(_dice(digits, carrier)) / weight if weight else -math.inf
        for carrier, weight in zip(carriers, weights, strict=True)
    ]
    return [carriers[n] for n in sorted(range(len(carriers)), key=lambda n: -scores[n])]


def by_price(carriers: Sequence[str], prices: Sequence[float]) -> list[str]:
    """The cheapest first; of equal ones the one listed first."""
    return [carriers[n] for n in sorted(range(len(carriers)), key=lambda n: prices[n])]


def by_quality(
    carriers: Sequence[str], book: QualityBook, network: Network, number: str, *, now: Milliseconds
) -> list[str]:
    """The carriers that deliver best to a network first.

    Delivery rates count in whole percent, and latencies only where one is twice the other; what is left is decided by
    the list. A carrier of which too little is known is taken to be as good as the mean of the others, and is the first
    for a small share of the numbers, so that something becomes known.
    """
    known = [book.of(carrier, network, now=now) for carrier in carriers]
    measured = [quality for quality in known if quality is not None]
    if not measured:
        return list(carriers)
    mean = _mean(measured)
    order = sorted(range(len(carriers)), key=lambda n: _grade(known[n] or mean))  # stable: equals stay as listed
    untried = [n for n in order if known[n] is None]
    if untried and _dice(int(number[1:]), _UNTRIED) < _UNTRIED_SHARE:
        order = untried + [n for n in order if known[n] is not None]
    return [carriers[n] for n in order]


def _mean(measured: Sequence[Quality]) -> Quality:
    receipts = sum(quality.receipts for quality in measured)
    delivered = sum(quality.delivered * quality.receipts for quality in measured) / receipts
    seconds = sum(quality.seconds * quality.receipts for quality in measured) / receipts
    return Quality(receipts, delivered, seconds)


def _grade(quality: Quality) -> tuple[int, int]:
    return -round(quality.delivered * 100), round(math.log2(max(quality.seconds, 1.0)))


_salts: Final[dict[str, int]] = {}


def _dice(digits: int, name: str) -> float:
    """A number in (0, 1) that depends on a phone number and a name, and looks like chance (splitmix64)."""
    salt = _salts.get(name)
    if salt is None:
        salt = _salts[name] = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    mixed = (digits + salt) * 0x9E3779B97F4A7C15 & _MASK
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ mixed >> 31) + 0.5) / (1 << _BITS)
