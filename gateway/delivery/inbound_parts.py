"""Parts of messages from subscribers on disk: from before they are acknowledged until their text is there."""

import hashlib
from typing import Final

import msgspec

from gateway.delivery.acknowledgements import is_chosen
from gateway.delivery.fragments import read_fragment
from gateway.delivery.settings import Alphabet
from gateway.message import Milliseconds
from gateway.smpp import DataSm, DeliverSm
from gateway.store.api import Commit, PartMark, Store
from gateway.text import Coding, InboundPart, PartNumber, decode

_TABLE: Final = "inbound_part"
_PAGE: Final = 1_000


class StoredPart(msgspec.Struct, frozen=True, array_like=True):
    """One part, or a whole message, as a carrier sent it. `ton`: what it says the source is (SMPP 3.4, 5.2.5).

    `is_chosen`: from a menu, see `acknowledgements`.
    """

    key: int
    fingerprint: int
    carrier: str
    source: str
    ton: int
    destination: str
    at: Milliseconds
    place: PartNumber | None  # None: it is whole
    coding: Coding
    data: bytes
    is_chosen: bool = False  # last: parts from before it was kept are read, too

    @property
    def mark(self) -> PartMark:
        return PartMark(self.key, self.fingerprint)

    @property
    def text(self) -> str:
        """What it says, if it is whole."""
        return decode(self.data, self.coding)

    def for_joining(self, place: PartNumber) -> InboundPart:
        return InboundPart(place, self.coding, self.data, self.key)


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(StoredPart).decode


def fingerprint_of(body: DeliverSm | DataSm) -> int:
    """The same for the same request, whenever it is sent: its sequence number is not in it. 63 bits."""
    digest = hashlib.blake2b(_ENCODE(body), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def part_of(
    body: DeliverSm | DataSm, *, key: int, fingerprint: int, carrier: str, alphabet: Alphabet, at: Milliseconds
) -> StoredPart:
    """What is kept of a request."""
    fragment = read_fragment(body, alphabet)
    return StoredPart(
        key=key,
        fingerprint=fingerprint,
        carrier=carrier,
        source=body.source_addr,
        ton=body.source_addr_ton,
        destination=body.destination_addr,
        at=at,
        place=fragment.place,
        coding=fragment.coding,
        data=fragment.data,
        is_chosen=is_chosen(body),
    )


def keep(store: Store, part: StoredPart) -> Commit:
    """Write a part."""
    return store.put_entries(_TABLE, {_name(part.key): _ENCODE(part)})


def drop(store: Store, keys: list[int]) -> Commit:
    """Forget parts."""
    return store.put_entries(_TABLE, dict.fromkeys(map(_name, keys)))


async def load(store: Store) -> list[StoredPart]:
    """Every part on disk, in the order of the keys. Raises StoreError."""
    parts: list[StoredPart] = []
    after = ""
    while page := await store.entries(_TABLE, after=after, limit=_PAGE):
        parts += [_DECODE(value) for _, value in page]
        after = page[-1][0]
    return parts


def _name(key: int) -> str:
    return f"{key:019d}"
