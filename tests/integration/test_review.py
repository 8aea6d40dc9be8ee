"""Review from end to end: held across a kill, let go once and delivered, or cancelled."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from loadtest.rig import running_simulator
from tests.faults.rig import KEY, Gateway, gateway_tables, stopping

REVIEWER = "reviewer-key"


async def ask(gateway: Gateway, method: str, path: str, *, key: str = KEY, **request: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{gateway.url}{path}", headers=headers, **request) as response,
    ):
        return response.status, await response.json(content_type=None)


async def status_of(gateway: Gateway, message_id: str, *wanted: str) -> Any:
    """A message, once it is in one of these states."""
    for _ in range(400):
        _, message = await ask(gateway, "GET", f"/v1/messages/{message_id}")
        if message["status"] in wanted:
            return message
        await asyncio.sleep(0.05)
    raise AssertionError(message)


async def test_held_messages_outlive_a_kill_and_go_once_when_a_reviewer_lets_them(tmp_path: Path) -> None:
    receipts = {"delay_seconds": {"kind": "uniform", "low": 0.05, "high": 0.1}}
    async with running_simulator({"receipts": receipts}, tmp_path) as (smpp, control):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend")
        tables["account"][0]["review"] = ["marketing"]
        tables["account"].append({"name": "reviewer", "key": REVIEWER, "scopes": ["review"]})
        (tmp_path / "words.txt").write_text("[luck]\n天降横财\n", encoding="utf-8")
        tables["words"] = [{"file": str(tmp_path / "words.txt"), "level": "review"}]
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            adverts = [
                {"to": f"1380013{n:04}", "text": "春季酬宾，欢迎光临。", "category": "marketing"} for n in (1101, 1102)
            ]
            status, answer = await ask(gateway, "POST", "/v1/explain", json=adverts[0])
            assert (status, answer["verdict"]) == (200, "hold")
            odd_one = {"to": "13800131103", "text": "天 降横财，人人有份。"}
            status, answer = await ask(gateway, "POST", "/v1/explain", json=odd_one)
            [stage] = [stage for stage in answer["stages"] if stage["verdict"] == "hold"]
            assert (stage["stage"], stage["data"]["words"][0]["word"]) == ("words", "天降横财")
            status, answer = await ask(gateway, "POST", "/v1/messages", json=[*adverts, odd_one])
            assert status == 202
            ids = [result["id"] for result in answer["results"]]
            assert [result["status"] for result in answer["results"]] == ["held", "held", "held"]

            await gateway.kill()
            await gateway.start()

            status, page = await ask(gateway, "GET", "/v1/held", key=REVIEWER)
            assert [message["id"] for message in page["messages"]] == ids
            told = {"group": "luck", "word": "天降横财", "in": "text", "position": 0, "length": 5}
            assert [message["words"] for message in page["messages"]] == [
                [],
                [],
                [told | {"position": 6, "level": "review", "manner": "plain"}],
            ]
            good, bad, odd = ids
            status, _ = await ask(gateway, "POST", f"/v1/messages/{odd}/reject", key=REVIEWER)
            assert status == 200
            words = [
                ask(gateway, "POST", f"/v1/messages/{good}/approve", key=REVIEWER, json={"reason": "agreed"})
                for _ in range(5)
            ]
            assert {status for status, _ in await asyncio.gather(*words)} == {200}
            status, rejected = await ask(gateway, "POST", f"/v1/messages/{bad}/reject", key=REVIEWER)
            assert (status, rejected["status"]) == (200, "cancelled")
            message = await status_of(gateway, good, "delivered", "failed")
            held = [entry["reason"] for entry in message["timeline"] if entry["status"] == "held"]
            assert held == ["category", "approved by reviewer: agreed"]
            assert message["status"] == "delivered"

            await gateway.kill()
            await gateway.start()

            assert (await status_of(gateway, bad, "cancelled"))["timeline"][-1]["reason"] == "rejected"
            status, answer = await ask(gateway, "POST", f"/v1/messages/{bad}/approve", key=REVIEWER)
            assert (status, answer["code"]) == (409, "not_held")
            submitted = [each.phone.removeprefix("+") async for each in control.submitted()]
            assert submitted == ["8613800131101"]
            assert await gateway.stop() == 0


async def test_what_is_approved_is_charged_then_and_held_to_the_caps_of_then(tmp_path: Path) -> None:
    async with running_simulator({}, tmp_path) as (smpp, control):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend")
        tables["account"][0]["review"] = ["marketing"]
        tables["account"].append({"name": "reviewer", "key": REVIEWER, "scopes": ["review"]})
        tables["cap"] = [
            {"name": "one", "category": "marketing", "key": ["number"], "limit": 1, "window_seconds": 86_400}
        ]
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            adverts = [{"to": "13800131101", "text": f"酬宾第{n}日。", "category": "marketing"} for n in range(3)]
            _, answer = await ask(gateway, "POST", "/v1/messages", json=adverts)
            assert [result["status"] for result in answer["results"]] == ["held"] * 3, "nothing is charged yet"
            never, first, second = [result["id"] for result in answer["results"]]

            await ask(gateway, "POST", f"/v1/messages/{never}/reject", key=REVIEWER)
            for _ in range(2):
                status, _ = await ask(gateway, "POST", f"/v1/messages/{first}/approve", key=REVIEWER)
                assert status == 200
            status, over = await ask(gateway, "POST", f"/v1/messages/{second}/approve", key=REVIEWER)

            assert (status, over["status"], over["timeline"][-1]["reason"]) == (200, "failed", "frequency_cap")
            assert (await status_of(gateway, first, "delivered", "failed"))["status"] == "delivered"
            assert len([each async for each in control.submitted()]) == 1
            assert await gateway.stop() == 0
