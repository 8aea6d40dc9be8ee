"""Delivery receipts: what a deliver_sm says of an earlier message, in parameters or in its text, or both.

The text is free-form (SMPP 3.4, appendix B): `id:... sub:001 dlvrd:001 submit date:... done date:... stat:DELIVRD
err:000 text:...` in the order, case and completeness of each vendor. Parameters win over it.
"""

import contextlib
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from .constants import MESSAGE_TYPE_MASK, DataCoding, EsmClass, MessageState
from .pdus import DataSm, DeliverSm
from .tlvs import TlvTag

# Plain integers: looking members of an enum up would take as long as matching the text of a receipt.
_RECEIPTED_MESSAGE_ID: Final = int(TlvTag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(TlvTag.MESSAGE_STATE)
_NETWORK_ERROR_CODE: Final = int(TlvTag.NETWORK_ERROR_CODE)
_USER_MESSAGE_REFERENCE: Final = int(TlvTag.USER_MESSAGE_REFERENCE)
_MESSAGE_PAYLOAD: Final = int(TlvTag.MESSAGE_PAYLOAD)
_RECEIPT: Final = int(EsmClass.DELIVERY_RECEIPT)
_NOTIFICATION: Final = int(EsmClass.INTERMEDIATE_NOTIFICATION)
_UDHI: Final = int(EsmClass.UDHI)
_UCS2: Final = int(DataCoding.UCS2)

# An id is no longer than a submit_sm_resp can give, nor is any other word worth keeping: what a peer writes is kept for
# days, a hundred thousand times over.
_LONGEST_WORD: Final = 64
_LARGEST_REFERENCE: Final = 0xFFFF  # two octets: section 5.3.2.17

# As the text says them (appendix B). Also read by their first letters: vendors write them in full, or misspell them.
_STATES: Final[dict[str, MessageState]] = {
    "DELIVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "ENROUTE": MessageState.ENROUTE,
    "SCHEDULED": MessageState.SCHEDULED,
    "SKIPPED": MessageState.SKIPPED,
}
_TELLING_LETTERS: Final = 5
_STATES_BY_BEGINNING: Final = {name[:_TELLING_LETTERS]: state for name, state in _STATES.items()}
_STATES_BY_OCTET: Final = {bytes([state]): state for state in MessageState}
_STATE_NAMES: Final = {state: name for name, state in _STATES.items()}

# The form of appendix B, whole: the way most receipts are, in one match. Quantifiers that give nothing back (`++`) and
# "not a space" instead of a class take half the time of what is usual.
_USUAL_TEXT: Final = re.compile(
    rf"id:([^ ]{{1,{_LONGEST_WORD}}}+) sub:[^ ]*+ dlvrd:[^ ]*+ submit date:(\d{{0,16}}+) done date:(\d{{0,16}}+) "
    rf"stat:([^ ]{{1,{_LONGEST_WORD}}}+) err:(\S{{0,{_LONGEST_WORD}}}+)(?: [Tt]ext:.*+)?+",
    re.DOTALL,
)

# Any other form: fields by name, in any order and case, with what stands between them.
_FIELD: Final = re.compile(
    r"(?<![\w-])(?P<name>id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:\s*", re.IGNORECASE
)
# A state that stands there without its name.
_BARE_STATE: Final = re.compile(r"\b(?:DELIVRD|UNDELIV|EXPIRED|DELETED|ACCEPTD|REJECTD|ENROUTE|UNKNOWN)\b")
_DATE: Final = re.compile(r"\d[\d/:.+-]*(?: [\d/:.+-]+)*")

# Text after this many characters is not looked at: a receipt's fields stand in front.
_LONGEST_TEXT: Final = 1024

_SHORT_DATE: Final = "%y%m%d%H%M"
_DATE_FORMATS: Final = {
    10: (_SHORT_DATE,),
    12: (_SHORT_DATE + "%S", "%Y%m%d%H%M"),
    14: ("%Y%m%d%H%M%S",),
}
_ABSOLUTE_TIME_LENGTH: Final = 16
_HEXADECIMAL: Final = re.compile(rf"[0-9A-Fa-f]{{1,{_LONGEST_WORD}}}")


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of a message.

    message_id: the id that the submit's response gave, in the peer's spelling; "" if the receipt names none. Like every
        word of the peer here, at most 64 characters of it.
    state: of what `status_text` names, DELIVERED and the like; a code of the vendor's own is UNDELIVERABLE.
    error: the vendor's code for the cause; "" if it names none. A vendor's own status stands here too.
    intermediate: a notification on the way, not the end.
    submitted, done: dates as the peer wrote them, in a zone that it does not say; "" if missing.
    user_message_reference: ours, if the peer carries it back.
    """

    message_id: str
    state: MessageState
    error: str = ""
    intermediate: bool = False
    submitted: str = ""
    done: str = ""
    status_text: str = ""
    user_message_reference: int | None = None


def parse_receipt(message: DeliverSm | DataSm) -> Receipt | None:
    """What `message` says of an earlier message, or None if it is an ordinary inbound one.

    A receipt is one by its esm_class, or, as some peers leave that 0, by the parameters receipted_message_id and
    message_state. Never by its text alone: anyone with a telephone can write that text.
    """
    message_type = message.esm_class & MESSAGE_TYPE_MASK
    intermediate = message_type == _NOTIFICATION
    values: dict[int, bytes] = {}
    if message.tlvs:
        values = {
            tlv.tag: tlv.value for tlv in reversed(message.tlvs)
        }  # reversed: of a tag that comes twice, the first
    if not message_type:
        if _RECEIPTED_MESSAGE_ID not in values or _MESSAGE_STATE not in values:
            return None
    elif message_type != _RECEIPT and not intermediate:
        return None

    text = _read_text(message, values)
    usual = _USUAL_TEXT.fullmatch(text)
    if usual is not None:
        message_id, submitted, done, status_text, error = usual.groups()
    else:
        fields = _find_fields(text)
        message_id, status_text, error = fields.get("id", ""), fields.get("stat", ""), fields.get("err", "")
        submitted, done = fields.get("submitdate", ""), fields.get("donedate", "")

    state = _STATES.get(status_text)
    if state is None:
        state, error = _read_unusual_status(status_text, error)
    reference = None
    if values:
        receipted_id = values.get(_RECEIPTED_MESSAGE_ID, b"")[:_LONGEST_WORD].partition(b"\0")[0]
        message_id = receipted_id.decode("latin-1") or message_id
        state = _read_state(values.get(_MESSAGE_STATE, b""), otherwise=state)
        error = _read_network_error(values.get(_NETWORK_ERROR_CODE, b""), otherwise=error)
        reference = _read_reference(values.get(_USER_MESSAGE_REFERENCE, b""))
    return Receipt(message_id, state, error, intermediate, submitted, done, status_text, reference)


def format_receipt(
    message_id: str,
    state: MessageState,
    *,
    error: str = "000",
    submitted: datetime,
    done: datetime,
    text: str = "",
    seconds: bool = False,
) -> bytes:
    """The text of a receipt as appendix B has it, for the side of the SMSC. Of `text` the first 20 characters."""
    form = _SHORT_DATE + "%S" if seconds else _SHORT_DATE
    delivered = int(state is MessageState.DELIVERED)
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered:03d} submit date:{submitted.strftime(form)} "
        f"done date:{done.strftime(form)} stat:{_STATE_NAMES[state]} err:{error} text:{text[:20]}"
    ).encode("ascii", "replace")


def parse_date(text: str) -> datetime | None:
    """The date of a receipt, or None if it is none: YYMMDDhhmm, with seconds, with four digits of the year, or both.

    The peer does not say its zone: the result is in UTC by name only, and good for differences.
    """
    digits = text[:12] if len(text) == _ABSOLUTE_TIME_LENGTH else text  # YYMMDDhhmmsstnnp: section 7.1.1
    if digits.isdecimal():
        for form in _DATE_FORMATS.get(len(digits), ()):
            with contextlib.suppress(ValueError):
                return datetime.strptime(digits, form).replace(tzinfo=UTC)
    return None


def hex_of_decimal(message_id: str) -> str | None:
    """A decimal message id as hexadecimal, lower case, without leading zeros; None if it is not decimal, or too long.

    For peers that write the id of a message one way in the response and the other in the receipt.
    """
    is_decimal = len(message_id) <= _LONGEST_WORD and message_id.isascii() and message_id.isdecimal()
    return f"{int(message_id):x}" if is_decimal else None


def decimal_of_hex(message_id: str) -> str | None:
    """A hexadecimal message id as decimal, without leading zeros; None if it is not hexadecimal, or too long."""
    return str(int(message_id, 16)) if _HEXADECIMAL.fullmatch(message_id) else None


def _read_text(message: DeliverSm | DataSm, values: dict[int, bytes]) -> str:
    """The text of a receipt: in short_message or message_payload, behind a user data header if there is one."""
    octets = message.short_message if type(message) is DeliverSm else b""
    if octets and octets[-1] and octets[0] and not message.esm_class & _UDHI:  # as nearly all are; 255 octets at most
        return octets.decode("latin-1")
    if not octets:
        octets = values.get(_MESSAGE_PAYLOAD, b"")
    if message.esm_class & _UDHI and octets:
        octets = octets[1 + octets[0] :]
    # UCS-2 counts only where the text really is: some peers copy the data_coding of the message into its receipt.
    if message.data_coding == _UCS2 and octets[:1] == b"\0":
        return octets[: 2 * _LONGEST_TEXT].decode("utf-16-be", "replace")
    return octets[:_LONGEST_TEXT].decode("latin-1").rstrip("\0")


def _find_fields(text: str) -> dict[str, str]:
    """The fields of a receipt's text, each value reaching to the next name; of a name that comes twice, the first."""
    fields: dict[str, str] = {}
    found = list(_FIELD.finditer(text))
    head = text  # without the message's own text, which may look like anything
    for index, match in enumerate(found):
        name = re.sub(r"[ _]", "", match["name"]).lower()
        if name == "text" and index:
            head = text[: match.start()]
            break
        value = text[match.end() : found[index + 1].start() if index + 1 < len(found) else len(text)]
        if name.endswith("date"):
            date = _DATE.match(value)
            value = date[0] if date else ""
        else:
            value = value.split(maxsplit=1)[0].strip("\0,;") if value.strip() else ""
        fields.setdefault(name, value[:_LONGEST_WORD])
    if "stat" not in fields and (bare := _BARE_STATE.search(head)):
        fields["stat"] = bare[0]
    return fields


def _read_unusual_status(status_text: str, error: str) -> tuple[MessageState, str]:
    """What a status means that appendix B does not have.

    A vendor's own code is a failure whose cause it names; a zero beside an error of zero is success; none is unknown.
    """
    if not status_text:
        return MessageState.UNKNOWN, error
    state = _STATES_BY_BEGINNING.get(status_text[:_TELLING_LETTERS].upper())
    if state is not None:
        return state, error
    if not status_text.strip("0") and not error.strip("0"):
        return MessageState.DELIVERED, error
    return MessageState.UNDELIVERABLE, error if error.strip("0") else status_text


def _read_state(value: bytes, *, otherwise: MessageState) -> MessageState:
    return _STATES_BY_OCTET.get(value, otherwise)


def _read_network_error(value: bytes, *, otherwise: str) -> str:
    """The code of network_error_code: an octet for the kind of network, then two for the code (section 5.3.2.31)."""
    code = int.from_bytes(value[1:], "big") if len(value) == 3 else 0
    return f"{code:03d}" if code else otherwise


def _read_reference(value: bytes) -> int | None:
    """The number in user_message_reference, however wide it is written; None where it cannot be one of ours."""
    reference = int.from_bytes(value.lstrip(b"\0")[:3], "big")
    return reference if value and reference <= _LARGEST_REFERENCE else None
