"""A text in the form that each carrier takes, and back."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.fragments import read_fragment
from gateway.delivery.handover import submit_sm
from gateway.delivery.settings import Alphabet, CarrierSettings, LongText
from gateway.delivery.wording import word, word_record
from gateway.message import Attempt, Message, Part, PartStatus, Record
from gateway.smpp import Pdu, SubmitSm, TlvTag, decode, encode, find_tlv
from gateway.text import InboundPart, count_parts, join
from gateway.text import decode as decode_text
from tests.delivery.samples import (
    CARRIER,
    LONG,
    MORNING,
    TEXT,
    a_message,
    a_record,
    an_attempt,
    carrier_settings,
    statuses,
)

FORMS = list(product(Alphabet, LongText))
# Texts in which the pairs, the alphabets and the limits meet.
texts = st.one_of(
    st.text(alphabet="a^€@", min_size=1, max_size=500),
    st.text(alphabet="aéÿ\u00a0", min_size=1, max_size=500),
    st.text(alphabet="水😀a", min_size=1, max_size=300),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
)
signatures = st.sampled_from(["", "阳光物业", "ab"])


def bodies(message: Message, settings: CarrierSettings) -> list[SubmitSm]:
    """What arrives of a message at the carrier's end of the wire."""
    worded = word(message, settings)
    found = []
    for n in range(worded.parts):
        body, _ = submit_sm(message, worded, n, settings, now=MORNING)
        taken = decode(encode(Pdu(0, 1, body))).body
        assert taken == body
        assert isinstance(taken, SubmitSm)
        found.append(taken)
    return found


def read(taken: list[SubmitSm], alphabet: Alphabet) -> str:
    """The text of the parts, as the other end puts it together."""
    fragments = [read_fragment(body, alphabet) for body in taken]
    if len(fragments) == 1:
        [only] = fragments
        assert only.place is None
        return decode_text(only.data, only.coding)
    places = [fragment.place for fragment in fragments]
    assert [place and place.number for place in places] == list(range(1, len(taken) + 1))
    assert len({place and (place.reference, place.total) for place in places}) == 1
    return join(InboundPart(fragment.place, fragment.coding, fragment.data) for fragment in fragments if fragment.place)


@pytest.mark.parametrize(("alphabet", "long_text"), FORMS)
@given(text=texts, signature=signatures, adds_signature=st.booleans())
def test_in_every_form_the_text_arrives_as_it_was(
    alphabet: Alphabet, long_text: LongText, text: str, signature: str, adds_signature: bool
):
    prefix = f"【{signature}】" if signature else ""
    message = a_message(text=prefix + text, signature=signature)
    settings = carrier_settings(alphabet=alphabet, long_text=long_text, adds_signature=adds_signature)
    arrived = read(bodies(message, settings), alphabet)
    assert (prefix if adds_signature else "") + arrived == message.text


@pytest.mark.parametrize(("alphabet", "long_text"), FORMS)
@given(text=texts)
def test_no_submit_has_a_header_and_sar_or_a_payload_and_a_short_message(
    alphabet: Alphabet, long_text: LongText, text: str
):
    for body in bodies(a_message(text=text), carrier_settings(alphabet=alphabet, long_text=long_text)):
        has_sar = find_tlv(body.tlvs, TlvTag.SAR_MSG_REF_NUM) is not None
        has_payload = find_tlv(body.tlvs, TlvTag.MESSAGE_PAYLOAD) is not None
        assert sum((has_sar, has_payload, body.esm_class == 0x40)) <= 1
        assert not (has_payload and body.short_message)


@pytest.mark.parametrize(
    ("text", "alphabet", "data_coding", "octets"),
    [
        ("A@é", Alphabet.GSM7, 0, b"A\x00\x05"),
        ("A@é", Alphabet.LATIN1, 0, b"A@\xe9"),
        ("A@é", Alphabet.UCS2, 8, "A@é".encode("utf-16-be")),
        ("Aç", Alphabet.GSM7, 8, "Aç".encode("utf-16-be")),  # the alphabet has the capital only
        ("Aç", Alphabet.LATIN1, 0, b"A\xe7"),
        ("A€", Alphabet.GSM7, 0, b"A\x1b\x65"),
        ("A€", Alphabet.LATIN1, 8, "A€".encode("utf-16-be")),
    ],
)
def test_data_coding_0_is_the_alphabet_of_the_carrier(text: str, alphabet: Alphabet, data_coding: int, octets: bytes):
    [body] = bodies(a_message(text=text), carrier_settings(alphabet=alphabet))
    assert (body.data_coding, body.short_message) == (data_coding, octets)


