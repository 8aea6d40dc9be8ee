"""The codec: every PDU back as it went, sizes kept, damage refused by field, and never another exception."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    CommandId,
    CommandStatus,
    DecodeError,
    DeliverSm,
    DeliverSmResp,
    DistributionList,
    EncodedDeliverSm,
    EncodeError,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    QuerySmResp,
    SmeAddress,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    UnsuccessSme,
    decode,
    encode,
)
from gateway.smpp.layouts import declared_fields
from gateway.smpp.pdus import BODY_TYPES, Body
from gateway.smpp.wire import Counted, CString, UInt

SUBMIT_BODY = SubmitSm(destination_addr="1")
REQUIRED = {"system_id": "a", "password": "b", "message_id": "c", "dest_addresses": (SmeAddress(destination_addr="1"),)}


def smallest(body_type: type[Body], **fields: object) -> Body:
    """A body with as little in it as may be sent."""
    names = declared_fields(body_type)
    return body_type(**{name: value for name, value in REQUIRED.items() if name in names} | fields)


def with_length(data: bytes) -> bytes:
    """`data` as a PDU whose command_length is true again."""
    return len(data).to_bytes(4, "big") + data[4:]


def sized_fields(kind: type) -> list[tuple[type[Body], str]]:
    return [
        (body_type, name)
        for body_type in BODY_TYPES
        for name, field in declared_fields(body_type).items()
        if isinstance(field, kind)
    ]


@given(st.data())
def test_every_pdu_comes_back_as_it_went(pdus: st.SearchStrategy[Pdu], data: st.DataObject):
    pdu = data.draw(pdus)
    assert decode(encode(pdu)) == pdu


@given(st.data())
def test_damaged_valid_input_gives_a_decode_error_and_nothing_else(pdus: st.SearchStrategy[Pdu], data: st.DataObject):
    octets = bytearray(encode(data.draw(pdus)))
    for _ in range(data.draw(st.integers(1, 4))):
        match data.draw(st.sampled_from(["change", "cut", "insert", "repeat"])):
            case "change" if octets:
                octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
            case "cut":
                del octets[data.draw(st.integers(0, len(octets))) :]
            case "insert":
                at = data.draw(st.integers(0, len(octets)))
                octets[at:at] = data.draw(st.binary(max_size=8))
            case "repeat":
                octets += octets[16:]
    damaged = bytes(octets)
    for pdu in (damaged, with_length(damaged) if len(damaged) >= 16 else damaged):
        with contextlib.suppress(DecodeError):
            decode(pdu)


@given(st.data())
def test_whatever_decodes_from_the_peer_is_read_the_same_again(pdus: st.SearchStrategy[Pdu], data: st.DataObject):
    octets = bytearray(encode(data.draw(pdus)))
    octets[data.draw(st.integers(4, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError, EncodeError):
        pdu = decode(bytes(octets))
        again = encode(pdu)
        assert decode(again) == pdu or pdu.command_status


@pytest.mark.parametrize(("body_type", "name"), sized_fields(CString))
def test_a_string_of_its_full_size_passes_and_one_longer_is_refused_both_ways(body_type: type[Body], name: str):
    kind = declared_fields(body_type)[name]
    assert isinstance(kind, CString)
    full = "x" * (kind.size - 1)
    pdu = Pdu(0, 1, smallest(body_type, **{name: full}))
    data = encode(pdu)
    assert decode(data) == pdu

    with pytest.raises(EncodeError) as refused:
        encode(Pdu(0, 1, smallest(body_type, **{name: full + "x"})))
    assert refused.value.field == name

    longer = with_length(data.replace(full.encode(), full.encode() + b"x"))
    with pytest.raises(DecodeError) as damaged:
        decode(longer)
    assert damaged.value.field == name
    assert damaged.value.command_status in {kind.refusal, CommandStatus.ESME_RINVCMDLEN}


@pytest.mark.parametrize(("body_type", "name"), sized_fields(CString))
@pytest.mark.parametrize("value", ["a\0b", "物业", "\ud800"])
def test_a_string_that_the_wire_cannot_carry_is_refused_by_name(body_type: type[Body], name: str, value: str):
    with pytest.raises(EncodeError) as refused:
        encode(Pdu(0, 1, smallest(body_type, **{name: value})))
    assert refused.value.field == name


@pytest.mark.parametrize(("body_type", "name"), sized_fields(UInt))
@pytest.mark.parametrize("value", [-1, 256, 1 << 40])
def test_an_integer_that_does_not_fit_is_refused_by_name(body_type: type[Body], name: str, value: int):
    with pytest.raises(EncodeError, match="must be 0 to 255") as refused:
        encode(Pdu(0, 1, smallest(body_type, **{name: value})))
    assert refused.value.field == name


@pytest.mark.parametrize(("body_type", "name"), sized_fields(Counted))
def test_254_octets_are_sent_at_most_and_255_are_taken(body_type: type[Body], name: str):
    assert decode(encode(pdu := Pdu(0, 1, smallest(body_type, **{name: b"y" * 254})))) == pdu
    with pytest.raises(EncodeError, match="at most 254 octets"):
        encode(Pdu(0, 1, smallest(body_type, **{name: b"y" * 255})))

    data = encode(Pdu(0, 1, smallest(body_type, **{name: b"y" * 254})))
    longest = with_length(data.replace(b"\xfe" + b"y" * 254, b"\xff" + b"y" * 255))
    assert getattr(decode(longest).body, name) == b"y" * 255


@pytest.mark.parametrize(("status", "number"), [(-1, 1), (1 << 32, 1), (0, -1), (0, 1 << 32)])
def test_a_header_field_that_does_not_fit_32_bits_is_refused(status: int, number: int):
    with pytest.raises(EncodeError, match="must fit 32 bits"):
        encode(Pdu(status, number, EnquireLink()))


@pytest.mark.parametrize("tlv", [Tlv(-1, b""), Tlv(0x10000, b""), Tlv(1, b"z" * 0x10000)])
def test_a_parameter_that_does_not_fit_16_bits_is_refused(tlv: Tlv):
    with pytest.raises(EncodeError) as refused:
        encode(Pdu(0, 1, DeliverSm(tlvs=(tlv,))))
    assert refused.value.field == "tlvs"


@pytest.mark.parametrize("destinations", [(), tuple(SmeAddress(destination_addr=str(n)) for n in range(255))])
def test_submit_multi_goes_to_1_to_254_destinations(destinations: tuple[SmeAddress, ...]):
    with pytest.raises(EncodeError, match="must be 1 to 254 destinations"):
        encode(Pdu(0, 1, SubmitMulti(dest_addresses=destinations)))
    full = Pdu(0, 1, SubmitMulti(dest_addresses=(SmeAddress(destination_addr="1"),) * 254))
    assert decode(encode(full)) == full


@pytest.mark.parametrize(
    "body",
    [
        SubmitMulti(dest_addresses=(SmeAddress(dest_addr_ton=255, dest_addr_npi=255, destination_addr="1" * 20),)),
        SubmitMultiResp(unsuccess_smes=(UnsuccessSme(destination_addr="", error_status_code=0xFFFF_FFFF),)),
        SubmitMultiResp(unsuccess_smes=(UnsuccessSme(destination_addr="1", error_status_code=1),) * 254),
    ],
)
def test_the_largest_record_and_the_most_of_them_pass(body: Body):
    assert decode(encode(Pdu(0, 1, body))).body == body


def test_the_largest_header_passes():
    largest = Pdu(0xFFFF_FFFF, 0xFFFF_FFFF, EnquireLink())
    assert decode(encode(largest)) == largest


@pytest.mark.parametrize("value", [SUBMIT_BODY, Tlv(1, b""), Pdu(0, 1, SUBMIT_BODY)])
def test_values_are_frozen(value: object):
    with pytest.raises(AttributeError, match="immutable"):
        value.tag = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [
        SubmitMulti(dest_addresses=(SmeAddress(destination_addr="1" * 21),)),
        SubmitMulti(dest_addresses=(SmeAddress(destination_addr="1", dest_addr_ton=256),)),
        SubmitMulti(dest_addresses=(DistributionList(dl_name="物"),)),
        SubmitMultiResp(unsuccess_smes=(UnsuccessSme(destination_addr="1", error_status_code=1 << 32),)),
        SubmitMultiResp(unsuccess_smes=(UnsuccessSme(destination_addr="1", error_status_code=1),) * 255),
    ],
)
def test_a_record_that_does_not_fit_is_refused(body: Body):
    with pytest.raises(EncodeError, match="must"):
        encode(Pdu(0, 1, body))


# Each cut or changed so that one field is wrong, and the status that says which.
SUBMIT = encode(Pdu(0, 1, SubmitSm(source_addr="1069", destination_addr="861", short_message=b"hello")))
MULTI = encode(Pdu(0, 1, SubmitMulti(dest_addresses=(SmeAddress(destination_addr="8613"),))))
DAMAGED = {
    "service_type without NUL": (SUBMIT[:16] + b"CMTXXX" + SUBMIT[17:], CommandStatus.ESME_RINVSERTYP),
    "source_addr too long": (SUBMIT.replace(b"1069", b"1" * 21), CommandStatus.ESME_RINVSRCADR),
    "destination_addr too long": (SUBMIT.replace(b"861", b"8" * 21), CommandStatus.ESME_RINVDSTADR),
    "sm_length beyond the end": (SUBMIT.replace(b"\x05hello", b"\x06hello"), CommandStatus.ESME_RINVMSGLEN),
    "sm_length short of the end": (SUBMIT.replace(b"\x05hello", b"\x03hello"), CommandStatus.ESME_RINVOPTPARSTREAM),
    "ends before sm_length": (SUBMIT[:-6], CommandStatus.ESME_RINVCMDLEN),
    "ends inside source_addr": (SUBMIT[:21], CommandStatus.ESME_RINVCMDLEN),
    "no body": (SUBMIT[:16], CommandStatus.ESME_RINVCMDLEN),
    "parameter longer than the PDU": (SUBMIT + b"\x02\x04\x00\x03\x00\x01", CommandStatus.ESME_RINVPARLEN),
    "half a parameter": (SUBMIT + b"\x02\x04\x00", CommandStatus.ESME_RINVOPTPARSTREAM),
    "no destinations": (MULTI.replace(b"\x01\x01\x00\x008613\0", b"\x00"), CommandStatus.ESME_RINVNUMDESTS),
    "dest_flag 3": (MULTI.replace(b"\x01\x01\x00\x008613", b"\x01\x03\x00\x008613"), CommandStatus.ESME_RINVDESTFLAG),
    "more destinations said than there": (MULTI.replace(b"\x01\x01\x00\x008613", b"\xff\x01\x00\x008613"), None),
    "trailing octets": (encode(Pdu(0, 1, EnquireLink())) + b"\0\0\0\0", CommandStatus.ESME_RINVCMDLEN),
    "unknown command": (b"\0\0\0\x10\0\0\x01\x11" + bytes(8), CommandStatus.ESME_RINVCMDID),
    "password too long": (
        encode(Pdu(0, 1, BindTransceiver(system_id="a", password="12345678"))).replace(b"8\0", b"89\0"),
        CommandStatus.ESME_RINVPASWD,
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_request_is_refused_with_the_status_of_its_field(name: str):
    data, status = DAMAGED[name]
    with pytest.raises(DecodeError) as damaged:
        decode(with_length(data))
    if status is not None:
        assert damaged.value.command_status == status


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x10", SUBMIT[:-1], SUBMIT + b"\0"])
def test_a_command_length_that_is_not_the_length_is_refused(data: bytes):
    with pytest.raises(DecodeError) as damaged:
        decode(data)
    assert damaged.value.command_status == CommandStatus.ESME_RINVCMDLEN


@pytest.mark.parametrize("tail", [b"", b"abc", b"\0\xff\xff\xff\xff", b"x" * 70])
@pytest.mark.parametrize("body", [SubmitSmResp(), BindTransceiverResp(), DeliverSmResp(), QuerySmResp()])
def test_a_refusal_is_one_whatever_its_body(body: Body, tail: bytes):
    header = encode(Pdu(CommandStatus.ESME_RTHROTTLED, 5, body))[:16]
    pdu = decode(with_length(header + tail))
    assert (pdu.command_status, pdu.sequence_number, pdu.command_id) == (0x58, 5, body.command_id)


def test_an_encoded_deliver_sm_is_the_deliver_sm_that_it_says():
    pdu = Pdu(0, 7, DeliverSm(source_addr="8613812345678", esm_class=4, short_message=b"id:1", tlvs=(Tlv(5, b"x"),)))
    data = encode(pdu)

    assert encode(Pdu(0, 7, EncodedDeliverSm(octets=data[16:]))) == data
    assert decode(encode(Pdu(0, 7, EncodedDeliverSm(octets=data[16:])))) == pdu


def test_an_accepted_submit_without_a_message_id_is_damaged():
    with pytest.raises(DecodeError):
        decode(with_length(encode(Pdu(0, 5, SubmitSmResp()))[:16]))


@pytest.mark.parametrize("body", [DeliverSmResp(), BindTransceiverResp()])
def test_an_accepted_deliver_or_bind_may_come_without_a_body(body: Body):
    assert decode(with_length(encode(Pdu(0, 5, body))[:16])).body == body


def test_what_is_too_much_in_a_response_does_not_lose_what_it_says():
    data = with_length(encode(Pdu(0, 5, SubmitSmResp(message_id="id-1"))) + b"\x04\x28\x00")
    assert decode(data).body == SubmitSmResp(message_id="id-1")
    assert decode(with_length(encode(Pdu(0, 5, EnquireLinkResp())) + b"junk")).body == EnquireLinkResp()


def test_an_unknown_status_stays_a_number_and_a_known_one_gets_its_name():
    assert decode(encode(Pdu(0x4A5, 1, DeliverSmResp()))).command_status == 0x4A5
    assert decode(encode(Pdu(0x58, 1, DeliverSmResp()))).command_status is CommandStatus.ESME_RTHROTTLED


def test_a_pdu_knows_its_command():
    assert Pdu(0, 1, SubmitSm(destination_addr="1")).command_id is CommandId.SUBMIT_SM
    assert CommandId.SUBMIT_SM_RESP.is_response
    assert not CommandId.SUBMIT_SM.is_response
