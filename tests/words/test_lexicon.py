"""Words in texts: found in every disguise, where they stand, and not where they only seem to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.words.lexicon import Found, Manner
from gateway.words.lists import Level, WordListError
from tests.words.corpus import DISGUISES, shipped_rules
from tests.words.samples import a_lexicon

LEXICON = a_lexicon(
    "代开发票\n[bets] block\nbet365\nUSDT跑分\n[jobs] review\n刷单返利\n"
    "[allowed] allow\n税务局代开发票\n谨防刷单\n谨防刷单返利"
)


def places(text: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.manner) for each in LEXICON.find(text)]


def test_a_word_is_told_with_its_place_in_the_original_text():
    text = "您好，代 開*發\u200b票 请联系"
    assert LEXICON.find(text) == [Found(3, 10, "代开发票", "ours", Level.BLOCK)]
    assert text[3:10] == "代 開*發\u200b票"


def test_what_has_none_has_none():
    assert not LEXICON.find("")
    assert not LEXICON.find("尊敬的业主，3号楼明日停水 www.example.com")


@given(st.text(max_size=20), st.sampled_from(["代开发票", "刷單返利", "ＵＳＤＴ跑分"]), st.text(max_size=20))
def test_the_places_fit_the_word_whatever_stands_around_it(before: str, word: str, after: str):
    found = [each for each in LEXICON.find(f"{before}。{word}。{after}") if each.manner is Manner.PLAIN]
    expected = (len(before) + 1, len(before) + 1 + len(word))
    assert expected in [(each.start, each.end) for each in found]


@pytest.mark.parametrize(
    "text", ["产品升级换代，开发票请到前台", "3号楼张代。开发票", "代\n开发票", "价格代)开发票", "代：开发票"]
)
def test_the_end_of_a_clause_and_the_start_of_the_next_are_no_word(text: str):
    assert not LEXICON.find(text)


@pytest.mark.parametrize("text", ["代，开，发，票", "代·开发票", "代 开发票", "代、开*发票", "代。开 发票"])
def test_but_signs_in_several_places_or_other_signs_hide_none(text: str):
    assert places(text) == [(text, "plain")]


@pytest.mark.parametrize("text", ["abet365", "bet3650", "bet365 0".replace(" ", ""), "ａbet365", "bet365①"])
def test_letters_and_digits_are_words_only_when_they_stand_alone(text: str):
    assert not LEXICON.find(text)


@pytest.mark.parametrize("text", ["上bet365玩", "BET365", "b e t 3 6 5", "1.bet365", "go bet365 now", "ＢＥＴ３６５"])
def test_and_alone_they_are(text: str):
    assert [each.word for each in LEXICON.find(text)] == ["bet365"]


def test_an_allowed_phrase_protects_what_is_inside_it_and_nothing_else():
    assert not LEXICON.find("请到税务局代开发票")
    assert not LEXICON.find("请到税務局*代開發票")
    assert places("税务局代开发票，或代开发票") == [("代开发票", "plain")]
    assert not LEXICON.find("谨防刷单返利")
    assert places("谨防刷单，刷单返利") == [("刷单返利", "plain")]


@pytest.mark.parametrize(
    "text", ["代kai发票", "代开fapiao", "DAI KAI FA PIAO", "daikaifapiao", "带开发票", "代凯发飘", "代ｋａｉ發票"]
)
def test_a_word_is_heard_in_other_characters_and_in_letters(text: str):
    assert LEXICON.find(f"可{text}吗") == [Found(1, 1 + len(text), "代开发票", "ours", Level.TAG, Manner.SOUND)]


def test_a_word_in_its_own_characters_is_not_heard_once_more():
    assert places("代开发票") == [("代开发票", "plain")]


@pytest.mark.parametrize("text", ["亻弋开发票", "代开发西示", "亻弋 开发·西示"])
def test_a_word_is_found_in_pieces(text: str):
    assert LEXICON.find(f"可{text}吗") == [Found(1, 1 + len(text), "代开发票", "ours", Level.TAG, Manner.PIECES)]


def test_sound_and_pieces_are_never_more_than_the_list_lets_them_be():
    by_sound = {
        limit: [
            each.level
            for each in a_lexicon("代开发票\n虚开发票\ttag", disguised=limit).find("代凯发票 须开发票 亻弋开发票")
        ]
        for limit in (Level.REVIEW, Level.TAG, None)
    }
    assert by_sound == {
        Level.REVIEW: [Level.REVIEW, Level.TAG, Level.REVIEW],
        Level.TAG: [Level.TAG] * 3,
        None: [],
    }


def test_two_syllables_are_not_listened_for():
    assert not a_lexicon("跑分").find("泡粉 paofen")
    assert a_lexicon("跑分").find("跑*分")


@pytest.mark.parametrize("word", ["**", "a", "票", "🔥票"])
def test_a_word_of_which_too_little_is_left_is_refused(word: str):
    with pytest.raises(WordListError, match="must have at least two letters or characters"):
        a_lexicon(word)


def test_an_empty_list_finds_nothing():
    assert not a_lexicon("# nothing").find("代开发票 kai")


@pytest.mark.parametrize("disguise", DISGUISES)
def test_each_disguise_is_seen_through_with_a_word_that_it_changes(disguise: str):
    import random

    hidden = DISGUISES[disguise]("bet365", random.Random(1)), DISGUISES[disguise]("USDT跑分", random.Random(1))
    assert [[each.word for each in LEXICON.find(f"请看{text}吧")] for text in hidden] == [["bet365"], ["USDT跑分"]]


def test_every_group_of_the_shipped_list_is_written_down_with_its_reason():
    from gateway.config import shipped

    headings = [x for x in shipped("words/shipped.txt").read_text(encoding="utf-8").splitlines() if x.startswith("[")]
    assert all(len(heading.partition("] ")[2].split(" ", 1)[1]) > 10 for heading in headings)
    assert len({rule.word for rule in shipped_rules()}) == len(shipped_rules())
    assert all(len(rule.word) >= 3 for rule in shipped_rules())
