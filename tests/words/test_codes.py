"""The normal form: what does not matter is gone, and where each code comes from is known."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.words.codes import Codes
from gateway.words.sounds import sound_of
from gateway.words.tables import TableError, Tables
from tests.words.samples import codes, tables

CODES = codes()


def form(text: str) -> str:
    return CODES.form(text)


@pytest.mark.parametrize(
    "disguised",
    [
        "代开发票K1",
        "代開發票k1",
        "代 开\u3000发\t票\nk1",
        "代*开-发、票.K1",
        "代\u200b开\u200d发\ufeff票\u00adk1",
        "代\u3164开\uffa0发\u115f票\u1160k1",
        "代😀开🔥发💰票k1",
        "代开发票Ｋ１",
        "代开发票ⓚ①",
        "代开发票🄺➊",
        "代开发票🅚❶",
        "代开发票𝐤𝟏",
        "代开发票𝕂𝟙",
        "代开发票ᴷ¹",
        "代开发票к1",
        "代开发票κ1",
        "代̶开̶发̶票̶ḱ1",
        "代开发票k১",
        "\U000e0041代\U000e0101开发票k1",
    ],
)
def test_a_disguise_is_taken_off(disguised: str):
    assert form(disguised) == form("代开发票k1")


@pytest.mark.parametrize(
    "pair", ["代开 代关", "a b", "1 2", "한 글", "か が", "ก ข", "ж ш", "㐀 㐁", "\U00020001 \U00020002"]
)
def test_what_differs_stays_different(pair: str):
    one, other = pair.split(" ")
    assert form(one) != form(other)
    assert form(one)
    assert form(other)


def test_vowels_of_other_scripts_are_no_ornament():
    assert form("की") != form("का") != form("क")


def test_every_letter_and_digit_is_itself_and_every_sign_nothing():
    assert form(string.ascii_lowercase) == form(string.ascii_uppercase) == string.ascii_lowercase
    assert [CODES.is_latin(each) for each in "aZ09ａ①·一"] == [True] * 6 + [False] * 2
    assert not form(string.punctuation + string.whitespace + "，。；：！？、…—（）【】《》“”‘’￥★→")


def test_a_sign_of_several_letters_is_all_of_them():
    assert form("㎏⑩") == form("kg10")
    assert CODES.places("a㎏*⑩") == [0, 1, 1, 3, 3]


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_has_a_form_of_which_each_code_has_its_place(text: str):
    made, octets = CODES.form(text), CODES.octets(text)
    places = CODES.places(text)

    assert len(octets) == 2 * len(made) == 2 * len(places)
    assert places == sorted(places)
    assert all(0 <= place < len(text) for place in places)
    assert octets.decode("utf-16-le") == made


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_form_of_two_texts_is_their_forms_one_after_the_other(one: str, other: str):
    assert form(one + other) == form(one) + form(other)


@given(st.text(st.characters(codec="gb2312"), max_size=30))
def test_compatible_characters_have_one_form(text: str):
    assert form(unicodedata.normalize("NFKC", text)) == form(text)


def test_characters_of_one_octet_sound_alike_but_for_rare_sounds():
    sounds: dict[int, set[str]] = {}
    for code, sound in CODES.sound_of_code.items():
        sounds.setdefault(ord(code) >> 8, set()).add(sound)
    assert max(map(len, sounds.values())) == 2
    assert len({sound for each in sounds.values() for sound in each}) > len(sounds)
    assert not {octet for octet in sounds if octet < 2 or 0xD8 <= octet < 0xE0 or octet >= 0xF8}


def test_every_everyday_character_has_a_sound_and_a_code_of_its_own():
    everyday = [bytes((row, cell)).decode("gb2312") for row in range(0xB0, 0xD7) for cell in range(0xA1, 0xFF)]
    own = {form(each) for each in everyday}
    assert len(own) >= len(everyday) - 1  # 乾 is 干
    assert all(each in CODES.sound_of_code for each in own)


@pytest.mark.parametrize(
    ("one", "other"), [("zhi", "zi"), ("cheng", "cen"), ("shang", "san"), ("ying", "yin"), ("ma", "ma")]
)
def test_sounds_that_many_do_not_tell_apart_are_one(one: str, other: str):
    assert sound_of(one) == sound_of(other)


@pytest.mark.parametrize(("one", "other"), [("ma", "mo"), ("li", "ni"), ("hua", "fa"), ("dong", "don")])
def test_other_sounds_are_not(one: str, other: str):
    assert sound_of(one) != sound_of(other)


def test_a_sound_with_too_many_characters_is_refused_by_name():
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 257)))
    with pytest.raises(TableError, match=r"pinyin.tsv: ma: more characters"):
        Codes(Tables(traditional="", lookalikes="", pinyin=f"ma\t{many}", splits=""))


def test_a_damaged_table_is_refused_with_its_line():
    with pytest.raises(TableError, match=r"splits.tsv: line 2: must be two columns"):
        Tables(traditional="", lookalikes="", pinyin="", splits="# comment\n好").pieces()
    assert "西示" in tables().pieces()["票"]
