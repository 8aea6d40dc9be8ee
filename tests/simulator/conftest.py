from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from simulator import Settings, Simulator
from simulator.checking import settings_from

QUICK: dict[str, Any] = {
    "smpp": {"listen": "127.0.0.1:0"},
    "control": {"listen": "127.0.0.1:0"},
    "receipts": {"delay_seconds": 0.02, "retry_seconds": 0.1},
}

Start = Callable[..., AbstractAsyncContextManager[Simulator]]


def quick_settings(**tables: Any) -> Settings:
    """Settings on free ports with short delays, and `tables` on top."""
    quick = {name: table | tables.pop(name, {}) for name, table in QUICK.items()}
    return settings_from(quick | tables, Settings)


@pytest.fixture
def start() -> Start:
    """Starts a simulator whose settings are given by table."""

    @asynccontextmanager
    async def run(**tables: Any) -> AsyncIterator[Simulator]:
        async with Simulator(quick_settings(**tables)) as simulator:
            yield simulator

    return run


@pytest.fixture
async def simulator(start: Start) -> AsyncIterator[Simulator]:
    async with start() as running:
        yield running
