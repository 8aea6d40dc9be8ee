"""Promise 4 with real processes: sixty-four clients at once, `kill -9` among them, and never one message too many."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, all_final, gateway_tables, seen, stopping, wait_for

CLIENTS = 64
NUMBERS = [f"1380013{n:04d}" for n in range(5_000, 5_060)]
PER_NUMBER = 7  # of caps and of what any number is asked to take, far fewer
# More than is accepted before the last kill: beside what was answered, one message of each client at each kill.
SURGE = 400
PATIENCE_SECONDS = 240.0
CAPS = [
    {"name": "a-few", "category": "notification", "key": ["number"], "limit": PER_NUMBER, "window_seconds": 3_600},
    {"name": "surge", "key": ["signature"], "limit": SURGE, "window_seconds": 3_600},
]


async def hammer(url: str, texts: "count[int]", answers: Counter[str], stop: asyncio.Event) -> None:
    """One client: message after message to one number after the other, until it is told to stop or nobody answers."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        while not stop.is_set():
            n = next(texts)
            message = {"to": NUMBERS[n % len(NUMBERS)], "text": f"【阳光物业】第{n}号快递到了"}
            try:
                async with session.post(f"{url}/v1/messages", data=json.dumps(message)) as response:
                    body = await response.json(content_type=None)
            except (aiohttp.ClientError, OSError):
                return
            answers[f"{response.status} {body.get('code', '')} {body.get('rule', '')}".strip()] += 1


async def run_clients(gateway: Gateway, texts: "count[int]", answers: Counter[str], *, accepted: int) -> None:
    """Let all clients go until so many messages were accepted, then kill the gateway in their midst."""
    stop = asyncio.Event()
    clients = [asyncio.create_task(hammer(gateway.url, texts, answers, stop)) for _ in range(CLIENTS)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while answers["202"] < accepted:
            await asyncio.sleep(0.002)
    await gateway.kill()
    stop.set()
    await asyncio.gather(*clients)


async def test_many_clients_cannot_exceed_a_cap_by_one_also_across_kills(tmp_path: Path):
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend") | {"cap": CAPS}
        texts, answers = count(), Counter[str]()
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            for accepted in (15, 35, 60):
                await gateway.start()
                await run_clients(gateway, texts, answers, accepted=accepted)
            await gateway.start()
            stop = asyncio.Event()
            clients = [asyncio.create_task(hammer(gateway.url, texts, answers, stop)) for _ in range(CLIENTS)]
            before = sum(answers.values())
            async with asyncio.timeout(PATIENCE_SECONDS):
                while sum(answers.values()) < before + SURGE + 10 * CLIENTS:
                    await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*clients)
            async with gateway.api() as api:
                messages = await seen(api)
            assert await gateway.stop() == 0

            assert len(messages) == SURGE, "all that fits, and not one more"
            assert max(Counter(message.to for message in messages.values()).values()) <= PER_NUMBER
            assert answers["422 frequency_cap surge"] > 0
            assert set(answers) <= {"202", "422 frequency_cap surge", "422 frequency_cap a-few"}, answers

            await gateway.start()  # after a stop as after a kill
            accepted = answers["202"]
            async with gateway.api() as api:
                status, _ = await gateway.post(json.dumps({"to": NUMBERS[0], "text": "【阳光物业】再来"}).encode())
                assert status == 422
                assert len(await seen(api)) == SURGE
            assert answers["202"] == accepted
            assert await gateway.stop() == 0


async def test_every_number_gets_what_its_cap_allows_and_nothing_more_across_a_kill(tmp_path: Path):
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend") | {"cap": CAPS[:1]}
        texts, answers = count(), Counter[str]()
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            await run_clients(gateway, texts, answers, accepted=50)
            await gateway.start()
            stop = asyncio.Event()
            clients = [asyncio.create_task(hammer(gateway.url, texts, answers, stop)) for _ in range(CLIENTS)]
            async with asyncio.timeout(PATIENCE_SECONDS):
                while sum(answers.values()) < 2 * len(NUMBERS) * PER_NUMBER:
                    await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*clients)
            async with gateway.api() as api:
                messages = await seen(api)
            assert await gateway.stop() == 0
    assert Counter(message.to for message in messages.values()) == {f"+86{number}": PER_NUMBER for number in NUMBERS}


@pytest.mark.parametrize("after_seconds", [0.0, 0.03, 0.1])
async def test_what_waits_is_held_to_its_cap_when_it_is_released_also_across_a_kill(
    after_seconds: float, tmp_path: Path
):
    numbers, allowed, asked = NUMBERS[:15], 2, 4
    cap = {"name": "two", "category": "notification", "key": ["number"], "limit": allowed, "window_seconds": 3_600}
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend") | {"cap": [cap]}
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            send_at = datetime.now(UTC) + timedelta(seconds=2)
            waiting = [
                {"to": number, "text": f"【阳光物业】第{n}次通知", "send_at": send_at.isoformat()}
                for number in numbers
                for n in range(asked)
            ]
            status, _ = await gateway.post(json.dumps(waiting).encode())
            assert status == 202
            await asyncio.sleep((send_at - datetime.now(UTC)).total_seconds() + after_seconds)
            await gateway.kill()
            await gateway.start()
            async with gateway.api() as api:
                await wait_for(api, all_final)
                messages = await seen(api)
            assert await gateway.stop() == 0

    ends = Counter((message.to, message.status) for message in messages.values())
    assert len(messages) == len(waiting)
    assert ends == {
        (f"+86{number}", status): count
        for number in numbers
        for status, count in (("delivered", allowed), ("failed", asked - allowed))
    }


def at_noon() -> str:
    """A time zone in which it is about noon, so that no day ends while the test runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"  # their signs are the other way round


async def test_many_clients_cannot_exceed_a_quota_by_one_also_across_kills(tmp_path: Path):
    quota = 300
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend")
        tables["usage"] = {"time_zone": at_noon()}
        tables["account"][0]["quota"] = {"messages_a_day": quota}
        tables["cap"] = [{"name": "notification-minute", "limit": 0}]
        texts, answers = count(), Counter[str]()
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            for accepted in (20, 40):
                await gateway.start()
                await run_clients(gateway, texts, answers, accepted=accepted)
            await gateway.start()
            stop = asyncio.Event()
            clients = [asyncio.create_task(hammer(gateway.url, texts, answers, stop)) for _ in range(CLIENTS)]
            before = sum(answers.values())
            async with asyncio.timeout(PATIENCE_SECONDS):
                while sum(answers.values()) < before + quota + 5 * CLIENTS:
                    await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*clients)
            async with gateway.api() as api:
                messages = await seen(api)
            await gateway.kill()
            await gateway.start()
            usage, account = await told(gateway, "/v1/usage"), await told(gateway, "/v1/account")
            assert await gateway.stop() == 0

    assert len(messages) == quota, "all that fits, and not one more"
    assert usage["usage"][0]["accepted"] == {"messages": quota, "segments": quota}
    assert account["quotas"][0]["used"] == quota
    assert set(answers) == {"202", "422 quota_exceeded"}


async def told(gateway: Gateway, path: str) -> Any:
    """What the API answers."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(gateway.url + path) as response:
        return await response.json()
