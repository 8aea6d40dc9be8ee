"""What the whole of policy costs a message, stage by stage: the default profile, 10,000 words, known numbers.

`make bench`. The goal is 8 µs a message, and the same whether 10,000 numbers are known or a million.
"""

import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from typing import Any

import pytest

from gateway.account import Account
from gateway.config import Config, load_plan, shipped
from gateway.message import Category, MessageId
from gateway.policy.candidate import Candidate, Draft
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.opt_out_text import OptOutTextStage
from gateway.policy.otp import OtpStage
from gateway.policy.pipeline import Pipeline
from gateway.policy.signature import SignatureStage
from gateway.policy.symbols import SymbolStage
from gateway.policy.words import WordStage
from gateway.routing.networks import Networks
from gateway.rules import Rules
from tests.bench.test_caps import MILLION, NOW, number, stage_with
from tests.bench.test_words import lexicon

pytestmark = pytest.mark.bench

AT_ONCE = 100  # messages timed together: the least of many rounds is what the machine can do
ROUNDS = 200
DEMO = Account(name="demo", signatures=("阳光物业",))


def stages_for(numbers: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """As the app builds them."""
    config = Config()
    content, rules = config.content, Rules(config)
    understanding = [
        NumberStage(Networks(load_plan(config))),
        SignatureStage(),
        OptOutTextStage(content.opt_out_text),
        ContentStage(),
    ]
    deciding = [
        OtpStage(content.otp_keywords),
        SymbolStage(content.refused_symbols, content.tagged_symbols),
        WordStage(lexicon(10_000)),
        *rules.stages(),
    ]
    return understanding, deciding, [stage_with(numbers)], [rules.quotas]


def candidates(numbers: int) -> Iterator[Candidate]:
    """Notices of a property company, each with something of its own in it, to numbers that are known."""
    lines = shipped("demo/messages.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    texts = [
        entry["message"]["text"]
        for entry in entries
        if entry["expect"]["status"] != "refused" and entry["message"].get("category", "notification") == "notification"
    ]
    for n, text in zip(count(1), cycle(texts), strict=False):
        to = str(number(n * 37 % numbers)).removeprefix("86")
        if to.startswith("1349"):
            continue  # satellites, which short messages do not reach
        draft = Draft(to=to, text=f"{text}{n}", category=Category.NOTIFICATION)
        yield Candidate(draft, DEMO, draft.text, id=MessageId(numbers + n))


def least_microseconds(pipeline: Pipeline, stages: Sequence[Any], source: Iterator[Candidate]) -> dict[str, float]:
    """The least time a message of every stage, and of the whole pipeline."""
    least: dict[str, float] = {}

    def note(name: str, began: int) -> None:
        microseconds = (time.perf_counter_ns() - began) / AT_ONCE / 1_000
        least[name] = min(least.get(name, microseconds), microseconds)

    for turn in range(ROUNDS):
        group = [next(source) for _ in range(AT_ONCE)]
        now = NOW / 1_000
        if turn % 2:
            began = time.perf_counter_ns()
            for candidate in group:
                pipeline.decide(candidate, now=now)
                pipeline.commit(candidate, now=now)
            note("all", began)
        else:
            for stage in stages:
                began = time.perf_counter_ns()
                for candidate in group:
                    assert stage.decide(candidate, now=now) is None, stage.name
                note(stage.name, began)
    return least


@pytest.mark.parametrize("numbers", [10_000, MILLION])
def test_the_whole_of_policy(numbers: int):
    parts = stages_for(numbers)
    gc.collect()
    gc.disable()  # as good as off in the gateway, whose thresholds are high
    least = least_microseconds(Pipeline(*parts), [stage for part in parts for stage in part], candidates(numbers))
    gc.enable()
    told = ", ".join(f"{name} {each:.2f}" for name, each in least.items())
    sys.stdout.write(f"\n{numbers:,} numbers known: {told} µs\n")
