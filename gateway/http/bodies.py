"""The body of POST /v1/messages: from octets to drafts, or to everything that is wrong with it.

A request is checked whole before anything of it is decided: one malformed message fails it, and nothing is accepted.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.account import Account
from gateway.http.fields import (
    MAX_REFERENCE,
    MESSAGE,
    MESSAGE_REQUIRED,
    Moment,
    Reference,
    SenderDigits,
    SignatureField,
    ValidForSeconds,
    syntax_fault,
    take_fields,
)
from gateway.http.formats import MALFORMED, Format, Shape, decode, msgpack_length, shape_of
from gateway.http.problems import MAX_FAULTS, Code, Fault, Problem, invalid
from gateway.intake import Misuse, check_rights
from gateway.message import Milliseconds
from gateway.numbers import InvalidNumber, normalise
from gateway.policy.candidate import Draft

SLICE: Final = 200  # messages taken between two returns to the loop
SMALL_BODY_BYTES: Final = 65_536  # decoded in one go, in well under a millisecond
MAX_COMMAS: Final = 500_000  # of a JSON body: 10,000 messages have 300,000 when all members and long texts are there
MAX_AHEAD_MILLISECONDS: Final = 30 * 86_400_000
# In an array each message's reference ends with its index, and has to fit all the same: K:9999.
MAX_SHARED_REFERENCE: Final = MAX_REFERENCE - len(":99999")


class Submission(msgspec.Struct, frozen=True):
    """The messages of one request, well-formed and permitted.

    `places`: for one text to many numbers, which draft answers for each number asked for; None where it is one each.
    """

    drafts: list[Draft]
    single: bool
    places: Sequence[int] | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a body is read under: who sent it, how it is written, when, and how much it may hold."""

    account: Account
    form: Format
    now: Milliseconds
    max_messages: int
    idempotency_key: str | None = None


