"""What a one-time password may look like: it says that it is one, and leads nowhere. Mainland destinations only."""

import re
from collections.abc import Sequence
from typing import Final

from gateway.message import Category
from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal

# A scheme, www., or a name under one of the domains that links in short messages have. An e-mail address is no link.
_DOMAINS: Final = (
    "com|cn|net|org|gov|edu|cc|me|io|co|top|vip|xyz|club|shop|link|site|online|store|tech|info|biz|app|ltd|ink|fun|wang"
    "|tv|hk|tw|us|uk|ru|jp|kr|ly|gl|gd|im|la|pw|ws|tk|ml|cf|ga|gq|win|bid|live|work|mobi|asia|pro|icu|dev|page"
)
_LINK: Final = re.compile(
    rf"[a-z][a-z0-9+.-]*://|(?<![a-z0-9@.-])www\.|(?<![a-z0-9@.-])(?:[a-z0-9-]+\.)+(?:{_DOMAINS})(?![a-z0-9-])",
    re.IGNORECASE,
)


class OtpStage:
    """Refuse one-time passwords without one of the keywords, or with a link."""

    name = "otp"

    def __init__(self, keywords: Sequence[str]) -> None:
        """`keywords`: one of them must be in the text; none: no word is asked for."""
        self._keywords = tuple(keywords)

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        if candidate.draft.category is not Category.OTP:
            return None
        assert candidate.number is not None
        if not candidate.number.mainland:
            return None
        text = candidate.draft.text
        if self._keywords and not any(keyword in text for keyword in self._keywords):
            return Refusal(
                Reason.OTP_KEYWORD_MISSING,
                f"A one-time password names itself: its text has one of {', '.join(self._keywords)}.",
                {"keywords": list(self._keywords)},
                chinese=f"验证码类短信的正文须含以下词语之一：{'、'.join(self._keywords)}。",
            )
        link = _LINK.search(text) if "." in text or "://" in text else None
        if link is not None:
            return Refusal(
                Reason.OTP_URL,
                "A one-time password has no link.",
                {"position": link.start()},
                chinese="验证码类短信不得包含链接。",
            )
        return None
