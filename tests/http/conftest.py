"""A real server on a free port, over the real intake and the store in memory; one client."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
import pytest

from gateway.account import Account, Quota, Scope
from gateway.audit import Audit
from gateway.callbacks.callbacks import Callbacks
from gateway.callbacks.settings import CallbackSettings
from gateway.controls import BatchState, Cancelled
from gateway.http.audit import AuditCalls
from gateway.http.carriers import CarrierControls
from gateway.http.control import ControlCalls
from gateway.http.held import HeldCalls
from gateway.http.keys import Keys, hash_key
from gateway.http.operations import BindView, CarrierView
from gateway.http.opt_outs import OptOutCalls
from gateway.http.overview import Overview, OverviewCalls
from gateway.http.page_files import PageFiles
from gateway.http.ported import PortedNumbers
from gateway.http.refusals import RefusalCalls
from gateway.http.reload import ReloadCalls
from gateway.http.server import HttpServer
from gateway.http.settings import HttpSettings
from gateway.http.suppressions import SuppressionCalls
from gateway.http.usage import UsageCalls
from gateway.intake import Intake
from gateway.message import Category, Entry, IdSource, MessageId, Record, Status
from gateway.metrics import Metrics
from gateway.numbers import Network, NumberPlan
from gateway.opt_out_import import OptOutImport
from gateway.opt_outs import OptOutRegister
from gateway.policy.consent import OptOuts, Suppressed
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.pipeline import Pipeline
from gateway.policy.quotas import QuotaStage
from gateway.policy.review import ReviewStage
from gateway.policy.signature import SignatureStage
from gateway.ports import Ports
from gateway.refs import ClientRefs, ClientRefSettings
from gateway.refusals import Refusals, RefusalSettings
from gateway.review import Reviews
from gateway.routing.networks import Networks
from gateway.routing.router import Router
from gateway.routing.routes import CarrierReach
from gateway.rulings import Reviewed
from gateway.store.api import StoreError
from gateway.store.memory import MemoryStore
from gateway.suppression import Suppressions
from gateway.usage import Usage, UsageSettings
from tests.http.description import Description

NOW = 1_772_323_200_000  # 2026-03-01T00:00:00Z
PLAN = "prefix,network,kind,note\n138,cmcc,mobile,\n186,cucc,mobile,\n189,ctcc,mobile,\n"

ACCOUNTS = {
    "alpha-key": Account(name="alpha", signatures=("阳光物业",)),
    "alpha-new-key": Account(name="alpha", signatures=("阳光物业",)),
    "beta-key": Account(name="beta"),
    "held-key": Account(name="held", review=frozenset({"marketing", "otp"})),
    "high-key": Account(name="high", allow_high=True, senders=("1069",)),
    "small-key": Account(name="small", quota=Quota(messages_a_day=3, segments_a_month=100)),
    "slow-key": Account(name="slow", submit_rate=2, categories=frozenset({Category.NOTIFICATION})),
    "send-key": Account(name="alpha", scopes=frozenset({Scope.SEND})),
    "operate-key": Account(name="operator", scopes=frozenset({Scope.SEND, Scope.READ, Scope.OPERATE})),
    "review-key": Account(name="reviewer", scopes=frozenset({Scope.READ, Scope.REVIEW})),
    "metrics-key": Account(name="prometheus", scopes=frozenset({Scope.METRICS})),
}

OVERVIEW = Overview(
    at="2026-03-01T00:00:00.000+00:00",
    version="0.1.0",
    ready=True,
    uptime_seconds=1.5,
    accepted=7,
    refused={"frequency_cap": 2},
    submits={"accepted": 5},
    finished={"delivered": 4},
    queued={"high": 0, "normal": 2, "low": 1},
    oldest_queued_seconds={"normal": 0.5},
    waiting={"held": 1},
    open=3,
    receipts_overdue=0,
    callbacks_waiting=1,
    disk_free_bytes=None,
)


class FakeOperations:
    """The running gateway, as the API asks for it."""

    def __init__(self) -> None:
        self.is_ready = True

    def ready(self) -> bool:
        return self.is_ready

    def carriers(self) -> list[CarrierView]:
        bound = BindView(name="cmcc-a-1", state="bound", window=100, in_use=3, since=NOW)
        down = BindView(name="cmcc-a-2", state="down", window=100, in_use=0, since=NOW, error="refused")
        return [CarrierView(name="cmcc-a", state="up", rate=1000.0, queued=7, binds=(bound, down))]


class FakeControls:
    """Delivery, as far as accounts may control their messages: does what a test says, and remembers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.cancelled: Cancelled | None = None
        self.found: BatchState | None = None
        self.error: Exception | None = None

    async def cancel_message(self, message_id: MessageId, account: str) -> Cancelled | None:
        self._note("message", message_id, account)
        return self.cancelled

    async def state(self, account: str, batch: str) -> BatchState | None:
        self._note("state", account, batch)
        return self.found

    async def pause(self, account: str, batch: str) -> BatchState | None:
        self._note("pause", account, batch)
        return self.found

    async def resume(self, account: str, batch: str) -> BatchState | None:
        self._note("resume", account, batch)
        return self.found

    async def cancel(self, account: str, batch: str, *, wait_seconds: float) -> BatchState | None:
        self._note("cancel", account, batch)
        return self.found

    def _note(self, *asked: Any) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error


