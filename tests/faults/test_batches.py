"""Batches across `kill -9`: what was paused stays so, what was cancelled is never sent, and the counts are exact."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, gateway_tables, stopping

MESSAGES = 400


async def call(gateway: Gateway, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, gateway.url + path, json=body, headers=headers) as response,
    ):
        assert response.status in {200, 202}, await response.text()
        return await response.json()


async def submit(gateway: Gateway, batch: str) -> None:
    body = [{"to": f"138{n:06d}52", "text": "您好，您的快递已放入3号柜。", "batch": batch} for n in range(MESSAGES)]
    answer = await call(gateway, "POST", "/v1/messages", body)
    assert answer["accepted"] == MESSAGES


async def until(gateway: Gateway, batch: str, condition: Any, seconds: float = 40.0) -> Any:
    """The batch, once it is as is asked for."""
    async with asyncio.timeout(seconds):
        while not condition(found := await call(gateway, "GET", f"/v1/batches/{batch}")):
            assert found["total"] == sum(found["counts"].values()) == MESSAGES
            await asyncio.sleep(0.05)
    return found


async def test_a_paused_batch_is_whole_and_still_after_a_kill_and_goes_when_it_is_resumed(tmp_path: Path):
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="wait", throughput=150)
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            await submit(gateway, "march")
            await until(gateway, "march", lambda found: found["counts"]["queued"] < MESSAGES - 20)
            assert (await call(gateway, "POST", "/v1/batches/march/pause"))["state"] == "paused"
            await gateway.kill()
            await gateway.start()
            paused = await until(gateway, "march", lambda found: "sending" not in found["counts"])
            await asyncio.sleep(0.7)
            still = await call(gateway, "GET", "/v1/batches/march")
            assert still["state"] == "paused"
            assert still["counts"]["queued"] == paused["counts"]["queued"] > 0
            await call(gateway, "POST", "/v1/batches/march/resume")
            ended = await until(gateway, "march", lambda found: "queued" not in found["counts"])
            assert ended["total"] == MESSAGES
            assert await gateway.stop() == 0


async def test_what_was_cancelled_is_not_sent_after_a_kill_and_every_message_is_counted_once(tmp_path: Path):
    async with running_simulator({}, tmp_path) as (smpp, control):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="wait", throughput=150)
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            await submit(gateway, "march")
            await until(gateway, "march", lambda found: found["counts"]["queued"] < MESSAGES - 20)
            cancelled = await call(gateway, "POST", "/v1/batches/march/cancel")
            await gateway.kill()
            assert cancelled["counts"]["cancelled"] > 0
            await gateway.start()
            ended = await until(
                gateway, "march", lambda found: not {"queued", "sending", "scheduled"} & found["counts"].keys()
            )
            assert ended["total"] == MESSAGES
            assert ended["counts"]["cancelled"] >= cancelled["counts"]["cancelled"]
            await asyncio.sleep(0.5)
            sent = [each.phone async for each in control.submitted()]
            assert 0 < len(sent) <= MESSAGES - ended["counts"]["cancelled"]
            assert await gateway.stop() == 0
