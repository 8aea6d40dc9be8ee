"""The members of a request, one by one: where a body does not fit as a whole, this finds every fault and its rule.

The fast path decodes straight into a Struct and never comes here. Optional members may be null, which means absent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final

import msgspec

from gateway.http.formats import MALFORMED, Format, decode, is_null
from gateway.http.problems import MAX_FAULTS, Fault
from gateway.message import Category, Priority, Status
from gateway.numbers import mask

MAX_SHOWN: Final = 64  # characters of a wrong value
MAX_REFERENCE: Final = 64  # characters of client_ref and batch
MAX_SIGNATURE: Final = 64  # characters; policy is stricter, and answers by message
MAX_SENDER_DIGITS: Final = 20
MAX_VALID_FOR_SECONDS: Final = 172_800

# A reference is a name: control characters in it are a mistake, and would break lines and columns further on.
Reference = Annotated[str, msgspec.Meta(max_length=MAX_REFERENCE, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
SenderDigits = Annotated[str, msgspec.Meta(pattern=rf"\A[0-9]{{1,{MAX_SENDER_DIGITS}}}\Z")]
SignatureField = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SIGNATURE)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
ValidForSeconds = Annotated[int, msgspec.Meta(ge=1, le=MAX_VALID_FOR_SECONDS)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Shown(Enum):
    """How a wrong value comes back in an answer."""

    CLEAR = "clear"  # cut short, and long runs of digits masked: somebody's number may be in any field
    MASKED = "masked"  # it is meant to be a phone number
    NOT = "not"  # it is meant to be the text of a message


class Field(msgspec.Struct, frozen=True):
    """One member: what it must be, as a type to decode into and as a sentence."""

    kind: Any
    rule: str
    shown: Shown = Shown.CLEAR


Fields = Mapping[str, Field]

_REFERENCE: Final = Field(Reference, f"must be a string of 1 to {MAX_REFERENCE} characters, none a control character")
_MOMENT: Final = Field(Moment, "must be a time as RFC 3339 has it, with its offset: 2026-03-01T08:00:00+08:00")

MESSAGE: Final[Fields] = {
    "to": Field(str | list[str], "must be a string; of a single message also an array of strings", Shown.MASKED),
    "text": Field(str, "must be a string", Shown.NOT),
    "category": Field(Category, f"must be one of {', '.join(Category)}"),
    "urgent": Field(bool, "must be true or false"),
    "signature": Field(SignatureField, f"must be a string of 1 to {MAX_SIGNATURE} characters"),
    "sender": Field(SenderDigits, f"must be a string of 1 to {MAX_SENDER_DIGITS} digits"),
    "client_ref": _REFERENCE,
    "batch": _REFERENCE,
    "send_at": _MOMENT,
    "valid_for_seconds": Field(ValidForSeconds, f"must be an integer from 1 to {MAX_VALID_FOR_SECONDS}"),
    "priority": Field(Priority, f"must be one of {', '.join(Priority)}"),
}
MESSAGE_REQUIRED: Final = ("to", "text")

FILTERS: Final[Fields] = {
    "to": Field(str, "must be a phone number", Shown.MASKED),
    "client_ref": _REFERENCE,
    "batch": _REFERENCE,
    "status": Field(Status, f"must be one of {', '.join(Status)}"),
    "since": _MOMENT,
    "cursor": Field(str, "must be the cursor of an earlier page"),
    "limit": Field(Limit, "must be an integer from 1 to 1000"),
}


def take_fields(
    data: bytes | msgspec.Raw, form: Format, fields: Fields, required: tuple[str, ...] = (), *, at: str = ""
) -> tuple[dict[str, Any], list[Fault]]:
    """Decode an object member by member; return those that are well-formed, and what is wrong with the others.

    `at` is the JSON pointer to the object.
    """
    try:
        members: dict[str, msgspec.Raw] = decode(data, form, dict[str, msgspec.Raw])
    except MALFORMED as error:
        return {}, [syntax_fault(error, data, form, at=at)]
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, raw in members.items():
        if len(faults) >= MAX_FAULTS:
            return values, faults
        field = fields.get(name)
        pointer = f"{at}/{_escape(name)}"
        if field is None:
            faults.append(Fault(pointer=pointer, rule="is not a known member"))
        elif name in required or not is_null(raw, form):
            try:
                values[name] = decode(raw, form, field.kind)
            except msgspec.ValidationError:
                faults.append(Fault(pointer=pointer, rule=field.rule, value=_found(raw, form, field.shown)))
            except MALFORMED as error:
                faults.append(syntax_fault(error, raw, form, at=pointer))
    faults += [Fault(pointer=f"{at}/{name}", rule="is required") for name in required if name not in members]
    return values, faults


def take_parameters(parameters: Mapping[str, str], fields: Fields) -> tuple[dict[str, Any], list[Fault]]:
    """The same for the parameters of a query, which are all strings."""
    values: dict[str, Any] = {}
    faults = []
    for name, text in parameters.items():
        field = fields.get(name)
        if field is None:
            faults.append(Fault(parameter=_show(name), rule="is not a known parameter"))
            continue
        try:
            # Only a number is read from its digits: a time would be taken from any, as seconds since 1970.
            values[name] = msgspec.convert(text, field.kind, strict=field.kind is not Limit)
        except msgspec.ValidationError:
            faults.append(Fault(parameter=name, rule=field.rule, value=show(text, field.shown)))
    return values, faults


# Half of a pair: a high surrogate without a low one behind it, or a low one without a high one before it.
_HALF_PAIR: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}", re.DOTALL
)


def syntax_fault(error: Exception, data: bytes | msgspec.Raw, form: Format, *, at: str = "") -> Fault:
    """What is wrong with something that cannot be decoded at all. Of `data`, nothing is shown."""
    if isinstance(error, UnicodeDecodeError):
        return Fault(pointer=at, rule="must be UTF-8 throughout")
    if isinstance(error, RecursionError):
        return Fault(pointer=at, rule="must not be nested so deeply")
    if isinstance(error, msgspec.ValidationError):
        return Fault(pointer=at, rule="must be an object whose names are strings")
    if form is Format.JSON and _HALF_PAIR.search(bytes(data)):
        return Fault(pointer=at, rule=r"must not have half of a surrogate pair (\ud83d\ude00 is a whole one)")
    name = "JSON" if form is Format.JSON else "MessagePack"
    return Fault(pointer=at, rule=f"must be well-formed {name}: {error}")


_DIGITS: Final = re.compile(r"\+?\d{7,}")


def show(value: object, shown: Shown) -> str | None:
    """A wrong value as an answer may hold it; None when it may not."""
    if shown is Shown.NOT:
        return None
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if shown is Shown.MASKED:
        return mask("".join(re.findall(r"[+0-9]", str(value))))
    return _show(str(value))


def _show(text: str) -> str:
    return _DIGITS.sub(lambda digits: mask(digits[0]), text[: 4 * MAX_SHOWN])[:MAX_SHOWN]


def _found(raw: msgspec.Raw, form: Format, shown: Shown) -> str | None:
    try:
        return show(decode(raw, form, Any), shown)
    except MALFORMED:
        return None  # such as a number that is out of all range


def _escape(name: str) -> str:
    """A member's name in a JSON pointer (RFC 6901, section 3)."""
    return _show(name).replace("~", "~0").replace("/", "~1")
