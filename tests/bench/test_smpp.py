"""What a PDU costs, beside smpplib in the same run: `make bench`."""

import warnings
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from smpplib import smpp

from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    Event,
    MessageState,
    Pdu,
    Receipt,
    RequestReceived,
    ResponseReceived,
    Role,
    Session,
    SessionSettings,
    SubmitSm,
    SubmitSmResp,
    TlvTag,
    decode,
    encode,
    make_tlv,
    parse_receipt,
)

pytestmark = pytest.mark.bench

TEXT = (
    "【阳光物业】尊敬的业主，因供水管网检修，3号楼将于11月26日9时至16时停水，"
    "请提前储水，来水初期若有浑浊请稍放后使用，谢谢。"
)
SUBMIT = Pdu(
    0,
    1,
    SubmitSm(
        source_addr_npi=1,
        source_addr="1069000112345",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="8613812345678",
        validity_period="000002000000000R",
        registered_delivery=1,
        data_coding=8,
        short_message=TEXT.encode("utf-16-be"),
    ),
)
RECEIPT = Pdu(
    0,
    7,
    DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="8613812345678",
        destination_addr="1069000112345",
        esm_class=4,
        short_message=(
            b"id:7220bb6bd0be98fa sub:001 dlvrd:001 submit date:2611220730 done date:2611220731 "
            b"stat:DELIVRD err:000 text:"
        ),
    ),
)
RECEIPT_WITH_PARAMETERS = Pdu(
    0,
    7,
    DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="8613812345678",
        destination_addr="1069000112345",
        esm_class=4,
        short_message=RECEIPT.body.short_message,  # type: ignore[attr-defined]
        tlvs=(
            make_tlv(TlvTag.RECEIPTED_MESSAGE_ID, "7220bb6bd0be98fa"),
            make_tlv(TlvTag.MESSAGE_STATE, MessageState.DELIVERED),
        ),
    ),
)


@pytest.mark.benchmark(group="calibration: what this machine needs now for something that never changes")
def test_add_up_a_hundred_numbers(benchmark: BenchmarkFixture):
    assert benchmark(sum, range(100)) == 4950


def theirs(pdu: Pdu) -> Any:
    """`pdu` as smpplib has it."""
    command = smpp.make_pdu(pdu.command_id.name.lower(), sequence=1)
    for name in pdu.body.__struct_fields__:
        if name != "tlvs":
            setattr(command, name, getattr(pdu.body, name))
    command.sequence = pdu.sequence_number
    return command


@pytest.mark.benchmark(group="submit_sm encode")
def test_we_encode_a_submit(benchmark: BenchmarkFixture):
    assert benchmark(encode, SUBMIT) == theirs(SUBMIT).generate()


@pytest.mark.benchmark(group="submit_sm encode")
def test_smpplib_encodes_a_submit(benchmark: BenchmarkFixture):
    assert benchmark(theirs(SUBMIT).generate) == encode(SUBMIT)


@pytest.mark.benchmark(group="submit_sm decode")
def test_we_decode_a_submit(benchmark: BenchmarkFixture):
    assert benchmark(decode, encode(SUBMIT)) == SUBMIT


@pytest.mark.benchmark(group="submit_sm decode")
def test_smpplib_decodes_a_submit(benchmark: BenchmarkFixture):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        command = benchmark(smpp.parse_pdu, encode(SUBMIT), sequence=1)
    assert command.destination_addr == b"8613812345678"


def read_receipt(data: bytes) -> Receipt | None:
    body = decode(data).body
    assert isinstance(body, DeliverSm)
    return parse_receipt(body)


@pytest.mark.benchmark(group="deliver_sm receipt decode")
def test_we_decode_a_receipt_and_its_text(benchmark: BenchmarkFixture):
    receipt = benchmark(read_receipt, encode(RECEIPT))
    assert receipt.state is MessageState.DELIVERED


@pytest.mark.benchmark(group="deliver_sm receipt decode")
def test_we_decode_a_receipt_its_text_and_its_parameters(benchmark: BenchmarkFixture):
    receipt = benchmark(read_receipt, encode(RECEIPT_WITH_PARAMETERS))
    assert receipt.message_id == "7220bb6bd0be98fa"


@pytest.mark.benchmark(group="deliver_sm receipt decode")
def test_smpplib_decodes_a_receipt_without_reading_its_text(benchmark: BenchmarkFixture):
    command = benchmark(smpp.parse_pdu, encode(RECEIPT), sequence=1)
    assert command.esm_class == 4


def bound_pair(window: int) -> tuple[Session, Session]:
    settings = SessionSettings(window=window)
    esme, smsc = Session(Role.ESME, settings, now=0.0), Session(Role.SMSC, settings, now=0.0)
    esme.send(BindTransceiver(system_id="a", password="b"), now=0.0)
    answer(smsc, smsc.receive_data(esme.data_to_send(), now=0.0), BindTransceiverResp())
    esme.receive_data(smsc.data_to_send(), now=0.0)
    return esme, smsc


def answer(session: Session, events: list[Event], body: Any) -> None:
    for event in events:
        assert isinstance(event, RequestReceived)
        session.respond(event.pdu, body, now=1.0)


@pytest.mark.benchmark(group="session round trip in memory, both sides")
@pytest.mark.parametrize("batch", [1, 50])
def test_a_submit_and_its_response_through_two_sessions(benchmark: BenchmarkFixture, batch: int):
    """With a batch of 50 the time shown is for 50."""
    esme, smsc = bound_pair(window=batch)
    response = SubmitSmResp(message_id="7220bb6bd0be98fa")

    def round_trip() -> list[Event]:
        for _ in range(batch):
            esme.send(SUBMIT.body, now=1.0)
        answer(smsc, smsc.receive_data(esme.data_to_send(), now=1.0), response)
        return esme.receive_data(smsc.data_to_send(), now=1.0)

    events = benchmark(round_trip)
    benchmark.extra_info["messages"] = batch
    assert [type(event) for event in events] == [ResponseReceived] * batch
