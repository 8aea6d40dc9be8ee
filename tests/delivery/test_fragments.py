"""What one message of a carrier holds of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.fragments import Fragment, coding_of, read_fragment
from gateway.delivery.settings import Alphabet
from gateway.smpp import DataSm, DeliverSm, Tlv, TlvTag, make_tlv
from gateway.text import Coding, PartNumber


def sar(reference: int, total: int, number: int) -> tuple[Tlv, ...]:
    return (
        make_tlv(TlvTag.SAR_MSG_REF_NUM, reference),
        make_tlv(TlvTag.SAR_TOTAL_SEGMENTS, total),
        make_tlv(TlvTag.SAR_SEGMENT_SEQNUM, number),
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (DeliverSm(short_message=b"hi"), Fragment(None, Coding.GSM7, b"hi")),
        (
            DeliverSm(short_message=b"hi", esm_class=0x40),
            Fragment(None, Coding.GSM7, b"hi"),
        ),  # announces none, has none
        (
            DeliverSm(short_message=b"\x05\x00\x03\x07\x02\x01hi", esm_class=0x40),
            Fragment(PartNumber(7, 2, 1), Coding.GSM7, b"hi"),
        ),
        (
            DeliverSm(short_message=b"\x06\x08\x04\x01\x07\x02\x01hi", esm_class=0x40),
            Fragment(PartNumber(0x107, 2, 1), Coding.GSM7, b"hi"),
        ),
        (DeliverSm(short_message=b"hi", tlvs=sar(263, 2, 2)), Fragment(PartNumber(263, 2, 2), Coding.GSM7, b"hi")),
        (DeliverSm(short_message=b"hi", tlvs=sar(7, 1, 1)), Fragment(None, Coding.GSM7, b"hi")),
        (DeliverSm(short_message=b"hi", tlvs=sar(7, 2, 3)), Fragment(None, Coding.GSM7, b"hi")),
        (DeliverSm(short_message=b"hi", tlvs=sar(7, 2, 2)[:2]), Fragment(None, Coding.GSM7, b"hi")),
        (
            DeliverSm(tlvs=(make_tlv(TlvTag.MESSAGE_PAYLOAD, b"hi"),), data_coding=8),
            Fragment(None, Coding.UCS2, b"hi"),
        ),
        (
            DataSm(tlvs=(make_tlv(TlvTag.MESSAGE_PAYLOAD, b"\x05\x00\x03\x07\x02\x01hi"),), esm_class=0x40),
            Fragment(PartNumber(7, 2, 1), Coding.GSM7, b"hi"),
        ),
        (DataSm(), Fragment(None, Coding.GSM7, b"")),
    ],
)
def test_a_place_is_read_where_it_stands(body: DeliverSm | DataSm, expected: Fragment):
    assert read_fragment(body, Alphabet.GSM7) == expected


def test_a_header_wins_over_sar_where_a_peer_sends_both():
    body = DeliverSm(short_message=b"\x05\x00\x03\x07\x02\x01hi", esm_class=0x40, tlvs=sar(9, 3, 3))
    assert read_fragment(body, Alphabet.GSM7).place == PartNumber(7, 2, 1)


@pytest.mark.parametrize(
    ("data_coding", "coding"),
    [
        (0x00, Coding.GSM7), (0x01, Coding.LATIN1), (0x02, Coding.LATIN1), (0x03, Coding.LATIN1), (0x04, Coding.LATIN1),
        (0x06, Coding.CYRILLIC), (0x07, Coding.HEBREW), (0x08, Coding.UCS2), (0x0E, Coding.LATIN1),
        (0x10, Coding.GSM7), (0x14, Coding.LATIN1), (0x18, Coding.UCS2), (0x19, Coding.UCS2),
        (0xC8, Coding.GSM7), (0xD0, Coding.GSM7), (0xE0, Coding.UCS2),
        (0xF0, Coding.GSM7), (0xF1, Coding.GSM7), (0xF4, Coding.LATIN1), (0x90, Coding.LATIN1),
    ],
)  # fmt: skip
def test_every_data_coding_is_read_somehow(data_coding: int, coding: Coding):
    assert coding_of(data_coding, Alphabet.GSM7) is coding


@given(st.integers(0, 255), st.sampled_from(Alphabet))
def test_the_alphabet_of_the_carrier_decides_data_coding_0_and_no_other(data_coding: int, alphabet: Alphabet):
    expected = (
        Coding.LATIN1 if (data_coding, alphabet) == (0, Alphabet.LATIN1) else coding_of(data_coding, Alphabet.GSM7)
    )
    assert coding_of(data_coding, alphabet) is expected


@given(
    st.binary(max_size=60), st.integers(0, 255), st.lists(st.tuples(st.integers(0x0200, 0x0430), st.binary(max_size=6)))
)
def test_no_octets_are_too_strange_to_read(octets: bytes, esm_class: int, tlvs: list[tuple[int, bytes]]):
    body = DeliverSm(short_message=octets, esm_class=esm_class, tlvs=tuple(Tlv(tag, value) for tag, value in tlvs))
    fragment = read_fragment(body, Alphabet.GSM7)
    assert fragment.place is None or 1 <= fragment.place.number <= fragment.place.total
