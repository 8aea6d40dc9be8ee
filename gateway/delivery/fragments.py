"""What a deliver_sm or data_sm holds of a text: which part of it, if it says so, and in which coding. Pure."""

from typing import Final

import msgspec

from gateway.delivery.settings import Alphabet
from gateway.smpp import DataCoding, DataSm, DeliverSm, EsmClass, SubmitSm, Tlv, TlvTag, find_tlv
from gateway.text import Coding, PartNumber, split_header

_CODINGS: Final = {
    int(DataCoding.IA5): Coding.LATIN1,  # ASCII is its lower half
    int(DataCoding.LATIN_1): Coding.LATIN1,
    int(DataCoding.CYRILLIC): Coding.CYRILLIC,
    int(DataCoding.LATIN_HEBREW): Coding.HEBREW,
    int(DataCoding.UCS2): Coding.UCS2,
}
# What no coding of ours reads, binary data among it, keeps its octets as characters: nothing is lost.
_ANYTHING_ELSE: Final = Coding.LATIN1


class Fragment(msgspec.Struct, frozen=True):
    """The octets of one short message without their header. `place`: which part of a longer text; None: it is whole."""

    place: PartNumber | None
    coding: Coding
    data: bytes


def read_fragment(body: DeliverSm | DataSm | SubmitSm, alphabet: Alphabet) -> Fragment:
    """Read a message. Its place comes from a user data header, or, where that has none, from the sar_ TLVs.

    `alphabet`: what data_coding 0 is at this carrier.
    """
    octets = b"" if isinstance(body, DataSm) else body.short_message
    if not octets:
        payload = find_tlv(body.tlvs, TlvTag.MESSAGE_PAYLOAD) if body.tlvs else None
        octets = payload if isinstance(payload, bytes) else b""
    place = None
    if body.esm_class & EsmClass.UDHI:
        place, octets = split_header(octets)
    if place is None and body.tlvs:
        place = _place_by_sar(body.tlvs)
    if place is not None and place.total == 1:
        place = None
    return Fragment(place, coding_of(body.data_coding, alphabet), octets)


def coding_of(data_coding: int, alphabet: Alphabet) -> Coding:
    """The coding that `data_coding` stands for. SMPP 3.4, section 5.2.19; from 0x10 on, 3GPP TS 23.038, section 4."""
    if data_coding == DataCoding.SMSC_DEFAULT:
        return Coding.LATIN1 if alphabet is Alphabet.LATIN1 else Coding.GSM7
    if data_coding < 0x10:
        return _CODINGS.get(data_coding, _ANYTHING_ELSE)
    group = data_coding >> 4
    if group in {0xC, 0xD}:  # a message waits, the text in GSM 7-bit
        return Coding.GSM7
    if group == 0xE:  # the same, in UCS-2
        return Coding.UCS2
    if group == 0xF:  # with a class
        return _ANYTHING_ELSE if data_coding & 0x04 else Coding.GSM7
    if group < 0x8:
        return {0x00: Coding.GSM7, 0x08: Coding.UCS2}.get(data_coding & 0x0C, _ANYTHING_ELSE)
    return _ANYTHING_ELSE


def _place_by_sar(tlvs: tuple[Tlv, ...]) -> PartNumber | None:
    """Which part the sar_ TLVs say it is; None where one is missing, or they make no sense."""
    reference = find_tlv(tlvs, TlvTag.SAR_MSG_REF_NUM)
    total = find_tlv(tlvs, TlvTag.SAR_TOTAL_SEGMENTS)
    number = find_tlv(tlvs, TlvTag.SAR_SEGMENT_SEQNUM)
    if (
        isinstance(reference, int)
        and isinstance(total, int)
        and isinstance(number, int)
        and 1 <= number <= total <= 255
    ):
        return PartNumber(reference, total, number)
    return None
