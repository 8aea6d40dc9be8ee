"""What `compare` makes of its runs, and of a machine without Kannel; the runs themselves are `make compare`."""

import argparse
from pathlib import Path

import pytest
from rich.console import Console

from loadtest import compare, kannel
from loadtest.compare import KANNEL, KEPT, NOT_KEPT, OURS_BATCHED, OURS_SINGLE, Outcome
from loadtest.errors import CannotRun


def report(outcomes: dict[str, list[Outcome]]) -> tuple[int, str]:
    console = Console(record=True, width=120, force_terminal=False)
    code = compare._report(console, outcomes, messages=1000, parts=1100)
    return code, console.export_text()


def test_medians_are_compared_with_kannels():
    code, text = report(
        {
            OURS_BATCHED: [Outcome(0.1, 1100), Outcome(0.2, 1100), Outcome(9.0, 1100)],
            OURS_SINGLE: [Outcome(0.5, 1100)],
            KANNEL: [Outcome(1.0, 1100)],
        }
    )
    assert code == KEPT
    assert f"{OURS_BATCHED:24}    5,000 messages a second, 5.0 times Kannel" in text
    assert f"{OURS_SINGLE:24}    2,000 messages a second, 2.0 times Kannel" in text


def test_a_part_that_is_missing_or_doubled_is_not_kept():
    runs = {OURS_BATCHED: [Outcome(0.1, 1101)], OURS_SINGLE: [Outcome(0.1, 1100)], KANNEL: [Outcome(1.0, 1099)]}
    code, text = report(runs)
    assert code == NOT_KEPT
    assert f"not kept   {OURS_BATCHED}: 1100 parts were planned, and 1101 submitted" in text
    assert f"not kept   {KANNEL}: 1100 parts were planned, and 1099 submitted" in text
    assert f"not kept   {OURS_SINGLE}" not in text


@pytest.mark.parametrize(("messages", "rounds"), [(0, 1), (1_000_001, 1), (10, 0), (10, 101)])
async def test_wrong_arguments_are_named(messages: int, rounds: int):
    with pytest.raises(CannotRun, match="must be 1 to"):
        await compare.run(argparse.Namespace(reports=[], require="", messages=messages, rounds=rounds, seed=1))


async def test_a_machine_without_kannel_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kannel, "_PLACES", str(tmp_path))
    with pytest.raises(CannotRun, match="install Debian's package kannel"):
        async with kannel.running_kannel("127.0.0.1:2775", tmp_path, connections=1):
            pass
