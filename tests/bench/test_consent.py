"""What consent and hours cost: a message at its hand-over, and a start with many opt-outs: `make bench`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.audit import Audit
from gateway.gate import PolicyGate
from gateway.message import Category, Message, MessageId
from gateway.opt_outs import OptOut, OptOutRegister, Source
from gateway.policy.consent import OptOuts, Scope, Suppressed
from gateway.policy.hours import Hours
from gateway.policy.pipeline import Pipeline
from gateway.policy.windows import Holidays, Windows, parse_window
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

NOW = 1_772_424_000_000  # noon in Shanghai
MESSAGES = 1_000
STORED = 100_000

pytestmark = pytest.mark.bench


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def a_number(chance: Random) -> str:
    return f"+86138{chance.randrange(10**8):08}"


def a_gate(opt_outs: int, suppressed: int) -> PolicyGate:
    chance = Random(1)
    windows = Windows([parse_window("08:00-20:00")], ZoneInfo("Asia/Shanghai"), Holidays())
    blacklist = Suppressed()
    for _ in range(suppressed):
        blacklist.add("cmcc-a", a_number(chance))
    return PolicyGate(
        opt_outs=OptOuts(Scope("阳光物业", a_number(chance), Category.MARKETING) for _ in range(opt_outs)),
        suppressed=blacklist,
        hours={Category.MARKETING: Hours(windows)},
        counting=Pipeline([]),
        accounts={},
        spread_seconds=600.0,
    )


@pytest.mark.parametrize(("opt_outs", "suppressed"), [(0, 0), (1_000_000, 0), (1_000_000, 100_000)])
@pytest.mark.parametrize("category", [Category.NOTIFICATION, Category.MARKETING])
def test_hand_over(benchmark: BenchmarkFixture, category: Category, opt_outs: int, suppressed: int) -> None:
    gate = a_gate(opt_outs, suppressed)
    chance = Random(2)
    messages = [
        Message(
            id=MessageId(n),
            account="demo",
            to=a_number(chance),
            text="x",
            signature="阳光物业",
            category=category,
            accepted_at=NOW,
            expires_at=NOW + 86_400_000,
        )
        for n in range(1, MESSAGES + 1)
    ]

    def ask_all() -> None:
        hand_over = gate.hand_over
        for message in messages:
            hand_over(message, "cmcc-a", now=NOW)

    benchmark(ask_all)
    benchmark.extra_info["microseconds_a_message"] = benchmark.stats.stats.median / MESSAGES * 1e6


def test_start(benchmark: BenchmarkFixture, runner: asyncio.Runner, tmp_path: Path) -> None:
    """Taking in opt-outs from disk; `extra_info` has what a million take."""

    async def fill() -> SqliteStore:
        store = SqliteStore(StoreSettings(path=str(tmp_path)))
        await store.open()
        register = a_register(store)
        chance = Random(3)
        proof = OptOut(NOW, Source.IMPORT, "operator")
        for _ in range(STORED // 1_000):
            commit = register.add(
                {Scope("阳光物业", a_number(chance), Category.MARKETING): proof for _ in range(1_000)}
            )
            if commit is not None:
                await commit
        return store

    def a_register(store: SqliteStore) -> OptOutRegister:
        return OptOutRegister(OptOuts(), store, Audit(store, lambda: NOW, keep_seconds=1.0), limit=10 * STORED)

    store = runner.run(fill())
    try:
        benchmark.pedantic(lambda: runner.run(a_register(store).load()), rounds=3)
        benchmark.extra_info["seconds_a_million"] = benchmark.stats.stats.median * 1_000_000 / STORED
    finally:
        runner.run(store.close())
