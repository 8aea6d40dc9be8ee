"""What a receipt looks like: the deliver_sm that says what became of a message. SMPP 3.4, section 4.6.1, appendix B.

All of it is written here and not by the codec: a client of the same codec is read by it and not by itself, and putting
the octets together at once costs a quarter of describing them first.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from gateway.smpp import EncodedDeliverSm, EsmClass, MessageState, RegisteredDelivery, SubmitSm, Tlv, TlvTag
from simulator.ids import spell_id_of_receipt
from simulator.messages import Message
from simulator.outcomes import DELIVERED
from simulator.scenario import ReceiptForm, Receipts

_STATS: Final[Mapping[MessageState, str]] = {
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
}
_GSM_NETWORK: Final = b"\x03"  # of network_error_code; section 5.3.2.31
_SECONDS_A_MINUTE: Final = 60

# Plain integers and characters: a look-up in an enum costs as much as a receipt's text.
_CHARACTERS: Final = tuple(map(chr, range(256)))
_DELIVERED: Final = MessageState.DELIVERED
_NOTIFICATION: Final = chr(EsmClass.INTERMEDIATE_NOTIFICATION)
_RECEIPT: Final = chr(EsmClass.DELIVERY_RECEIPT)
_TEXT: Final = ReceiptForm.TEXT
_TLV: Final = ReceiptForm.TLV
_NOTIFICATION_WANTED: Final = int(RegisteredDelivery.INTERMEDIATE_NOTIFICATION)
_USER_MESSAGE_REFERENCE: Final = int(TlvTag.USER_MESSAGE_REFERENCE)
_RECEIPTED_MESSAGE_ID: Final = TlvTag.RECEIPTED_MESSAGE_ID.to_bytes(2, "big").decode("latin-1") + "\0"  # and a length

# protocol_id, priority_flag, the empty schedule_delivery_time and validity_period, registered_delivery,
# replace_if_present_flag, data_coding and sm_default_msg_id.
_NOTHING_MORE: Final = "\0" * 8


def make_final_receipt(message: Message, receipts: Receipts, at: float) -> tuple[EncodedDeliverSm, str]:
    """Return the receipt of `message` at Unix time `at`, and its stat."""
    state = message.final_state
    return _make(message, receipts, at, state, message.outcome.error, _RECEIPT), _STATS[state]


def make_intermediate_receipt(message: Message, receipts: Receipts, at: float) -> tuple[EncodedDeliverSm, str]:
    """Return the receipt of `message` on its way, at Unix time `at`, and its stat.

    It is a notification of its own kind where the submit asked for those (SMPP 3.4, section 5.2.17), and else an
    ordinary receipt that says ENROUTE, as some carriers send it unasked.
    """
    is_wanted = message.submit.registered_delivery & _NOTIFICATION_WANTED
    esm_class = _NOTIFICATION if is_wanted else _RECEIPT
    return _make(message, receipts, at, MessageState.ENROUTE, "000", esm_class), "ENROUTE"


def _make(
    message: Message, receipts: Receipts, at: float, state: MessageState, error: str, esm_class: str
) -> EncodedDeliverSm:
    submit, form = message.submit, receipts.form
    if message.outcome.altered_id or receipts.id_in_receipt is not receipts.id_in_response:
        message_id = spell_id_of_receipt(message.number, receipts, is_altered=message.outcome.altered_id)
    else:
        message_id = message.id
    text = parameters = ""
    if form is not _TLV:
        submitted, done = message.accepted_at // _SECONDS_A_MINUTE, at // _SECONDS_A_MINUTE
        if message.outcome is DELIVERED and state is _DELIVERED:  # nearly all: and hashing an enum takes its time
            text = f"id:{message_id}{_delivered_after_id(submitted, done)}"
        else:
            text = f"id:{message_id}{_after_id(state, error, submitted, done)}"
    if form is not _TEXT:
        length = _CHARACTERS[len(message_id) + 1]
        rest = (
            _PARAMETERS_OF_DELIVERED if state is _DELIVERED and error == "000" else _parameters_after_id(state, error)
        )
        parameters = f"{_RECEIPTED_MESSAGE_ID}{length}{message_id}\0{rest}"
    if submit.tlvs and receipts.echo_reference:
        parameters += _echo(submit)

    # service_type is empty, and what was the destination is the source.
    body = (
        f"\0{_CHARACTERS[submit.dest_addr_ton]}{_CHARACTERS[submit.dest_addr_npi]}{submit.destination_addr}\0"
        f"{_CHARACTERS[submit.source_addr_ton]}{_CHARACTERS[submit.source_addr_npi]}{submit.source_addr}\0"
        f"{esm_class}{_NOTHING_MORE}{_CHARACTERS[len(text)]}{text}{parameters}"
    )
    return EncodedDeliverSm(body.encode("latin-1"))


@lru_cache(maxsize=256)
def _after_id(state: MessageState, error: str, submitted_minute: float, done_minute: float) -> str:
    """Return what a receipt's text says after the id: the same for all of one fate and the same minutes."""
    delivered = "001" if state is MessageState.DELIVERED else "000"
    return (
        f" sub:001 dlvrd:{delivered} submit date:{_date(submitted_minute)} "
        f"done date:{_date(done_minute)} stat:{_STATS[state]} err:{error} text:"
    )


@lru_cache(maxsize=64)
def _delivered_after_id(submitted_minute: float, done_minute: float) -> str:
    return _after_id(MessageState.DELIVERED, "000", submitted_minute, done_minute)


@lru_cache(maxsize=64)
def _parameters_after_id(state: MessageState, error: str) -> str:
    """Return the parameters that follow the one with the id, as Latin-1."""
    parameters = _parameter(Tlv(TlvTag.MESSAGE_STATE, bytes([state])))
    if error != "000" and error.isdecimal():  # others have no form in this parameter
        parameters += _parameter(
            Tlv(TlvTag.NETWORK_ERROR_CODE, _GSM_NETWORK + min(int(error), 0xFFFF).to_bytes(2, "big"))
        )
    return parameters


def _echo(submit: SubmitSm) -> str:
    """Return the references of the submit, as Latin-1."""
    return "".join(_parameter(tlv) for tlv in submit.tlvs if tlv.tag == _USER_MESSAGE_REFERENCE)


def _parameter(tlv: Tlv) -> str:
    """Return a parameter as Latin-1: tag, length and value (section 3.2.4.1)."""
    data = tlv.tag.to_bytes(2, "big") + len(tlv.value).to_bytes(2, "big") + tlv.value
    return data.decode("latin-1")


_PARAMETERS_OF_DELIVERED: Final = _parameters_after_id(MessageState.DELIVERED, "000")


def _date(minute: float) -> str:
    """Return a minute since 1970 as YYMMDDhhmm, in UTC."""
    return datetime.fromtimestamp(minute * _SECONDS_A_MINUTE, UTC).strftime("%y%m%d%H%M")
