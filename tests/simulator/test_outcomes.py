from collections import Counter
from pathlib import Path

import pytest

from gateway.smpp import CommandStatus, MessageState
from simulator.dice import Dice
from simulator.outcomes import (
    BY_STAT,
    DELIVERED,
    FAULTS,
    SPECIAL,
    Answer,
    Chances,
    Outcome,
    faults_of,
    is_special,
    special_outcome,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulator.md"


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("8613800000000", True),
        ("8613800000099", True),
        ("8613800000100", False),
        ("8613800001000", False),
        ("0042", True),
        ("42", False),
        ("", False),
        ("86138000000ab", False),
    ],
)
def test_numbers_that_end_in_0000_to_0099_are_special(destination: str, expected: bool) -> None:
    assert is_special(destination) is expected


def test_every_special_number_is_one_of_its_range() -> None:
    assert all(is_special(suffix) for suffix in SPECIAL)


def test_special_numbers_without_a_meaning_are_delivered() -> None:
    assert special_outcome("8613800000099", 1) == DELIVERED


@pytest.mark.parametrize("suffix", ["0011", "0012", "0013", "0014", "0015", "0016", "0017"])
def test_what_happens_once_happens_at_the_first_submit_and_not_later(suffix: str) -> None:
    assert special_outcome("861380000" + suffix, 1) != DELIVERED
    assert special_outcome("861380000" + suffix, 2) == DELIVERED


def test_what_happens_always_happens_at_each_submit() -> None:
    refused = Outcome(refusal=CommandStatus.ESME_RINVDSTADR)

    assert [special_outcome("8613800000010", turn) for turn in (1, 2, 3)] == [refused] * 3


def test_a_lost_answer_is_of_a_message_that_is_processed() -> None:
    outcome = special_outcome("8613800000015", 1)

    assert (outcome.answer, outcome.copies, outcome.state) == (Answer.LOST, 1, MessageState.DELIVERED)


def test_without_chances_everything_is_delivered() -> None:
    assert Chances().are_certain
    assert Chances().outcome(Dice(1).roll("1", 1)) == DELIVERED


def test_a_mix_gives_each_outcome_its_share() -> None:
    chances = Chances(mix={"UNDELIV": 0.3, "NONE": 0.1})
    dice = Dice(1)

    outcomes = [chances.outcome(dice.roll(str(number), 1)) for number in range(4000)]

    by_state = Counter((outcome.state, outcome.copies) for outcome in outcomes)
    assert abs(by_state[MessageState.UNDELIVERABLE, 1] - 1200) < 120
    assert abs(by_state[MessageState.DELIVERED, 0] - 400) < 80
    assert sum(by_state.values()) == by_state[MessageState.DELIVERED, 1] + sum(
        by_state[kind] for kind in [(MessageState.UNDELIVERABLE, 1), (MessageState.DELIVERED, 0)]
    )


def test_errors_refuse_their_share() -> None:
    chances = Chances(errors={"ESME_RSYSERR": 0.5})
    dice = Dice(1)

    refusals = Counter(chances.outcome(dice.roll(str(number), 1)).refusal for number in range(2000))

    assert set(refusals) == {CommandStatus.ESME_ROK, CommandStatus.ESME_RSYSERR}
    assert abs(refusals[CommandStatus.ESME_RSYSERR] - 1000) < 120


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_befalls_its_share_and_leaves_the_state_alone(fault: str) -> None:
    chances = Chances(mix={"EXPIRED": 1}, faults={fault: 0.5})
    dice = Dice(1)

    outcomes = Counter(chances.outcome(dice.roll(str(number), 1)) for number in range(2000))

    assert len(outcomes) == 2
    assert abs(outcomes[BY_STAT["EXPIRED"]] - 1000) < 120
    assert {outcome.state for outcome in outcomes} == {MessageState.EXPIRED}


def test_the_faults_in_the_documentation_are_the_faults() -> None:
    names = [line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]

    assert names[names.index("fault") + 2 :][: len(FAULTS)] == list(FAULTS)


def test_the_table_in_the_documentation_is_the_table() -> None:
    rows = [line.split("|")[1:3] for line in DOCUMENT.read_text().splitlines() if line.startswith("| 00")]

    assert [(suffix.strip(), meaning.strip()) for suffix, meaning in rows] == [
        (suffix, special.meaning) for suffix, special in SPECIAL.items()
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_outcome_tells_which_faults_it_has(fault: str) -> None:
    outcome = Chances(mix={"EXPIRED": 1}, faults={fault: 1}).outcome(Dice(1).roll("1", 1))

    assert faults_of(outcome) == (fault,)
    assert faults_of(DELIVERED) == faults_of(Outcome(refusal=CommandStatus.ESME_RSYSERR)) == ()
