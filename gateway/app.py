"""The gateway as a whole: builds every part, joins them, runs until told to stop, and drains.

Start: the store, then what was left open, then the API, then the binds. Stop: the other way round.
"""

import asyncio
import gc
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

from gateway.account import Account
from gateway.callbacks.callbacks import Callbacks
from gateway.cap_snapshots import CapSnapshots
from gateway.carrier_desk import CarrierDesk
from gateway.config import Config, load_holidays, load_plan, load_ported, load_receipt_codes
from gateway.config_errors import ConfigError
from gateway.consent import Consent
from gateway.delivery.binds import Bind
from gateway.delivery.delivery import Delivery
from gateway.delivery.durable import AfterCommit
from gateway.delivery.last_sent import LastSent
from gateway.delivery.live import Live
from gateway.delivery.owners import Owners
from gateway.delivery.settings import CarrierSettings
from gateway.delivery.shared import Shared
from gateway.gate import PolicyGate
from gateway.http.carriers import CarrierControls
from gateway.http.control import ControlCalls
from gateway.http.held import HeldCalls
from gateway.http.keys import Keys
from gateway.http.operations import CarrierView
from gateway.http.overview import OverviewCalls
from gateway.http.page_files import PageFiles
from gateway.http.ported import PortedNumbers
from gateway.http.refusals import RefusalCalls
from gateway.http.reload import ReloadCalls
from gateway.http.server import HttpServer
from gateway.http.usage import UsageCalls
from gateway.intake import Decision, Intake
from gateway.learning import Learning
from gateway.message import IdSource, Milliseconds, Priority, Record, Status, time_of_id
from gateway.metrics import Metrics, Sample
from gateway.numbers import Network
from gateway.overview import Glance
from gateway.policy.candidate import Draft
from gateway.policy.caps import CapsStage
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.opt_out_text import OptOutTextStage
from gateway.policy.otp import OtpStage
from gateway.policy.pipeline import Pipeline
from gateway.policy.signature import SignatureStage
from gateway.policy.symbols import SymbolStage
from gateway.policy.verdict import Reason, Refusal
from gateway.ports import Ports
from gateway.ranking import Ranking
from gateway.refs import ClientRefs
from gateway.refusals import Refusals
from gateway.review import Reviews
from gateway.routing.learned import LearnedPorts
from gateway.routing.networks import Networks
from gateway.routing.ported import PortTable
from gateway.routing.router import Router
from gateway.routing.routes import CarrierReach
from gateway.rules import Rules
from gateway.service_manager import ServiceManager
from gateway.store.api import Store, StoreError
from gateway.store.sqlite import SqliteStore
from gateway.usage import Usage
from gateway.version import VERSION
from gateway.wordbook import Wordbook

# The writer thread needs the GIL for moments between statements; with the default of 5 ms it waits that long each time.
SWITCH_INTERVAL_SECONDS: Final = 0.0002
# Hardly anything here is garbage in a cycle, while a hundred thousand records are alive and well: look seldom, and not
# at what was there when the gateway started. To look at 20,000 new objects holds up the loop for a few milliseconds.
GARBAGE_THRESHOLDS: Final = (20_000, 50, 100)
LAG_LOOK_SECONDS: Final = 0.25
COUNT_SECONDS: Final = 10.0
PORTS_LOOK_SECONDS: Final = 3_600.0
DAY_MILLISECONDS: Final = 86_400_000

log = structlog.get_logger(__name__)


