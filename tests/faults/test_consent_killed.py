"""What was said about consent is on disk before it is answered: `kill -9` takes none of it back."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.rig import KEY, Gateway, gateway_tables, stopping

ADVERT = {"to": "13800138000", "text": "春季酬宾，欢迎光临。", "category": "marketing"}


async def ask(gateway: Gateway, method: str, path: str, **request: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {KEY}", **request.pop("headers", {})}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{gateway.url}{path}", headers=headers, **request) as response,
    ):
        return response.status, await response.json(content_type=None)


async def verdicts(gateway: Gateway, *numbers: str) -> list[str]:
    """What would become of an advertisement to each."""
    body = [{**ADVERT, "to": number} for number in numbers]
    status, answer = await ask(gateway, "POST", "/v1/explain", json=body)
    assert status == 200, answer
    return [
        next((stage["code"] for stage in result["stages"] if stage["code"]), result["verdict"])
        for result in answer["results"]
    ]


async def test_opt_outs_outlive_a_kill_and_so_do_those_that_were_taken_back(tmp_path: Path) -> None:
    tables = gateway_tables("127.0.0.1:1", tmp_path / "store", on_doubt="resend")
    tables["account"][0]["scopes"] = ["send", "read", "operate"]
    file = "to,signature\n" + "".join(f"139{n:08},阳光物业\n" for n in range(2_000))
    async with stopping(Gateway(tables, tmp_path)) as gateway:
        await gateway.start()
        for number in ("13800138000", "13800138001"):
            status, _ = await ask(gateway, "PUT", f"/v1/opt-outs/{number}?signature=阳光物业")
            assert status == 200
        status, _ = await ask(gateway, "DELETE", "/v1/opt-outs/13800138001?signature=阳光物业")
        assert status == 200
        headers = {"Content-Type": "text/csv"}
        status, answer = await ask(gateway, "POST", "/v1/opt-outs/import", data=file.encode(), headers=headers)
        assert (status, answer) == (200, {"lines": 2_000, "added": 2_000})

        await gateway.kill()
        await gateway.start()

        asked = await verdicts(gateway, "13800138000", "13800138001", "13900000000", "13900001999", "13900002000")
        assert asked == ["opted_out", "accept", "opted_out", "opted_out", "accept"]
        status, answer = await ask(gateway, "POST", "/v1/messages", json=ADVERT)
        assert (status, answer["code"]) == (422, "opted_out")
        for number in ("13800138000", "13900000000"):
            assert number not in gateway.log()
        assert await gateway.stop() == 0


async def test_a_file_that_a_kill_cut_off_is_there_whole_after_the_next_start_or_not_at_all(tmp_path: Path) -> None:
    tables = gateway_tables("127.0.0.1:1", tmp_path / "store", on_doubt="resend")
    tables["account"][0]["scopes"] = ["send", "read", "operate"]
    count = 30_000
    file = "to\n" + "".join(f"139{n:08}\n" for n in range(count))
    async with stopping(Gateway(tables, tmp_path)) as gateway:
        await gateway.start()
        sending = aiohttp.ClientSession()
        async with sending:
            request = asyncio.ensure_future(
                sending.post(
                    f"{gateway.url}/v1/opt-outs/import",
                    data=file.encode(),
                    headers={"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv"},
                )
            )
            while True:  # until some of it is to be seen
                _, page = await ask(gateway, "GET", "/v1/opt-outs?limit=1")
                if page["opt_outs"] or request.done():
                    break
            await gateway.kill()
            await asyncio.wait([request])
            request.exception()

        await gateway.start()

        asked = await verdicts(gateway, *(f"139{n:08}" for n in range(0, count, count // 50)))
        assert set(asked) == {"opted_out"}
        assert await gateway.stop() == 0
