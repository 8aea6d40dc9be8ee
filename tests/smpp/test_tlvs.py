"""Optional parameters: typed by their tag, kept in order, lenient in what is taken."""

import pytest

from gateway.smpp import DecodeError, DeliverSm, EncodeError, Pdu, Tlv, TlvTag, decode, encode, find_tlv, make_tlv
from gateway.smpp.tlvs import VALUE_TYPES, IntegerValue, OctetsValue, TextValue, decode_tlvs_leniently


def largest_value(tag: TlvTag) -> int | str | bytes:
    match VALUE_TYPES[tag]:
        case IntegerValue(octets=octets):
            return (1 << 8 * octets) - 1
        case TextValue(largest=largest):
            return "t" * (largest - 1)
        case OctetsValue(largest=largest):
            return b"o" * largest


def test_every_tag_has_a_type():
    assert set(VALUE_TYPES) == set(TlvTag)


@pytest.mark.parametrize("tag", TlvTag)
def test_the_largest_value_of_every_tag_is_found_as_it_was_made(tag: TlvTag):
    pdu = Pdu(0, 1, DeliverSm(tlvs=(make_tlv(tag, largest_value(tag)),)))
    again = decode(encode(pdu))
    assert again == pdu
    assert isinstance(again.body, DeliverSm)
    assert find_tlv(again.body.tlvs, tag) == largest_value(tag)


@pytest.mark.parametrize("tag", TlvTag)
def test_a_value_one_larger_than_the_largest_is_refused(tag: TlvTag):
    largest = largest_value(tag)
    larger = largest + 1 if isinstance(largest, int) else largest + largest[:1]  # type: ignore[operator]
    with pytest.raises(EncodeError, match=tag.name.lower()):
        make_tlv(tag, larger)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (TlvTag.MESSAGE_STATE, "2"),
        (TlvTag.MESSAGE_STATE, -1),
        (TlvTag.RECEIPTED_MESSAGE_ID, 5),
        (TlvTag.RECEIPTED_MESSAGE_ID, "a\0b"),
        (TlvTag.RECEIPTED_MESSAGE_ID, "物"),
        (TlvTag.MESSAGE_PAYLOAD, "text"),
        (TlvTag.NETWORK_ERROR_CODE, b"\x03\0"),
    ],
)
def test_a_value_of_the_wrong_kind_or_size_is_refused(tag: TlvTag, value: int | str | bytes):
    with pytest.raises(EncodeError):
        make_tlv(tag, value)


def test_unknown_and_repeated_parameters_pass_through_in_order():
    tlvs = (Tlv(0x1403, b"\x01"), Tlv(0x0204, b"\0\7"), Tlv(0x1403, b""), Tlv(0x0204, b"\0\x08"), Tlv(0xFFFF, b"z"))
    again = decode(encode(Pdu(0, 1, DeliverSm(tlvs=tlvs)))).body
    assert again == DeliverSm(tlvs=tlvs)
    assert find_tlv(tlvs, TlvTag.USER_MESSAGE_REFERENCE) == 7


def test_a_parameter_that_is_not_there_is_none():
    assert find_tlv((), TlvTag.MESSAGE_STATE) is None
    assert find_tlv((Tlv(0x1403, b"\x01"),), TlvTag.MESSAGE_STATE) is None


@pytest.mark.parametrize(
    ("tlv", "tag", "value"),
    [
        (Tlv(0x0204, b"\7"), TlvTag.USER_MESSAGE_REFERENCE, 7),
        (Tlv(0x0427, b"\0\0\0\2"), TlvTag.MESSAGE_STATE, 2),
        (Tlv(0x0427, b""), TlvTag.MESSAGE_STATE, 0),
        (Tlv(0x001E, b"no NUL"), TlvTag.RECEIPTED_MESSAGE_ID, "no NUL"),
        (Tlv(0x001E, b"id\0\0\0"), TlvTag.RECEIPTED_MESSAGE_ID, "id"),
        (Tlv(0x001E, b""), TlvTag.RECEIPTED_MESSAGE_ID, ""),
        (Tlv(0x001D, b"d\xe9j\xe0\0"), TlvTag.ADDITIONAL_STATUS_INFO_TEXT, "déjà"),
    ],
)
def test_values_that_others_write_loosely_are_still_read(tlv: Tlv, tag: TlvTag, value: int | str):
    assert find_tlv((tlv,), tag) == value


def test_an_integer_that_is_too_wide_is_not_there():
    assert find_tlv((Tlv(0x0204, b"\0" * 7 + b"\7"),), TlvTag.USER_MESSAGE_REFERENCE) == 7
    assert find_tlv((Tlv(0x0204, b"\xff" * 9),), TlvTag.USER_MESSAGE_REFERENCE) is None


def test_damaged_parameters_refuse_a_request_and_are_left_out_of_a_response():
    damaged = b"\x04\x27\x00\x01\x02" + b"\x04\x23\x00\x09\x03"
    data = encode(Pdu(0, 1, DeliverSm())) + damaged
    with pytest.raises(DecodeError):
        decode(len(data).to_bytes(4, "big") + data[4:])
    assert decode_tlvs_leniently(damaged, 0) == ()
