"""The dashboards and rules against a real Prometheus that reads a gateway and a simulator at work."""

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, gateway_tables, stopping
from tests.grafana.test_dashboards import FILES, FOLDER, METRIC, expressions, rules

pytestmark = pytest.mark.interop

PROMETHEUS = shutil.which("prometheus")
PROMTOOL = shutil.which("promtool")
WORKING_SECONDS = 45.0
CHOSEN = {"$__rate_interval": "20s", "$account": ".*", "$carrier": ".*"}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "tests.yml")], ids=" ".join)
def test_promtool_agrees_with_the_rules(arguments: tuple[str, ...]) -> None:
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *arguments], cwd=FOLDER / "prometheus", capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_the_compose_file_is_one() -> None:
    command = ["docker-compose", "-f", "docker-compose.yml", "config", "--quiet"]
    settings = {"GRAFANA_PASSWORD": "x", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command, cwd=FOLDER, env=settings, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr


class Prometheus:
    """One that runs, and what is asked of it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def get(self, path: str, **parameters: str) -> Any:
        async with self._session.get(f"{self._url}/api/v1/{path}", params=parameters) as response:
            answer = json.loads(await response.read())
        assert answer["status"] == "success", answer
        return answer["data"]

    async def has_data(self, expr: str) -> bool:
        """Whether a question has an answer, as a panel would ask it."""
        for variable, value in CHOSEN.items():
            expr = expr.replace(variable, value)
        return bool((await self.get("query", query=expr))["result"])


@asynccontextmanager
async def running_prometheus(targets: dict[str, str], directory: Path) -> AsyncIterator[Prometheus]:
    """The configuration that comes with the gateway, for these targets, on a free port."""
    config = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"]].removeprefix("http://")]}]
    shutil.copy(FOLDER / "prometheus" / "rules.yml", directory)
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert PROMETHEUS is not None
    command = [
        PROMETHEUS,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (directory / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with aiohttp.ClientSession() as session:
            await until_answered(session, f"http://{address}/-/ready")
            yield Prometheus(f"http://{address}", session)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def until_answered(session: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            async with session.get(url) as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        assert time.monotonic() < deadline, f"{url} does not answer"
        await asyncio.sleep(0.2)


def tables(smpp: str, store: Path, callback_url: str) -> dict[str, Any]:
    """A gateway that shows everything it can: two carriers, quick deadlines, hours that are closed, callbacks."""
    made = gateway_tables(smpp, store, on_doubt="wait", receipt_overdue_seconds=2, receipt_deadline_seconds=600)
    [first] = made["carrier"]
    second = {**first, "name": "second", "source": "10690002", "bind": [{**first["bind"][0], "name": "three"}]}
    closed = (datetime.now(UTC) + timedelta(hours=8 + 12)).strftime("%H")  # twelve hours from now, in Shanghai
    made["carrier"] = [first, second]
    made["route"] = [{"carriers": ["carrier", "second"], "next_when_refused": True}]
    made["category"]["marketing"]["hours"] = [f"{closed}:00-{closed}:30"]
    [account] = made["account"]
    account["callback"] = {"url": callback_url, "secret": "whsec_" + "A" * 44}
    return made


@asynccontextmanager
async def receiver() -> AsyncIterator[str]:
    """An application that takes every callback; yields its URL."""

    async def take(_: web.BaseRequest) -> web.Response:
        return web.Response()

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/hook"
    finally:
        await runner.cleanup()


async def keep_busy(gateway: Gateway, control: str) -> None:
    """Messages of every category and to every outcome, for ever."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for n in range(1_000_000):
            async with session.post(f"{gateway.url}/v1/messages", json=messages(n)) as response:
                assert response.status == 202, await response.read()
            reply = {"from": f"8613900{n % 1000:03}500", "to": "10690001", "text": "TD"}
            async with session.post(f"{control}/inbound", json=reply) as response:
                assert response.status < 300, await response.read()
            await asyncio.sleep(0.25)


def messages(n: int) -> list[dict[str, Any]]:
    """Some to be delivered, some to fail, to be throttled, to be refused by every rule."""
    outcomes = ["1234", "0001", "0006", "0008", "0010", "0011"]  # docs/simulator.md
    made: list[dict[str, Any]] = [
        {"to": f"1380{n % 1000:03}{outcome}", "text": f"【阳光物业】第{n}号通知"} for outcome in outcomes
    ]
    otp = {"to": f"1381{n % 1000:03}5678", "text": f"【阳光物业】验证码{100_000 + n}", "category": "otp"}
    held_back = {"text": "【阳光物业】五折优惠，拒收请回复R", "category": "marketing"}
    return [
        *made,
        otp,
        made[0],  # the same text again: a cap
        {"to": "13800001234", "text": "【阳光物业】代开" + "增值税发票"},
        {"to": f"1384{n % 1000:03}5678", "text": f"【阳光物业】第{n}号账单￥100元"},  # noticed: a symbol
        {"to": f"1382{n % 1000:03}5678", **held_back},
        {"to": f"1383{n % 1000:03}5678", "valid_for_seconds": 60, **held_back},
        {"to": f"13900{n % 1000:03}500", "text": f"【阳光物业】第{n}号优惠", "category": "notification"},
        {"to": "13900000500", **held_back},  # who has opted out by then
    ]


@pytest.mark.timeout(240)
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")
async def test_every_panel_and_every_rule_has_data_while_the_gateway_works(tmp_path: Path) -> None:
    async with receiver() as callback_url, running_simulator({}, tmp_path) as (smpp, control):
        gateway = Gateway(tables(smpp, tmp_path / "store", callback_url), tmp_path)
        async with stopping(gateway):
            await gateway.start()
            targets = {"gateway": gateway.url, "simulator": control.base_url}
            async with running_prometheus(targets, tmp_path) as prometheus:
                busy = asyncio.create_task(keep_busy(gateway, control.base_url))
                try:
                    empty = await until_none(lambda: without_data(prometheus), busy)
                finally:
                    busy.cancel()
                    await asyncio.wait([busy])
                assert empty == []
                loaded = [rule for group in (await prometheus.get("rules"))["groups"] for rule in group["rules"]]
                assert {rule["name"]: rule.get("lastError") for rule in loaded if rule["health"] != "ok"} == {}
                assert {rule["name"] for rule in loaded} == {rule.get("record") or rule["alert"] for rule in rules()}


async def without_data(prometheus: Prometheus) -> list[str]:
    """The panels' questions, the recorded series and the metrics of alerts that have no answer."""
    asked = {expr for file in FILES for expr in expressions(json.loads(file.read_text(encoding="utf-8")))}
    asked |= {rule["record"] for rule in rules() if "record" in rule}
    asked |= {name for rule in rules() if "alert" in rule for name in METRIC.findall(rule["expr"])}
    return [expr for expr in sorted(asked) if not await prometheus.has_data(expr)]


async def until_none(look: Callable[[], Any], busy: asyncio.Task[None]) -> list[str]:
    """Look until nothing is found; what is still found in the end."""
    deadline = time.monotonic() + WORKING_SECONDS
    while True:
        found: list[str] = await look()
        if not found or time.monotonic() > deadline or busy.done():
            if busy.done():
                busy.result()
            return found
        await asyncio.sleep(2.0)
