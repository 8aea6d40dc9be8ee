"""What a receipt looks like: the deliver_sm that tells what became of a message. SMPP 3.4, appendix B.

The text is written here and not by the codec, so that a client of the same codec is read by it and not by itself.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from gateway.smpp import DeliverSm, EsmClass, MessageState, RegisteredDelivery, SubmitSm, Tlv, TlvTag
from simulator.ids import spell_id_of_receipt
from simulator.messages import Message
from simulator.settings import ReceiptForm, Receipts

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
_STATE_VALUES: Final = {state: Tlv(TlvTag.MESSAGE_STATE, bytes([state])) for state in _STATS}
_GSM_NETWORK: Final = b"\x03"  # of network_error_code; section 5.3.2.31
_SECONDS_A_MINUTE: Final = 60


def spell_state(message: Message, *, is_intermediate: bool) -> str:
    """Return what the receipt's stat says."""
    return _STATS[MessageState.ENROUTE if is_intermediate else message.final_state]


def make_receipt(message: Message, receipts: Receipts, at: float, *, is_intermediate: bool) -> DeliverSm:
    """Return the receipt of `message` at Unix time `at`.

    An intermediate one is a notification of its own kind where the submit asked for those (SMPP 3.4, section 5.2.17),
    and else an ordinary receipt that says ENROUTE, as some carriers send it unasked.
    """
    submit = message.submit
    state = MessageState.ENROUTE if is_intermediate else message.final_state
    error = "000" if is_intermediate else message.outcome.error
    message_id = spell_id_of_receipt(message.number, receipts, is_altered=message.outcome.altered_id)
    tlvs: list[Tlv] = []
    if receipts.form is not ReceiptForm.TEXT:
        tlvs += (Tlv(TlvTag.RECEIPTED_MESSAGE_ID, f"{message_id}\0".encode()), _STATE_VALUES[state])
        if error != "000":
            tlvs.append(Tlv(TlvTag.NETWORK_ERROR_CODE, _GSM_NETWORK + int(error).to_bytes(2, "big")))
    if receipts.echo_reference and submit.tlvs:
        tlvs += (tlv for tlv in submit.tlvs if tlv.tag == TlvTag.USER_MESSAGE_REFERENCE)
    text = b""
    if receipts.form is not ReceiptForm.TLV:
        delivered = "001" if state is MessageState.DELIVERED else "000"
        text = (
            f"id:{message_id} sub:001 dlvrd:{delivered} submit date:{_date(message.accepted_at)} "
            f"done date:{_date(at)} stat:{_STATS[state]} err:{error} text:"
        ).encode()
    return DeliverSm(
        source_addr_ton=submit.dest_addr_ton,
        source_addr_npi=submit.dest_addr_npi,
        source_addr=submit.destination_addr,
        dest_addr_ton=submit.source_addr_ton,
        dest_addr_npi=submit.source_addr_npi,
        destination_addr=submit.source_addr,
        esm_class=_esm_class(submit, is_intermediate=is_intermediate),
        short_message=text,
        tlvs=tuple(tlvs),
    )


def _esm_class(submit: SubmitSm, *, is_intermediate: bool) -> int:
    if is_intermediate and submit.registered_delivery & RegisteredDelivery.INTERMEDIATE_NOTIFICATION:
        return EsmClass.INTERMEDIATE_NOTIFICATION
    return EsmClass.DELIVERY_RECEIPT


def _date(at: float) -> str:
    """Return a time as YYMMDDhhmm, in UTC."""
    return _date_of_minute(int(at // _SECONDS_A_MINUTE))


@lru_cache(maxsize=16)
def _date_of_minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * _SECONDS_A_MINUTE, UTC).strftime("%y%m%d%H%M")
