"""In whose name: exactly one signature 【…】, at the very front, that the account has registered.

It is taken from the text, or from the field, or it is the account's only one; taken from the field or the account it is
put in front of the text, and counts in its length. Mainland rules: 2 to 16 characters inside, no spaces or symbols, not
digits only.
"""

from typing import Final

from gateway.policy.candidate import Candidate
from gateway.policy.verdict import Reason, Refusal

OPENING: Final = "【"
CLOSING: Final = "】"
MINIMUM_CHARACTERS: Final = 2
MAXIMUM_CHARACTERS: Final = 16
_CHINESE_FORM: Final = (
    f"签名应为 {MINIMUM_CHARACTERS} 至 {MAXIMUM_CHARACTERS} 个字符，只含文字、字母和数字，且不能全为数字。"
)


def split_signature(text: str) -> tuple[str | None, str]:
    """The signature at the front of a text, without its brackets, and the rest. None when there is none."""
    if not text.startswith(OPENING):
        return None, text
    end = text.find(CLOSING)
    if end < 0:
        return None, text
    return text[1:end], text[end + 1 :]


def signature_fault(signature: str) -> str | None:
    """What is wrong with the form of a signature, in words; None when nothing is."""
    if not MINIMUM_CHARACTERS <= len(signature) <= MAXIMUM_CHARACTERS:
        return f"a signature has {MINIMUM_CHARACTERS} to {MAXIMUM_CHARACTERS} characters"
    if not signature.isalnum():
        return "a signature has letters and digits only"
    if signature.isdigit():
        return "a signature is not digits only"
    return None


class SignatureStage:
    """Complete the candidate with its signature and final text, or refuse it.

    For mainland destinations every message has one. Elsewhere a signature is a Chinese custom that is honoured when
    asked for and not demanded.
    """

    name = "signature"

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        assert candidate.number is not None
        mainland = candidate.number.mainland
        draft, account = candidate.draft, candidate.account
        signature, rest = split_signature(draft.text)
        if signature is None:
            signature = draft.signature
            if signature is None and mainland and account.signatures is not None and len(account.signatures) == 1:
                signature = account.signatures[0]
        if signature is None:
            if not mainland:
                return None
            return Refusal(
                Reason.SIGNATURE_MISSING,
                "The text has no 【signature】, the field is absent, and the account has not exactly one.",
                chinese="正文没有【签名】，也未提供 signature 字段，且账户登记的签名不是恰好一个。",
            )
        fault = signature_fault(signature)
        if fault is not None:
            return Refusal(Reason.SIGNATURE_INVALID, fault, chinese=_CHINESE_FORM)
        if mainland and (OPENING in rest or CLOSING in rest):
            positions = [n for n, c in enumerate(draft.text) if c in "【】" and n >= len(draft.text) - len(rest)]
            return Refusal(
                Reason.SIGNATURE_INVALID,
                "【 and 】 stand around the one signature at the front, and nowhere else.",
                {"positions": positions},
                chinese="【】只能用于最前面的唯一签名，正文其他位置不得出现。",
            )
        if account.signatures is not None and signature not in account.signatures:
            return Refusal(
                Reason.SIGNATURE_NOT_REGISTERED,
                f"The signature {signature} is not registered for this account.",
                {"signature": signature},
                chinese=f"签名 {signature} 未在该账户登记。",
            )
        candidate.signature = signature
        candidate.text = f"{OPENING}{signature}{CLOSING}{rest}"
        return None
