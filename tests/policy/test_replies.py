import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.replies import OPT_IN_WORDS, OPT_OUT_WORDS, Wish, wish


@pytest.mark.parametrize(
    "text",
    [
        *OPT_OUT_WORDS,
        "R",
        "Ｒ",
        " r ",
        "R。",
        "【R】",
        "“退订”",
        "退 订",
        "T D!",
        "TD\r\n",
        "回复R",
        "回复：TD",
        "回复 退订。",
        "ＳＴＯＰ",
        "Stop All",
        "opt-out",
        "０００0",
        "R\u200b",
    ],
)
def test_these_ask_to_be_left_alone(text: str) -> None:
    assert wish(text) is Wish.OPT_OUT


@pytest.mark.parametrize("text", [*OPT_IN_WORDS, "START", "回复订阅", "订阅！"])
def test_these_ask_to_be_written_to_again(text: str) -> None:
    assert wish(text) is Wish.OPT_IN


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "回复",
        "。",
        "不退订",
        "R号楼",
        "r1",
        "退订了吗",
        "TDTD",
        "00000",
        "000",
        "please stop",
        "回复回复R",
        "不订阅",
        "R+",
        "N2",
        "r" * 201,
    ],
)
def test_these_ask_for_neither(text: str) -> None:
    assert wish(text) is None


def test_an_account_that_uses_a_word_for_business_leaves_it_out() -> None:
    own = frozenset({"td", "退订"})

    assert wish("退订", own) is Wish.OPT_OUT
    assert wish("N", own) is None
    assert wish("0000", own) is None


@given(st.sampled_from(OPT_OUT_WORDS), st.text(" 　.,，。！!\t\n-_()", max_size=5), st.booleans())
def test_case_spaces_and_punctuation_make_no_difference(word: str, noise: str, upper: bool) -> None:
    said = noise.join(word.upper() if upper else word)

    assert wish(f"{noise}{said}{noise}") is Wish.OPT_OUT