@pytest.mark.parametrize(
    ("long_text", "esm_class", "begins"),
    [
        (LongText.UDH_8, 0x40, b"\x05\x00\x03"),
        (LongText.UDH_16, 0x40, b"\x06\x08\x04"),
        (LongText.SAR, 0, LONG[0].encode("utf-16-be")),
    ],
)
def test_parts_are_marked_in_the_way_of_the_carrier(long_text: LongText, esm_class: int, begins: bytes):
    taken = bodies(a_message(text=LONG), carrier_settings(long_text=long_text))
    assert len(taken) == 3
    assert {body.esm_class for body in taken} == {esm_class}
    assert taken[0].short_message.startswith(begins)


def test_a_long_text_goes_whole_in_message_payload_and_counts_as_what_it_becomes_on_the_air():
    message = a_message(text=LONG)
    worded = word(message, carrier_settings(long_text=LongText.MESSAGE_PAYLOAD))
    assert (worded.parts, worded.segments, worded.short_messages) == (1, 3, (b"",))
    short = word(a_message(), carrier_settings(long_text=LongText.MESSAGE_PAYLOAD))
    assert (short.segments, short.tlvs, short.short_messages) == (1, (), (TEXT.encode("utf-16-be"),))


@pytest.mark.parametrize(("fits", "parts"), [(70, 1), (71, 2)])
def test_the_signature_that_the_carrier_writes_counts_and_does_not_leave(fits: int, parts: int):
    signed = "【阳光物业】" + "水" * (fits - 6)
    taken = bodies(a_message(text=signed, signature="阳光物业"), carrier_settings(adds_signature=True))
    assert len(taken) == parts
    assert "阳" not in read(taken, Alphabet.GSM7)


def test_what_the_carrier_puts_in_front_decides_the_alphabet_of_what_follows():
    """A Chinese signature makes the whole message UCS-2, and what we send must fit in beside it."""
    message = a_message(text="【阳光物业】" + "a" * 65, signature="阳光物业")
    taken = bodies(message, carrier_settings(adds_signature=True))
    assert [body.data_coding for body in taken] == [8, 8]
    assert len(taken[0].short_message) == 6 + 2 * (67 - 6)


def test_a_text_that_begins_otherwise_keeps_its_beginning():
    message = a_message(text="hello", signature="阳光物业")
    assert read(bodies(message, carrier_settings(adds_signature=True)), Alphabet.GSM7) == "hello"


# --- the record's parts follow ---------------------------------------------------------------------------------------


def refused(n: int) -> Attempt:
    return an_attempt(at=MORNING + n, command_status=0x58, error="throttled")


def in_parts(*parts: Part) -> Record:
    """A long message with a history."""
    record = a_record(text=LONG, parts=3)
    record.state.parts = list(parts)
    return record


@pytest.mark.parametrize(
    ("long_text", "alphabet", "parts"),
    [
        (LongText.UDH_8, Alphabet.GSM7, 3),
        (LongText.MESSAGE_PAYLOAD, Alphabet.GSM7, 1),
        (LongText.SAR, Alphabet.UCS2, 3),
    ],
)
def test_a_record_has_the_parts_that_its_carrier_is_handed(long_text: LongText, alphabet: Alphabet, parts: int):
    record = a_record(text=LONG, parts=count_parts(LONG))
    worded = word_record(record, carrier_settings(long_text=long_text, alphabet=alphabet))
    assert worded is not None
    assert worded.parts == len(record.state.parts) == parts
    assert statuses(record) == [PartStatus.WAITING] * parts


def test_a_text_of_one_part_may_be_two_at_a_carrier_with_another_alphabet():
    record = a_record(text="a" * 150)
    word_record(record, carrier_settings(alphabet=Alphabet.LATIN1))
    assert statuses(record) == [PartStatus.WAITING] * 2


def test_refused_attempts_are_kept_whatever_number_of_parts_the_next_carrier_takes():
    record = in_parts(Part(attempts=(refused(0),)), Part(attempts=(refused(1),)), Part())
    word_record(record, carrier_settings(long_text=LongText.MESSAGE_PAYLOAD))
    assert record.state.parts == [Part(attempts=(refused(0), refused(1)))]
    word_record(record, carrier_settings())
    assert record.state.parts == [Part(attempts=(refused(0), refused(1))), Part(), Part()]


@pytest.mark.parametrize("begun", [Part(PartStatus.SUBMITTED, (an_attempt("id-1"),)), Part(attempts=(an_attempt(),))])
def test_what_has_begun_in_parts_is_finished_in_them(begun: Part):
    """Its carrier was given another form meanwhile, while a part may have arrived in the old one."""
    record = in_parts(Part(), Part(), begun)
    worded = word_record(record, carrier_settings(long_text=LongText.MESSAGE_PAYLOAD))
    assert worded is not None
    assert worded == word(record.message, carrier_settings())
    assert record.state.parts == [Part(), Part(), begun]


def test_what_no_form_can_finish_is_not_sent():
    record = in_parts(Part(), Part(PartStatus.SUBMITTED, (an_attempt("id-1"),)))
    assert word_record(record, carrier_settings()) is None
    assert record.state.parts[1].attempts[0].carrier == CARRIER
    assert len(record.state.parts) == 2
