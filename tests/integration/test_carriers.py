"""Several carriers of one gateway, in processes of their own: which of them a message goes by."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, all_final, gateway_tables, stopping, wait_for

TEXT = "【阳光物业】您的快递已放入3号柜，请及时领取。"
REFUSED = "13812340010"  # the simulator refuses whatever goes to it, for good


async def call(gateway: Gateway, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Ask the API, and return the status and what it answered."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
        session.request(method, f"{gateway.url}{path}", json=body) as response,
    ):
        return response.status, json.loads(await response.read())


def two_carriers(smpp: str, store: Path, **route: Any) -> dict[str, Any]:
    """A config with a first carrier and a second, both at the same SMSC, and one route over both."""
    tables = gateway_tables(smpp, store, on_doubt="resend")
    [first] = tables["carrier"]
    second = {**first, "name": "second", "bind": [{**first["bind"][0], "name": "three"}]}
    return {**tables, "carrier": [first, second], "route": [{"carriers": ["carrier", "second"], **route}]}


async def test_what_is_refused_for_good_goes_by_every_carrier_of_a_route_that_says_so(tmp_path: Path):
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = two_carriers(smpp, tmp_path / "store", next_when_refused=True)
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            status, accepted = await call(gateway, "POST", "/v1/messages", {"to": REFUSED, "text": TEXT})
            assert status == 202
            async with gateway.api() as api:
                await wait_for(api, all_final)
            _, message = await call(gateway, "GET", f"/v1/messages/{accepted['id']}")
            assert message["status"] == "failed"
            assert [attempt["carrier"] for attempt in message["parts"][0]["attempts"]] == ["carrier", "second"]
            assert "goes by second: refused" in [entry["reason"] for entry in message["timeline"]]
            assert await gateway.stop() == 0


async def test_a_number_that_was_taken_along_goes_by_the_carrier_of_its_new_network_from_then_on(tmp_path: Path):
    ported = {"to": "86138*", "source": "10690001*", "receipt": "UNDELIV", "error": "NP:1243"}
    async with running_simulator({"rule": [ported]}, tmp_path) as (smpp, _):
        tables = two_carriers(smpp, tmp_path / "store")
        first, second = tables["carrier"]
        tables["carrier"] = [
            {**first, "networks": ["cmcc"], "source": "10690001"},
            {**second, "networks": ["cucc"], "source": "10690002"},
        ]
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            ways = []
            for text in (TEXT, TEXT + "谢谢。"):
                _, accepted = await call(gateway, "POST", "/v1/messages", {"to": "13812345678", "text": text})
                async with gateway.api() as api:
                    await wait_for(api, all_final)
                _, message = await call(gateway, "GET", f"/v1/messages/{accepted['id']}")
                assert message["status"] == "delivered"
                attempts = message["parts"][0]["attempts"]
                ways.append((message["network"], [attempt["carrier"] for attempt in attempts]))
                await gateway.stop()
                await gateway.start()  # and it is still known

            assert ways == [("cmcc", ["carrier", "second"]), ("cucc", ["second"])]
