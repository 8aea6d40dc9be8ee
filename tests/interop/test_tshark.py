"""What a gateway and a simulator put on the wire, as tshark reads it: well-formed, and what both say they sent."""

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.delivery.settings import LongText
from gateway.smpp import CommandId, CommandStatus, MessageState
from gateway.text import Coding
from loadtest.errors import CannotRun
from tests.interop.capture import RESPONSE, Dissected, moment, read_capture
from tests.interop.traffic import (
    ABROAD,
    INBOUND,
    LONG_TEXT,
    PAIR_CARRIER,
    PASSWORD,
    PAYLOAD_CARRIER,
    QUERY_BROADCAST_SM,
    Shown,
    Traffic,
    gateway_tables,
    make_traffic,
)

pytestmark = pytest.mark.interop

SLOWEST_SECONDS = 60  # from acceptance to the last try to hand a part over
VALID_FOR_SECONDS = {
    "otp": 300,
    "notification": 86_400,
    "marketing": 86_400,
    **{message.to: message.valid_for_seconds for message in ABROAD},
}
SOURCES = {carrier["name"]: carrier["source"] for carrier in gateway_tables()["carrier"]}
CODINGS = {message.to: message.coding for message in ABROAD}
# What the header of a part has behind its length octet, by the width of its reference.
HEADER_OCTETS = {"udh_8": 5, "udh_16": 6}
ALONE = 160  # no longer text is one short message
RECEIPT = 1  # the message type in esm_class: SMPP 3.4, section 5.2.12
NEVER_ANSWERED = "0014"  # the first submit to such a number: docs/simulator.md

STATUSES = {
    MessageState.DELIVERED: "delivered",
    MessageState.EXPIRED: "failed",
    MessageState.DELETED: "failed",
    MessageState.UNDELIVERABLE: "failed",
    MessageState.REJECTED: "failed",
    MessageState.UNKNOWN: "unknown",
}

STATS = {
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.REJECTED: "REJECTD",
    MessageState.UNKNOWN: "UNKNOWN",
}

# What a session does by itself, the simulator does not write down, or not all of it.
NOT_IN_THE_JOURNAL = {
    CommandId.ENQUIRE_LINK,
    CommandId.ENQUIRE_LINK_RESP,
    CommandId.UNBIND,
    CommandId.UNBIND_RESP,
    CommandId.GENERIC_NACK,
}
NOT_IN_THE_SESSION = {CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION}