class FakeCarrierDesk:
    """Carriers that remember what was done to them."""

    def __init__(self, operations: FakeOperations) -> None:
        self._operations = operations
        self.done: list[tuple[str, ...]] = []
        self.error: StoreError | None = None

    async def pause(self, name: str, queue: str | None) -> CarrierView | None:
        return self._do(name, "pause", name, queue or "as configured")

    async def resume(self, name: str) -> CarrierView | None:
        return self._do(name, "resume", name)

    def rebind(self, name: str) -> CarrierView | None:
        return self._do("cmcc-a" if name == "cmcc-a-1" else "", "rebind", name)

    def _do(self, carrier: str, *what: str) -> CarrierView | None:
        if self.error is not None:
            raise self.error
        found = [each for each in self._operations.carriers() if each.name == carrier]
        if found:
            self.done.append(what)
        return found[0] if found else None


class FakeMetrics:
    """Remembers what was observed."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((route, status))

    def render(self) -> tuple[bytes, str]:
        return b"gateway_up 1\n", "text/plain; version=0.0.4"


class FakeDesk:
    """Delivery, as reviewers' words reach it: held messages are queued or cancelled, whatever the rules say."""

    def __init__(self, store: MemoryStore, clock: "Clock") -> None:
        self._store = store
        self._clock = clock

    async def approve(self, message_id: MessageId, *, note: str) -> Reviewed:
        return await self._move(message_id, note, Entry(self._clock(), Status.QUEUED))

    async def reject(self, message_id: MessageId, *, note: str) -> Reviewed:
        return await self._move(message_id, note, Entry(self._clock(), Status.CANCELLED, "rejected"))

    async def _move(self, message_id: MessageId, note: str, entry: Entry) -> Reviewed:
        record = await self._store.read(message_id)
        if record is None or record.status is not Status.HELD:
            return Reviewed(record, done=False)
        record.state.timeline += [Entry(self._clock(), Status.HELD, note), entry]
        record.state.status = entry.status
        await self._store.update(record)
        return Reviewed(record, done=True)


class Clock:
    """The wall clock, which stands until it is set."""

    now = NOW

    def __call__(self) -> int:
        return self.now


