"""The fuzzer itself: a short run of each target in every test run, and a planted fault that it must find."""

import random

import pytest

from gateway.smpp import splitter
from tests.fuzz.__main__ import main
from tests.fuzz.run import Found, fuzz
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str):
    fuzz({target: TARGETS[target]}, seed=random.SystemRandom().randrange(1 << 32), rounds=150)


def test_a_planted_fault_is_found_and_its_seed_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(splitter, "HEADER_BYTES", 17)  # PDUs that are nothing but a header are taken for damage
    with pytest.raises(Found) as caught:
        fuzz(TARGETS, seed=0, rounds=2_000)
    found = caught.value

    repeat = ["--target", found.target, "--seed", str(found.seed), "--rounds", "1"]
    assert main(repeat) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"seed {found.seed}\n")
    assert f"--target {found.target} --seed {found.seed} --rounds 1" in printed.err
    monkeypatch.undo()
    assert main(repeat) == 0


def test_the_same_seed_gives_the_same_input():
    drawn: list[list[float]] = [[], []]
    for each in drawn:
        fuzz({"draw": lambda chance, each=each: each.append(chance.random())}, seed=5, rounds=4)
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4


def test_a_run_by_time_ends_and_says_what_it_did(capsys: pytest.CaptureFixture[str]):
    assert main(["--seed", "1", "--seconds", "0.2"]) == 0
    assert "from seed 1: no fault" in capsys.readouterr().out
