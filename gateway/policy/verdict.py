"""What policy says of a message: nothing (it may go), or a refusal with a code that programs can rely on."""

from enum import StrEnum

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
    CLIENT_REF_CONFLICT = "client_ref_conflict"
    STORE_UNAVAILABLE = "store_unavailable"


class Refusal(msgspec.Struct, frozen=True):
    """A refused message: the code, one sentence for a person, and data that helps (never a number or a text)."""

    reason: Reason
    detail: str
    data: dict[str, str | int | list[int]] = {}