class Reply(msgspec.Struct):
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Api:
    """A server with everything behind it, and a client in front of it."""

    def __init__(self, settings: HttpSettings) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.operations = FakeOperations()
        self.controls = FakeControls()
        self.metrics = FakeMetrics()
        self.accepted: list[Record] = []
        self.suppressed = Suppressed()
        self.reload_faults: list[str] = []
        self.refusals = Refusals(RefusalSettings(), self.store, self.clock)
        self.networks = Networks(NumberPlan.parse(PLAN))
        ports = Ports(self.networks, self.store, self.clock)
        self.quotas = QuotaStage(
            {each.name: each.quota for each in ACCOUNTS.values() if each.quota is not None}, ZoneInfo("Asia/Shanghai")
        )
        self.usage = Usage(UsageSettings(), self.store, self.quotas)
        carrier = CarrierReach(name="cmcc-a", networks=frozenset({Network.CMCC, Network.CUCC, Network.OTHER}))
        self.intake = Intake(
            pipeline=Pipeline(
                [NumberStage(self.networks), SignatureStage(), ContentStage()], [ReviewStage()], booking=[self.quotas]
            ),
            router=Router([carrier], [], self.suppressed),
            store=self.store,
            ids=IdSource(node=1, last=MessageId(0)),
            refs=ClientRefs(ClientRefSettings()),
            valid_for_seconds={Category.OTP: 300, Category.NOTIFICATION: 86_400, Category.MARKETING: 86_400},
            on_accepted=self._accepted,
            on_refused=self.refusals.add,
            clock=self.clock,
        )
        self.callbacks = Callbacks(
            {"alpha": CallbackSettings()},
            store=self.store,
            outcomes=Metrics().callbacks,
            clock=self.clock,
            random=lambda: 0.5,
        )
        self.desk = FakeDesk(self.store, self.clock)
        self.audit = audit = Audit(self.store, self.clock, keep_seconds=86_400)
        self.carrier_desk = FakeCarrierDesk(self.operations)
        self.opt_outs = OptOuts()
        self.register = OptOutRegister(self.opt_outs, self.store, audit, limit=10_000)
        self.suppressions = Suppressions(self.suppressed, self.store, self.clock, limit=3)
        imports = OptOutImport(self.register, self.store, audit, self.clock)
        self.server = HttpServer(
            settings,
            keys=Keys([(hash_key(key), account) for key, account in ACCOUNTS.items()]),
            intake=self.intake,
            store=self.store,
            operations=self.operations,
            callbacks=self.callbacks,
            metrics=self.metrics,
            clock=self.clock,
            calls=[
                CarrierControls(self.carrier_desk, audit),
                OptOutCalls(self.register, imports, self.clock),
                SuppressionCalls(self.suppressions, audit, {"cmcc-a"}),
                AuditCalls(audit),
                ReloadCalls(self.reload, audit),
                HeldCalls(Reviews(self.desk, self.store, audit)),
                PortedNumbers(ports, takes_hashes=False),
                UsageCalls(self.usage, self.clock),
                ControlCalls(self.controls.cancel_message, self.controls),
                RefusalCalls(self.refusals),
                OverviewCalls(lambda: OVERVIEW),
                PageFiles(),
            ],
        )
        self.session: aiohttp.ClientSession
        self.description = Description(self.server._routes)

    async def reload(self) -> list[str]:
        """What the running gateway would find wrong with its files."""
        return self.reload_faults

    @property
    def url(self) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}"

    async def start(self) -> None:
        await self.store.open()
        await self.callbacks.start()
        await self.usage.load(last_id=MessageId(0), wall=self.clock() // 1_000)
        await self.server.start()
        self.session = aiohttp.ClientSession()

    def _accepted(self, records: Sequence[Record]) -> None:
        self.accepted.extend(records)
        self.usage.accepted(records)

    async def stop(self) -> None:
        await self.session.close()
        await self.server.stop()
        await self.store.close()

    async def call(self, method: str, path: str, *, key: str | None = "alpha-key", **request: Any) -> Reply:
        """One request, to its whole answer."""
        headers = dict(request.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        async with self.session.request(method, self.url + path, headers=headers, **request) as response:
            content = await response.read()
            media_type = response.headers.get("Content-Type", "")
            self.description.check(method, path, response.status, media_type, content)
            return Reply(response.status, response.headers, content)

    async def post(self, content: Any, *, path: str = "/v1/messages", **request: Any) -> Reply:
        """Submit what is given, as JSON; octets as they are."""
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        headers = {"Content-Type": "application/json", **request.pop("headers", {})}
        data = body if len(body) < 1_000_000 else io.BytesIO(body)  # aiohttp warns of large octets
        return await self.call("POST", path, data=data, headers=headers, **request)

    async def get(self, path: str, **request: Any) -> Reply:
        return await self.call("GET", path, **request)

    async def raw(self, octets: bytes, *, until_closed: bool = False) -> bytes:
        """Send octets as they are; return what comes back before a pause, or before the end."""
        reader, writer = await asyncio.open_connection(*self.server.address)
        writer.write(octets)
        if until_closed:
            answer = await reader.read()
        else:
            answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
def settings() -> HttpSettings:
    """Tests that need other limits define their own."""
    return HttpSettings(listen="127.0.0.1:0", stop_timeout_seconds=2.0)


@pytest.fixture
async def api(settings: HttpSettings) -> AsyncIterator[Api]:
    api = Api(settings)
    await api.start()
    yield api
    await api.stop()


@pytest.fixture
async def make_api() -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """Start servers with settings of their own."""
    started: list[Api] = []

    async def make(**settings: Any) -> Api:
        api = Api(HttpSettings(**{"listen": "127.0.0.1:0", "stop_timeout_seconds": 2.0, **settings}))
        await api.start()
        started.append(api)
        return api

    yield make
    for api in started:
        await api.stop()