class Session:
    """What both sides say of one session, and what tshark reads in its capture."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.reading = read_capture(traffic.capture, port=traffic.port)
        self.pdus = self.reading.pdus
        self._responses = {
            (pdu.stream, pdu.destination_port, pdu.sequence_number): pdu for pdu in self.pdus if pdu.is_response
        }
        # A part is known by the source address and the message id that its carrier gave it.
        self.submits = {
            (submit.text("smpp.source_addr"), answer.text("smpp.message_id")): submit
            for submit in self.of(CommandId.SUBMIT_SM)
            if (answer := self.answer_to(submit)) is not None and answer.command_status == 0
        }
        self.receipts = [pdu for pdu in self.of(CommandId.DELIVER_SM) if _is_receipt(pdu)]

    def of(self, *commands: CommandId) -> list[Dissected]:
        """The PDUs of these commands, in order."""
        return [pdu for pdu in self.pdus if pdu.command_id in commands]

    def answer_to(self, request: Dissected) -> Dissected | None:
        return self._responses.get((request.stream, request.source_port, request.sequence_number))

    def direction(self, pdu: Dissected) -> str:
        """As the simulator sees it."""
        return "out" if pdu.source_port == self.traffic.port else "in"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    try:
        return Session(asyncio.run(make_traffic(tmp_path_factory.mktemp("session"))))
    except CannotRun as error:
        pytest.fail(str(error), pytrace=False)


def test_nothing_is_malformed_and_every_octet_has_a_pdu_and_a_field(session: Session) -> None:
    assert session.reading.faults() == []


def test_every_command_that_either_side_can_say_occurs(session: Session) -> None:
    assert {pdu.command_id for pdu in session.pdus} == set(CommandId) - NOT_IN_THE_SESSION | {QUERY_BROADCAST_SM}


def test_every_kind_of_answer_to_a_submit_and_to_a_bind_occurs(session: Session) -> None:
    def statuses(*commands: CommandId) -> set[int]:
        return {pdu.command_status for pdu in session.of(*commands)}

    assert statuses(CommandId.SUBMIT_SM_RESP) == {
        CommandStatus.ESME_ROK,
        CommandStatus.ESME_RTHROTTLED,
        CommandStatus.ESME_RMSGQFUL,
        CommandStatus.ESME_RSYSERR,
        CommandStatus.ESME_RINVDSTADR,
    }
    for bind in (CommandId.BIND_TRANSMITTER_RESP, CommandId.BIND_RECEIVER_RESP, CommandId.BIND_TRANSCEIVER_RESP):
        assert statuses(bind) == {CommandStatus.ESME_ROK, CommandStatus.ESME_RINVPASWD}
    assert statuses(CommandId.GENERIC_NACK) == {CommandStatus.ESME_RINVCMDID}


def test_binds_state_their_account_and_both_state_version_3_4(session: Session) -> None:
    for bind in session.of(CommandId.BIND_TRANSMITTER, CommandId.BIND_RECEIVER, CommandId.BIND_TRANSCEIVER):
        answer = session.answer_to(bind)
        assert answer is not None
        is_right = bind.text("smpp.password") == PASSWORD
        assert answer.command_status == (CommandStatus.ESME_ROK if is_right else CommandStatus.ESME_RINVPASWD)
        assert bind.number("smpp.interface_version") == 0x34
        if is_right:
            assert bind.text("smpp.system_id") in {"gateway", "pair", "client"}
            assert answer.number("smpp.SC_interface_version") == 0x34


def test_the_journal_has_the_same_pdus(session: Session) -> None:
    seen = Counter(
        (
            session.direction(pdu),
            CommandId(pdu.command_id).name.lower(),
            CommandStatus(pdu.command_status).name,
            pdu.sequence_number,
            _octets(pdu),
        )
        for pdu in session.pdus
        if pdu.command_id not in NOT_IN_THE_JOURNAL | {QUERY_BROADCAST_SM}
    )
    left_out = {CommandId(command).name.lower() for command in NOT_IN_THE_JOURNAL} | {f"0x{QUERY_BROADCAST_SM:08x}"}
    written = Counter(
        (line["direction"], line["command"], line["status"], line["sequence"], line.get("short_message", ""))
        for line in session.traffic.journal
        if line["command"] not in left_out
    )
    assert seen == written


def test_every_request_has_one_answer_under_its_number_but_for_the_one_that_is_ignored(session: Session) -> None:
    requests = [pdu for pdu in session.pdus if not pdu.is_response]
    responses = [pdu for pdu in session.pdus if pdu.is_response]
    unanswered = []
    for request in requests:
        answer = session.answer_to(request)
        if answer is None:
            unanswered.append(request)
        else:
            assert answer.command_id in {request.command_id | RESPONSE, CommandId.GENERIC_NACK}
            assert answer.frame > request.frame
    assert [pdu.text("smpp.destination_addr")[-4:] for pdu in unanswered] == [NEVER_ANSWERED]
    assert len(responses) == len(requests) - len(unanswered)


def test_sequence_numbers_of_requests_count_up_from_one_on_every_connection(session: Session) -> None:
    numbers = defaultdict[tuple[int, int], list[int]](list)
    for pdu in session.pdus:
        if not pdu.is_response:
            numbers[pdu.stream, pdu.source_port].append(pdu.sequence_number)
    assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())


def test_every_session_that_was_bound_ends_with_an_unbind_from_one_side_or_the_other(session: Session) -> None:
    last = {pdu.stream: pdu for pdu in session.pdus}
    bound = {
        pdu.stream for pdu in session.pdus if _is_bind_response(pdu) and pdu.command_status == CommandStatus.ESME_ROK
    }
    assert {stream for stream, pdu in last.items() if pdu.command_id == CommandId.UNBIND_RESP} == bound
    assert {session.direction(pdu) for pdu in session.of(CommandId.UNBIND)} == {"in", "out"}


def test_both_sides_ask_whether_the_other_is_there(session: Session) -> None:
    assert {session.direction(pdu) for pdu in session.of(CommandId.ENQUIRE_LINK)} == {"in", "out"}


def test_every_part_leaves_as_the_api_shows_it(session: Session) -> None:
    parts = [(message, part) for message in session.traffic.messages for part in message.parts]
    assert len(parts) > 400
    for message, part in parts:
        for attempt in part["attempts"]:
            if attempt["carrier_message_id"] is not None:
                submit = session.submits[SOURCES[attempt["carrier"]], attempt["carrier_message_id"]]
                _check_submit(submit, message, part["n"])
                _check_form(submit, LONG_TEXT[attempt["carrier"]], len(message.parts), part["n"])


def test_every_form_of_a_long_text_is_in_the_session(session: Session) -> None:
    forms = {
        LONG_TEXT[attempt["carrier"]]
        for message in session.traffic.messages
        for part in message.parts
        for attempt in part["attempts"]
        if len(message.parts) > 1 or len(message.text) > ALONE
    }
    assert forms == set(LONG_TEXT.values()) == {form.value for form in LongText}


def test_the_parts_of_every_message_join_to_its_text(session: Session) -> None:
    for message in session.traffic.messages:
        submits = [submit for part in message.parts for submit in _taken(session, part)]
        if submits:
            assert "".join(map(_text, submits)) == message.text
            for reference in ("gsm_sms.udh.mm.msg_id", "smpp.sar_msg_ref_num"):
                assert len({number for submit in submits for number in submit.all(reference)}) <= 1


def test_refusals_are_those_that_the_api_shows(session: Session) -> None:
    refused = Counter(
        (submit.text("smpp.destination_addr"), answer.command_status)
        for submit in session.of(CommandId.SUBMIT_SM)
        if (answer := session.answer_to(submit)) is not None and answer.command_status
    )
    assert refused == Counter(
        (message.to.removeprefix("+"), attempt["command_status"])
        for message in session.traffic.messages
        for part in message.parts
        for attempt in part["attempts"]
        if attempt["command_status"]
    )


def test_every_receipt_is_of_a_submit_and_says_the_same_in_text_and_parameters(session: Session) -> None:
    for receipt in session.receipts:
        message_id = receipt.text("smpp.receipted_message_id")
        state = MessageState(receipt.number("smpp.message_state"))
        submit = session.submits[receipt.text("smpp.destination_addr"), message_id]
        assert receipt.text("smpp.source_addr") == submit.text("smpp.destination_addr")
        assert receipt.text("smpp.user_message_reference") == submit.text("smpp.user_message_reference")
        text = receipt.text("smpp.message_text")
        assert text.startswith(f"id:{message_id} ")
        assert f" stat:{STATS[state]} " in text


def test_the_last_receipt_of_every_part_is_the_status_that_the_api_shows(session: Session) -> None:
    last = {
        (receipt.text("smpp.destination_addr"), receipt.text("smpp.receipted_message_id")): receipt
        for receipt in session.receipts
    }
    assert len(last) > 400
    shown = {
        (SOURCES[attempt["carrier"]], attempt["carrier_message_id"]): part["status"]
        for message in session.traffic.messages
        for part in message.parts
        for attempt in part["attempts"]
        if attempt["carrier_message_id"] is not None
    }
    read = {key: STATUSES[MessageState(receipt.number("smpp.message_state"))] for key, receipt in last.items()}
    assert read == shown


def test_the_pair_sends_on_one_connection_and_receives_on_the_other(session: Session) -> None:
    source = SOURCES[PAIR_CARRIER]
    modes = {bind.stream: bind.command_id for bind in session.pdus if _is_bind_response(bind)}
    submits = {modes[pdu.stream] for pdu in session.of(CommandId.SUBMIT_SM) if pdu.text("smpp.source_addr") == source}
    receipts = {modes[pdu.stream] for pdu in session.receipts if pdu.text("smpp.destination_addr") == source}
    assert (submits, receipts) == ({CommandId.BIND_TRANSMITTER_RESP}, {CommandId.BIND_RECEIVER_RESP})


def test_a_query_is_answered_with_the_state_and_when_it_is_final_with_its_time(session: Session) -> None:
    on_its_way, unknown, cancelled = session.of(CommandId.QUERY_SM_RESP)
    assert on_its_way.number("smpp.message_state") == MessageState.ENROUTE
    assert unknown.command_status == CommandStatus.ESME_RQUERYFAIL
    assert cancelled.number("smpp.message_state") == MessageState.DELETED
    assert on_its_way.all("smpp.final_date") == []
    age = datetime.now(UTC) - moment(cancelled.text("smpp.final_date"))
    assert timedelta() <= age < timedelta(minutes=5)


def test_inbound_messages_come_whole(session: Session) -> None:
    texts = defaultdict[str, list[tuple[int, str]]](list)
    for pdu in session.of(CommandId.DELIVER_SM):
        if not _is_receipt(pdu):
            number = int(next(iter(pdu.all("gsm_sms.udh.mm.msg_part")), "1"))
            texts[pdu.text("smpp.source_addr")].append((number, pdu.text("smpp.message_text")))
    assert {source: "".join(text for _, text in sorted(parts)) for source, parts in texts.items()} == dict(INBOUND)


def _check_submit(submit: Dissected, message: Shown, n: int) -> None:
    """Compare one submit_sm, field by field, with the part of a message that it carries."""
    assert submit.text("smpp.destination_addr") == message.to.removeprefix("+")
    numbers = ("smpp.source_addr_ton", "smpp.source_addr_npi", "smpp.dest_addr_ton", "smpp.dest_addr_npi")
    assert [submit.number(name) for name in numbers] == [0, 0, 1, 1]
    assert submit.number("smpp.data_coding") == CODINGS.get(message.to, Coding.UCS2)
    modes = ("smpp.esm.submit.msg_mode", "smpp.esm.submit.msg_type")
    assert [submit.number(name) for name in modes] == [0, 0]
    wanted = ("smpp.regdel.receipt", "smpp.regdel.acks", "smpp.regdel.notif")
    assert [submit.number(name) for name in wanted] == [1, 0, 0]
    valid_for = VALID_FOR_SECONDS.get(message.to) or VALID_FOR_SECONDS[message.category]
    assert valid_for - SLOWEST_SECONDS <= float(submit.text("smpp.validity_period_r")) <= valid_for


def _check_form(submit: Dissected, long_text: str, total: int, n: int) -> None:
    """Part n of `total` is marked as `long_text` says, and in no other way."""
    header = long_text in HEADER_OCTETS and total > 1
    assert submit.number("smpp.esm.submit.features") == int(header)  # 1 is the UDH indicator
    names = ("dis_field_udh.user_data_header_length", "udh.mm.msg_parts", "udh.mm.msg_part")
    shown = [[int(value) for value in submit.all(f"gsm_sms.{name}")] for name in names]
    assert shown == ([[HEADER_OCTETS[long_text]], [total], [n]] if header else [[], [], []])
    sar = [[int(value) for value in submit.all(f"smpp.sar_{name}")] for name in ("total_segments", "segment_seqnum")]
    assert sar == ([[total], [n]] if long_text == "sar" and total > 1 else [[], []])
    if submit.all("smpp.message_payload"):
        assert (long_text, total, submit.number("smpp.sm_length")) == ("message_payload", 1, 0)


def _text(submit: Dissected) -> str:
    """The text of one part. tshark reads data_coding 0 as GSM 7-bit; at one carrier it is Latin-1."""
    if submit.text("smpp.source_addr") == SOURCES[PAYLOAD_CARRIER] and submit.number("smpp.data_coding") == 0:
        [octets] = submit.all("smpp.message") or submit.all("smpp.message_payload")
        return bytes.fromhex(octets.replace(":", "")).decode("latin-1")
    return submit.text("smpp.message_text")


def _taken(session: Session, part: dict[str, Any]) -> list[Dissected]:
    """The submit_sm of a part that was accepted, if one was."""
    return [
        session.submits[SOURCES[attempt["carrier"]], attempt["carrier_message_id"]]
        for attempt in part["attempts"]
        if attempt["carrier_message_id"] is not None
    ]


def _is_receipt(pdu: Dissected) -> bool:
    return pdu.number("smpp.esm.submit.msg_type") == RECEIPT


def _is_bind_response(pdu: Dissected) -> bool:
    return pdu.command_id in {
        CommandId.BIND_TRANSMITTER_RESP,
        CommandId.BIND_RECEIVER_RESP,
        CommandId.BIND_TRANSCEIVER_RESP,
    }


def _octets(pdu: Dissected) -> str:
    """The short_message of a submit_sm or deliver_sm, as the journal writes it."""
    if pdu.command_id not in {CommandId.SUBMIT_SM, CommandId.DELIVER_SM}:
        return ""
    return "".join(pdu.all("smpp.message")).replace(":", "")
