"""A gateway between everything that can fail: carriers of its own accounts, applications, a receiver of callbacks."""

import asyncio
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from loadtest.answers import FINAL, MessageSeen
from loadtest.configuration import Tables, to_toml
from loadtest.processes import Child
from simulator.records import read_journal, read_records
from tests.faults.outcome import Evidence, Outcome, judge
from tests.faults.proxy import Proxy
from tests.faults.rig import KEY, Gateway
from tests.faults.told import SECRET, Told
from tests.faults.traffic import CROWD_CAP, Traffic

CARRIERS: Final = ("east", "west")
BINDS: Final = 2  # of each carrier
WINDOW: Final = 20
# The most that one crash, or one cut of every connection, may send again where a category does so.
MOST_COPIES: Final = WINDOW * BINDS * len(CARRIERS)
OPERATOR_KEY: Final = "operator-key"
SETTLE_SECONDS: Final = 300.0  # a backlog of a busy machine takes its time
# Longer than any fault lasts: when a part in doubt has ended as unknown, only an id would lead a receipt to it.
RECEIPT_DEADLINE_SECONDS: Final = 15


class Plan(msgspec.Struct, frozen=True):
    """One fault of a run: where its chances come from, how often it is tried, and where it may keep files."""

    chance: random.Random
    times: int
    directory: Path


class Site(msgspec.Struct, frozen=True):
    """Where the simulator runs: on which address it listens, and what stands before its command."""

    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


LOOPBACK: Final = Site()


class Smsc(msgspec.Struct, frozen=True):
    """One of the simulator's, with a port and an account of its own."""

    name: str
    address: str
    control: str  # the control's URL, with `?smsc=` where it is needed


class World:
    """What a fault happens to. Made by `world`."""

    def __init__(
        self,
        *,
        simulator: Child,
        smscs: list[Smsc],
        proxies: list[Proxy],
        gateway: Gateway,
        told: Told,
        traffic: Traffic,
    ) -> None:
        self.simulator = simulator
        self.smscs = smscs
        self.proxies = proxies  # in front of each SMSC, in their order; none where the world was not asked for them
        self.gateway = gateway
        self.told = told
        self.traffic = traffic

    async def control(self, smsc: Smsc, path: str, body: object = None) -> Any:
        """Ask or tell the simulator something: GET without a body, POST with one."""
        base, _, query = smsc.control.partition("?")
        async with aiohttp.ClientSession(trust_env=False) as session:
            method = "GET" if body is None else "POST"
            async with session.request(method, f"{base}{path}?{query}", json=body) as response:
                answer = await response.json(content_type=None)
                assert response.status == 200, f"{path}: {answer}"
                return answer

    async def bound(self) -> None:
        """Wait until every bind is up."""

        async def all_up() -> str:
            async with self.gateway.api() as api:
                binds = (await api.readiness()).binds
            return ", ".join(f"{bind.name} is {bind.state}" for bind in binds if bind.state != "bound")

        await waiting(all_up)

    async def settle(self) -> None:
        """Let the applications stop, and wait until every message has ended, every receipt is taken and all is told."""
        for proxy in self.proxies:
            proxy.heal()
        await self.traffic.stop()

        async def unfinished() -> str:
            for smsc in self.smscs:
                counts = await self.control(smsc, "/counts")
                if left := counts["deliveries_open"] + counts["deliveries_waiting"]:
                    return f"{left} receipts of {smsc.name} are to come"
            messages = await self.listed()
            if open_ones := [message.status for message in messages if message.status not in FINAL]:
                return f"{len(open_ones)} messages are not final"
            told = self.told.statuses
            untold = sum(told.get(message.id) != message.status for message in messages)
            return f"{untold} ends are not told" if untold else ""

        await waiting(unfinished)

    async def listed(self) -> list[MessageSeen]:
        """Every message that the gateway knows, newest first."""
        async with self.gateway.api() as api:
            return [message async for page in api.pages() for message in page]

    async def judged(self, fault: str, *, tried: int, most_resend: int, note: str = "") -> Outcome:
        """Settle, stop the gateway, and account for every message."""
        late = ""
        try:
            await self.settle()
        except NotInTimeError as error:
            late = str(error)
        journal: list[dict[str, Any]] = []
        for smsc in self.smscs:
            lines = await read_journal(smsc.control)
            journal += [{**line, "smsc": smsc.name, "n": len(journal) + n} for n, line in enumerate(lines, 1)]
        records = await read_records(self.gateway.url, key=KEY)
        evidence = Evidence(
            accepted=self.traffic.accepted,
            asked_of_crowd=self.traffic.asked_of_crowd,
            told=self.told.statuses,
            messages=await self.listed(),
            records=records,
            journal=journal,
        )
        outcome = judge(fault, evidence, tried=tried, most_resend=most_resend, note=note)
        code = await self.gateway.stop()
        wrong = [late] if late else []
        if strange := set(self.traffic.refused) - {"frequency_cap"}:
            wrong.append(f"messages were refused as {', '.join(sorted(strange))}")
        wrong += [f"the gateway's exit code was {code}"] if code != 0 else []
        return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


class NotInTimeError(AssertionError):
    """Something did not come about in bounded time; the message says what was left."""


