"""Golden bytes: each PDU of SMPP 3.4 as worked out by hand in tests/golden/smpp_pdus.txt, both ways."""

import re
from pathlib import Path

import pytest

from gateway.smpp import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    CancelSmResp,
    CommandId,
    CommandStatus,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    DistributionList,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SmeAddress,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    TlvTag,
    Unbind,
    UnbindResp,
    UnsuccessSme,
    decode,
    encode,
    make_tlv,
)

GOLDEN_FILE = Path(__file__).parents[1] / "golden" / "smpp_pdus.txt"


def read_golden() -> dict[str, bytes]:
    """Name to octets, from hexadecimal, quoted ASCII and remarks."""
    golden: dict[str, bytes] = {}
    name = ""
    for line in GOLDEN_FILE.read_text().splitlines():
        if header := re.fullmatch(r"\[(.+)\]", line):
            name = header[1]
            golden[name] = b""
            continue
        for quoted, octet, remark in re.findall(r'"([^"]*)"|\b([0-9A-F]{2})\b|(#.*)', line):
            assert name or remark
            golden[name] = golden.get(name, b"") + (quoted.encode() + bytes.fromhex(octet) if not remark else b"")
    golden.pop("", None)
    return golden


GOLDEN = read_golden()

PDUS = {
    "bind_transmitter": Pdu(
        0,
        1,
        BindTransmitter(
            system_id="yizhan1",
            password="secret",
            system_type="SUBM",
            interface_version=0x34,
            addr_ton=1,
            addr_npi=1,
            address_range="106900*",
        ),
    ),
    "bind_transmitter_resp": Pdu(
        0, 1, BindTransmitterResp(system_id="SMSC", tlvs=(make_tlv(TlvTag.SC_INTERFACE_VERSION, 0x34),))
    ),
    "bind_receiver": Pdu(
        0, 2, BindReceiver(system_id="abc", password="pw", interface_version=0x33, address_range="^86")
    ),
    "bind_receiver_resp": Pdu(0, 2, BindReceiverResp(system_id="S")),
    "bind_transceiver": Pdu(0, 3, BindTransceiver(system_id="gateway", password="pw")),
    "bind_transceiver_resp refused": Pdu(CommandStatus.ESME_RINVPASWD, 3, BindTransceiverResp()),
    "outbind": Pdu(0, 1, Outbind(system_id="SMSC", password="key1")),
    "unbind": Pdu(0, 7, Unbind()),
    "unbind_resp": Pdu(0, 7, UnbindResp()),
    "generic_nack": Pdu(CommandStatus.ESME_RINVCMDID, 0, GenericNack()),
    "submit_sm": Pdu(
        0,
        2,
        SubmitSm(
            source_addr_npi=1,
            source_addr="10690001",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="8613812345678",
            priority_flag=1,
            validity_period="000002000000000R",
            registered_delivery=1,
            data_coding=8,
            short_message="【阳光物业】今晚停水。\n".encode("utf-16-be"),
            tlvs=(make_tlv(TlvTag.USER_MESSAGE_REFERENCE, 7),),
        ),
    ),
    "submit_sm_resp": Pdu(0, 2, SubmitSmResp(message_id="1a2b")),
    "submit_sm_resp throttled": Pdu(CommandStatus.ESME_RTHROTTLED, 2, SubmitSmResp()),
    "submit_multi": Pdu(
        0,
        5,
        SubmitMulti(
            source_addr_ton=5,
            source_addr="YZ",
            dest_addresses=(
                SmeAddress(dest_addr_ton=1, dest_addr_npi=1, destination_addr="861390"),
                DistributionList(dl_name="DL_1"),
            ),
            registered_delivery=1,
            short_message=b"hi",
            tlvs=(make_tlv(TlvTag.SAR_MSG_REF_NUM, 1), Tlv(0x020E, b"\0\2"), Tlv(0x1400, b"\xbe\xef")),
        ),
    ),
    "submit_multi_resp": Pdu(
        0,
        5,
        SubmitMultiResp(
            message_id="m-5",
            unsuccess_smes=(
                UnsuccessSme(
                    dest_addr_ton=1,
                    dest_addr_npi=1,
                    destination_addr="8613901",
                    error_status_code=CommandStatus.ESME_RINVDSTADR,
                ),
            ),
        ),
    ),
    "deliver_sm": Pdu(
        0,
        9,
        DeliverSm(
            service_type="CMT",
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="861",
            dest_addr_npi=1,
            destination_addr="1069",
            esm_class=0x04,
            short_message=b"id:1 stat:DELIVRD err",
            tlvs=(make_tlv(TlvTag.RECEIPTED_MESSAGE_ID, "ab"), make_tlv(TlvTag.MESSAGE_STATE, 2)),
        ),
    ),
    "deliver_sm_resp": Pdu(0, 9, DeliverSmResp()),
    "deliver_sm_resp refused": Pdu(CommandStatus.ESME_RX_T_APPN, 9, DeliverSmResp()),
    "data_sm": Pdu(
        0,
        10,
        DataSm(
            service_type="WAP",
            source_addr="1",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="86",
            registered_delivery=1,
            data_coding=4,
            tlvs=(make_tlv(TlvTag.MESSAGE_PAYLOAD, b"octets"),),
        ),
    ),
    "data_sm_resp": Pdu(
        CommandStatus.ESME_RDELIVERYFAILURE,
        10,
        DataSmResp(message_id="d-1", tlvs=(make_tlv(TlvTag.DELIVERY_FAILURE_REASON, 2),)),
    ),
    "query_sm": Pdu(0, 11, QuerySm(message_id="ab", source_addr_ton=1, source_addr_npi=1, source_addr="10")),
    "query_sm_resp": Pdu(0, 11, QuerySmResp(message_id="ab", final_date="261122073000032+", message_state=2)),
    "cancel_sm": Pdu(
        0,
        12,
        CancelSm(
            message_id="ab",
            source_addr_npi=1,
            source_addr="10",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="8",
        ),
    ),
    "cancel_sm_resp": Pdu(CommandStatus.ESME_RCANCELFAIL, 12, CancelSmResp()),
    "replace_sm": Pdu(
        0,
        13,
        ReplaceSm(
            message_id="ab",
            source_addr_npi=1,
            source_addr="10",
            validity_period="000000010000000R",
            registered_delivery=1,
        ),
    ),
    "replace_sm_resp": Pdu(0, 13, ReplaceSmResp()),
    "enquire_link": Pdu(0, 0x7FFFFFFF, EnquireLink()),
    "enquire_link_resp": Pdu(0, 0x7FFFFFFF, EnquireLinkResp()),
    "alert_notification": Pdu(
        0,
        14,
        AlertNotification(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="861",
            esme_addr_npi=1,
            esme_addr="10",
            tlvs=(make_tlv(TlvTag.MS_AVAILABILITY_STATUS, 0),),
        ),
    ),
}


def test_every_command_of_the_protocol_has_golden_bytes():
    assert {pdu.command_id for pdu in PDUS.values()} == set(CommandId)
    assert set(PDUS) == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_bytes_state_their_own_length(name: str):
    assert int.from_bytes(GOLDEN[name][:4], "big") == len(GOLDEN[name])


@pytest.mark.parametrize("name", PDUS)
def test_a_pdu_encodes_to_its_golden_bytes(name: str):
    assert encode(PDUS[name]).hex(" ") == GOLDEN[name].hex(" ")


@pytest.mark.parametrize("name", PDUS)
def test_golden_bytes_decode_to_their_pdu(name: str):
    assert decode(GOLDEN[name]) == PDUS[name]
