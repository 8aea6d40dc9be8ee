"""A subscriber writes back, and is left alone: from the carrier to the rules, and back to the subscriber."""

import asyncio
from pathlib import Path

import aiohttp

from loadtest.rig import running_simulator
from tests.faults.rig import Gateway, gateway_tables, stopping
from tests.integration.test_review import ask, status_of

PHONE = "13800131101"
ADVERT = {"to": PHONE, "text": "春季酬宾，欢迎光临。", "category": "marketing"}


async def test_a_reply_opts_out_is_confirmed_and_holds_after_a_kill_until_the_next(tmp_path: Path) -> None:
    async with running_simulator({}, tmp_path) as (smpp, control), aiohttp.ClientSession() as session:
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend")
        tables["account"][0] |= {
            "scopes": ["send", "read", "operate"],
            "opt_out_answer": "您已退订，回复订阅可恢复。",
            "opt_in_answer": "您已恢复订阅。",
        }
        tables["caps"] = {"white_list": [PHONE]}

        async def write_back(text: str) -> None:
            message = {"from": f"86{PHONE}", "to": "10690001", "text": text}
            async with session.post(f"{control.base_url}/inbound", json=message) as response:
                assert response.status == 200, await response.text()

        async def opted_out() -> bool:
            _, page = await ask(gateway, "POST", "/v1/opt-outs/search", json={"to": PHONE})
            return bool(page["opt_outs"])

        async def until(wanted: bool) -> None:
            for _ in range(200):
                if await opted_out() is wanted:
                    return
                await asyncio.sleep(0.05)
            raise AssertionError(f"opted out is not {wanted}")

        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            _, sent = await ask(gateway, "POST", "/v1/messages", json=ADVERT)
            await status_of(gateway, sent["id"], "delivered")

            await write_back("不退订")
            await write_back("退订。")
            await until(True)

            _, page = await ask(gateway, "POST", "/v1/opt-outs/search", json={"to": PHONE})
            [proof] = page["opt_outs"]
            assert (proof["signature"], proof["source"], proof["text"]) == ("阳光物业", "reply", "退订。")
            assert (proof["account"], proof["message_id"]) == ("test", sent["id"])
            await gateway.kill()
            await gateway.start()
            status, answer = await ask(gateway, "POST", "/v1/messages", json=ADVERT)
            assert (status, answer["code"]) == (422, "opted_out")

            await write_back("订阅")
            await until(False)
            status, answer = await ask(gateway, "POST", "/v1/messages", json=ADVERT)
            assert status == 202, answer
            await status_of(gateway, answer["id"], "delivered")
            _, page = await ask(gateway, "POST", "/v1/messages/search", json={"to": PHONE})
            texts = sorted(message["text"] for message in page["messages"])
            assert texts.count("【阳光物业】您已退订，回复订阅可恢复。") == 1
            assert texts.count("【阳光物业】您已恢复订阅。") == 1
            assert await gateway.stop() == 0
