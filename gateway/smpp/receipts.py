"""Delivery receipts: what a deliver_sm says of an earlier message, in parameters or in its text, or both.

The text is free-form (SMPP 3.4, appendix B): `id:... sub:001 dlvrd:001 submit date:... done date:... stat:DELIVRD
err:000 text:...` in the order, case and completeness of each vendor. Parameters win over it.
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from .constants import MESSAGE_TYPE_MASK, DataCoding, EsmClass, MessageState
from .pdus import DeliverSm
from .tlvs import TlvTag

# As the text says them (appendix B); ENROUTE and the rest in full, as some vendors do.
_STATES: Final[dict[str, MessageState]] = {
    "DELIVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "ENROUTE": MessageState.ENROUTE,
    "DELIVERED": MessageState.DELIVERED,
    "UNDELIVERABLE": MessageState.UNDELIVERABLE,
    "UNDELIVERED": MessageState.UNDELIVERABLE,
    "ACCEPTED": MessageState.ACCEPTED,
    "REJECTED": MessageState.REJECTED,
    "SCHEDULED": MessageState.SCHEDULED,
    "SKIPPED": MessageState.SKIPPED,
}
_STATES_BY_OCTET: Final = {bytes([state]): state for state in MessageState}
_STATE_NAMES: Final = {state: name for name, state in reversed(_STATES.items())}

# The form of appendix B, whole: the way most receipts are, in one match.
_USUAL_TEXT: Final = re.compile(
    r"id:(\S+) sub:\S* dlvrd:\S* submit date:(\d*) done date:(\d*) stat:(\S+) err:(\S*)(?: [Tt]ext:.*)?", re.DOTALL
)

# Any other form: fields by name, in any order and case, with what stands between them.
_FIELD: Final = re.compile(
    r"(?<![\w-])(?P<name>id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:\s*", re.IGNORECASE
)

# Text after this many characters is not looked at: a receipt's fields stand in front.
_LONGEST_TEXT: Final = 1024

_DATE_FORMATS: Final = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of a message.

    message_id: the id that the submit's response gave, in the peer's spelling; "" if the receipt names none.
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


def parse_receipt(message: DeliverSm) -> Receipt | None:
    """What `message` says of an earlier message, or None if it is an ordinary inbound one.

    A receipt is one by its esm_class, or, as some peers leave that 0, by the parameters receipted_message_id and
    message_state. Never by its text alone: anyone with a telephone can write that text.
    """
    message_type = message.esm_class & MESSAGE_TYPE_MASK
    intermediate = message_type == EsmClass.INTERMEDIATE_NOTIFICATION
    values = {tlv.tag: tlv.value for tlv in reversed(message.tlvs)}  # reversed: of a tag that comes twice, the first
    if message_type == EsmClass.DEFAULT:
        if TlvTag.RECEIPTED_MESSAGE_ID not in values or TlvTag.MESSAGE_STATE not in values:
            return None
    elif message_type != EsmClass.DELIVERY_RECEIPT and not intermediate:
        return None

    text = _read_text(message, values.get(TlvTag.MESSAGE_PAYLOAD, b""))
    usual = _USUAL_TEXT.fullmatch(text)
    if usual is not None:
        message_id, submitted, done, status_text, error = usual.groups()
    else:
        fields = _find_fields(text)
        message_id, status_text, error = fields.get("id", ""), fields.get("stat", ""), fields.get("err", "")
        submitted, done = fields.get("submitdate", ""), fields.get("donedate", "")

    state = _STATES.get(status_text) or _STATES.get(status_text.upper())
    if state is None:
        state, error = _read_vendor_status(status_text, error)
    reference = None
    if values:
        receipted_id = values.get(TlvTag.RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0]
        message_id = receipted_id.decode("latin-1") or message_id
        state = _read_state(values.get(TlvTag.MESSAGE_STATE, b""), otherwise=state)
        error = _read_network_error(values.get(TlvTag.NETWORK_ERROR_CODE, b""), otherwise=error)
        reference = _read_reference(values.get(TlvTag.USER_MESSAGE_REFERENCE, b""))
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
    form = _DATE_FORMATS[12 if seconds else 10]
    delivered = int(state is MessageState.DELIVERED)
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered:03d} submit date:{submitted.strftime(form)} "
        f"done date:{done.strftime(form)} stat:{_STATE_NAMES[state]} err:{error} text:{text[:20]}"
    ).encode("ascii", "replace")


def parse_date(text: str) -> datetime | None:
    """The date of a receipt, YYMMDDhhmm with or without seconds, or with four digits of the year; None if it is none.

    The peer does not say its zone: the result is in UTC by name only, and good for differences.
    """
    form = _DATE_FORMATS.get(len(text))
    if form is None or not text.isdecimal():
        return None
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def _read_text(message: DeliverSm, payload: bytes) -> str:
    """The text of a receipt: in short_message or message_payload, behind a user data header if there is one."""
    octets = message.short_message or payload
    if message.esm_class & EsmClass.UDHI and octets:
        octets = octets[1 + octets[0] :]
    # UCS-2 counts only where the text really is: some peers copy the data_coding of the message into its receipt.
    if message.data_coding == DataCoding.UCS2 and octets[:1] == b"\0":
        return octets[: 2 * _LONGEST_TEXT].decode("utf-16-be", "replace")
    return octets[:_LONGEST_TEXT].decode("latin-1").rstrip("\0")


def _find_fields(text: str) -> dict[str, str]:
    """The fields of a receipt's text, each value reaching to the next name; of a name that comes twice, the first."""
    fields: dict[str, str] = {}
    found = list(_FIELD.finditer(text))
    for index, match in enumerate(found):
        name = re.sub(r"[ _]", "", match["name"]).lower()
        if name == "text" and "stat" in fields:
            break  # what follows is the message's own, and may look like anything
        end = found[index + 1].start() if index + 1 < len(found) else len(text)
        value = text[match.end() : end].strip(" \t\r\n\0,;")
        # Only dates have spaces inside; behind an id or a code stands a field that we do not know.
        fields.setdefault(name, value if name.endswith("date") else value.split(" ", 1)[0].rstrip(",;"))
    return fields


def _read_vendor_status(status_text: str, error: str) -> tuple[MessageState, str]:
    """What a status that is not the standard's means: a failure whose cause it names. None at all: not known."""
    if not status_text:
        return MessageState.UNKNOWN, error
    return MessageState.UNDELIVERABLE, error if error.strip("0") else status_text


def _read_state(value: bytes, *, otherwise: MessageState) -> MessageState:
    return _STATES_BY_OCTET.get(value, otherwise)


def _read_network_error(value: bytes, *, otherwise: str) -> str:
    """The code of network_error_code: an octet for the kind of network, then two for the code (section 5.3.2.31)."""
    code = int.from_bytes(value[1:], "big") if len(value) == 3 else 0
    return f"{code:03d}" if code else otherwise


def _read_reference(value: bytes) -> int | None:
    return int.from_bytes(value, "big") if value else None
