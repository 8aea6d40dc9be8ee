"""Problem documents (RFC 9457): the one place that says what was wrong with a request, and how.

A `Problem` is raised where the fault is found and turned into an answer in one place, the server. `code` is for
programs, `detail` for people; neither they nor `errors` ever hold a phone number or the text of a message.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from gateway.policy.verdict import Reason, Refusal

MAX_FAULTS: Final = 20  # of one request; whoever sent more will find them after mending these


class Code(StrEnum):
    """What can be wrong with a whole request. The values are part of the contract."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_HELD = "not_held"
    NOT_CANCELLABLE = "not_cancellable"
    REQUEST_TIMEOUT = "request_timeout"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    INTERNAL = "internal"
    STORE_UNAVAILABLE = "store_unavailable"
    STOPPING = "stopping"


STATUS: Final[Mapping[Code, int]] = {
    Code.INVALID_REQUEST: 400,
    Code.UNAUTHORIZED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.NOT_HELD: 409,
    Code.NOT_CANCELLABLE: 409,
    Code.REQUEST_TIMEOUT: 408,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.RATE_LIMITED: 429,
    Code.QUEUE_FULL: 429,
    Code.INTERNAL: 500,
    Code.STORE_UNAVAILABLE: 503,
    Code.STOPPING: 503,
}
_TRY_AGAIN: Final = frozenset({Code.RATE_LIMITED, Code.QUEUE_FULL, Code.STORE_UNAVAILABLE, Code.STOPPING})
_REFUSAL_STATUS: Final[Mapping[Reason, int]] = {  # of one refused message; others 422
    Reason.CLIENT_REF_CONFLICT: 409,
    Reason.INTERNAL: 500,
}


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong: where (a JSON pointer into the body, a parameter, a header, or a line), and the rule.

    `value` is what was found there, when it helps and may be shown: see `gateway.http.fields`.
    """

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    line: int | None = None  # of a CSV file; with `parameter`, the name of the column
    rule: str
    value: str | None = None


class Problem(Exception):  # noqa: N818
    """A request that is answered with a problem document instead of what it asked for."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        return STATUS[self.code]

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.code in _TRY_AGAIN

    def document(self) -> dict[str, object]:
        """The members of the document, ready to encode."""
        members = _members(self.code, self.status, self.detail)
        if self.faults:
            members["errors"] = self.faults
        return members


def invalid(*faults: Fault) -> Problem:
    """A malformed request (400), with what is wrong with it."""
    first = faults[0]
    place = first.pointer or first.parameter or first.header or "the body"
    if first.line is not None:
        place = f"line {first.line}" + (f": {first.parameter}" if first.parameter else "")
    return Problem(Code.INVALID_REQUEST, f"{place} {first.rule}", faults=faults[:MAX_FAULTS])


def refusal_status(refusal: Refusal) -> int:
    """The status of an answer that is about one refused message."""
    return status_of_reason(refusal.reason)


def status_of_reason(reason: Reason) -> int:
    """The same, by its code alone."""
    return _REFUSAL_STATUS.get(reason, 422)


def refusal_document(refusal: Refusal, *, chinese: bool) -> dict[str, object]:
    """A problem document about one refused message: the refusal's data beside the usual members."""
    detail = refusal_detail(refusal, chinese=chinese)
    return {**refusal.data, **_members(refusal.reason, refusal_status(refusal), detail)}


def refusal_detail(refusal: Refusal, *, chinese: bool) -> str:
    """Its sentence for people, in the language asked for."""
    return refusal.chinese if chinese and refusal.chinese else refusal.detail


def _members(code: StrEnum, status: int, detail: str) -> dict[str, object]:
    return {
        "type": f"urn:yizhan:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": str(code),
        "detail": detail,
    }
