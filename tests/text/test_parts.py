"""Cutting: where the limits are, and that nothing is lost, split or miscounted."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.text import Coding, Segments, TooManyParts, UnencodableText, choose_coding, count_parts, cut, decode

# Texts in which pairs are common, so that they meet the cuts.
texts = st.one_of(
    st.text(alphabet="a^€", max_size=700),
    st.text(alphabet="水😀a", max_size=300),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400),
)
reserves = st.integers(0, 60)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("€" * 152, 2),  # 76 pairs a part: the 153rd septet stays empty
        ("€" * 153, 3),
        ("水" * 70, 1),
        ("水" * 71, 2),
        ("水" * 134, 2),
        ("水" * 135, 3),
        ("水" * 500, 8),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 66, 2),  # 33 pairs a part: the 67th unit stays empty
        ("😀" * 67, 3),
    ],
)
def test_a_text_takes_as_many_parts_as_the_limits_give(text: str, parts: int):
    assert count_parts(text) == parts
    assert len(cut(text, reference=1).parts) == parts


@pytest.mark.parametrize(
    ("text", "coding", "wide_reference", "parts"),
    [
        ("a" * 304, Coding.GSM7, True, 2),
        ("a" * 305, Coding.GSM7, True, 3),
        ("水" * 132, Coding.UCS2, True, 2),
        ("水" * 133, Coding.UCS2, True, 3),
        ("a" * 140, Coding.LATIN1, False, 1),
        ("a" * 268, Coding.LATIN1, False, 2),
        ("a" * 269, Coding.LATIN1, False, 3),
        ("a" * 266, Coding.LATIN1, True, 2),
        ("a" * 267, Coding.LATIN1, True, 3),
        ("a" * 71, Coding.UCS2, False, 2),
    ],
)
def test_coding_and_width_of_reference_set_the_limit(text: str, coding: Coding, wide_reference: bool, parts: int):
    assert count_parts(text, coding=coding, wide_reference=wide_reference) == parts
    assert len(cut(text, reference=1, coding=coding, wide_reference=wide_reference).parts) == parts


def test_one_part_has_no_header():
    assert cut("水", reference=7) == Segments(Coding.UCS2, 0, (b"\x6c\x34",))


def test_more_parts_begin_with_the_8_bit_reference_their_total_and_their_number():
    segments = cut("a" * 161, reference=0xAB)
    assert segments == Segments(
        Coding.GSM7,
        0x40,
        (b"\x05\x00\x03\xab\x02\x01" + b"a" * 153, b"\x05\x00\x03\xab\x02\x02" + b"a" * 8),
    )


def test_a_wide_reference_takes_two_octets():
    segments = cut("a" * 161, reference=0xABCD, wide_reference=True)
    assert segments.parts == (
        b"\x06\x08\x04\xab\xcd\x02\x01" + b"a" * 152,
        b"\x06\x08\x04\xab\xcd\x02\x02" + b"a" * 9,
    )


def test_parts_for_sar_are_bare_and_say_nothing_of_a_header():
    assert cut("a" * 161, reference=1, udh=False) == Segments(Coding.GSM7, 0, (b"a" * 153, b"a" * 8))


@pytest.mark.parametrize(("reference", "wide"), [(256, False), (-1, False), (-1, True), (0x10000, True)])
def test_a_reference_that_does_not_fit_is_an_error(reference: int, wide: bool):
    with pytest.raises(ValueError, match=f"reference = {reference}: must be 0 to"):
        cut("a" * 161, reference=reference, wide_reference=wide)


def test_an_escape_pair_is_not_cut():
    first, second = cut("a" * 152 + "€" + "a" * 10, reference=1).parts
    assert first[6:] == b"a" * 152
    assert second[6:] == b"\x1b\x65" + b"a" * 10


def test_a_surrogate_pair_is_not_cut():
    first, second = cut("水" * 66 + "😀" + "水" * 10, reference=1).parts
    assert decode(first[6:], Coding.UCS2) == "水" * 66
    assert decode(second[6:], Coding.UCS2) == "😀" + "水" * 10


def test_the_first_part_leaves_room_for_what_the_carrier_puts_in_front():
    assert count_parts("水" * 62, reserve=8) == 1
    first, second = cut("水" * 63, reference=1, reserve=8).parts
    assert decode(first[6:], Coding.UCS2) == "水" * 59
    assert decode(second[6:], Coding.UCS2) == "水" * 4


@pytest.mark.parametrize("reserve", [-1, 66])
def test_a_reserve_that_leaves_no_room_for_a_pair_is_an_error(reserve: int):
    with pytest.raises(ValueError, match=f"reserve = {reserve}: must be 0 to 65"):
        cut("水", reference=1, reserve=reserve)


def test_255_parts_can_be_numbered_and_256_cannot():
    assert len(cut("水" * 67 * 255, reference=1).parts) == 255
    with pytest.raises(TooManyParts, match="256 parts, and at most 255 can be numbered") as caught:
        cut("水" * (67 * 255 + 1), reference=1)
    assert caught.value.parts == count_parts("水" * (67 * 255 + 1)) == 256


def test_half_a_surrogate_pair_cannot_be_counted_or_cut():
    for attempt in (lambda: count_parts("水\ud83d"), lambda: cut("水\ud83d", reference=1)):
        with pytest.raises(UnencodableText) as caught:
            attempt()
        assert caught.value.position == 1


@given(texts, reserves, st.booleans())
@example("水" * 66 + "😀", 0, False)
def test_the_count_is_what_the_cut_gives(text: str, reserve: int, wide_reference: bool):
    segments = cut(text, reference=0, reserve=reserve, wide_reference=wide_reference)
    assert len(segments.parts) == count_parts(text, reserve=reserve, wide_reference=wide_reference)


@given(texts, reserves, st.booleans(), st.booleans())
def test_every_part_keeps_the_limits_and_is_whole_text(text: str, reserve: int, wide: bool, udh: bool):
    coding = choose_coding(text)
    segments = cut(text, reference=0, reserve=reserve, wide_reference=wide, udh=udh)
    header_octets = (7 if wide else 6) if len(segments.parts) > 1 else 0
    bodies = [part[header_octets if udh else 0 :] for part in segments.parts]

    # As the air counts: a septet an octet of GSM text, in 140 octets with the header.
    bits = [len(body) * (7 if coding is Coding.GSM7 else 8) for body in bodies]
    reserved_bits = reserve * (7 if coding is Coding.GSM7 else 16)
    assert bits[0] + reserved_bits + header_octets * 8 <= 140 * 8
    assert all(header_octets * 8 + body_bits <= 140 * 8 for body_bits in bits)

    # Each part decodes by itself, so none has half a pair, and together they are the text.
    assert "".join(decode(body, coding) for body in bodies) == text


@given(st.text(alphabet=st.characters(max_codepoint=0xFF), max_size=600), st.booleans())
def test_latin_1_text_is_counted_cut_and_read_as_octets(text: str, wide: bool):
    segments = cut(text, reference=0, coding=Coding.LATIN1, wide_reference=wide, udh=False)
    assert len(segments.parts) == count_parts(text, coding=Coding.LATIN1, wide_reference=wide)
    assert all(len(part) <= (133 if wide else 134) for part in segments.parts) or len(text) <= 140
    assert "".join(decode(part, Coding.LATIN1) for part in segments.parts) == text


@given(texts)
def test_no_part_could_have_taken_the_next_character(text: str):
    coding = choose_coding(text)
    bodies = cut(text, reference=0, udh=False).parts
    if len(bodies) == 1:
        return
    room = 153 if coding is Coding.GSM7 else 134
    for body, following in pairwise(bodies):
        next_character = decode(following, coding)[0]
        assert len(body) + len(cut(next_character, reference=0, coding=coding).parts[0]) > room
