"""A text that can be sent at all, and is not too long."""

import pytest

from gateway.policy.content import MAINLAND_MAXIMUM_CHARACTERS, MAXIMUM_CHARACTERS, ContentStage
from gateway.policy.signature import SignatureStage
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import ABROAD, a_candidate

SIGNATURE = "【阳光物业】"


def decide(text: str, **fields) -> tuple[Refusal | None, int]:
    """What signature and content make of a text, and how many parts it has."""
    candidate = a_candidate(text=text, **fields)
    assert SignatureStage().decide(candidate, now=0.0) is None
    return ContentStage().decide(candidate, now=0.0), candidate.parts


@pytest.mark.parametrize(
    ("length", "parts"), [(7, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4), (500, 8)]
)
def test_a_chinese_text_has_one_part_for_70_characters_and_more_of_67(length: int, parts: int):
    assert decide(SIGNATURE + "水" * (length - 6)) == (None, parts)


@pytest.mark.parametrize(("length", "parts"), [(160, 1), (161, 2), (306, 2), (307, 3), (1_600, 11)])
def test_a_text_in_the_gsm_alphabet_has_one_part_for_160_characters_and_more_of_153(length: int, parts: int):
    assert decide("a" * length, to=ABROAD) == (None, parts)


def test_the_signature_that_is_put_in_front_counts():
    assert decide("水" * 65, signature="阳光物业") == (None, 2)
    refusal, _ = decide("水" * 495, signature="阳光物业")
    assert refusal is not None
    assert (refusal.reason, refusal.data) == (Reason.TOO_LONG, {"limit": 500, "length": 501})


def test_mainland_texts_and_others_have_a_limit_of_their_own():
    assert decide(SIGNATURE + "水" * (MAINLAND_MAXIMUM_CHARACTERS - 6))[0] is None
    refusal, _ = decide("a" * (MAXIMUM_CHARACTERS + 1), to=ABROAD)
    assert refusal is not None
    assert refusal.reason is Reason.TOO_LONG
    assert decide("水" * MAXIMUM_CHARACTERS, to=ABROAD)[0] is None


@pytest.mark.parametrize("text", ["", " ", " \n\t\u3000"])
def test_an_empty_text_is_no_text(text: str):
    for refusal, _ in (decide(SIGNATURE + text), decide(text, to=ABROAD), decide(text, signature="阳光物业")):
        assert refusal is not None
        assert refusal.reason is Reason.INVALID_TEXT


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x0b", "\x7f", "\ud83d"])
def test_a_character_that_cannot_be_sent_is_pointed_out(character: str):
    refusal, _ = decide(SIGNATURE + "水" + character)
    assert refusal is not None
    assert (refusal.reason, refusal.data) == (Reason.INVALID_TEXT, {"position": 7})
    assert f"U+{ord(character):04X}" in refusal.detail


def test_line_breaks_tabs_and_emoji_can_be_sent():
    assert decide(SIGNATURE + "水\r\n电\t气😀") == (None, 1)


def test_a_refusal_never_holds_the_text():
    refusal, _ = decide(SIGNATURE + "秘密\x00")
    assert refusal is not None
    assert "秘密" not in refusal.detail + str(refusal.data)
