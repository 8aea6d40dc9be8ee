"""A gateway that can be killed, and a simulator that outlives it: both as processes, on free ports of loopback."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from loadtest.answers import FINAL, MessageSeen
from loadtest.api import Api
from loadtest.configuration import Tables, to_toml
from loadtest.processes import Child

KEY: Final = "test-key"
WAIT_SECONDS: Final = 20.0


class Gateway:
    """One store on disk, and the process that serves it at the moment."""

    def __init__(self, tables: Tables, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._environment = environment or {}
        self._config = directory / "gateway.toml"
        self._config.write_text(to_toml(tables), encoding="utf-8")
        self._starts = 0
        self.child: Child | None = None
        self.url = ""

    def spawn(self) -> Child:
        """Start it, and do not wait."""
        self._starts += 1
        logs = self._directory / f"start-{self._starts}"
        logs.mkdir()
        command = (sys.executable, "-m", "gateway", "--config", str(self._config))
        self.child = Child("gateway", command, directory=logs, environment=self._environment)
        return self.child

    async def start(self) -> None:
        """Start it, and return when it takes messages."""
        self.url = f"http://{(await self.spawn().ready())['http']}"

    async def kill(self) -> None:
        """SIGKILL, and wait until the kernel has taken it."""
        assert self.child is not None
        os.kill(self.child.pid, signal.SIGKILL)
        while self.child.running:
            await asyncio.sleep(0.005)

    async def stop(self) -> int | None:
        """SIGTERM; its exit code, or None when it is not running."""
        return await self.child.stop() if self.child is not None and self.child.running else None

    async def post(self, body: bytes) -> tuple[int, str | None]:
        """Submit once, come what may: the status, and what Retry-After says."""
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/v1/messages", data=body, headers=headers) as response,
        ):
            return response.status, response.headers.get("Retry-After")

    async def get(self, path: str, *, key: str = KEY) -> Any:
        """What a call answers. Raises AssertionError where that is no 200."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as session,
            session.get(f"{self.url}{path}") as response,
        ):
            answer = await response.json(content_type=None)
            assert response.status == 200, f"{path}: {response.status}: {answer}"
            return answer

    async def status_of(self, path: str) -> int:
        """The status that a call is answered with."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as session,
            session.get(f"{self.url}{path}") as response,
        ):
            return response.status

    def log(self) -> str:
        """What the present process has written."""
        assert self.child is not None
        return self.child.log.read_text(encoding="utf-8", errors="replace")

    def api(self) -> Api:
        """A client of the present process."""
        return Api(self.url, KEY, connections=8)


@asynccontextmanager
async def stopping(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Leave no process behind."""
    try:
        yield gateway
    finally:
        await gateway.stop()


def gateway_tables(smpp: str, store: Path, *, on_doubt: str, **carrier: Any) -> Tables:
    """A config with one carrier and two binds, quick deadlines, and one answer to doubt for all categories."""
    host, _, port = smpp.rpartition(":")
    bind = {"host": host, "port": int(port), "system_id": "gateway", "password": "secret", "window": 50}
    quick = {"reconnect_first_seconds": 0.1, "reconnect_longest_seconds": 0.5}
    return {
        "http": {"listen": "127.0.0.1:0"},
        "store": {"path": str(store)},
        "delivery": {"sweep_seconds": 0.5},
        "category": {name: {"on_doubt": on_doubt, "hours": []} for name in ("otp", "notification", "marketing")},
        "account": [{"name": "test", "key": KEY, "scopes": ["send", "read"], "signatures": ["阳光物业"]}],
        "carrier": [
            {
                "name": "carrier",
                "source": "10690001",
                "response_timeout_seconds": 1,
                "receipt_deadline_seconds": 4,
                "bind": [{**bind, **quick, "name": "one"}, {**bind, **quick, "name": "two"}],
                **carrier,
            }
        ],
    }


async def seen(api: Api, **filters: str) -> dict[str, MessageSeen]:
    """Every message of the last day that fits, by id."""
    return {message.id: message async for page in api.pages(**filters) for message in page}


async def wait_for(
    api: Api, done: Callable[[Counter[str]], bool], *, timeout_seconds: float = WAIT_SECONDS
) -> Counter[str]:
    """Look at the statuses of all messages until `done` says so, and return how many there are of each."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        statuses = Counter(message.status for message in (await seen(api)).values())
        if done(statuses):
            return statuses
        assert time.monotonic() < deadline, f"after {timeout_seconds:g} s there are {dict(statuses)}"
        await asyncio.sleep(0.2)


def all_final(statuses: Counter[str]) -> bool:
    return not set(statuses) - FINAL
