"""Codings. The codes are from the tables of 3GPP TS 23.038, written out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import Coding, UnencodableText, choose_coding, decode, encode
from gateway.text.coding import BASIC, EXTENSION

GSM_CHARACTERS = BASIC.replace("\x1b", "") + "".join(EXTENSION.values())
gsm_texts = st.text(alphabet=GSM_CHARACTERS, max_size=200)
latin1_texts = st.text(alphabet=st.characters(max_codepoint=0xFF), max_size=200)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)


def test_the_default_alphabet_has_128_codes_and_no_character_twice():
    assert len(BASIC) == 128
    assert len(set(BASIC)) == 128
    assert not set(BASIC) & set(EXTENSION.values())


@pytest.mark.parametrize(
    ("character", "octets"),
    [
        ("@", "00"), ("£", "01"), ("$", "02"), ("¥", "03"), ("è", "04"), ("Ç", "09"), ("\n", "0a"), ("Ø", "0b"),
        ("\r", "0d"), ("Δ", "10"), ("_", "11"), ("Φ", "12"), ("Γ", "13"), ("Λ", "14"), ("Ω", "15"), ("Π", "16"),
        ("Ψ", "17"), ("Σ", "18"), ("Θ", "19"), ("Ξ", "1a"), ("Æ", "1c"), ("ß", "1e"), ("É", "1f"), (" ", "20"),
        ("¤", "24"), ("?", "3f"), ("¡", "40"), ("A", "41"), ("Z", "5a"), ("Ä", "5b"), ("Ö", "5c"), ("Ñ", "5d"),
        ("Ü", "5e"), ("§", "5f"), ("¿", "60"), ("a", "61"), ("z", "7a"), ("ä", "7b"), ("ñ", "7d"), ("à", "7f"),
        ("\f", "1b0a"), ("^", "1b14"), ("{", "1b28"), ("}", "1b29"), ("\\", "1b2f"), ("[", "1b3c"), ("~", "1b3d"),
        ("]", "1b3e"), ("|", "1b40"), ("€", "1b65"),
    ],
)  # fmt: skip
def test_a_gsm_character_has_the_code_of_the_table(character: str, octets: str):
    assert encode(character, Coding.GSM7) == bytes.fromhex(octets)
    assert decode(bytes.fromhex(octets), Coding.GSM7) == character


def test_ucs2_is_utf_16_big_endian_without_a_mark():
    assert encode("驿站", Coding.UCS2) == bytes.fromhex("9a7f 7ad9")
    assert encode("😀", Coding.UCS2) == bytes.fromhex("d83d de00")


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("", Coding.GSM7),
        ("Your code is 123456 [^_^] €5", Coding.GSM7),
        ("ç", Coding.UCS2),  # only the capital is in the alphabet
        ("`", Coding.UCS2),
        ("\x1b", Coding.UCS2),  # the escape is a code, not a character
        ("\u00a0", Coding.UCS2),
        ("停水通知", Coding.UCS2),
        ("Hello 😀", Coding.UCS2),
    ],
)
def test_a_text_is_gsm_when_all_of_it_is_in_the_alphabet(text: str, coding: Coding):
    assert choose_coding(text) is coding


@pytest.mark.parametrize(
    ("text", "coding"), [("ça va `\x1b`", Coding.LATIN1), ("€", Coding.UCS2), ("Ω", Coding.UCS2), ("水", Coding.UCS2)]
)
def test_a_carrier_may_have_latin_1_for_its_default_alphabet(text: str, coding: Coding):
    assert choose_coding(text, default=Coding.LATIN1) is coding


def test_a_carrier_may_take_nothing_but_ucs2():
    assert choose_coding("abc", default=Coding.UCS2) is Coding.UCS2


@pytest.mark.parametrize(
    ("text", "coding", "position"),
    [
        ("ab\ud800c", Coding.UCS2, 2),
        ("😀\udc00", Coding.UCS2, 1),
        ("abcç", Coding.GSM7, 3),
        ("\x1b", Coding.GSM7, 0),
        ("é€", Coding.LATIN1, 1),
    ],
)
def test_what_has_no_code_is_named_by_its_position_and_not_by_its_text(text: str, coding: Coding, position: int):
    with pytest.raises(UnencodableText) as caught:
        encode(text, coding)
    assert caught.value.position == position
    assert str(caught.value) == f"character {position} cannot be written in {coding.name}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("61 80 62 ff", "a\ufffdb\ufffd"),  # not septets
        ("61 1b", "a\ufffd"),  # the second half never came
        ("1b 61", "a"),  # an unknown pair shows its character of the default alphabet
        ("1b 1b 65", "\ufffde"),
        ("1b 0d 0a", "\r\n"),
    ],
)
def test_damaged_gsm_text_is_read_as_far_as_it_goes(octets: str, text: str):
    assert decode(bytes.fromhex(octets), Coding.GSM7) == text


@pytest.mark.parametrize(
    ("octets", "text"), [("6c34 6c", "水\ufffd"), ("d83d 6c34", "\ufffd水"), ("de00 6c34", "\ufffd水")]
)
def test_damaged_ucs2_text_is_read_as_far_as_it_goes(octets: str, text: str):
    assert decode(bytes.fromhex(octets), Coding.UCS2) == text


@given(gsm_texts)
def test_gsm_text_comes_back(text: str):
    assert choose_coding(text) is Coding.GSM7
    assert decode(encode(text, Coding.GSM7), Coding.GSM7) == text


@given(latin1_texts)
def test_latin_1_text_comes_back(text: str):
    assert decode(encode(text, Coding.LATIN1), Coding.LATIN1) == text


@given(texts)
def test_any_text_comes_back_in_the_coding_that_is_chosen_for_it(text: str):
    coding = choose_coding(text)
    assert decode(encode(text, coding), coding) == text


@given(st.binary(max_size=300), st.sampled_from(Coding))
def test_no_octets_are_too_damaged_to_decode(data: bytes, coding: Coding):
    decode(data, coding).encode("utf-8")
