"""Our codec against smpplib's, over generated PDUs: the same bytes from both, each read by the other.

What smpplib does otherwise is listed by name, each with a test that it still does so.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import smpp

from gateway.smpp import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    CommandId,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    TlvTag,
    Unbind,
    UnbindResp,
    decode,
    encode,
    find_tlv,
    make_tlv,
)
from gateway.smpp.layouts import declared_fields
from gateway.smpp.tlvs import VALUE_TYPES, IntegerValue, OctetsValue, TextValue
from gateway.smpp.wire import Counted, CString, UInt

BODY_TYPES: list[type[Body]] = [
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
]

NOT_IN_SMPPLIB = {
    CommandId.OUTBIND,
    CommandId.SUBMIT_MULTI,
    CommandId.SUBMIT_MULTI_RESP,
    CommandId.CANCEL_SM,
    CommandId.CANCEL_SM_RESP,
    CommandId.REPLACE_SM,
    CommandId.REPLACE_SM_RESP,
}

# Parameters that smpplib writes otherwise than SMPP 3.4, section 5.3.2, says, and how.
FAULTS = {
    "submit_sm.source_addr_subunit": "two octets; 5.3.2.2 has one",
    "submit_sm.alert_on_message_delivery": "never written",
    "submit_sm.source_subaddress": "a NUL behind the octets; 5.3.2.15",
    "submit_sm.dest_subaddress": "a NUL behind the octets; 5.3.2.16",
    "deliver_sm.source_subaddress": "a NUL behind the octets; 5.3.2.15",
    "deliver_sm.dest_subaddress": "a NUL behind the octets; 5.3.2.16",
    "data_sm.source_telematics_id": "two octets; 5.3.2.8 has one",
    "data_sm.alert_on_message_delivery": "never written",
    "data_sm.source_subaddress": "a NUL behind the octets; 5.3.2.15",
    "data_sm.dest_subaddress": "a NUL behind the octets; 5.3.2.16",
    "data_sm.callback_num_atag": "a NUL behind the octets; 5.3.2.38",
    "data_sm_resp.delivery_failure_reason": "a string; 5.3.2.33 has one octet",
    "data_sm_resp.network_error_code": "a string; 5.3.2.31 has three octets",
}

# Not faults, but values that the two name otherwise: an integer there is octets here.
INTEGERS_THERE = {TlvTag.ITS_SESSION_INFO, TlvTag.MS_VALIDITY}

# Narrower than the specification: 65 octets in data_sm and alert_notification (4.7.1, 4.12.1), 21 in smpplib.
NARROW = 21


def name_of(body_type: type[Body]) -> str:
    return body_type.command_id.name.lower()


def empty(body_type: type[Body]) -> Any:
    """smpplib's PDU of the same kind, without anything in it."""
    return smpp.make_pdu(name_of(body_type), sequence=1, allow_unknown_opt_params=True)


def parameters_of(body_type: type[Body], *, faulty: bool = False) -> list[TlvTag]:
    """The optional parameters that smpplib gives this PDU, in its order: without its faults, or only those."""
    if "tlvs" not in declared_fields(body_type):
        return []
    theirs = empty(body_type)
    names = [field for field in theirs.params_order if theirs.field_is_optional(field)]
    tags = [TlvTag[name.upper()] for name in names]
    return [tag for tag in tags if (f"{name_of(body_type)}.{tag.name.lower()}" in FAULTS) == faulty]


def value_strategy(tag: TlvTag) -> st.SearchStrategy[Any]:
    match VALUE_TYPES[tag]:
        case IntegerValue(octets=octets):
            return st.integers(0, (1 << 8 * octets) - 1)
        case TextValue(largest=largest):
            return st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=largest - 1)
        case OctetsValue(smallest=smallest, largest=largest):
            size = 2 if tag is TlvTag.ITS_SESSION_INFO else max(1, smallest)
            return st.binary(min_size=size, max_size=1 if tag is TlvTag.MS_VALIDITY else max(size, min(largest, 300)))


@st.composite
def tlvs(draw: st.DrawFn, body_type: type[Body]) -> tuple[Tlv, ...]:
    tags = parameters_of(body_type)
    chosen = draw(st.sets(st.sampled_from(tags), max_size=5)) if tags else set()
    return tuple(make_tlv(tag, draw(value_strategy(tag))) for tag in tags if tag in chosen)


