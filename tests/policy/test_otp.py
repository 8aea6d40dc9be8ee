"""A one-time password says that it is one, and leads nowhere."""

import pytest

from gateway.message import Category
from gateway.policy.otp import OtpStage
from gateway.policy.settings import ContentSettings
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import ABROAD, a_candidate

STAGE = OtpStage(ContentSettings().otp_keywords)


def decide(text: str, category: Category = Category.OTP, **fields) -> Refusal | None:
    return STAGE.decide(a_candidate(text=f"【阳光物业】{text}", category=category, **fields), now=0.0)


@pytest.mark.parametrize("keyword", ContentSettings().otp_keywords)
def test_every_keyword_makes_a_one_time_password(keyword: str):
    assert decide(f"您的{keyword}为 482913，5分钟内有效。") is None


def test_without_a_keyword_it_is_none():
    refusal = decide("您的取件码为 482913。")
    assert refusal is not None
    assert (refusal.reason, "验证码" in refusal.data["keywords"]) == (Reason.OTP_KEYWORD_MISSING, True)


@pytest.mark.parametrize(
    "link",
    [
        "https://a.example/x",
        "HTTP://1.2.3.4/",
        "www.example",
        "t.cn/Ab3",
        "点击yz.example.com领取",
        "m.shop-1.top",
        "weixin://dl",
    ],
)
def test_a_link_in_it_is_refused_with_its_place(link: str):
    refusal = decide(f"验证码482913 {link}")
    assert refusal is not None
    assert refusal.reason is Reason.OTP_URL
    assert refusal.data["position"] >= len("【阳光物业】验证码482913 ")


@pytest.mark.parametrize(
    "text", ["验证码482913. 5分钟内有效", "验证码 482913...", "v2.0.1 版验证码1234", "金额12.50元验证码1234"]
)
def test_dots_make_no_link(text: str):
    assert decide(text) is None


def test_other_categories_and_destinations_are_free():
    assert decide("水费账单 https://a.example", Category.NOTIFICATION) is None
    assert decide("Your code is 1234: https://a.example", to=ABROAD) is None


def test_with_no_keywords_set_none_is_asked_for():
    assert OtpStage(()).decide(a_candidate(text="【阳光物业】1234", category=Category.OTP), now=0.0) is None
