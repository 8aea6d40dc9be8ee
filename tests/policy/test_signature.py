"""In whose name: exactly one signature, at the very front, that the account has registered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.account import Account
from gateway.policy.signature import SignatureStage, signature_fault, split_signature
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import ABROAD, DEMO, SIGNED, a_candidate

BODY = "您的快递已到物业前台。"
TWO = Account(name="two", signatures=("阳光物业", "花园小区"))
NONE = Account(name="none", signatures=())


def decide(account: Account = DEMO, **fields) -> tuple[Refusal | None, str, str]:
    candidate = a_candidate(account, **fields)
    refusal = SignatureStage().decide(candidate, now=0.0)
    return refusal, candidate.signature, candidate.text


def reason(account: Account = DEMO, **fields) -> Reason | None:
    refusal, _, _ = decide(account, **fields)
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(
    ("text", "signature", "rest"),
    [
        ("【阳光物业】水", "阳光物业", "水"),
        ("【阳光物业】", "阳光物业", ""),
        ("【】水", "", "水"),
        ("水【阳光物业】", None, "水【阳光物业】"),
        (" 【阳光物业】水", None, " 【阳光物业】水"),
        ("【阳光物业", None, "【阳光物业"),
        ("[阳光物业]水", None, "[阳光物业]水"),
        ("【甲】【乙】丙", "甲", "【乙】丙"),
        ("", None, ""),
    ],
)
def test_a_signature_is_what_stands_in_brackets_at_the_very_front(text: str, signature: str | None, rest: str):
    assert split_signature(text) == (signature, rest)


@given(st.text())
def test_splitting_takes_nothing_away(text: str):
    signature, rest = split_signature(text)
    assert text == (rest if signature is None else f"【{signature}】{rest}")


@pytest.mark.parametrize("good", ["阳光", "阳光物业", "ABC", "7天酒店", "A" * 16, "物业12345678901234"])
def test_a_signature_of_two_to_sixteen_letters_and_digits_is_good(good: str):
    assert signature_fault(good) is None


@pytest.mark.parametrize(
    "bad", ["", "阳", "A" * 17, "123", "１２３", "阳光 物业", "阳光-物业", "阳光!", "阳光\n物业", "a_b"]
)
def test_other_signatures_have_a_fault(bad: str):
    assert signature_fault(bad) is not None


def test_the_signature_in_the_text_is_taken():
    assert decide(text="【阳光物业】" + BODY) == (None, "阳光物业", "【阳光物业】" + BODY)


def test_the_signature_of_the_field_is_put_in_front():
    assert decide(text=BODY, signature="阳光物业") == (None, "阳光物业", "【阳光物业】" + BODY)


def test_the_only_signature_of_an_account_is_put_in_front():
    assert decide(SIGNED, text=BODY) == (None, "阳光物业", "【阳光物业】" + BODY)


@pytest.mark.parametrize("account", [DEMO, TWO, NONE])
def test_without_a_signature_to_choose_there_is_none(account: Account):
    assert reason(account, text=BODY) is Reason.SIGNATURE_MISSING


@pytest.mark.parametrize(
    "text",
    [
        "【阳】" + BODY,
        "【阳光 物业】" + BODY,
        "【12345】" + BODY,
        "【阳光物业】" + BODY + "【花园小区】",
        "【阳光物业】【花园小区】" + BODY,
        "【阳光物业】" + BODY + "】",
        "【阳光物业】【" + BODY,
    ],
)
def test_a_mainland_message_has_one_good_signature_and_no_brackets_but_its_own(text: str):
    assert reason(text=text) is Reason.SIGNATURE_INVALID


def test_brackets_behind_the_signature_are_pointed_out():
    text = "【阳光物业】水【电】"
    refusal, _, _ = decide(text=text)
    assert refusal is not None
    assert refusal.data == {"positions": [7, 9]}
    refusal, _, _ = decide(text="水【电】", signature="阳光物业")
    assert refusal is not None
    assert refusal.data == {"positions": [1, 3]}


def test_an_account_may_use_only_what_it_has_registered():
    assert reason(TWO, text="【花园小区】" + BODY) is None
    assert reason(TWO, text="【别人物业】" + BODY) is Reason.SIGNATURE_NOT_REGISTERED
    assert reason(TWO, text=BODY, signature="别人物业") is Reason.SIGNATURE_NOT_REGISTERED
    assert reason(NONE, text="【花园小区】" + BODY) is Reason.SIGNATURE_NOT_REGISTERED
    assert reason(DEMO, text="【任何名字】" + BODY) is None


def test_elsewhere_a_signature_is_not_demanded():
    assert decide(to=ABROAD, text="Your parcel is here.") == (None, "", "Your parcel is here.")
    assert decide(SIGNED, to=ABROAD, text="Your parcel is here.") == (None, "", "Your parcel is here.")


def test_elsewhere_a_signature_that_is_asked_for_is_put_in_front():
    assert decide(to=ABROAD, text="Hello", signature="Sunshine") == (None, "Sunshine", "【Sunshine】Hello")


def test_elsewhere_brackets_may_stand_anywhere():
    assert reason(to=ABROAD, text="【Sunshine】a 【b】 c") is None