@st.composite
def pdus(draw: st.DrawFn) -> Pdu:
    """Any PDU that both sides can say."""
    body_type = draw(st.sampled_from(BODY_TYPES))
    fields: dict[str, Any] = {}
    for name, kind in declared_fields(body_type).items():
        match kind:
            case UInt():
                fields[name] = 0x34 if name == "interface_version" else draw(st.integers(0, 255))
            case CString(size=size):
                width = min(size, NARROW) if body_type in {DataSm, AlertNotification} else size
                smallest = 1 if body_type is QuerySm and name == "message_id" else 0
                letters = st.characters(min_codepoint=1, max_codepoint=255)
                fields[name] = draw(st.text(letters, min_size=smallest, max_size=width - 1))
            case Counted(size=size):
                fields[name] = draw(st.binary(max_size=size))
            case _:
                fields[name] = draw(tlvs(body_type))
    if fields.get("short_message"):  # smpplib refuses both at once
        fields["tlvs"] = tuple(tlv for tlv in fields["tlvs"] if tlv.tag != TlvTag.MESSAGE_PAYLOAD)
    status = 0 if body_type.bare_when_refused else draw(st.integers(0, 0xFFFFFFFF))
    return Pdu(status, draw(st.integers(0, 0xFFFFFFFF)), body_type(**fields))


def translate(pdu: Pdu) -> Any:
    """The same PDU as smpplib has it."""
    theirs = empty(type(pdu.body))
    theirs.sequence, theirs.status = pdu.sequence_number, pdu.command_status
    for name in declared_fields(type(pdu.body)):
        if name == "tlvs":
            for tlv in pdu.body.tlvs:  # type: ignore[attr-defined]
                tag = TlvTag(tlv.tag)
                value = find_tlv((tlv,), tag)
                if tag in INTEGERS_THERE:
                    value = int.from_bytes(tlv.value, "big")
                setattr(theirs, tag.name.lower(), value)
        else:
            setattr(theirs, name, getattr(pdu.body, name))
    return theirs


def test_every_command_is_compared_or_named_as_missing_there():
    assert {body_type.command_id for body_type in BODY_TYPES} | NOT_IN_SMPPLIB == set(CommandId)


@given(pdus())
def test_both_write_the_same_bytes(pdu: Pdu):
    assert translate(pdu).generate().hex() == encode(pdu).hex()


@given(pdus())
def test_we_read_what_smpplib_writes(pdu: Pdu):
    assert decode(translate(pdu).generate()) == pdu


@given(pdus())
def test_smpplib_reads_what_we_write(pdu: Pdu):
    theirs = smpp.parse_pdu(encode(pdu), allow_unknown_opt_params=True, sequence=1)
    assert (theirs.command, theirs.sequence, theirs.status) == (
        name_of(type(pdu.body)),
        pdu.sequence_number,
        pdu.command_status,
    )
    for name in declared_fields(type(pdu.body)):
        if name == "tlvs":
            continue
        ours, read = getattr(pdu.body, name), getattr(theirs, name)
        # Absent and empty are one to smpplib; strings are octets there.
        assert (read or ("" if isinstance(ours, str) else read)) in (
            ours,
            ours.encode("latin-1") if isinstance(ours, str) else ours,
        ) or (not ours and not read)
    for tlv in getattr(pdu.body, "tlvs", ()):
        tag = TlvTag(tlv.tag)
        read = getattr(theirs, tag.name.lower())
        value = find_tlv((tlv,), tag)
        if tag in INTEGERS_THERE:
            value = int.from_bytes(tlv.value, "big")
        assert read == (value.encode("latin-1") if isinstance(value, str) else value)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{name}: {how}" for name, how in FAULTS.items()])
def test_smpplib_still_writes_this_parameter_otherwise(fault: str):
    command, name = fault.split(".")
    [body_type] = [kind for kind in BODY_TYPES if name_of(kind) == command]
    tag = TlvTag[name.upper()]
    assert tag in parameters_of(body_type, faulty=True)
    value: Any = {IntegerValue: 1, TextValue: "t", OctetsValue: b"\x01\x02\x03"}[type(VALUE_TYPES[tag])]
    if tag is TlvTag.ALERT_ON_MESSAGE_DELIVERY:
        value = b""
    pdu = Pdu(0, 1, body_type(tlvs=(make_tlv(tag, value),)))  # type: ignore[call-arg]
    theirs = empty(body_type)
    if theirs.params[name].type is str:  # as text, then; the octets are the same
        value = value.decode("latin-1") if isinstance(value, bytes) else chr(value)
    setattr(theirs, name, value)
    assert theirs.generate() != encode(pdu)


def test_smpplib_cuts_a_string_that_is_too_long_without_a_word_and_we_refuse_it():
    theirs = empty(SubmitSm)
    theirs.destination_addr = "1" * 30
    read = decode(theirs.generate()).body
    assert isinstance(read, SubmitSm)
    assert read.destination_addr == "1" * 20


def test_smpplib_sets_the_interface_version_to_3_4_whatever_is_asked():
    assert smpp.make_pdu("bind_transmitter", sequence=1, interface_version=0x33).interface_version == 0x34
