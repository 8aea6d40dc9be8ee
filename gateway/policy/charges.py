"""What was charged to which number, and when: one table for all rules, small enough for millions of charges. Pure.

A charge is one packed value of 44 octets. Charges lie in a million `bytes` objects ("shards"), most with none or one;
a number's charges are found by looking through its shard. Beside the octets that costs 8 octets a shard, and a
Python object for each that is not empty: less than a dict of numbers to packed values. No dict ever has to grow, so
nothing stalls, and an old charge is removed by making one small object anew.

Every rule is answered from this one table, so that a changed or new rule counts what was charged before it. Charges
carry the id of their message: adding one twice adds it once, and giving one back removes exactly that one.

For snapshots the table is cut into slices of a thousand shards.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, Final, NamedTuple

from gateway.message import Category, MessageId, Milliseconds

SHARDS: Final = 1_048_573  # a prime: numbers at equal distances do not meet in one shard
SLICE_SHARDS: Final = 1_024
# number and category, message id, gateway's clock, wall clock, signature, account, content
_LAYOUT: Final = Struct("<QQQIII8s")
CHARGE_BYTES: Final = _LAYOUT.size
_TIMES: Final = Struct("<Q8xQI16x")  # of the same, what a start looks at
_pack: Final = _LAYOUT.pack
_iter_unpack: Final[Callable[[bytes], Iterator[Any]]] = _LAYOUT.iter_unpack
_NUMBER_BITS: Final = 56
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
CATEGORY_CODES: Final = {Category.OTP: 1, Category.NOTIFICATION: 2, Category.MARKETING: 3}


# A charge without its names: what is looked at for every message is spared the making of them.
Fields = tuple[int, int, int, int, int, int, bytes]


class Charge(NamedTuple):
    """One message that was let through, in the order in which it is packed."""

    subject: int  # the digits of the number, and above them the code of the category
    message_id: MessageId
    at: Milliseconds  # by the gateway's clock
    wall: int  # by the wall clock, in seconds since 1970
    signature: int  # keyed hashes: 32 bits,
    account: int  # 32 bits,
    content: bytes  # and 64 bits

    @property
    def number(self) -> int:
        return self.subject & _NUMBER_MASK

    @property
    def category(self) -> int:
        return self.subject >> _NUMBER_BITS

    def pack(self) -> bytes:
        return _LAYOUT.pack(*self)


def subject_of(number: int, category: int) -> int:
    """Number and category in one integer."""
    return category << _NUMBER_BITS | number


def unpack(octets: bytes) -> Iterator[Charge]:
    """The charges packed one behind the other. A rest that is no whole charge is left out: it never was one."""
    whole = len(octets) - len(octets) % CHARGE_BYTES
    return map(Charge._make, _LAYOUT.iter_unpack(octets[:whole]))


class Charges:
    """The table. `salt` spreads numbers over shards in a way that nobody outside can aim at."""

    def __init__(self, *, salt: int, shards: int = SHARDS) -> None:
        self._salt = salt
        self._size = shards
        self._shards = [b""] * shards
        self._slices = -(-shards // SLICE_SHARDS)
        self._changes = [0] * self._slices  # how often each slice was changed
        self._removals = [0] * self._slices  # and how often something was given back
        self.count = 0  # of charges

    def __len__(self) -> int:
        return self.count

    @property
    def slices(self) -> int:
        return self._slices

    def place_of(self, number: int) -> int:
        """In which shard the charges of a number are."""
        return (number ^ self._salt) % self._size

    def at(self, place: int) -> bytes:
        """Everything in a shard, packed: the charges of a number, and of the few others that share it. A first look."""
        return self._shards[place]

    def of(self, number: int) -> list[Fields]:
        """The charges of a number, in the order in which they were added; old ones among them."""
        shard = self._shards[(number ^ self._salt) % self._size]
        if not shard:
            return []
        return [charge for charge in _iter_unpack(shard) if charge[0] & _NUMBER_MASK == number]

    def add(self, charge: Fields) -> None:
        self.add_at((charge[0] & _NUMBER_MASK ^ self._salt) % self._size, charge)

    def add_at(self, place: int, charge: Fields) -> None:
        """The same, where the shard is known."""
        self._shards[place] += _pack(*charge)
        self._changes[place // SLICE_SHARDS] += 1
        self.count += 1

    def take_in(self, octets: bytes) -> tuple[Milliseconds, int]:
        """Add all charges of a `dump`; return their latest times, by the gateway's clock and by the wall clock."""
        shards, salt, size = self._shards, self._salt, self._size
        latest = latest_wall = start = 0
        whole = len(octets) - len(octets) % CHARGE_BYTES  # a rest is no charge, and never was one
        for subject, at, wall in _TIMES.iter_unpack(octets[:whole]):
            end = start + CHARGE_BYTES
            shards[(subject & _NUMBER_MASK ^ salt) % size] += octets[start:end]
            start = end
            if at > latest:
                latest = at
            if wall > latest_wall:
                latest_wall = wall
        self.count += whole // CHARGE_BYTES
        if whole:
            first = _TIMES.unpack_from(octets)[0]
            self._changes[self.slice_of(first & _NUMBER_MASK)] += 1
        return latest, latest_wall

    def find(self, number: int, message_id: MessageId) -> Charge | None:
        """The charge of one message."""
        return next((Charge._make(charge) for charge in self.of(number) if charge[1] == message_id), None)

    def remove(self, charge: Charge) -> None:
        """Take out a charge that is there."""
        place = (charge.number ^ self._salt) % self._size
        shard = self._shards[place]
        packed = charge.pack()
        start = shard.find(packed)
        while start % CHARGE_BYTES and start >= 0:
            start = shard.find(packed, start + 1)
        assert start >= 0, "a charge is given back that was not made"
        self._shards[place] = shard[:start] + shard[start + CHARGE_BYTES :]
        self._changes[place // SLICE_SHARDS] += 1
        self._removals[place // SLICE_SHARDS] += 1
        self.count -= 1

    # Slices.

    def slice_of(self, number: int) -> int:
        return (number ^ self._salt) % self._size // SLICE_SHARDS

    def version(self, place: int) -> tuple[int, int]:
        """Grows with every change of a slice; the second number with what was given back only."""
        return self._changes[place], self._removals[place]

    def dump(self, place: int) -> bytes:
        """The charges of one slice, packed."""
        return b"".join(self._shards[place * SLICE_SHARDS : (place + 1) * SLICE_SHARDS])

    def sweep(self, place: int, keep_since: dict[int, Milliseconds]) -> int:
        """Free the charges of a slice that no rule needs: those before a time, by the code of their category."""
        freed = 0
        shards = self._shards
        for n in range(place * SLICE_SHARDS, min((place + 1) * SLICE_SHARDS, len(shards))):
            shard = shards[n]
            if not shard:
                continue
            kept = [
                charge
                for charge in _iter_unpack(shard)
                if charge[2] > keep_since.get(charge[0] >> _NUMBER_BITS, charge[2])
            ]
            gone = len(shard) // CHARGE_BYTES - len(kept)
            if gone:
                shards[n] = b"".join(_pack(*charge) for charge in kept)
                freed += gone
        if freed:
            self._changes[place] += 1
            self.count -= freed
        return freed
