"""The same seed and input give the same journal, sorted, times apart; and what is decided depends on nothing else."""

import random
from typing import Any

from gateway.smpp import CommandId
from simulator import Simulator
from simulator.journal import Entry, name_status, render
from tests.simulator.clients import bound, eventually, submit_to
from tests.simulator.conftest import quick_settings

BEHAVIOUR: dict[str, Any] = {
    "receipts": {
        "delay_seconds": {"kind": "uniform", "low": 0, "high": 0.05},
        "form": "tlv",  # a text has dates
        "reorder_seconds": 0.02,
        "late_seconds": 0.1,
    },
    "response": {"latency_seconds": {"kind": "log-normal", "median": 0.005, "longest": 0.1}},
    "inbound": {"reply_share": 0.3, "reply_texts": ["TD", "N", "?"], "reply_delay_seconds": 0.01},
    "outcomes": {
        "mix": {"UNDELIV": 0.3, "EXPIRED/77": 0.1, "NONE": 0.1},
        "errors": {"ESME_RSYSERR": 0.1, "ESME_RTHROTTLED": 0.1},
        "faults": {
            "receipt-first": 0.1,
            "receipt-twice": 0.1,
            "receipt-altered": 0.1,
            "receipt-intermediate": 0.1,
            "receipt-reordered": 0.1,
            "receipt-late": 0.1,
            "not-answered": 0.05,
            "answer-lost": 0.05,
            "wrong-sequence": 0.05,
        },
    },
    "rule": [
        {"to": "*7", "share": 0.5, "refuse_with": "ESME_RMSGQFUL"},
        {"to": "*[89]", "times": 1, "receipt": "REJECTD", "delay_seconds": 0.01, "reply": "no"},
    ],
}
NUMBERS = [str(8613900001000 + number) for number in range(40)] + ["8613800000009", "8613800000011"]
TIMES = 3
SUBMITS = len(NUMBERS) * TIMES

Line = tuple[tuple[str, str], ...]


async def conversation(*, seed: int, order: int = 0, binds: int = 1) -> list[Entry]:
    """Let clients say the same things to a simulator, in an order of their own, and return the journal."""
    every = [number for number in NUMBERS for _ in range(TIMES)]
    random.Random(order).shuffle(every)
    async with (
        Simulator(quick_settings(seed=seed, **BEHAVIOUR)) as simulator,
        bound(simulator.port, window=1000) as one,
        bound(simulator.port, window=1000) as two,
    ):
        for at, number in enumerate(every):
            (one, two)[at % binds].connection.send(submit_to(number))
        await eventually(lambda: simulator.counts()["submitted"] == SUBMITS)
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)
        await eventually(lambda: not simulator.smsc.intake.next_due)
        return list(simulator.journal)


def lines(journal: list[Entry], *but: str) -> list[Line]:
    """Return what `GET /journal` has, sorted, without times and without what is called `but`."""
    apart = {"n", "at", *but}
    rendered = (render(entry, number=0, with_text=True) for entry in journal)
    return sorted(tuple((name, str(value)) for name, value in line.items() if name not in apart) for line in rendered)


def fates(journal: list[Entry]) -> list[tuple[str, str, str, str]]:
    """Return what became of the submits to each number: refusals, receipts, replies; sorted, without ids and binds."""
    return sorted(
        (entry.phone, CommandId(entry.command_id).name, name_status(entry.command_status), entry.stat)
        for entry in journal
        if entry.phone
    )


async def test_the_same_seed_and_input_give_the_same_journal_times_apart() -> None:
    # Receipts have the numbers of their turn, and their turn is a matter of milliseconds.
    first, second = [lines(await conversation(seed=7), "sequence") for _ in range(2)]

    assert first == second
    assert len(first) > 2 * SUBMITS


async def test_another_seed_gives_another_journal() -> None:
    assert fates(await conversation(seed=7)) != fates(await conversation(seed=8))


async def test_what_becomes_of_a_submit_depends_neither_on_other_numbers_nor_on_the_bind() -> None:
    assert fates(await conversation(seed=7, order=1)) == fates(await conversation(seed=7, order=2, binds=2))
