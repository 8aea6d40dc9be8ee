"""How to be left alone: marketing ends by saying it, nothing else does.

Mainland carriers demand it of marketing, and take a notification or a one-time password that has it for disguised
marketing. Put behind a text that lacks it, it counts in the length.
"""

import re
from typing import Final

from gateway.message import Category
from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal

# 拒收请回复R, 回T退订, 回复TD退订, 退订回N, 如需退订请回复T: a word for refusing beside a letter or two to reply with.
_OPT_OUT: Final = re.compile(
    r"(?:拒收|退订)(?:请|可)?(?:直接)?(?:回复?|发送?)[“\"'‘]?[A-Za-zＡ-Ｚａ-ｚ0-9]{1,4}"
    r"|(?:回复?|发送?)[“\"'‘]?[A-Za-zＡ-Ｚａ-ｚ0-9]{1,4}[”\"'’]?(?:即可|可)?(?:退订|拒收)"
)
_CLOSING: Final = " 。.!！;；)）】\u3000\n"  # what may stand behind the opt-out text at the end


def has_opt_out_text(text: str) -> bool:
    """Whether a text says how to be left alone, as only marketing does."""
    return _OPT_OUT.search(text) is not None


class OptOutTextStage:
    """Complete marketing with the opt-out text; refuse others that have one. Mainland destinations only."""

    name = "opt_out_text"

    def __init__(self, opt_out_text: str) -> None:
        """`opt_out_text`: what is put behind marketing that has none of its own; empty: nothing is."""
        self._opt_out_text = opt_out_text

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        assert candidate.number is not None
        if not candidate.number.mainland:
            return None
        text = candidate.text
        if candidate.draft.category is Category.MARKETING:
            if self._opt_out_text and not self._ends_with_one(text):
                candidate.text = text.rstrip() + self._opt_out_text
            return None
        found = _OPT_OUT.search(candidate.draft.text) if "退订" in text or "拒收" in text else None
        if found is None:
            return None
        return Refusal(
            Reason.INVALID_TEXT,
            f"Only marketing has an opt-out text; this is category {candidate.draft.category}.",
            {"rule": "opt_out_text", "position": found.start(), "found": found[0]},
            chinese=f"只有营销类短信可带退订语；本条类别为 {candidate.draft.category}。",
        )

    def _ends_with_one(self, text: str) -> bool:
        body = text.rstrip(_CLOSING)
        if body.endswith(self._opt_out_text.rstrip(_CLOSING)):
            return True
        return any(found.end() == len(body) for found in _OPT_OUT.finditer(body))
