"""The operator's command line, as a process, against a gateway that runs."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.faults.rig import KEY, Gateway, gateway_tables, stopping
from tests.integration.test_review import ask

HELLO = {"to": "13800131102", "text": "明日9时停水。", "batch": "march"}
ADVERT = {"to": "13800131102", "text": "★春季酬宾", "category": "notification", "batch": "march"}


async def yizhan(gateway: Gateway, *arguments: str, key: str = KEY) -> tuple[int, str, str]:
    """Run a command: its exit status, and what it wrote."""
    environment = {**os.environ, "YIZHAN_URL": gateway.url, "YIZHAN_KEY": key, "TZ": "Asia/Shanghai", "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_an_operator_sees_finds_explains_pauses_and_reloads(tmp_path: Path) -> None:
    tables = gateway_tables("127.0.0.1:1", tmp_path / "store", on_doubt="resend")
    tables["account"][0]["scopes"] = ["send", "read", "operate"]
    tables["account"].append({"name": "tenant", "key": "tenant-key", "scopes": ["send", "read"]})
    async with stopping(Gateway(tables, tmp_path)) as gateway:
        await gateway.start()
        _, accepted = await ask(gateway, "POST", "/v1/messages", json=HELLO)
        refused, _ = await ask(gateway, "POST", "/v1/messages", json=ADVERT)
        assert refused == 422
        await _sees(gateway)
        await _finds(gateway, accepted["id"])
        await _acts(gateway)
        assert await gateway.stop() == 0
        assert (await yizhan(gateway, "status"))[0] == 3


async def _sees(gateway: Gateway) -> None:
    code, out, _ = await yizhan(gateway, "status")
    lines = out.splitlines()
    assert (code, lines[:3]) == (0, ["ready: yes", "store: ok", "binds: 0 of 2 bound"])
    assert "carriers: 0 of 1 up" in lines
    code, out, _ = await yizhan(gateway, "status", key="tenant-key")  # may not see the carriers
    assert (code, "carriers" in out) == (0, False)
    code, out, _ = await yizhan(gateway, "carriers", "--json")
    assert (code, json.loads(out)) == (0, await gateway.get("/v1/carriers"))
    code, out, err = await yizhan(gateway, "carriers", key="tenant-key")
    assert (code, out) == (1, "")
    assert err.startswith("yizhan: forbidden (403)")


async def _finds(gateway: Gateway, message_id: str) -> None:
    code, out, _ = await yizhan(gateway, "find", message_id)
    assert code == 0
    assert "text: 【阳光物业】明日9时停水。" in out.splitlines()
    assert "+08:00  queued" in out
    code, out, _ = await yizhan(gateway, "find", "138 0013 1102")
    assert (code, message_id in out, "forbidden_symbol" in out) == (0, True, True)
    code, out, _ = await yizhan(gateway, "find", "--batch", "march", "--json")
    found: Any = json.loads(out)
    assert (code, [each["id"] for each in found["messages"]]) == (0, [message_id])
    assert [each["code"] for each in found["refusals"]] == ["forbidden_symbol"]
    assert await yizhan(gateway, "find", "13800131103") == (1, "nothing found\n", "")
    code, out, err = await yizhan(gateway, "find", message_id, key="tenant-key")
    assert (code, out) == (1, "")
    assert err.startswith("yizhan: not_found (404)")
    code, out, _ = await yizhan(gateway, "explain", HELLO["to"], "★停水")
    assert (code, out.splitlines()[0]) == (0, "verdict: refuse")
    assert "forbidden_symbol" in out


async def _acts(gateway: Gateway) -> None:
    code, out, _ = await yizhan(gateway, "pause", "carrier", "--queue", "keep")
    assert (code, out.splitlines()[1].split()[:2]) == (0, ["carrier", "paused"])
    code, out, _ = await yizhan(gateway, "resume", "carrier", "--json")
    assert (code, json.loads(out)["state"]) == (0, "down")
    assert (await yizhan(gateway, "rebind", "one"))[0] == 0
    assert (await yizhan(gateway, "pause", "nobody"))[0] == 1
    assert await yizhan(gateway, "reload") == (0, "reloaded\n", "")
    noted = [entry["what"] for entry in (await gateway.get("/v1/audit"))["entries"]]
    assert noted == ["carrier.pause", "carrier.resume", "bind.rebind", "reload"]
