"""What an operator may set about the content and the hours of messages to mainland destinations."""

from typing import Annotated

import msgspec

Phrase = Annotated[
    str,
    msgspec.Meta(pattern=r"^[^\x00-\x1f【】]{1,40}\Z", description="1 to 40 characters, without line breaks and 【】"),
]
Symbol = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x20]{1,8}\Z", description="1 to 8 characters, without spaces")]

OptOutText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\x00-\x1f【】]{0,40}\Z", description="at most 40 characters, without line breaks and 【】"
    ),
]


Answer = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\x00-\x1f【】]{0,200}\Z", description="at most 200 characters, without line breaks and 【】"
    ),
]


class ContentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What mainland carriers demand of texts, category by category, and what they garble."""

    otp_keywords: tuple[Phrase, ...] = ("验证码", "校验码", "动态码", "动态密码", "注册码")
    opt_out_text: OptOutText = "拒收请回复R"  # put behind marketing that has none; empty: put nothing
    refused_symbols: tuple[Symbol, ...] = ("★", "√", "※", "→", "●", "☞", "✓", "^_^")
    tagged_symbols: tuple[Symbol, ...] = ("¥", "￥", "&")


class ConsentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many wishes to be left alone are kept in memory."""

    opt_outs: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 5_000_000
    suppressed: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 1_000_000


class HoursSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the hours of all categories have in common."""

    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "Asia/Shanghai"
    holidays: str = ""  # a CSV file; empty: the one that comes with the gateway
    spread_seconds: Annotated[float, msgspec.Meta(ge=0, le=14_400)] = 600.0
