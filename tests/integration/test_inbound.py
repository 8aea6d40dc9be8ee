"""A subscriber answers the simulator: over SMPP to the account that wrote last, and to what the answer changes."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loadtest.control import Control
from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, gateway_tables, stopping

PHONE = "13800138052"
LONG = "楼下的路灯坏了三天了，请尽快安排维修，谢谢。" * 8


class Client:
    """Calls of a gateway and its simulator."""

    def __init__(self, gateway: Gateway, control: Control, session: aiohttp.ClientSession) -> None:
        self._gateway = gateway
        self._control = control
        self._session = session

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self._session.request(method, self._gateway.url + path, json=body, headers=headers) as response:
            return json.loads(await response.read())

    async def submit(self, **message: Any) -> Any:
        return await self.call("POST", "/v1/messages", {"to": PHONE, **message})

    async def sent(self, **message: Any) -> str:
        """Submit, and wait until it is delivered; its id."""
        message_id = (await self.submit(**message))["id"]
        await self.until(f"/v1/messages/{message_id}", lambda found: found["status"] == "delivered")
        return str(message_id)

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        for _ in range(500):
            found = await self.call("GET", path)
            if condition(found):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{path}: {found}")

    async def writes(self, text: str, to: str = "10690001") -> int:
        """The subscriber writes; in so many parts."""
        body = {"from": f"86{PHONE}", "to": to, "text": text}
        async with self._session.post(f"{self._control.base_url}/inbound", json=body) as response:
            assert response.status == 200, await response.text()
            return int((await response.json())["parts"])


@pytest.fixture(name="client")
async def client_fixture(tmp_path: Path):
    receipts = {"delay_seconds": {"kind": "uniform", "low": 0.02, "high": 0.1}}
    async with running_simulator({"receipts": receipts}, tmp_path) as (smpp, control):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend")
        tables["account"][0]["callback"] = {"events": ["inbound.message"]}
        async with stopping(Gateway(tables, tmp_path)) as gateway, aiohttp.ClientSession() as session:
            await gateway.start()
            client = Client(gateway, control, session)
            await client.until("/readyz", lambda found: all(bind["state"] == "bound" for bind in found["binds"]))
            yield client


async def test_a_long_answer_comes_whole_with_the_message_that_it_answers_and_is_told_by_an_event(client: Client):
    asked = await client.sent(text="您好，您的快递已放入3号柜。")
    assert await client.writes(LONG) > 1
    found = await client.until("/v1/inbound", lambda found: bool(found["messages"]))
    [message] = found["messages"]
    assert (message["text"], message["from"], message["to"]) == (LONG, f"+86{PHONE}", "10690001")
    assert (message["account"], message["answers"], message["missing"]) == ("test", asked, [])
    events = await client.until("/v1/events", lambda found: bool(found["events"]))
    [event] = events["events"]
    assert (event["type"], event["id"], event["text"]) == ("inbound.message", message["id"], LONG)


async def test_who_answers_that_no_more_advertisements_are_wanted_gets_none_from_then_on(client: Client):
    await client.sent(text="会员日全场八折，欢迎光临。", category="marketing")
    await client.writes("ＴＤ")
    await client.until("/v1/inbound", lambda found: bool(found["messages"]))
    refused = await client.submit(text="会员日全场七折，欢迎光临。", category="marketing")
    assert refused["code"] == "opted_out"
    assert (await client.submit(text="您好，您的包裹已到。"))["status"] in {"queued", "sending", "submitted"}
