"""An opt-out comes while messages wait for their turn: what is left of them stops there."""

from pathlib import Path

import aiohttp

from loadtest.rig import running_simulator
from tests.faults.rig import Gateway, gateway_tables, stopping
from tests.integration.test_review import ask, status_of

ADVERT = {"text": "春季酬宾，欢迎光临。", "category": "marketing"}
NOTICE = {"text": "您的快递已到。", "category": "notification"}


async def test_who_opts_out_while_a_message_waits_gets_none_of_it_and_everything_else(tmp_path: Path) -> None:
    async with running_simulator({}, tmp_path) as (smpp, control):
        # One segment a second: the last of these waits for five.
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend", throughput=1)
        tables["account"][0]["scopes"] = ["send", "read", "operate"]
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            bodies = [{"to": f"1380013{n:04}", **ADVERT} for n in range(1101, 1106)]
            bodies.append({"to": "13800131105", **NOTICE})
            status, answer = await ask(gateway, "POST", "/v1/messages", json=bodies)
            assert (status, answer["accepted"]) == (202, 6)
            *_, last, notice = [result["id"] for result in answer["results"]]

            status, _ = await ask(gateway, "PUT", "/v1/opt-outs/13800131105?signature=阳光物业")
            assert status == 200

            stopped = await status_of(gateway, last, "failed", "delivered")
            assert (stopped["status"], stopped["timeline"][-1]["reason"]) == ("failed", "opted_out")
            assert (await status_of(gateway, notice, "failed", "delivered"))["status"] == "delivered"
            for result in answer["results"][:4]:
                assert (await status_of(gateway, result["id"], "failed", "delivered"))["status"] == "delivered"
            submitted = sorted([each.phone.removeprefix("+86") async for each in control.submitted()])
            assert submitted == [f"86138001311{n:02}" for n in range(1, 6)]
            async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/metrics") as response:
                assert 'gateway_opt_outs_total{account="test"} 1.0' in await response.text()
            assert await gateway.stop() == 0
