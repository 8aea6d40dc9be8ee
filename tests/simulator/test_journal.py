import sys

import pytest

from gateway.smpp import Body, CommandId, CommandStatus, ReplaceSm, SubmitMulti, SubmitSm, SubmitSmResp, Tlv
from simulator.journal import Entry, Journal, Origin, kind_of, name_command, name_status, render
from simulator.questions import Question

AT = 1_700_000_000.25
SUBMIT = SubmitSm(
    source_addr="10690001", destination_addr="8613800001234", short_message=b"hello", registered_delivery=1
)


def entry(
    *,
    at: float = AT,
    incoming: bool = True,
    bind: str = "gateway-1",
    command_id: int = CommandId.SUBMIT_SM,
    status: int = 0,
    phone: str = "8613800001234",
    body: Body | None = SUBMIT,
) -> Entry:
    return Entry(at, kind_of(incoming, command_id, status), Origin(bind, "gateway"), 7, phone, body)


def test_the_newest_entries_are_kept_and_all_are_counted() -> None:
    journal = Journal(2)
    for at in (1.0, 2.0, 3.0):
        journal.record(entry(at=at))

    assert [kept.at for kept in journal] == [2.0, 3.0]
    assert [number for number, _ in journal.snapshot()] == [2, 3]
    assert (len(journal), journal.dropped) == (2, 1)
    assert journal.counts() == {"in": {"submit_sm": {"ESME_ROK": 3}}, "out": {}}


def test_settling_now_and_then_drops_what_has_no_room() -> None:
    journal = Journal(2)
    before = sys.getrefcount(SUBMIT)
    for _ in range(5000):
        journal.record(entry())
        journal.settle()

    assert sys.getrefcount(SUBMIT) - before < 2000
    assert (len(journal), journal.dropped) == (2, 4998)


def test_a_journal_of_none_still_counts() -> None:
    journal = Journal(0)
    journal.record(entry())

    assert (len(journal), journal.dropped) == (0, 1)


def test_counts_are_by_direction_command_and_status() -> None:
    journal = Journal(10)
    journal.record(entry())
    for status in (0, CommandStatus.ESME_RTHROTTLED, 0x401):
        journal.record(entry(incoming=False, command_id=CommandId.SUBMIT_SM_RESP, status=status))

    assert journal.counts() == {
        "in": {"submit_sm": {"ESME_ROK": 1}},
        "out": {"submit_sm_resp": {"ESME_ROK": 1, "ESME_RTHROTTLED": 1, "0x00000401": 1}},
    }


def test_a_cleared_journal_begins_again() -> None:
    journal = Journal(10)
    journal.record(entry())

    journal.clear()

    assert (journal.snapshot(), journal.dropped, journal.counts()) == ([], 0, {"in": {}, "out": {}})


def test_a_submit_is_rendered_with_its_message_and_nothing_invented() -> None:
    assert render(entry(), number=3) == {
        "n": 3,
        "at": "2023-11-14T22:13:20.250000+00:00",
        "direction": "in",
        "bind": "gateway-1",
        "system_id": "gateway",
        "command": "submit_sm",
        "status": "ESME_ROK",
        "sequence": 7,
        "phone": "8613800001234",
        "from": "10690001",
        "to": "8613800001234",
        "esm_class": 0,
        "data_coding": 0,
        "registered_delivery": 1,
        "short_message": "68656c6c6f",
    }


def test_an_answer_is_rendered_with_its_message_id() -> None:
    answer = entry(incoming=False, command_id=CommandId.SUBMIT_SM_RESP, body=SubmitSmResp(message_id="42"))

    line = render(answer, number=1)

    assert (line["direction"], line["message_id"]) == ("out", "42")
    assert "short_message" not in line


def test_a_part_is_rendered_with_its_place_and_its_text() -> None:
    part = SubmitSm(
        destination_addr="1",
        esm_class=0x40,
        data_coding=8,
        short_message=b"\x05\x00\x03\x07\x02\x01" + "物业".encode("utf-16-be"),
        tlvs=(Tlv(0x0204, b"\x00\x2a"),),
    )

    line = render(entry(body=part), number=1, with_text=True)

    assert line["part"] == {"reference": 7, "total": 2, "number": 1}
    assert line["text"] == "物业"
    assert line["tlvs"] == {"0x0204": "002a"}


@pytest.mark.parametrize("body", [SubmitMulti(short_message=b"hi"), ReplaceSm(message_id="1", short_message=b"hi")])
def test_a_refused_command_with_a_message_is_rendered_without_it(body: Body) -> None:
    line = render(entry(command_id=body.command_id, body=body), number=1, with_text=True)

    assert line["command"] == name_command(body.command_id)
    assert "short_message" not in line


def test_what_is_only_a_header_is_rendered_as_one() -> None:
    line = render(entry(body=None, command_id=0x0BAD, phone=""), number=1)

    assert line["command"] == "0x00000bad"
    assert set(line) == {"n", "at", "direction", "bind", "system_id", "command", "status", "sequence"}


def test_commands_and_statuses_without_a_name_are_numbers() -> None:
    assert (name_command(0x80000004), name_command(0x99)) == ("submit_sm_resp", "0x00000099")
    assert (name_status(0x58), name_status(0x4FF)) == ("ESME_RTHROTTLED", "0x000004ff")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question(), True),
        (Question(phone="+8613800001234"), True),
        (Question(phone="13800001234"), False),
        (Question(since=AT), True),
        (Question(since=AT + 1), False),
        (Question(after=4), True),
        (Question(after=5), False),
        (Question(command="submit_sm"), True),
        (Question(command="deliver_sm"), False),
        (Question(bind="gateway-1"), True),
        (Question(bind="gateway-2"), False),
    ],
)
def test_a_question_matches_what_it_names(question: Question, expected: bool) -> None:
    assert question.matches(5, entry()) is expected
