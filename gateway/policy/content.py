"""What it says: a text that can be sent at all, and is not too long; how many parts it makes."""

import re
from typing import Final

from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal
from gateway.text import count_parts

# Mainland carriers take at most 500 characters, signature included; elsewhere the form itself sets the limit.
MAINLAND_MAXIMUM_CHARACTERS: Final = 500
MAXIMUM_CHARACTERS: Final = 1_600

# Control characters but line breaks and tabs, and halves of surrogate pairs: no handset shows them.
_UNSENDABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class ContentStage:
    """Refuse a text that is empty, too long, or has characters that cannot be sent; count the parts of others."""

    name = "content"

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        text, given = candidate.text, candidate.draft.text
        # Nearly every text is of printable characters only, which is faster to find out.
        unsendable = None if given.isprintable() else _UNSENDABLE.search(given)
        if unsendable is not None:
            code = f"U+{ord(unsendable.group()):04X}"
            return Refusal(
                Reason.INVALID_TEXT,
                f"The text has a character that cannot be sent ({code}).",
                {"position": unsendable.start()},
                chinese=f"正文含有无法发送的字符（{code}）。",
            )
        body = text[len(candidate.signature) + 2 :] if candidate.signature else text  # 【…】 in front
        if not body or body.isspace():
            return Refusal(Reason.INVALID_TEXT, "The text is empty.", chinese="正文为空。")
        assert candidate.number is not None
        limit = MAINLAND_MAXIMUM_CHARACTERS if candidate.number.mainland else MAXIMUM_CHARACTERS
        if len(text) > limit:
            return Refusal(
                Reason.TOO_LONG,
                f"The text has {len(text)} characters with its signature; at most {limit} are sent.",
                {"limit": limit, "length": len(text)},
                chinese=f"正文连同签名共 {len(text)} 个字符，最多可发送 {limit} 个。",
            )
        candidate.parts = count_parts(text)
        return None
