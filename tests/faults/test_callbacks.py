"""What an application is told, across `kill -9` of the gateway: every end of a message, in order, and no other."""

import asyncio
import json
from collections import defaultdict
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from loadtest.rig import running_simulator
from tests.callbacks.conftest import SECRET, Receiver, eventually
from tests.faults.rig import KEY, Gateway, all_final, gateway_tables, seen, stopping, wait_for

MESSAGES = 600
BATCH = 50


def callback_tables(smpp: str, store: Path, **callback: object) -> dict:
    tables = gateway_tables(smpp, store, on_doubt="resend", throughput=2_000)
    tables["account"][0]["callback"] = {"secret": SECRET, "retry_first_seconds": 0.1, **callback}
    return tables


async def submit(gateway: Gateway, ids: list[str]) -> None:
    """Submit until all is handed over or the gateway is gone; note what was accepted."""
    async with gateway.api() as api:
        for first in range(0, MESSAGES, BATCH):
            body = [{"to": f"138{first + n:06d}52", "text": "您好，您的快递已放入3号柜。"} for n in range(BATCH)]
            reply = await api.submit(json.dumps(body).encode())
            ids += [result["id"] for result in json.loads(reply.body)["results"]]


@pytest.mark.parametrize("killed_after_events", [1, 200, 450])
async def test_every_end_is_told_whenever_the_gateway_is_killed(tmp_path: Path, killed_after_events: int):
    receiver = Receiver()
    verifier = Webhook(SECRET)
    flaky = iter(range(1_000_000))

    def answer(request):
        verifier.verify(request.body, request.headers)
        return web.Response(status=500 if next(flaky) % 5 == 0 else 200)

    receiver.answer = answer
    receipts = {"delay_seconds": {"kind": "uniform", "low": 0.05, "high": 0.8}, "retry_seconds": 0.5}
    async with running_simulator({"receipts": receipts}, tmp_path) as (smpp, _), receiver.listening() as url:
        tables = callback_tables(smpp, tmp_path / "store", url=url, batch=20)
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            accepted: list[str] = []
            submitting = asyncio.create_task(submit(gateway, accepted))
            await eventually(lambda: len(receiver.taken) >= killed_after_events)
            await submitting
            await gateway.kill()
            told_before = len(receiver.taken)
            await gateway.start()
            async with gateway.api() as api:
                await wait_for(api, all_final)
                statuses = {message.id: message.status for message in (await seen(api)).values()}
            await eventually(lambda: set(accepted) <= set(receiver.taken_messages))
            assert await gateway.stop() == 0

    assert len(accepted) == MESSAGES
    by_message = defaultdict(list)
    event_ids = defaultdict(set)
    for event in receiver.taken:
        by_message[event["id"]].append(event["type"].removeprefix("message."))
        event_ids[event["id"], event["type"]].add(event["event_id"])
    assert {message_id: types[-1] for message_id, types in by_message.items()} == statuses
    assert all(len(ids) == 1 for ids in event_ids.values()), "told again under another id"
    twice = len(receiver.taken) - len(event_ids)
    assert twice <= told_before, "more was repeated than had been told"


async def test_events_are_read_by_cursor_across_a_kill(tmp_path: Path):
    # A receipt that meets nobody must come again before its deadline, or its message is unknown first: two events.
    async with running_simulator({"receipts": {"retry_seconds": 0.5}}, tmp_path) as (smpp, _):
        tables = callback_tables(smpp, tmp_path / "store")
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            accepted: list[str] = []
            await submit(gateway, accepted)
            found, cursor = await read_events(gateway, "")
            await gateway.kill()
            await gateway.start()
            async with gateway.api() as api:
                await wait_for(api, all_final)
            more, _ = await read_events(gateway, cursor)
    assert sorted(found + more) == sorted(accepted)


async def read_events(gateway: Gateway, cursor: str) -> tuple[list[str], str]:
    """All events that are there behind a cursor, by their messages, and the cursor behind them."""
    found: list[str] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as session:
        while True:
            query = f"?limit=100&cursor={cursor}" if cursor else "?limit=100"
            async with session.get(f"{gateway.url}/v1/events{query}", headers=headers) as response:
                page = await response.json()
            found += [event["id"] for event in page["events"]]
            cursor = page["cursor"]
            if not page["events"]:
                return found, cursor
