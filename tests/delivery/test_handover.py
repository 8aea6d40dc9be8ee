"""From a message to its submit_sm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.handover import source_address, submit_sm, user_message_reference, validity_period
from gateway.delivery.settings import CarrierSettings, NumberFormat
from gateway.delivery.wording import word
from gateway.message import IdSource, Message, MessageId
from gateway.smpp import Pdu, SubmitSm, TlvTag, decode, encode, find_tlv
from gateway.text import Coding, InboundPart, PartNumber, join, split_header
from tests.delivery.samples import LONG, MORNING, TEXT, a_message, carrier_settings

message_ids = st.integers(1, (1 << 63) - 1).map(MessageId)


def body_of(message: Message, n: int = 0, **fields) -> SubmitSm:
    settings = carrier_settings(**fields)
    body, _ = submit_sm(message, word(message, settings), n, settings, now=MORNING)
    return body


@pytest.mark.parametrize(
    ("number_format", "to", "expected"),
    [
        (NumberFormat.COUNTRY, "+8613800138000", (1, 1, "8613800138000")),
        (NumberFormat.PLUS, "+8613800138000", (1, 1, "+8613800138000")),
        (NumberFormat.NATIONAL, "+8613800138000", (2, 1, "13800138000")),
        (NumberFormat.COUNTRY, "+13105551234", (1, 1, "13105551234")),
        (NumberFormat.PLUS, "+13105551234", (1, 1, "+13105551234")),
        (NumberFormat.NATIONAL, "+13105551234", (1, 1, "13105551234")),
    ],
)
def test_a_destination_is_written_as_the_carrier_wants_it(
    number_format: NumberFormat, to: str, expected: tuple[int, int, str]
):
    body = body_of(a_message(to=to), number_format=number_format)
    assert (body.dest_addr_ton, body.dest_addr_npi, body.destination_addr) == expected


@pytest.mark.parametrize(
    ("source", "sender", "expected"),
    [
        ("10690001", "", "10690001"),
        ("10690001", "88", "1069000188"),
        ("10690001", "1069000188", "1069000188"),
        ("10690001", "10690001", "10690001"),
        ("", "", ""),
        ("", "1069", "1069"),
        ("10690001", "1" * 20, "10690001" + "1" * 12),
    ],
)
def test_the_sender_stands_behind_the_number_of_the_carrier(source: str, sender: str, expected: str):
    settings = CarrierSettings(name="a", source=source)
    assert source_address(a_message(sender=sender), settings) == expected


def test_a_receipt_is_asked_for_and_nothing_else():
    body = body_of(a_message())
    assert (body.registered_delivery, body.replace_if_present_flag, body.schedule_delivery_time) == (1, 0, "")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "000000000001000R"),
        (0.4, "000000000001000R"),
        (1, "000000000001000R"),
        (59.9, "000000000059000R"),
        (3_600, "000000010000000R"),
        (86_399, "000000235959000R"),
        (172_800, "000002000000000R"),
        (99 * 86_400, "000099000000000R"),
        (400 * 86_400, "000099000000000R"),
    ],
)
def test_the_validity_left_is_a_relative_time(seconds: float, expected: str):
    assert validity_period(round(seconds * 1000)) == expected


@given(st.integers(-(10**6), 10**11))
def test_a_validity_is_sixteen_characters_and_never_longer_than_what_is_left(milliseconds: int):
    text = validity_period(milliseconds)
    assert len(text) == 16
    days, hours, minutes, seconds = (int(text[i : i + 2]) for i in (4, 6, 8, 10))
    assert hours < 24
    assert minutes < 60
    assert seconds < 60
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert 1 <= total <= max(1, milliseconds // 1000)


@given(message_ids, st.integers(0, 23))
def test_a_reference_is_the_same_whenever_it_is_computed_and_never_nought(message_id: MessageId, n: int):
    reference = user_message_reference(a_message(id=message_id), n)
    assert reference == user_message_reference(a_message(id=message_id), n)
    assert 1 <= reference <= 0xFFFF


@given(message_ids)
def test_the_parts_of_a_message_have_different_references(message_id: MessageId):
    message = a_message(id=message_id)
    assert len({user_message_reference(message, n) for n in range(255)}) == 255


def test_messages_accepted_one_after_the_other_hardly_share_a_reference():
    """At low rates only the milliseconds of ids differ, at high rates only the counter."""
    for step in (1, 1_000, 0):
        ids = IdSource(node=0, last=MessageId(0))
        made = [a_message(id=ids.next(MORNING + step * n)) for n in range(200)]
        assert len({user_message_reference(message, 0) for message in made}) >= 195
        assert len({word(message, carrier_settings()).short_messages[0] for message in made}) == 1
        long_ones = [
            word(a_message(id=message.id, text=LONG), carrier_settings()).short_messages[0][3] for message in made
        ]
        assert len(set(long_ones)) >= 60


def test_the_reference_goes_along_only_where_the_carrier_takes_it():
    message = a_message()
    body, reference = submit_sm(message, word(message, carrier_settings()), 0, carrier_settings(), now=MORNING)
    assert find_tlv(body.tlvs, TlvTag.USER_MESSAGE_REFERENCE) == reference > 0

    plain = carrier_settings(user_message_reference=False)
    body, reference = submit_sm(message, word(message, plain), 0, plain, now=MORNING)
    assert (body.tlvs, reference) == ((), 0)


def test_a_long_text_leaves_in_parts_that_join_to_it_whenever_it_is_cut():
    message = a_message(text=LONG, parts=3)
    bodies = [body_of(message, n) for n in range(3)]
    assert bodies == [body_of(message, n) for n in range(3)]
    assert {body.esm_class for body in bodies} == {0x40}
    parts = []
    for body in bodies:
        place, octets = split_header(body.short_message)
        assert isinstance(place, PartNumber)
        parts.append(InboundPart(place, Coding.UCS2, octets))
    assert [part.place.number for part in parts] == [1, 2, 3]
    assert len({part.place.reference for part in parts}) == 1
    assert join(parts) == LONG


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=300),
    number_format=st.sampled_from(NumberFormat),
    sender=st.from_regex(r"[0-9]{0,20}", fullmatch=True),
    message_id=message_ids,
)
def test_every_part_of_every_message_fits_the_wire(
    text: str, number_format: NumberFormat, sender: str, message_id: MessageId
):
    message = a_message(id=message_id, text=TEXT + text, sender=sender)
    for n in range(word(message, carrier_settings()).parts):
        body = body_of(message, n, number_format=number_format)
        assert decode(encode(Pdu(0, 1, body))) == Pdu(0, 1, body)
