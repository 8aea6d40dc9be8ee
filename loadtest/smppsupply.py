"""What a load over SMPP sends: messages cut into parts, made while they are sent, the same for a seed."""

import random
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from gateway.smpp import Npi, RegisteredDelivery, SubmitSm, Ton
from gateway.text import Segments, cut
from loadtest import texts
from loadtest.errors import CannotRun
from loadtest.supply import TEXTS_A_KIND, WRITERS, Request, weigh

_REFERENCE_AT: Final = 3  # octet of the user data header (3GPP TS 23.040, 9.2.3.24.1)
_REFERENCES: Final = 256


class SmppMessage(msgspec.Struct, frozen=True):
    """One message: its parts in order, and what the accounting is told of it."""

    parts: list[SubmitSm]
    request: Request


class SmppSupply:
    """Makes messages from `source`, with a receipt asked for each part."""

    def __init__(self, weights: Mapping[str, float], phones: Iterator[int], *, seed: int, source: str) -> None:
        self._phones = phones
        self._source = source
        self._random = random.Random(f"supply {seed}")
        self._kinds, self._weights = weigh(weights)
        self._texts = {
            kind: [cut(texts.SIGNATURE + WRITERS[kind](self._random), reference=0) for _ in range(TEXTS_A_KIND)]
            for kind in self._kinds
        }
        self._reference = 0

    def make_message(self) -> SmppMessage:
        """Return the next message. Raises CannotRun."""
        [kind] = self._random.choices(self._kinds, weights=self._weights)
        phone = next(self._phones, None)
        if phone is None:
            raise CannotRun("there are no more numbers")
        segments = self._texts[kind][int(self._random.random() * TEXTS_A_KIND)]
        parts = [self._submit(phone, segments, body) for body in self._numbered(segments)]
        return SmppMessage(parts, Request(b"", [phone], bytes([len(parts)]), bytes([kind])))

    def _numbered(self, segments: Segments) -> list[bytes]:
        """Return the parts, with a reference that those of the messages before do not have."""
        if len(segments.parts) == 1:
            return [*segments.parts]
        self._reference = (self._reference + 1) % _REFERENCES
        reference = bytes([self._reference])
        return [body[:_REFERENCE_AT] + reference + body[_REFERENCE_AT + 1 :] for body in segments.parts]

    def _submit(self, phone: int, segments: Segments, body: bytes) -> SubmitSm:
        return SubmitSm(
            source_addr=self._source,
            dest_addr_ton=Ton.INTERNATIONAL,
            dest_addr_npi=Npi.ISDN,
            destination_addr=f"86{phone}",
            esm_class=segments.esm_class,
            registered_delivery=RegisteredDelivery.RECEIPT,
            data_coding=segments.coding,
            short_message=body,
        )
