"""A request as its handler sees it, and the answer: plain values, nothing of the HTTP library."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gateway.account import Account
from gateway.http.formats import Format, encode


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose sender is known and whose body has arrived."""

    account: Account
    argument: str = ""  # the part of the path that a route leaves open: the id of a message
    query: str = ""  # as it stood in the path, still encoded
    body: bytes = b""
    body_format: Format = Format.JSON
    answer_format: Format = Format.JSON
    idempotency_key: str | None = None
    chinese: bool = False  # whether sentences for people are wanted in Chinese, not in English


class Answer(msgspec.Struct, frozen=True):
    """What goes back."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}


Handler = Callable[[Call], Awaitable[Answer]]


def answer(call: Call, value: object, status: int = 200) -> Answer:
    """An answer in the form that the caller asked for."""
    return Answer(status, encode(value, call.answer_format), call.answer_format.value)


def problem_answer(form: Format, document: Mapping[str, object], status: int, headers: Mapping[str, str]) -> Answer:
    """A problem document as an answer."""
    return Answer(status, encode(document, form), form.problem_content_type, headers)
