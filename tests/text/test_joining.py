"""Inbound parts: any order, twice, late, missing, too many; and headers as others write them."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import Coding, InboundPart, InboundText, PartNumber, Reassembler, cut, join, split_header
from gateway.text.joining import PART_OVERHEAD_OCTETS

PHONE, SERVICE = "+8613800138000", "10690001"
texts = st.one_of(
    st.text(alphabet="a^€", min_size=161, max_size=700),
    st.text(alphabet="水😀a", min_size=161, max_size=300),
)


def inbound_parts(text: str, reference: int = 1, *, wide_reference: bool = False) -> list[InboundPart]:
    """Return the parts of `text` as a receiver takes them from `short_message`."""
    segments = cut(text, reference=reference, wide_reference=wide_reference)
    parts = []
    for short_message in segments.parts:
        place, data = split_header(short_message)
        assert place is not None
        parts.append(InboundPart(place, segments.coding, data))
    return parts


def part(number: int, total: int, letter: str, reference: int = 1) -> InboundPart:
    return InboundPart(PartNumber(reference, total, number), Coding.GSM7, letter.encode())


@given(texts, st.booleans(), st.data())
def test_cut_and_joined_in_any_order_a_text_comes_back(text: str, wide_reference: bool, data: st.DataObject):
    parts = data.draw(st.permutations(inbound_parts(text, 200, wide_reference=wide_reference)))
    assert join(parts) == text

    reassembler = Reassembler()
    *early, last = parts
    for one in early:
        assert reassembler.add(PHONE, SERVICE, one, now=0.0) == []
    assert reassembler.add(PHONE, SERVICE, last, now=0.0) == [InboundText(PHONE, SERVICE, text)]
    assert reassembler.held_octets == 0
    assert reassembler.deadline is None


@given(st.text(alphabet="水😀", min_size=2, max_size=20), st.data())
def test_a_text_that_a_foreign_sender_cut_inside_a_pair_comes_back(text: str, data: st.DataObject):
    octets = text.encode("utf-16-be")
    cut_at = data.draw(st.integers(0, len(octets)))
    halves = (octets[:cut_at], octets[cut_at:])
    assert (
        join(InboundPart(PartNumber(9, 2, number), Coding.UCS2, half) for number, half in enumerate(halves, 1)) == text
    )


def test_parts_of_one_text_may_differ_in_coding():
    parts = [InboundPart(PartNumber(1, 2, 2), Coding.UCS2, "水".encode("utf-16-be")), part(1, 2, "a")]
    assert join(parts) == "a水"


def test_texts_are_kept_apart_by_source_destination_and_reference():
    reassembler = Reassembler()
    keys = [("1", "8", 1), ("2", "8", 1), ("1", "9", 1), ("1", "8", 2)]
    for source, destination, reference in keys:
        assert reassembler.add(source, destination, part(1, 2, "a", reference), now=0.0) == []
    for source, destination, reference in keys:
        [text] = reassembler.add(source, destination, part(2, 2, "b", reference), now=0.0)
        assert text == InboundText(source, destination, "ab")


def test_a_part_that_comes_twice_counts_once():
    reassembler = Reassembler()
    assert reassembler.add(PHONE, SERVICE, part(1, 2, "a"), now=0.0) == []
    held = reassembler.held_octets
    assert reassembler.add(PHONE, SERVICE, part(1, 2, "a"), now=1.0) == []
    assert reassembler.held_octets == held
    assert reassembler.add(PHONE, SERVICE, part(2, 2, "b"), now=2.0) == [InboundText(PHONE, SERVICE, "ab")]


def test_a_text_names_the_keys_of_all_its_parts_of_those_that_came_twice_too():
    def keyed(number: int, letter: str, key: int) -> InboundPart:
        return InboundPart(PartNumber(1, 2, number), Coding.GSM7, letter.encode(), key)

    reassembler = Reassembler()
    for key in (7, 8):
        assert reassembler.add(PHONE, SERVICE, keyed(2, "b", key), now=0.0) == []
    text = InboundText(PHONE, SERVICE, "ab", keys=(7, 8, 9))
    assert reassembler.add(PHONE, SERVICE, keyed(1, "a", 9), now=0.0) == [text]
    assert reassembler.held_octets == 0


def test_repeats_of_one_part_do_not_get_past_the_memory_limit():
    reassembler = Reassembler(limit_octets=2_000)
    given_out = []
    for key in range(100):
        one = InboundPart(PartNumber(1, 2, 1), Coding.GSM7, b"a", key)
        given_out += reassembler.add(PHONE, SERVICE, one, now=0.0)
        assert reassembler.held_octets <= 2_000
    given_out += reassembler.expire(now=1e9)
    assert [key for text in given_out for key in text.keys] == list(range(100))


def test_a_missing_part_gives_out_what_came_marked_at_the_deadline_and_not_before():
    reassembler = Reassembler(timeout_seconds=60.0)
    reassembler.add(PHONE, SERVICE, part(1, 3, "a"), now=10.0)
    reassembler.add(PHONE, SERVICE, part(3, 3, "c"), now=69.0)
    assert reassembler.deadline == 70.0
    assert reassembler.expire(now=69.999) == []
    assert reassembler.expire(now=70.0) == [InboundText(PHONE, SERVICE, "ac", missing=(2,))]
    assert reassembler.deadline is None


def test_a_part_after_the_deadline_does_not_join_what_has_expired():
    reassembler = Reassembler(timeout_seconds=60.0)
    reassembler.add(PHONE, SERVICE, part(1, 2, "a"), now=0.0)
    assert reassembler.add(PHONE, SERVICE, part(2, 2, "b"), now=60.0) == [InboundText(PHONE, SERVICE, "a", (2,))]
    assert reassembler.expire(now=120.0) == [InboundText(PHONE, SERVICE, "b", (1,))]


@pytest.mark.parametrize("later", [part(1, 2, "A"), part(1, 3, "a"), part(3, 3, "c")])
def test_a_reference_in_use_again_gives_out_the_earlier_text(later: InboundPart):
    reassembler = Reassembler()
    reassembler.add(PHONE, SERVICE, part(1, 2, "a"), now=0.0)
    assert reassembler.add(PHONE, SERVICE, later, now=1.0) == [InboundText(PHONE, SERVICE, "a", (2,))]


def test_past_the_memory_limit_the_oldest_text_is_given_out_and_the_newest_kept():
    one_part = len(PHONE) + len(SERVICE) + 1 + PART_OVERHEAD_OCTETS
    reassembler = Reassembler(limit_octets=2 * one_part)
    assert reassembler.add(PHONE, SERVICE, part(1, 2, "a", reference=1), now=0.0) == []
    assert reassembler.add(PHONE, SERVICE, part(1, 2, "b", reference=2), now=0.0) == []
    assert reassembler.add(PHONE, SERVICE, part(1, 2, "c", reference=3), now=0.0) == [
        InboundText(PHONE, SERVICE, "a", (2,))
    ]
    assert reassembler.held_octets == 2 * one_part
    assert reassembler.add(PHONE, SERVICE, part(2, 2, "B", reference=2), now=0.0) == [InboundText(PHONE, SERVICE, "bB")]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 300)), max_size=60))
def test_whatever_comes_memory_stays_under_its_limit_and_no_part_is_lost(arrivals: list[tuple[int, int, int, int]]):
    reassembler = Reassembler(limit_octets=3000)
    given_out = []
    distinct = 0
    for mark, (reference, total, number, length) in enumerate(arrivals):
        body = chr(0x4E00 + mark).encode("utf-16-be") + "水".encode("utf-16-be") * length
        place = PartNumber(reference, max(total, number), number)
        given_out += reassembler.add(PHONE, SERVICE, InboundPart(place, Coding.UCS2, body), now=0.0)
        distinct += length + 1
        assert 0 <= reassembler.held_octets <= 3000
    given_out += reassembler.expire(now=1e9)
    assert sum(len(text.text) for text in given_out) == distinct
    assert reassembler.held_octets == 0


def test_what_a_reassembler_says_it_holds_is_no_less_than_what_it_takes():
    reassembler = Reassembler(limit_octets=100_000_000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n in range(2_000):
            one = InboundPart(PartNumber(n % 256, 255, 1), Coding.UCS2, bytes(134))
            reassembler.add(f"+86138{n:08}", f"1069{n:04}", one, now=float(n) / 1000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before <= reassembler.held_octets


@given(texts, st.data())
def test_parts_cut_for_sar_come_back_with_the_numbers_that_their_tlvs_carried(text: str, data: st.DataObject):
    segments = cut(text, reference=0, udh=False)
    total = len(segments.parts)
    parts = [
        InboundPart(PartNumber(0xABCD, total, number), segments.coding, body)
        for number, body in enumerate(segments.parts, 1)
    ]
    assert join(data.draw(st.permutations(parts))) == text


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("05 00 03 ab 02 01", PartNumber(0xAB, 2, 1)),
        ("06 08 04 ab cd 03 03", PartNumber(0xABCD, 3, 3)),
        ("0b 05 04 00 01 00 02 00 03 ab 02 01", PartNumber(0xAB, 2, 1)),  # application ports come first
        ("0b 00 03 ab 02 01 05 04 00 01 00 02", PartNumber(0xAB, 2, 1)),
        ("06 05 04 00 01 00 02", None),  # ports alone
        ("05 00 03 ab 00 00", None),  # zero of zero
        ("05 00 03 ab 02 00", None),
        ("05 00 03 ab 02 03", None),  # the third of two
        ("05 00 02 ab 02 01", None),  # too short for what it says it is
        ("03 00 03 ab", None),  # cut off
        ("00", None),
    ],
)
def test_a_header_says_which_part_it_is_or_is_taken_off_unread(header: str, place: PartNumber | None):
    assert split_header(bytes.fromhex(header) + b"text") == (place, b"text")


@pytest.mark.parametrize("short_message", [b"", b"\x05", b"\x05\x00\x03\xab\x02", b"\xffhello"])
def test_a_header_longer_than_the_message_is_no_header(short_message: bytes):
    assert split_header(short_message) == (None, short_message)


@given(st.binary(max_size=254))
def test_no_header_is_too_damaged_to_read(short_message: bytes):
    place, body = split_header(short_message)
    assert short_message.endswith(body)
    assert place is None or 1 <= place.number <= place.total <= 255
