"""Receipts: a corpus of real shapes, and what is no receipt."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import (
    DataSm,
    DeliverSm,
    EsmClass,
    MessageState,
    Receipt,
    Tlv,
    TlvTag,
    decimal_of_hex,
    format_receipt,
    hex_of_decimal,
    make_tlv,
    parse_date,
    parse_receipt,
)

CORPUS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("receipts.toml").read_text())["receipt"]
USUAL = b"id:1 sub:001 dlvrd:001 submit date:2611220730 done date:2611220731 stat:DELIVRD err:000 text:x"


def message_of(shape: dict[str, Any]) -> DeliverSm:
    octets = bytes.fromhex(shape.get("hex", "")) + shape.get("text", "").encode("latin-1")
    return DeliverSm(
        esm_class=shape.get("esm_class", 4),
        data_coding=shape.get("data_coding", 8 if "ucs2" in shape else 0),
        short_message=octets + shape.get("ucs2", "").encode("utf-16-be"),
        tlvs=tuple(Tlv(int(tag, 16), bytes.fromhex(value)) for tag, value in shape.get("tlvs", {}).items()),
    )


def test_the_corpus_is_large_enough_to_mean_something():
    assert len(CORPUS) >= 30
    assert len({shape["seen"] for shape in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("shape", CORPUS, ids=[shape["seen"] for shape in CORPUS])
def test_a_receipt_that_was_really_seen_is_understood(shape: dict[str, Any]):
    receipt = parse_receipt(message_of(shape))
    assert receipt is not None
    expected = shape["expected"]
    assert (receipt.message_id, receipt.state.name) == (expected["message_id"], expected["state"])
    assert (receipt.error, receipt.submitted, receipt.done) == (
        expected.get("error", ""),
        expected.get("submitted", ""),
        expected.get("done", ""),
    )
    assert receipt.intermediate is expected.get("intermediate", False)
    assert receipt.user_message_reference == expected.get("reference")


@pytest.mark.parametrize(
    "message",
    [
        DeliverSm(short_message=b"TD"),
        DeliverSm(short_message=USUAL),  # anyone with a telephone can write that
        DeliverSm(esm_class=EsmClass.UDHI, short_message=b"\x05\0\3\1\2\1part"),
        DeliverSm(esm_class=EsmClass.DELIVERY_ACKNOWLEDGEMENT, short_message=USUAL),
        DeliverSm(esm_class=EsmClass.MANUAL_ACKNOWLEDGEMENT, short_message=USUAL),
        DeliverSm(esm_class=EsmClass.CONVERSATION_ABORT, short_message=USUAL),
        DeliverSm(short_message=b"hello", tlvs=(make_tlv(TlvTag.MESSAGE_STATE, 2),)),
        DeliverSm(short_message=b"hello", tlvs=(make_tlv(TlvTag.RECEIPTED_MESSAGE_ID, "x"),)),
    ],
)
def test_an_inbound_message_is_no_receipt(message: DeliverSm):
    assert parse_receipt(message) is None


def test_a_receipt_may_come_as_a_data_sm():
    message = DataSm(esm_class=4, tlvs=(make_tlv(TlvTag.MESSAGE_PAYLOAD, USUAL),))
    receipt = parse_receipt(message)
    assert receipt is not None
    assert (receipt.message_id, receipt.state) == ("1", MessageState.DELIVERED)


def test_parameters_win_over_the_text_and_the_first_of_a_tag_over_the_second():
    tlvs = (
        make_tlv(TlvTag.RECEIPTED_MESSAGE_ID, "2"),
        make_tlv(TlvTag.MESSAGE_STATE, MessageState.EXPIRED),
        make_tlv(TlvTag.NETWORK_ERROR_CODE, b"\x03\x00\x1b"),
        make_tlv(TlvTag.USER_MESSAGE_REFERENCE, 515),
        make_tlv(TlvTag.MESSAGE_STATE, MessageState.DELIVERED),
    )
    assert parse_receipt(DeliverSm(esm_class=4, short_message=USUAL, tlvs=tlvs)) == Receipt(
        message_id="2",
        state=MessageState.EXPIRED,
        error="027",
        submitted="2611220730",
        done="2611220731",
        status_text="DELIVRD",
        user_message_reference=515,
    )


def test_a_message_state_that_nobody_named_leaves_the_word_to_the_text():
    message = DeliverSm(esm_class=4, short_message=USUAL, tlvs=(Tlv(TlvTag.MESSAGE_STATE, b"\xc8"),))
    receipt = parse_receipt(message)
    assert receipt is not None
    assert receipt.state is MessageState.DELIVERED


@pytest.mark.parametrize("state", MessageState)
@pytest.mark.parametrize("seconds", [False, True])
def test_a_receipt_that_is_written_is_read_again(state: MessageState, seconds: bool):
    at = datetime(2026, 11, 22, 7, 30, 15, tzinfo=UTC)
    text = format_receipt("ab12", state, error="005", submitted=at, done=at, text="x" * 30, seconds=seconds)
    assert text.endswith(b"text:" + b"x" * 20)
    receipt = parse_receipt(DeliverSm(esm_class=4, short_message=text))
    assert receipt is not None
    assert (receipt.message_id, receipt.state, receipt.error) == ("ab12", state, "005")
    assert parse_date(receipt.done) == (at if seconds else at.replace(second=0))


@given(st.binary(max_size=254), st.sampled_from([0, 4, 0x20, 0x44, 0x60]), st.sampled_from([0, 3, 8]))
def test_no_text_whatever_raises(octets: bytes, esm_class: int, data_coding: int):
    parse_receipt(DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets))


@given(st.data())
def test_a_damaged_receipt_never_raises(data: st.DataObject):
    octets = bytearray(message_of(data.draw(st.sampled_from(CORPUS))).short_message or USUAL)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(octets)))
        octets[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    receipt = parse_receipt(DeliverSm(esm_class=4, short_message=bytes(octets)))
    assert receipt is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2611220730", datetime(2026, 11, 22, 7, 30, tzinfo=UTC)),
        ("261122073015", datetime(2026, 11, 22, 7, 30, 15, tzinfo=UTC)),
        ("201906190720", datetime(2019, 6, 19, 7, 20, tzinfo=UTC)),
        ("20261122073015", datetime(2026, 11, 22, 7, 30, 15, tzinfo=UTC)),
        ("261122073015032+", datetime(2026, 11, 22, 7, 30, 15, tzinfo=UTC)),
        ("0000000000", None),
        ("2611", None),
        ("", None),
        ("yesterday!", None),
        ("٢٦١١٢٢٠٧٣x", None),
    ],
)
def test_dates_are_read_in_their_forms(text: str, expected: datetime | None):
    assert parse_date(text) == expected


def test_ids_go_between_hexadecimal_and_decimal():
    assert decimal_of_hex("812FC7470000001B") == "9308878062554710043"
    assert hex_of_decimal("9308878062554710043") == "812fc7470000001b"
    assert decimal_of_hex("0000000a") == "10"
    assert hex_of_decimal("0010") == "a"
    for other in ("", "xyz", "0x1f", "-1", "1_0", " 1", "１２"):
        assert decimal_of_hex(other) is None
        assert hex_of_decimal(other) is None


def test_ids_that_are_too_long_for_an_id_are_not_counted_with():
    assert decimal_of_hex("f" * 64) == str(16**64 - 1)
    assert hex_of_decimal("9" * 64) is not None
    assert decimal_of_hex("f" * 65) is None
    assert hex_of_decimal("9" * 60_000) is None


LONG_WORDS = b"id:" + b"1" * 300 + b" submit date:" + b"2" * 99 + b" stat:" + b"z" * 99 + b" err:" + b"3" * 300


def test_no_word_of_a_receipt_is_longer_than_an_id_can_be():
    tlvs = (make_tlv(TlvTag.MESSAGE_PAYLOAD, LONG_WORDS),)
    receipt = parse_receipt(DeliverSm(esm_class=4, tlvs=tlvs))
    assert receipt is not None
    words = (receipt.message_id, receipt.submitted, receipt.status_text, receipt.error)
    assert words == ("1" * 64, "2" * 64, "z" * 64, "3" * 64)

    receipt = parse_receipt(DeliverSm(esm_class=4, tlvs=(Tlv(TlvTag.RECEIPTED_MESSAGE_ID, b"9" * 60_000),)))
    assert receipt is not None
    assert receipt.message_id == "9" * 64


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (b"\x02\x03", 515),
        (b"\x07", 7),
        (b"\0\0\x02\x03", 515),
        (b"\0\0", 0),
        (b"", None),
        (b"\x01\0\0", None),
        (b"\xff" * 60_000, None),
    ],
)
def test_a_reference_is_one_that_two_octets_can_hold(value: bytes, reference: int | None):
    receipt = parse_receipt(DeliverSm(esm_class=4, tlvs=(Tlv(TlvTag.USER_MESSAGE_REFERENCE, value),)))
    assert receipt is not None
    assert receipt.user_message_reference == reference


def test_final_states_are_those_that_a_message_does_not_leave():
    assert [state.name for state in MessageState if not state.is_final] == ["SCHEDULED", "ENROUTE", "ACCEPTED"]