async def waiting(left: Callable[[], Awaitable[str]], *, timeout_seconds: float = SETTLE_SECONDS) -> None:
    """Wait until nothing is left. Raises NotInTimeError with what is."""
    deadline = time.monotonic() + timeout_seconds
    while remainder := await left():
        if time.monotonic() >= deadline:
            raise NotInTimeError(f"after {timeout_seconds:g} s {remainder}")
        await asyncio.sleep(0.3)


@asynccontextmanager
async def world(
    plan: Plan,
    *,
    proxied: bool = False,
    tls: ssl.SSLContext | None = None,
    site: Site = LOOPBACK,
    change: Callable[[Tables], Tables] = lambda tables: tables,
    scenario: Tables | None = None,
    environment: dict[str, str] | None = None,
    messages_per_second: float = 400.0,
) -> AsyncIterator[World]:
    """Everything running, all binds up, and applications sending. Ends every process.

    With `proxied` a network lies between the gateway and each SMSC. With `tls` as well, TLS ends behind it, with what
    that context shows. `change` is made to the gateway's config, `scenario` to the simulator's.
    """
    told = Told(plan.chance)
    simulator = _start_simulator(plan, site, scenario or {})
    try:
        ready = await simulator.ready()
        control = f"http://{ready['control']}"
        smscs = [Smsc(CARRIERS[0], ready["smpp"], control)]
        smscs += [Smsc(name, ready[name], f"{control}?smsc={name}") for name in CARRIERS[1:]]
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(told.listening())
            proxies = [await _network(smsc, plan.chance, tls, stack) for smsc in smscs] if proxied else []
            addresses = [each.address for each in (proxies or smscs)]
            tables = change(_gateway_tables(plan.directory / "store", dict(zip(CARRIERS, addresses, strict=True)), url))
            gateway = Gateway(tables, plan.directory, environment)
            traffic = Traffic(lambda: gateway.url, plan.chance, messages_per_second=messages_per_second)
            made = World(simulator=simulator, smscs=smscs, proxies=proxies, gateway=gateway, told=told, traffic=traffic)
            try:
                await gateway.start()
                await made.bound()
                traffic.start()
                yield made
            finally:
                traffic.abandon()
                await gateway.stop()
    finally:
        await simulator.stop()


async def _network(smsc: Smsc, chance: random.Random, tls: ssl.SSLContext | None, stack: AsyncExitStack) -> Proxy:
    """Lay a network in front of an SMSC, and before its end the end of TLS."""
    target = smsc.address
    if tls is not None:
        target = (await stack.enter_async_context(Proxy(target, chance, tls=tls).listening())).address
    return await stack.enter_async_context(Proxy(target, chance).listening())


def _start_simulator(plan: Plan, site: Site, scenario: Tables) -> Child:
    accounts = {name: [{"system_id": name, "password": "secret"}] for name in CARRIERS}
    tables = {
        "seed": plan.chance.randrange(100_000_000),
        "account": accounts[CARRIERS[0]],
        "memory": {"journal_entries": 5_000_000},
        # Answers take their time, so that windows are full of what a crash leaves in doubt.
        "response": {"latency_seconds": {"kind": "uniform", "low": 0.02, "high": 0.3}},
        "receipts": {"delay_seconds": {"kind": "uniform", "low": 0.05, "high": 1.0}, "retry_seconds": 0.5},
        "smpp": {"listen": f"{site.host}:0"},
        "control": {"listen": f"{site.host}:0"},
        "smsc": [{"name": name, "listen": f"{site.host}:0", "account": accounts[name]} for name in CARRIERS[1:]],
        **scenario,
    }
    config = plan.directory / "simulator.toml"
    config.write_text(to_toml(tables), encoding="utf-8")
    command = (*site.prefix, sys.executable, "-m", "simulator", "--config", str(config))
    return Child("simulator", command, directory=plan.directory)


def _gateway_tables(store: Path, addresses: dict[str, str], callbacks: str) -> Tables:
    return {
        "http": {"listen": "127.0.0.1:0", "retry_after_seconds": 1},
        "store": {"path": str(store)},
        "delivery": {"sweep_seconds": 0.5},
        "category": {name: {"hours": []} for name in ("otp", "notification", "marketing")},
        "cap": [
            {
                "name": "crowd",
                "category": "notification",
                "key": ["number"],
                "limit": CROWD_CAP,
                "window_seconds": 86_400,
            }
        ],
        "account": [
            {
                "name": "test",
                "key": KEY,
                "scopes": ["send", "read"],
                "signatures": ["阳光物业"],
                "callback": {"url": callbacks, "secret": SECRET, "retry_first_seconds": 0.2, "timeout_seconds": 2},
            },
            {"name": "operator", "key": OPERATOR_KEY, "scopes": ["operate"]},
        ],
        "carrier": [_carrier(name, address) for name, address in addresses.items()],
        "route": [{"carriers": list(addresses), "strategy": "weighted"}],
    }


def _carrier(name: str, address: str) -> Tables:
    host, _, port = address.rpartition(":")
    return {
        "name": name,
        "source": "10690001",
        "throughput": 1_000,
        "response_timeout_seconds": 5,
        "receipt_deadline_seconds": RECEIPT_DEADLINE_SECONDS,
        "bind": [
            {
                "name": f"{name}-{n}",
                "host": host,
                "port": int(port),
                "system_id": name,
                "password": "secret",
                "window": WINDOW,
                "reconnect_first_seconds": 0.1,
                "reconnect_longest_seconds": 0.5,
                "enquire_link_seconds": 2,
            }
            for n in range(BINDS)
        ],
    }
