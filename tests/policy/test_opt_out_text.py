"""Marketing says how to be left alone; nothing else does."""

import pytest

from gateway.message import Category
from gateway.policy.candidate import Candidate
from gateway.policy.content import ContentStage
from gateway.policy.opt_out_text import OptOutTextStage
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import ABROAD, a_candidate

SIGNATURE = "【阳光物业】"


def decide(text: str, category: Category = Category.MARKETING, **fields) -> tuple[Refusal | None, Candidate]:
    candidate = a_candidate(text=SIGNATURE + text, category=category, **fields)
    return OptOutTextStage("拒收请回复R").decide(candidate, now=0.0), candidate


def test_marketing_without_an_opt_out_text_gets_one():
    refusal, candidate = decide("周末车位优惠。 ")
    assert (refusal, candidate.text) == (None, SIGNATURE + "周末车位优惠。拒收请回复R")


@pytest.mark.parametrize(
    "ending",
    [
        "拒收请回复R",
        "拒收请回复R。",
        "（拒收请回复R）",
        "回T退订",
        "回TD退订",
        "回复TD退订",
        "退订回T",
        "退订请回复N ",
        "如需退订请回复Ｒ",
        "拒收请直接回复R",
        "回复“R”退订",
        "回0000退订",
    ],
)
def test_marketing_that_says_it_in_known_words_stays_as_it_is(ending: str):
    refusal, candidate = decide(f"周末车位优惠{ending}")
    assert (refusal, candidate.text) == (None, f"{SIGNATURE}周末车位优惠{ending}")


@pytest.mark.parametrize("text", ["退订回T，车位优惠照常", "不退订有惊喜", "拒收快递怎么办"])
def test_an_opt_out_text_counts_at_the_end_only(text: str):
    _, candidate = decide(text)
    assert candidate.text == f"{SIGNATURE}{text}拒收请回复R"


def test_the_opt_out_text_counts_in_the_length():
    candidate = a_candidate(text=SIGNATURE + "水" * 489, category=Category.MARKETING)
    assert OptOutTextStage("拒收请回复R").decide(candidate, now=0.0) is None
    refusal = ContentStage().decide(candidate, now=0.0)
    assert refusal is not None
    assert (refusal.reason, refusal.data) == (Reason.TOO_LONG, {"limit": 500, "length": 501})


@pytest.mark.parametrize("category", [Category.OTP, Category.NOTIFICATION])
def test_other_categories_must_not_have_one(category: Category):
    refusal, _ = decide("物业费账单已出。退订回T", category)
    assert refusal is not None
    assert (refusal.reason, refusal.data["position"], refusal.data["found"]) == (Reason.INVALID_TEXT, 14, "退订回T")


@pytest.mark.parametrize("text", ["业主拒收的快递已退回", "您已退订停车月卡", "R号楼退订水票请到前台"])
def test_a_notification_may_speak_of_refusing(text: str):
    assert decide(text, Category.NOTIFICATION)[0] is None


def test_abroad_nothing_is_put_behind_and_nothing_refused():
    refusal, candidate = decide("spring sale", to=ABROAD)
    assert (refusal, candidate.text) == (None, SIGNATURE + "spring sale")
    assert decide("退订回T", Category.NOTIFICATION, to=ABROAD)[0] is None


def test_nothing_is_put_behind_where_no_text_is_set():
    candidate = a_candidate(text=SIGNATURE + "周末车位优惠", category=Category.MARKETING)
    assert OptOutTextStage("").decide(candidate, now=0.0) is None
    assert candidate.text == SIGNATURE + "周末车位优惠"
