"""JSON and MessagePack: the two forms in which bodies come and go."""

from enum import Enum
from typing import Any, Final

import msgspec

from gateway.http.problems import Code, Problem


class Format(Enum):
    """How a body is written. The value is the Content-Type of our answers in it."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"

    @property
    def problem_content_type(self) -> str:
        """The Content-Type of problem documents. RFC 9457 names none for MessagePack."""
        return "application/problem+json" if self is Format.JSON else self.value


CSV: Final = "text/csv"


class Shape(Enum):
    """What a body is at its outermost, by its first octet."""

    OBJECT = "object"
    ARRAY = "array"
    OTHER = "other"


_BY_CONTENT_TYPE: Final = {
    "application/json": Format.JSON,
    "application/msgpack": Format.MSGPACK,
    "application/x-msgpack": Format.MSGPACK,
    "application/vnd.msgpack": Format.MSGPACK,
}
MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_JSON_SPACE: Final = b" \t\r\n"
_JSON_SHAPES: Final = {b"{": Shape.OBJECT, b"[": Shape.ARRAY}
_encode_json: Final = msgspec.json.Encoder().encode
_encode_msgpack: Final = msgspec.msgpack.Encoder().encode


def encode(value: object, form: Format) -> bytes:
    """A value as the body of an answer."""
    return _encode_json(value) if form is Format.JSON else _encode_msgpack(value)


def decode(data: bytes | msgspec.Raw, form: Format, kind: Any) -> Any:
    """A value of type `kind`. Raises one of MALFORMED: msgspec's ValidationError is a DecodeError, too."""
    if form is Format.JSON:
        return msgspec.json.decode(data, type=kind)
    return msgspec.msgpack.decode(data, type=kind)


def is_null(data: msgspec.Raw, form: Format) -> bool:
    """Whether a value that was split off a larger one is null."""
    return bytes(data) == (b"null" if form is Format.JSON else b"\xc0")


def shape_of(body: bytes, form: Format) -> Shape:
    """Whether a body is an object, an array, or something else. Nothing behind its first octet is looked at."""
    if form is Format.JSON:
        return _JSON_SHAPES.get(body[:1]) or _JSON_SHAPES.get(body.lstrip(_JSON_SPACE)[:1], Shape.OTHER)
    if not body:
        return Shape.OTHER
    octet = body[0]
    if 0x80 <= octet <= 0x8F or octet in {0xDE, 0xDF}:
        return Shape.OBJECT
    return Shape.ARRAY if 0x90 <= octet <= 0x9F or octet in {0xDC, 0xDD} else Shape.OTHER


def msgpack_length(body: bytes) -> int:
    """How many elements a MessagePack array or map says it has, by its head; 0 for anything else."""
    octet = body[0]
    if octet in {0xDC, 0xDE}:
        return int.from_bytes(body[1:3], "big")
    if octet in {0xDD, 0xDF}:
        return int.from_bytes(body[1:5], "big")
    return octet & 0x0F if 0x80 <= octet <= 0x9F else 0


def body_format(content_type: str | None, content_encoding: str | None) -> Format:
    """How a request's body is written. Raises Problem (415)."""
    if content_encoding is not None and content_encoding.lower() != "identity":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding: bodies are taken as they are, not compressed.")
    found = _BY_CONTENT_TYPE.get(content_type or "")
    if found is not None:
        return found
    media_type, _, parameters = (content_type or "").partition(";")
    found = _BY_CONTENT_TYPE.get(media_type.strip().lower())
    charset = parameters.strip().lower().replace('"', "")
    if found is None or charset not in {"", "charset=utf-8"}:
        detail = "Content-Type must be application/json (UTF-8) or application/msgpack."
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, detail)
    return found


def check_media_type(expected: str, content_type: str | None, content_encoding: str | None) -> None:
    """Whether a body is what a call takes instead of the two forms. Raises Problem (415)."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    encoded = content_encoding is not None and content_encoding.lower() != "identity"
    if encoded or media_type.strip().lower() != expected or charset not in {"", "charset=utf-8", "header=present"}:
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {expected} (UTF-8), not compressed.")


def answer_format(accept: str | None, asked_in: Format) -> Format:
    """How to write the answer: the first form in Accept that we know; without one, as the request was written."""
    if accept is None or accept == "*/*":
        return asked_in
    for entry in accept.split(","):
        media_type = entry.partition(";")[0].strip().lower()
        if media_type in _BY_CONTENT_TYPE:
            return _BY_CONTENT_TYPE[media_type]
    return asked_in
