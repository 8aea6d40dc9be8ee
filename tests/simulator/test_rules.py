import re
from collections import Counter

import pytest

from gateway.smpp import CommandStatus, MessageState, SubmitSm
from simulator.checking import SettingError, settings_from
from simulator.outcomes import DELIVERED, Answer, Outcome
from simulator.rules import Rule, Rules
from simulator.settings import Settings
from simulator.submits import Decisions
from tests.simulator.clients import submit_to


def decisions(*rules: dict[str, object], **outcomes: object) -> Decisions:
    settings = settings_from({"rule": rules, "outcomes": outcomes}, Settings)
    return Decisions(settings.seed, settings.scenario, destinations_limit=1000)


def decide(decided: Decisions, to: str, *, system_id: str = "gateway", **fields: object) -> Outcome:
    outcome, _ = decided.decide(submit_to(to, **fields), system_id)
    return outcome


@pytest.mark.parametrize(
    ("pattern", "number", "fits"),
    [
        ("8613800001234", "8613800001234", True),
        ("8613800001234", "+8613800001234", True),
        ("+8613800001234", "8613800001234", True),
        ("8613800001234", "86138000012345", False),
        ("86138????1234", "8613812341234", True),
        ("86138????1234", "861381234", False),
        ("86138*", "86138", True),
        ("86138*", "861380", True),
        ("86138*", "861390", False),
        ("*77", "8613800001277", True),
        ("*77", "8613800001278", False),
        ("8613[5-9]*", "86135", True),
        ("8613[5-9]*", "86134", False),
        ("8613[57]*", "86136", False),
        ("*", "", True),
        ("?", "x", False),
    ],
)
def test_a_pattern_fits_the_numbers_that_it_is_written_like(pattern: str, number: str, fits: bool) -> None:
    assert bool(Rules([Rule(to=pattern)]).matching(number, "", "")) is fits


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "rule[1].to: must be set"),
        ({"to": "abc"}, "rule[1].to = 'abc': must be a pattern of digits"),
        ({"to": "1(2)"}, "rule[1].to = '1(2)': must be a pattern of digits"),
        ({"to": "1[9-0]"}, "rule[1].to = '1[9-0]': must have digits in order"),
        ({"to": "*1*2*"}, "rule[1].to = '*1*2*': must have at most two *"),
        ({"to": "1", "source": "bank"}, "rule[1].source = 'bank': must be a pattern"),
        ({"to": "1", "receipt": "LOST"}, "rule[1].receipt = 'LOST': must be one of DELIVRD, "),
        ({"to": "1", "error": "a b"}, "rule[1].error = 'a b': must be an error code"),
        ({"to": "1", "refuse_with": "ESME_ROK"}, "rule[1].refuse_with = 'ESME_ROK': must be the name of"),
        ({"to": "1", "faults": ["fire"]}, "unknown fault 'fire'"),
        ({"to": "1", "faults": ["reset", "garbage"]}, "must go together: reset and garbage do not"),
        ({"to": "1", "refuse_with": "ESME_RSYSERR", "reply": "TD"}, "must be alone"),
        ({"to": "1", "share": 2}, "rule[1].share = 2: must be at most 1"),
    ],
)
def test_a_wrong_rule_is_named_with_its_value(rule: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        settings_from({"rule": [rule]}, Settings)


def test_the_first_rule_that_fits_decides() -> None:
    decided = decisions({"to": "861*", "receipt": "EXPIRED"}, {"to": "*", "receipt": "REJECTD"})

    assert decide(decided, "8613800001234").state is MessageState.EXPIRED
    assert decide(decided, "4479000001234").state is MessageState.REJECTED


def test_a_rule_goes_before_special_numbers_and_before_chance() -> None:
    decided = decisions({"to": "*0010"}, mix={"UNDELIV": 1})

    assert decide(decided, "8613800000010") == DELIVERED
    assert decide(decided, "8613800000011").refusal == CommandStatus.ESME_RTHROTTLED
    assert decide(decided, "8613800001234").state is MessageState.UNDELIVERABLE


def test_a_rule_can_hold_for_a_source_address_and_for_an_account() -> None:
    decided = decisions(
        {"to": "*", "source": "10690002*", "receipt": "EXPIRED"}, {"to": "*", "account": "other", "receipt": "UNKNOWN"}
    )

    assert decide(decided, "8613800001234", source_addr="1069000201").state is MessageState.EXPIRED
    assert decide(decided, "8613800001234", system_id="other").state is MessageState.UNKNOWN
    assert decide(decided, "8613800001234") == DELIVERED


def test_a_rule_holds_so_many_times_for_each_content() -> None:
    decided = decisions({"to": "*", "times": 2, "refuse_with": "ESME_RSYSERR"})
    refused = Outcome(refusal=CommandStatus.ESME_RSYSERR)

    assert [decide(decided, "8613800001234") for _ in range(3)] == [refused, refused, DELIVERED]
    assert decide(decided, "8613800001234", short_message=b"another") == refused


def test_a_rule_with_a_share_holds_for_that_share_and_leaves_the_others_to_the_next() -> None:
    decided = decisions({"to": "*", "share": 0.25, "receipt": "EXPIRED"}, {"to": "*", "receipt": "REJECTD"})

    states = Counter(decide(decided, f"8613800{number:06}").state for number in range(2000))

    assert set(states) == {MessageState.EXPIRED, MessageState.REJECTED}
    assert abs(states[MessageState.EXPIRED] - 500) < 80


def test_a_rule_gives_what_it_says() -> None:
    rule = {
        "to": "*",
        "receipt": "UNDELIV",
        "error": "MK:0014",
        "faults": ["receipt-twice", "answer-lost"],
        "delay_seconds": 2,
        "latency_seconds": 1,
        "reply": "N",
    }

    assert decide(decisions(rule), "1") == Outcome(
        state=MessageState.UNDELIVERABLE,
        error="MK:0014",
        copies=2,
        answer=Answer.LOST,
        delay_seconds=2.0,
        latency_seconds=1.0,
        reply="N",
    )


def test_what_is_decided_of_a_number_does_not_depend_on_other_numbers() -> None:
    numbers = [f"8613800{number:06}" for number in range(50)] * 3

    def outcomes(order: list[str]) -> dict[str, list[Outcome]]:
        decided = decisions({"to": "*[0-4]", "share": 0.5, "refuse_with": "ESME_RSYSERR"}, mix={"UNDELIV": 0.5})
        found: dict[str, list[Outcome]] = {}
        for number in order:
            found.setdefault(number, []).append(decide(decided, number))
        return found

    assert outcomes(numbers) == outcomes(sorted(numbers, key=lambda number: number[::-1]))


def test_an_empty_destination_is_refused_where_no_rule_says_otherwise() -> None:
    empty = SubmitSm(destination_addr="")

    assert decisions({"to": "86*"}).decide(empty)[0].refusal == CommandStatus.ESME_RINVDSTADR
    assert decisions({"to": "*"}).decide(empty)[0] == DELIVERED
