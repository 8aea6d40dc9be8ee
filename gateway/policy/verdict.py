"""What policy says of a message: nothing (it may go), or a refusal with a code that programs can rely on."""

from enum import StrEnum
from typing import Any

import msgspec


class Reason(StrEnum):
    """Why one message was refused. The values are part of the HTTP contract."""

    INVALID_NUMBER = "invalid_number"
    UNROUTABLE = "unroutable"
    INVALID_TEXT = "invalid_text"
    TOO_LONG = "too_long"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_NOT_REGISTERED = "signature_not_registered"
    FORBIDDEN_SYMBOL = "forbidden_symbol"
    OTP_KEYWORD_MISSING = "otp_keyword_missing"
    OTP_URL = "otp_url"
    SENSITIVE_WORDS = "sensitive_words"
    OPTED_OUT = "opted_out"
    FREQUENCY_CAP = "frequency_cap"
    OUTSIDE_HOURS = "outside_hours"
    QUOTA_EXCEEDED = "quota_exceeded"
    CLIENT_REF_CONFLICT = "client_ref_conflict"
    STORE_UNAVAILABLE = "store_unavailable"
    INTERNAL = "internal"  # a rule failed to work: a bug of ours, and no reason to let anything through


class Refusal(msgspec.Struct, frozen=True):
    """A refused message: the code, one sentence for a person, and data that helps (never a number or a text).

    `data` is of strings, whole numbers, and lists and dicts of these. `chinese` is the same sentence.
    """

    reason: Reason
    detail: str
    data: dict[str, Any] = {}
    chinese: str = ""
