import re

import pytest

from gateway.smpp import CommandId, CommandStatus, SubmitSm, SubmitSmResp
from simulator.checking import SettingError
from simulator.journal import Entry, Origin, kind_of
from simulator.questions import GROUPINGS, MOST_GROUPS, group, read_grouping, read_question

SUBMIT = SubmitSm(source_addr="106900011", destination_addr="+8613800001234")
ORIGIN = Origin("gateway-2", "gateway")
TAKEN = Entry(100.0, kind_of(True, CommandId.SUBMIT_SM, 0), ORIGIN, 7, "+8613800001234", SUBMIT, "1000000001")
ANSWER = Entry(
    100.5, kind_of(False, CommandId.SUBMIT_SM_RESP, 0), ORIGIN, 7, "+8613800001234", SubmitSmResp("1000000001")
)
REFUSED = Entry(
    101.0, kind_of(False, CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RTHROTTLED), ORIGIN, 8, "8613800005678", None
)
TOLD = Entry(
    102.0, kind_of(True, CommandId.DELIVER_SM_RESP, 0), ORIGIN, 1, "+8613800001234", None, "1000000001", "DELIVRD"
)
ALL = list(enumerate([TAKEN, ANSWER, REFUSED, TOLD], 1))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [1, 2, 3, 4]),
        ({"to": "8613800001234"}, [1, 2, 4]),
        ({"to": "+8613800005678"}, [3]),
        ({"from": "106900011"}, [1]),
        ({"id": "1000000001"}, [1, 2, 4]),
        ({"command": "submit_sm_resp"}, [2, 3]),
        ({"status": "ESME_RTHROTTLED"}, [3]),
        ({"stat": "DELIVRD"}, [4]),
        ({"direction": "in"}, [1, 4]),
        ({"direction": "out", "status": "ESME_ROK"}, [2]),
        ({"bind": "gateway-1"}, []),
        ({"system_id": "gateway"}, [1, 2, 3, 4]),
        ({"since": "100.5", "until": "102"}, [2, 3]),
        ({"since": "1970-01-01T00:01:41Z"}, [3, 4]),
        ({"after": "2"}, [3, 4]),
    ],
)
def test_a_question_finds_the_entries_that_it_asks_for(query: dict[str, str], found: list[int]) -> None:
    question = read_question(query)

    assert [number for number, entry in ALL if question.matches(number, entry)] == found


def test_entries_are_grouped_the_most_frequent_first() -> None:
    assert group(ALL, ["phone", "direction"]) == [
        {"phone": "+8613800001234", "direction": "in", "count": 2, "first_n": 1, "last_n": 4},
        {"phone": "+8613800001234", "direction": "out", "count": 1, "first_n": 2, "last_n": 2},
        {"phone": "8613800005678", "direction": "out", "count": 1, "first_n": 3, "last_n": 3},
    ]


def test_every_name_to_group_by_gives_a_text() -> None:
    [taken] = group(ALL[:1], list(GROUPINGS))

    assert taken == {
        "phone": "+8613800001234",
        "bind": "gateway-2",
        "system_id": "gateway",
        "direction": "in",
        "command": "submit_sm",
        "status": "ESME_ROK",
        "stat": "",
        "id": "1000000001",
        "count": 1,
        "first_n": 1,
        "last_n": 1,
    }


def test_there_are_no_more_groups_than_can_be_read() -> None:
    entries = [(number, Entry(0.0, TAKEN.kind, ORIGIN, number, str(number), None)) for number in range(MOST_GROUPS + 5)]

    assert len(group(entries, ["phone"])) == MOST_GROUPS


def test_names_to_group_by_have_commas_between_them() -> None:
    assert read_grouping("phone, stat") == ["phone", "stat"]
    for text in ("", ",", "phone,weather"):
        with pytest.raises(SettingError, match=re.escape("must be some of phone, bind, ")):
            read_grouping(text)