class _StrictDraft(Draft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft that decoding has checked against every rule of its members."""

    client_ref: Reference = ""
    batch: Reference = ""
    signature: SignatureField | None = None
    sender: SenderDigits = ""
    send_at: Moment | None = None
    valid_for_seconds: ValidForSeconds | None = None


_decode_draft: Final = {
    Format.JSON: msgspec.json.Decoder(_StrictDraft).decode,
    Format.MSGPACK: msgspec.msgpack.Decoder(_StrictDraft).decode,
}
_decode_drafts: Final = {
    Format.JSON: msgspec.json.Decoder(list[_StrictDraft]).decode,
    Format.MSGPACK: msgspec.msgpack.Decoder(list[_StrictDraft]).decode,
}


async def read_submission(body: bytes, terms: Terms) -> Submission:
    """The drafts of a body. Raises Problem: 400 with every fault up to MAX_FAULTS, or 413 for too many messages."""
    key = terms.idempotency_key
    if key is not None and not (1 <= len(key) <= MAX_REFERENCE and key.isascii() and key.isprintable()):
        raise invalid(_key_fault(MAX_REFERENCE))
    if len(body) > SMALL_BODY_BYTES:
        _check_claim(body, terms)
    shape = shape_of(body, terms.form)
    if shape is Shape.OBJECT:
        return await _read_object(body, terms)
    if shape is Shape.ARRAY:
        drafts = await _read_array(body, terms)
        return Submission(_with_keys(drafts, key), single=False)
    raise invalid(Fault(pointer="", rule="must be a message, which is an object, or an array of messages"))


async def _read_object(body: bytes, terms: Terms) -> Submission:
    """One message, or one text to many numbers."""
    try:
        draft: Draft = _decode_draft[terms.form](body)
    except MALFORMED:
        values, faults = take_fields(body, terms.form, MESSAGE, MESSAGE_REQUIRED)
        if faults:
            raise invalid(*faults) from None
        if isinstance(values["to"], list):
            return await _fan_out(values, terms)
        draft = Draft(**values)
    fault = _misuse(draft, terms, at="")
    if fault is not None:
        raise invalid(fault)
    if terms.idempotency_key is not None and not draft.client_ref:
        draft = msgspec.structs.replace(draft, client_ref=terms.idempotency_key)
    return Submission([draft], single=True)


async def _read_array(body: bytes, terms: Terms) -> list[Draft]:
    """An array of messages: in one go, or in slices when it is large or something is wrong with it."""
    if len(body) <= SMALL_BODY_BYTES:
        try:
            return _checked(_decode_drafts[terms.form](body), terms)
        except MALFORMED:
            pass  # below, one by one, to say what is wrong with which
    elements = _split(body, terms)
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for start in range(0, len(elements), SLICE):
        if start:
            await asyncio.sleep(0)
        for n, element in enumerate(elements[start : start + SLICE], start):
            draft_or_faults = _read_element(element, terms, at=f"/{n}")
            if isinstance(draft_or_faults, Draft):
                drafts.append(draft_or_faults)
            else:
                faults += draft_or_faults
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise invalid(*faults)
    return drafts


def _checked(drafts: Sequence[Draft], terms: Terms) -> list[Draft]:
    """The same drafts, if the account may ask for them. Raises Problem."""
    _check_count(len(drafts), terms)
    faults = [fault for n, draft in enumerate(drafts) if (fault := _misuse(draft, terms, at=f"/{n}"))]
    if faults:
        raise invalid(*faults)
    return list(drafts)


def _split(body: bytes, terms: Terms) -> list[msgspec.Raw]:
    """The messages of an array, still encoded."""
    try:
        elements: list[msgspec.Raw] = decode(body, terms.form, list[msgspec.Raw])
    except MALFORMED as error:
        raise invalid(syntax_fault(error, body, terms.form)) from None
    _check_count(len(elements), terms)
    return elements


def _read_element(element: msgspec.Raw, terms: Terms, *, at: str) -> Draft | list[Fault]:
    try:
        draft: Draft = _decode_draft[terms.form](element)
    except MALFORMED:
        values, faults = take_fields(element, terms.form, MESSAGE, MESSAGE_REQUIRED, at=at)
        if isinstance(values.get("to"), list):
            faults.append(Fault(pointer=f"{at}/to", rule="must be a string: in an array, each message has one number"))
        if faults:
            return faults
        draft = Draft(**values)
    fault = _misuse(draft, terms, at=at)
    return draft if fault is None else [fault]


async def _fan_out(values: dict[str, Any], terms: Terms) -> Submission:
    """One text to many numbers: a draft for each different number, and where each number's answer is found."""
    numbers: list[str] = values.pop("to")
    _check_count(len(numbers), terms, at="/to")
    pattern = Draft(to="", **values)
    fault = _misuse(pattern, terms, at="")
    if fault is not None:
        raise invalid(fault)
    reference = pattern.client_ref or terms.idempotency_key
    if reference and len(reference) > MAX_SHARED_REFERENCE:
        rule = f"must have at most {MAX_SHARED_REFERENCE} characters where `to` is an array: `:` and the index follow"
        raise invalid(
            Fault(pointer="/client_ref", rule=rule) if pattern.client_ref else _key_fault(MAX_SHARED_REFERENCE)
        )
    drafts: list[Draft] = []
    places: list[int] = []
    seen: dict[str, int] = {}
    for n, number in enumerate(numbers):
        if n and not n % SLICE:
            await asyncio.sleep(0)
        place = seen.setdefault(_one_spelling(number), len(drafts))
        places.append(place)
        if place == len(drafts):
            values["client_ref"] = f"{reference}:{n}" if reference else ""
            drafts.append(Draft(to=number, **values))
    return Submission(drafts, single=False, places=places)


def _one_spelling(number: str) -> str:
    try:
        return normalise(number).e164
    except InvalidNumber:
        return number  # policy will refuse it


def _with_keys(drafts: list[Draft], key: str | None) -> list[Draft]:
    """The drafts with the request's Idempotency-Key as client_ref of those that have none: K:0, K:1, …"""
    if key is None:
        return drafts
    if len(key) > MAX_SHARED_REFERENCE:
        raise invalid(_key_fault(MAX_SHARED_REFERENCE))
    return [
        draft if draft.client_ref else msgspec.structs.replace(draft, client_ref=f"{key}:{n}")
        for n, draft in enumerate(drafts)
    ]


def _misuse(draft: Draft, terms: Terms, *, at: str) -> Fault | None:
    """What makes a draft with well-formed members an invalid request all the same."""
    send_at = draft.send_at
    if send_at is not None and send_at.timestamp() * 1000 > terms.now + MAX_AHEAD_MILLISECONDS:
        return Fault(pointer=f"{at}/send_at", rule="must be at most 30 days ahead", value=send_at.isoformat())
    misuse: Misuse | None = check_rights(terms.account, draft)
    return None if misuse is None else Fault(pointer=f"{at}/{misuse.field}", rule=misuse.rule)


def _check_count(count: int, terms: Terms, *, at: str = "") -> None:
    if count == 0:
        raise invalid(Fault(pointer=at, rule=f"must have 1 to {terms.max_messages} elements", value="none"))
    if count > terms.max_messages:
        raise _too_many(terms)


def _check_claim(body: bytes, terms: Terms) -> None:
    """Refuse what has far too many elements before they take up a hundred times its memory."""
    excessive = (
        body.count(b",") > MAX_COMMAS if terms.form is Format.JSON else msgpack_length(body) > terms.max_messages
    )
    if excessive:
        raise _too_many(terms)


def _too_many(terms: Terms) -> Problem:
    return Problem(Code.TOO_LARGE, f"A request holds at most {terms.max_messages} messages.")


def _key_fault(limit: int) -> Fault:
    return Fault(header="Idempotency-Key", rule=f"must be 1 to {limit} printable ASCII characters")