class Gateway:
    """One running gateway: what the API asks of it beside messages."""

    def __init__(self, config: Config, *, service: ServiceManager | None = None) -> None:
        """`service`: told of the start, of every turn of the loop, and of the stop."""
        self._config = config
        self._service = service or ServiceManager({})
        self._networks = Networks(
            load_plan(config),
            file=load_ported(config),
            by_hand=PortTable((config.numbers.ported_key or "").encode()),
            learned=LearnedPorts(
                limit=config.numbers.learned_ports,
                keep_milliseconds=config.numbers.learned_port_days * DAY_MILLISECONDS,
            ),
        )
        self._receipt_codes = load_receipt_codes(config)
        self._rules = Rules(config)
        self._words = Wordbook(config)
        self._metrics = Metrics()
        self._store: Store = SqliteStore(
            config.store,
            on_batch=self._metrics.commit_seconds.observe,
            on_damage=lambda error: log.error(
                "a file of the store is damaged: the others are served", error=str(error)
            ),
        )
        self._waiting: dict[Status, int] = {}
        self._callbacks = Callbacks(
            {account.name: account.callback for account in config.account if account.callback is not None},
            store=self._store,
            outcomes=self._metrics.callbacks,
            clock=wall_clock,
            random=random.random,
        )
        self._usage = Usage(config.usage, self._store, self._rules.quotas)
        self._consent = Consent(config, self._rules, self._store, self._metrics, wall_clock, self._submit)
        self._ports = Ports(self._networks, self._store, wall_clock)
        self._router = Router(
            [_reach(carrier) for carrier in config.carrier],
            [route.route(self._rules.windows) for route in config.route],
            self._rules.suppressed,
        )
        accounts = {account.name: account.account for account in config.account}
        self._ranking = Ranking(self._router, accounts, self._networks.network_of, wall_clock)
        self._learning = Learning(self._ports, self._consent.suppressions, self._router, wall_clock)
        self._refusals = Refusals(config.refusals, self._store, wall_clock)
        self._delivery: Delivery | None = None
        self._intake: Intake | None = None
        self._ready = False
        self._stop = asyncio.Event()
        self._reload_asked = asyncio.Event()

    def stop(self) -> None:
        """Begin to drain."""
        self._stop.set()

    def ask_reload(self) -> None:
        """Reload soon."""
        self._reload_asked.set()

    async def reload(self) -> list[str]:
        """Take the files beside the config as they are now; return what is wrong with those whose old contents hold."""
        faults: list[str] = []
        for take in (self._reload_plan, self._reload_ported, self._reload_holidays, self._words.reload):
            try:
                await take()
            except ConfigError as error:
                faults.append(str(error))
                log.error("a file was not taken in: what was there before holds", fault=str(error))
        return faults

    async def _reload_plan(self) -> None:
        self._networks.replace_plan(load_plan(self._config))

    async def _reload_ported(self) -> None:
        self._networks.replace_file(await asyncio.to_thread(load_ported, self._config))  # it may have millions of rows

    async def _reload_holidays(self) -> None:
        self._rules.reload_holidays()

    async def run(self, on_ready: Callable[[str], None] = lambda _: None) -> None:
        """Start, run until `stop`, drain. Raises ConfigError, StoreError, or OSError when the port is taken."""
        recovered = await self._store.open()
        try:
            await self._callbacks.start()
            ids = IdSource(node=self._config.node.number, last=recovered.last_id)
            snapshots = CapSnapshots(self._store, last_id=recovered.last_id)
            last_time = max(wall_clock(), recovered.last_time)
            caps = await self._rules.load_caps(snapshots, last_time=last_time)
            await self._usage.load(last_id=recovered.last_id, wall=last_time // 1_000)
            gate = self._rules.gate([caps])
            self._delivery = delivery = Delivery(
                self._config.carrier,
                self._shared(gate),
                recovered,
                lambda: ids.next(wall_clock()),
                self._receipt_codes,
                owners=Owners(
                    [account.account for account in self._config.account],
                    {carrier.name: carrier.source for carrier in self._config.carrier},
                ),
                replies=self._consent.replies,
            )
            refs = await self._load_refs()
            await self._consent.load()
            await self._refusals.load()
            await self._ports.load()
            await delivery.recover()
            self._intake = intake = self._make_intake(delivery, ids, refs, gate, caps, snapshots)
            server = self._server(intake, delivery)
            await server.start()
            self._add_gauges(delivery, refs, caps)
            gc.collect()
            gc.freeze()
            self._ready = True
            host, port = server.address
            log.info("the gateway is ready", listen=f"{host}:{port}", carriers=len(delivery.carriers))
            self._service.ready(f"listens on {host}:{port}")
            on_ready(f"{host}:{port}")
            keep_caps = snapshots.run(last_id=lambda: ids.last, oldest_open=intake.oldest_under_way)
            keep_usage = self._usage.run(intake.known_through, wall_clock)
            await self._run_until_stopped(delivery, server, keep_caps, keep_usage)
            await snapshots.finish(last_id=ids.last)
            await self._usage.flush(ids.last)
        finally:
            self._ready = False
            await self._callbacks.stop()
            await self._refusals.flush()
            await self._store.close()

    # --- what the API asks -------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        return self._ready

    def carriers(self) -> list[CarrierView]:
        assert self._delivery is not None
        return CarrierDesk(self._delivery).carriers()

    # --- start -------------------------------------------------------------------------------------------------------

    def _shared(self, gate: PolicyGate) -> Shared:
        return Shared(
            store=self._store,
            live=Live(),
            after=AfterCommit(),
            metrics=self._metrics,
            settings=self._config.delivery,
            categories=self._config.categories,
            clock=wall_clock,
            random=random.random,
            gate=gate,
            rank=self._ranking.rank,
            goes_on_when_refused=self._ranking.goes_on_when_refused,
            lessons=self._learning,
            usage=self._usage,
            last_sent=LastSent(self._config.delivery.replies_in_memory),
        )

    async def _load_refs(self) -> ClientRefs:
        settings = self._config.client_refs
        refs = ClientRefs(settings)
        since = wall_clock() - round(settings.remember_seconds * 1000)
        async for chunk in self._store.client_refs(since=since):
            for account, client_ref, message_id in chunk:
                refs.add(account, client_ref, message_id, now=time_of_id(message_id))
        return refs

    async def _submit(self, account: Account, drafts: Sequence[Draft]) -> Sequence[Decision]:
        """Take in messages of the gateway's own making."""
        assert self._intake is not None
        return await self._intake.submit(account, drafts)

    def _make_intake(
        self,
        delivery: Delivery,
        ids: IdSource,
        refs: ClientRefs,
        gate: PolicyGate,
        caps: CapsStage,
        snapshots: CapSnapshots,
    ) -> Intake:
        metrics, content = self._metrics, self._config.content

        def on_accepted(records: Sequence[Record]) -> None:
            counts = Counter([(record.message.account, record.message.category) for record in records])
            for labels, count in counts.items():
                metrics.messages_accepted.add(labels, count)
            waiting = [record for record in records if record.status is not Status.QUEUED]
            if waiting:
                snapshots.note_waiting(waiting)
            self._usage.accepted(records)
            delivery.accept(records)

        def on_tagged(account: str, tags: Sequence[str]) -> None:
            for tag in tags:
                metrics.messages_tagged.add((account, tag))

        def on_refused(account: str, draft: Draft, refusal: Refusal) -> None:
            metrics.messages_refused.add((account, draft.category, refusal.reason))
            self._refusals.add(account, draft, refusal)
            if refusal.reason is Reason.FREQUENCY_CAP:
                metrics.caps_full.add((refusal.data["rule"],))

        return Intake(
            pipeline=Pipeline(
                [
                    NumberStage(self._networks, refused_kinds=frozenset(self._config.numbers.refuse_kinds)),
                    SignatureStage(),
                    OptOutTextStage(content.opt_out_text),
                    ContentStage(),
                ],
                [
                    OtpStage(content.otp_keywords),
                    SymbolStage(content.refused_symbols, content.tagged_symbols),
                    self._words.stage,
                    *self._rules.stages(),
                ],
                [caps],
                [self._rules.quotas],
            ),
            router=self._router,
            store=self._store,
            ids=ids,
            refs=refs,
            valid_for_seconds={name: each.valid_for_seconds for name, each in self._config.categories.items()},
            is_up=delivery.is_up,
            due=gate.due,
            on_accepted=on_accepted,
            on_tagged=on_tagged,
            on_refused=on_refused,
            clock=wall_clock,
        )

    def _server(self, intake: Intake, delivery: Delivery) -> HttpServer:
        return HttpServer(
            self._config.http,
            keys=Keys((account.key_hash, account.account) for account in self._config.account),
            intake=intake,
            store=self._store,
            operations=self,
            callbacks=self._callbacks,
            metrics=self._metrics,
            clock=wall_clock,
            calls=[
                ControlCalls(delivery.cancel, delivery.batches),
                *self._consent.calls(),
                CarrierControls(CarrierDesk(delivery), self._consent.audit),
                HeldCalls(Reviews(delivery, self._store, self._consent.audit), self._words.words_of),
                ReloadCalls(self.reload, self._consent.audit),
                PortedNumbers(self._ports, takes_hashes=bool(self._config.numbers.ported_key)),
                UsageCalls(self._usage, wall_clock),
                RefusalCalls(self._refusals),
                OverviewCalls(self._glance(delivery).look),
                PageFiles(),
            ],
        )

    def _glance(self, delivery: Delivery) -> Glance:
        return Glance(
            metrics=self._metrics,
            delivery=delivery,
            store=self._store,
            directory=self._config.store.path,
            ready=self.ready,
            waiting=lambda: self._waiting,
            callbacks_waiting=self._callbacks.waiting,
            clock=wall_clock,
        )

    def _add_gauges(self, delivery: Delivery, refs: ClientRefs, caps: CapsStage) -> None:
        add = self._metrics.add_gauge
        carriers = delivery.carriers.values()

        def queued() -> list[Sample]:
            return [((p,), sum(carrier.queues.waiting(p) for carrier in carriers)) for p in Priority]

        def oldest() -> list[Sample]:
            now = wall_clock()
            return [((p,), _oldest_seconds([carrier.queues.oldest(p) for carrier in carriers], now)) for p in Priority]

        def each_bind(value: Callable[[Bind], float]) -> Callable[[], list[Sample]]:
            return lambda: [((carrier.name, bind.name), value(bind)) for carrier in carriers for bind in carrier.binds]

        add("gateway_queued_messages", "Messages that wait for a carrier.", ("priority",), queued)
        add("gateway_oldest_queued_seconds", "Age of the oldest message whose turn it is.", ("priority",), oldest)
        add("gateway_bind_up", "1 when the bind is up.", ("carrier", "bind"), each_bind(lambda b: float(b.is_up)))
        add("gateway_window_in_use", "Window slots taken.", ("carrier", "bind"), each_bind(lambda b: b.in_use))
        add(
            "gateway_carrier_rate_limit",
            "Segments a second that the carrier may be sent.",
            ("carrier",),
            lambda: [((carrier.name,), carrier.rate) for carrier in carriers],
        )
        add(
            "gateway_client_ref_window_seconds",
            "How far back repeated client_refs are known.",
            (),
            lambda: [((), refs.oldest_age_seconds(now=wall_clock()))],
        )
        add(
            "gateway_callbacks_waiting",
            "Events that are neither taken by their receiver nor given up.",
            ("account",),
            self._callbacks.waiting,
        )
        networks = self._networks
        add(
            "gateway_ported_numbers",
            "Ported numbers that are known, by where from.",
            ("source",),
            lambda: [((source,), size) for source, size in networks.sizes.items()],
        )
        self._metrics.add_counter(
            "gateway_number_lookups",
            "Numbers whose network was asked for, by who knew it.",
            ("source",),
            lambda: [((source,), count) for source, count in networks.lookups.items()],
        )
        add("gateway_cap_charges", "Charges that count, up to caps.max_charges.", (), lambda: [((), len(caps.charges))])
        add(
            "gateway_open_messages",
            "Messages that are accepted and not final.",
            ("account",),
            lambda: [((account,), count) for account, count in self._store.open_messages.items()],
        )
        add(
            "gateway_disk_free_bytes",
            "Free on the disk of the store.",
            (),
            lambda: _disk_free(self._config.store.path),
        )
        add(
            "gateway_damaged_files",
            "Files of the store that could not be read.",
            (),
            lambda: [((), self._store.damaged_files)],
        )
        add(
            "gateway_receipts_overdue",
            "Messages whose receipt takes longer than it should.",
            ("carrier",),
            lambda: [((carrier,), count) for carrier, count in delivery.receipts_overdue.items()],
        )
        add(
            "gateway_waiting_messages",
            "Messages that are held, scheduled or in doubt.",
            ("status",),
            lambda: [((status,), count) for status, count in self._waiting.items()],
        )
        add("gateway_build_info", "1, with the version.", ("version",), lambda: [((VERSION,), 1)])

    # --- run and stop ------------------------------------------------------------------------------------------------

    async def _run_until_stopped(
        self, delivery: Delivery, server: HttpServer, *keeping: Coroutine[Any, Any, None]
    ) -> None:
        running = asyncio.create_task(self._run_tasks(delivery, *keeping))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            log.info("the gateway stops: it finishes what is under way")
            self._service.stopping()
            server.stop_accepting()
            await delivery.drain()
            await delivery.unbind()
        finally:
            for task in (stopping, running):
                task.cancel()
            await asyncio.wait({running, stopping})
            await server.stop()
        if not running.cancelled():
            running.result()  # it ended by itself: only a bug does that, and it shall be seen

    async def _run_tasks(self, delivery: Delivery, *keeping: Coroutine[Any, Any, None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(delivery.run(), name="delivery")
            tasks.create_task(self._callbacks.run(), name="callbacks")
            for each in keeping:
                tasks.create_task(each, name="counters")
            tasks.create_task(self._refusals.run(), name="refusals")
            tasks.create_task(self._watch_loop(), name="loop lag")
            tasks.create_task(self._reload_when_asked(), name="reload")
            tasks.create_task(self._consent.run(), name="audit")
            tasks.create_task(self._forget_ports(), name="learned ports")
            tasks.create_task(self._count_waiting(), name="waiting messages")

    async def _count_waiting(self) -> None:
        """Know how many wait, for the metric: the store counts them by an index, which takes a while for millions."""
        while True:
            try:
                self._waiting = await self._store.count_waiting()
            except StoreError as error:
                log.warning("could not count the messages that wait", error=str(error))
            await asyncio.sleep(COUNT_SECONDS)

    async def _forget_ports(self) -> None:
        """Let learned ports grow old."""
        while True:
            await asyncio.sleep(PORTS_LOOK_SECONDS)
            self._ports.expire()

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            await self.reload()

    async def _watch_loop(self) -> None:
        """Measure how late timers fire: what holds up the loop holds up everything."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_LOOK_SECONDS
            await asyncio.sleep(LAG_LOOK_SECONDS)
            now = loop.time()
            self._metrics.event_loop_lag_seconds.observe(max(0.0, now - due))
            self._service.alive(now)


def wall_clock() -> Milliseconds:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def run(config: Config, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Run a gateway until SIGTERM or SIGINT. Raises as `Gateway.run` does."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gateway = Gateway(config, service=ServiceManager())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gateway.stop)
    loop.add_signal_handler(signal.SIGHUP, gateway.ask_reload)
    await gateway.run(on_ready)


def check(config: Config) -> None:
    """Everything that can be checked without starting. Raises ConfigError."""
    load_plan(config)
    load_holidays(config)
    load_ported(config)
    Wordbook(config)
    load_receipt_codes(config)
    try:
        Keys((account.key_hash, account.account) for account in config.account)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _reach(settings: CarrierSettings) -> CarrierReach:
    return CarrierReach(
        name=settings.name,
        networks=frozenset(Network(network) for network in settings.networks),
        signatures=None if settings.signatures is None else frozenset(settings.signatures),
        price=settings.price,
    )


def _oldest_seconds(records: Sequence[Record | None], now: Milliseconds) -> float:
    return max((now - record.message.accepted_at) / 1000 for record in records if record) if any(records) else 0.0


def _disk_free(directory: str) -> list[Sample]:
    try:
        return [((), shutil.disk_usage(directory).free)]
    except OSError:  # what cannot be asked has no sample, which an alert can see
        return []
