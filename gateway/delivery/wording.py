"""A message's text as one carrier takes it: in which alphabet, in how many parts, and how these are marked. Pure.

All of it follows from the message and the carrier's settings, so that a part sent again, after a restart too, joins the
parts that the subscriber already has. How many parts there are is the carrier's affair: a record's follow it.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.delivery import outcomes
from gateway.delivery.settings import Alphabet, CarrierSettings, LongText
from gateway.message import Message, Record
from gateway.smpp import DataCoding, Tlv, TlvTag, make_tlv
from gateway.text import Coding, choose_coding, count_parts, cut, encode, units

_CODINGS: Final = {Alphabet.GSM7: Coding.GSM7, Alphabet.LATIN1: Coding.LATIN1, Alphabet.UCS2: Coding.UCS2}
_DEFAULT_ALPHABET: Final = int(DataCoding.SMSC_DEFAULT)
_UCS2: Final = int(DataCoding.UCS2)
_NO_TLVS: Final[tuple[Tlv, ...]] = ()


class Wording(msgspec.Struct, frozen=True, gc=False):
    """What the submit_sm of each part carries of a text, in order.

    `segments`: how many short messages each becomes on the air, which is what a carrier's rate counts.
    """

    data_coding: int
    esm_class: int
    short_messages: tuple[bytes, ...]
    tlvs: tuple[tuple[Tlv, ...], ...] = ()  # of each part; empty when none has any
    segments: int = 1

    @property
    def parts(self) -> int:
        return len(self.short_messages)

    def tlvs_of(self, n: int) -> tuple[Tlv, ...]:
        """The TLVs of part `n`, counted from 0."""
        return self.tlvs[n] if self.tlvs else _NO_TLVS


def word(message: Message, settings: CarrierSettings) -> Wording:
    """The text of a message as a carrier wants it."""
    coding = choose_coding(message.text, default=_CODINGS[settings.alphabet])
    return _word(message, coding, settings.long_text, adds_signature=settings.adds_signature)


def word_record(record: Record, settings: CarrierSettings) -> Wording | None:
    """The same for a record whose next part is to be handed over, with as many parts in the record.

    What has begun in a number of parts is finished in it: where the carrier's own way would give another, because its
    settings were changed, the way that every carrier takes. None when that gives another number too.
    """
    worded = word(record.message, settings)
    if outcomes.divide(record, worded.parts):
        return worded
    others = _ways_of_all(record.message, settings)
    return next((other for other in others if other.parts == len(record.state.parts)), None)


def spread(message_id: int) -> int:
    """Spread ids, whose low bits repeat at low rates, over all bits (a multiplicative hash). 24 bits."""
    return (message_id * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF) >> 40


def _ways_of_all(message: Message, settings: CarrierSettings) -> Iterator[Wording]:
    """How every carrier with this alphabet takes a text."""
    for alphabet in (settings.alphabet, Alphabet.UCS2):
        coding = choose_coding(message.text, default=_CODINGS[alphabet])
        yield _word(message, coding, LongText.UDH_8, adds_signature=settings.adds_signature)


def _word(message: Message, coding: Coding, long_text: LongText, *, adds_signature: bool) -> Wording:
    # To a carrier whose default alphabet is Latin-1 that is data_coding 0 too.
    data_coding = _UCS2 if coding is Coding.UCS2 else _DEFAULT_ALPHABET
    text, reserve = _without_signature(message, coding) if adds_signature else (message.text, 0)
    if long_text is LongText.MESSAGE_PAYLOAD:
        segments = count_parts(text, coding=coding, reserve=reserve)
        data = encode(text, coding)
        if segments == 1:
            return Wording(data_coding, 0, (data,))
        # Then short_message is empty (SMPP 3.4, section 5.3.2.32).
        return Wording(data_coding, 0, (b"",), ((make_tlv(TlvTag.MESSAGE_PAYLOAD, data),),), segments)
    wide = long_text is LongText.UDH_16
    reference = spread(message.id) & (0xFFFF if wide else 0xFF)
    sar = long_text is LongText.SAR
    parts = cut(text, coding=coding, reference=reference, wide_reference=wide, reserve=reserve, udh=not sar)
    tlvs = _sar_tlvs(reference, len(parts.parts)) if sar and len(parts.parts) > 1 else ()
    return Wording(data_coding, parts.esm_class, parts.parts, tlvs)


def _without_signature(message: Message, coding: Coding) -> tuple[str, int]:
    """The text without the signature that the carrier writes in front of it, and the room to leave for that."""
    prefix = f"【{message.signature}】"
    if not message.signature or not message.text.startswith(prefix):
        return message.text, 0
    return message.text[len(prefix) :], units(prefix, coding)


def _sar_tlvs(reference: int, total: int) -> tuple[tuple[Tlv, ...], ...]:
    """SMPP 3.4, sections 5.3.2.22 to 5.3.2.24.

    The reference has 16 bits there. Ours has 8 of them, so that it is whole in the header with an 8-bit reference that
    the parts leave room for.
    """
    return tuple(
        (
            make_tlv(TlvTag.SAR_MSG_REF_NUM, reference),
            make_tlv(TlvTag.SAR_TOTAL_SEGMENTS, total),
            make_tlv(TlvTag.SAR_SEGMENT_SEQNUM, number),
        )
        for number in range(1, total + 1)
    )
