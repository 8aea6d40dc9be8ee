"""Receipts octet by octet: worked out by hand, as the codec has no part in them."""

import pytest

from gateway.smpp import CommandId, DeliverSm, MessageState, SubmitSm, Tlv, decode
from gateway.smpp.wire import HEADER, HEADER_BYTES
from simulator.messages import Message
from simulator.outcomes import BY_STAT, DELIVERED, Outcome
from simulator.receipts import make_final_receipt, make_intermediate_receipt
from simulator.scenario import IdForm, ReceiptForm, Receipts

AT = 1_700_000_000.25  # 2023-11-14 22:13:20 UTC
SUBMIT = SubmitSm(
    source_addr_ton=3,
    source_addr_npi=0,
    source_addr="1069",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="8613800001234",
    registered_delivery=1,
    tlvs=(Tlv(0x0204, b"\x00\x2a"), Tlv(0x020A, b"\x00\x01")),
)


def message_of(submit: SubmitSm = SUBMIT, outcome: Outcome = DELIVERED) -> Message:
    return Message(submit, 1_000_000_001, "1000000001", outcome, AT, AT + 60, outcome.state)


def as_deliver_sm(octets: bytes) -> DeliverSm:
    header = HEADER.pack(HEADER_BYTES + len(octets), CommandId.DELIVER_SM, 0, 7)
    body = decode(header + octets).body
    assert isinstance(body, DeliverSm)
    return body


def test_a_receipt_octet_by_octet() -> None:
    receipt, stat = make_final_receipt(message_of(), Receipts(), AT + 60)

    assert stat == "DELIVRD"
    assert (
        receipt.octets
        == (
            b"\0"  # service_type
            b"\x01\x01" + b"8613800001234\0"  # what was the destination
            b"\x03\x00" + b"1069\0"
            b"\x04"  # esm_class: a receipt
            b"\0\0\0\0\0\0\0\0"
            b"\x66"
            b"id:1000000001 sub:001 dlvrd:001 submit date:2311142213 done date:2311142214 stat:DELIVRD err:000 text:"
            b"\x00\x1e\x00\x0b1000000001\0"  # receipted_message_id
            b"\x04\x27\x00\x01\x02"  # message_state
            b"\x02\x04\x00\x02\x00\x2a"  # user_message_reference, back as it came
        )
    )


@pytest.mark.parametrize(
    ("form", "has_text", "tags"),
    [
        (ReceiptForm.TEXT, True, [0x0204]),
        (ReceiptForm.TLV, False, [0x001E, 0x0427, 0x0423, 0x0204]),
        (ReceiptForm.BOTH, True, [0x001E, 0x0427, 0x0423, 0x0204]),
    ],
)
def test_a_receipt_says_it_where_its_form_wants_it(form: ReceiptForm, has_text: bool, tags: list[int]) -> None:
    message = message_of(outcome=BY_STAT["UNDELIV"])

    body = as_deliver_sm(make_final_receipt(message, Receipts(form=form), AT)[0].octets)

    assert (
        body.short_message.endswith(b"dlvrd:000 submit date:2311142213 done date:2311142213 stat:UNDELIV err:001 text:")
        is has_text
    )
    assert [tlv.tag for tlv in body.tlvs] == tags


def test_nothing_is_echoed_where_that_is_off() -> None:
    receipts = Receipts(form=ReceiptForm.TEXT, echo_reference=False)

    assert as_deliver_sm(make_final_receipt(message_of(), receipts, AT)[0].octets).tlvs == ()


@pytest.mark.parametrize(("registered_delivery", "esm_class"), [(0x01, 0x04), (0x11, 0x20)])
def test_a_receipt_on_the_way_is_a_notification_where_the_submit_asked_for_those(
    registered_delivery: int, esm_class: int
) -> None:
    submit = SubmitSm(destination_addr="1", registered_delivery=registered_delivery)
    message = message_of(submit, BY_STAT["EXPIRED"])

    body = as_deliver_sm(make_intermediate_receipt(message, Receipts(), AT)[0].octets)

    assert body.esm_class == esm_class
    assert b" stat:ENROUTE err:000 " in body.short_message
    assert Tlv(0x0427, bytes([MessageState.ENROUTE])) in body.tlvs


def test_the_id_is_written_as_the_settings_and_the_number_want_it() -> None:
    hexadecimal, _ = make_final_receipt(message_of(), Receipts(id_in_receipt=IdForm.HEX), AT)
    altered, _ = make_final_receipt(message_of(outcome=Outcome(altered_id=True)), Receipts(), AT)

    assert as_deliver_sm(hexadecimal.octets).tlvs[0] == Tlv(0x001E, b"3B9ACA01\0")
    assert as_deliver_sm(altered.octets).tlvs[0] == Tlv(0x001E, b"000000003b9aca01\0")
