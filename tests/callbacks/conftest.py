"""A receiver on this machine that does what a test says, and callbacks that tell it."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from gateway.callbacks.callbacks import Callbacks
from gateway.callbacks.settings import CallbackSettings
from gateway.message import Entry, IdSource, Message, MessageId, Record, Status, new_record
from gateway.metrics import Metrics
from gateway.store.memory import MemoryStore

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MORNING = 1_800_000_000_000


class Request(msgspec.Struct):
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        return msgspec.json.decode(self.body)["events"]


class Receiver:
    """An application that listens for callbacks. `answer` says what it answers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.taken: list[dict[str, Any]] = []  # events of requests that were answered 2xx, in that order
        self.answer: Callable[[Request], web.Response | Awaitable[web.Response]] = lambda _: web.Response()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        came = Request(request.path, dict(request.headers), await request.read())
        self.requests.append(came)
        answer = self.answer(came)
        response = await answer if isinstance(answer, Coroutine) else answer
        if 200 <= response.status < 300:
            self.taken += came.events
        return response

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Listen; yields the URL."""
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"{'http' if tls is None else 'https'}://{host}:{port}/hook"
        finally:
            await runner.cleanup()

    @property
    def taken_messages(self) -> list[str]:
        return [event["id"] for event in self.taken]


class Office:
    """Running callbacks on a store in memory, and messages that change."""

    def __init__(self, store: MemoryStore, accounts: dict[str, CallbackSettings]) -> None:
        self.store = store
        self.metrics = Metrics()
        self.ahead_milliseconds = 0
        self._now = MORNING
        self.ids = IdSource(node=1, last=MessageId(max(store._records, default=0)))
        self.callbacks = Callbacks(
            accounts, store=store, outcomes=self.metrics.callbacks, clock=self.now, random=lambda: 0.5
        )
        self._running: asyncio.Task[None] | None = None

    def now(self) -> int:
        self._now += 1
        return self._now + self.ahead_milliseconds

    async def start(self) -> None:
        await self.store.open()
        await self.callbacks.start()
        self._running = asyncio.create_task(self.callbacks.run())

    async def stop(self, *, crash: bool = False) -> None:
        """Stop in order; with `crash`, without writing how far everybody was told."""
        assert self._running is not None
        self._running.cancel()
        await asyncio.wait({self._running})
        if crash:
            await self.callbacks._post.close()
        else:
            await self.callbacks.stop()
        await self.store.close()
        if not self._running.cancelled():
            self._running.result()

    async def append(self, count: int = 1, account: str = "demo", **fields: Any) -> list[Record]:
        """Accept messages."""
        records = []
        for _ in range(count):
            now = self.now()
            message = Message(
                id=self.ids.next(now),
                account=account,
                to="+8613800138000",
                text="T",
                accepted_at=now,
                expires_at=now + 86_400_000,
                **fields,
            )
            records.append(new_record(message, Status.QUEUED, lane="cmcc-a/normal"))
        await self.store.append(records)
        return records

    async def enter(self, status: Status, *records: Record) -> None:
        """Change their status."""
        for record in records:
            record.state.status = status
            record.state.timeline.append(Entry(self.now(), status))
            commit = self.store.update(record)
        await commit

    async def deliver(self, count: int = 1, account: str = "demo", **fields: Any) -> list[str]:
        """Accept messages and deliver them; their ids."""
        records = await self.append(count, account, **fields)
        await self.enter(Status.DELIVERED, *records)
        return [str(record.id) for record in records]

    def count(self, outcome: str, account: str = "demo") -> int:
        return self.metrics.callbacks.value((account, outcome))

    def waiting(self, account: str = "demo") -> float:
        return dict(self.callbacks.waiting())[(account,)]


async def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def quick(url: str, **changes: Any) -> CallbackSettings:
    """Settings under which nothing waits for long."""
    values = {"retry_first_seconds": 0.01, "retry_longest_seconds": 0.05, "rate": 1_000.0, "timeout_seconds": 10.0}
    return CallbackSettings(url=url, secret=SECRET, **(values | changes))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def url(receiver: Receiver) -> AsyncIterator[str]:
    async with receiver.listening() as url:
        yield url


@pytest.fixture
async def open_office() -> AsyncIterator[Callable[..., Awaitable[Office]]]:
    """Start callbacks; whatever was not stopped is, at the end."""
    offices: list[Office] = []

    async def start(accounts: dict[str, CallbackSettings], store: MemoryStore | None = None) -> Office:
        office = Office(store or MemoryStore(), accounts)
        await office.start()
        offices.append(office)
        return office

    yield start
    for office in offices:
        if office._running is not None and not office._running.done():
            await office.stop()
