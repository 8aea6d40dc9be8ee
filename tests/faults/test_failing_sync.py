"""Promise 1 where the disk fails: what cannot be synced is not accepted, and service resumes by itself."""

import json
from pathlib import Path

from loadtest.clocks import build
from loadtest.rig import running_simulator
from tests.faults.rig import Gateway, all_final, gateway_tables, seen, stopping, wait_for

SHIM = Path(__file__).parent / "shims" / "fsync.c"
MESSAGE = json.dumps({"to": "13812345678", "text": "您好，3号楼明天停水。"}).encode()
ANOTHER = json.dumps({"to": "13812345679", "text": "您好，3号楼明天停水。"}).encode()  # no cap holds it back
BATCH = json.dumps([{"to": f"1381234{n:04d}", "text": "您好，3号楼明天停水。"} for n in range(100, 200)]).encode()


async def test_nothing_is_accepted_while_sync_fails_and_service_resumes_by_itself(tmp_path: Path):
    failing = tmp_path / "sync-fails"
    shim = build(SHIM, tmp_path)
    environment = {"LD_PRELOAD": str(shim), "FAIL_SYNC_FILE": str(failing)}
    async with running_simulator({}, tmp_path) as (smpp, _):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend", throughput=1000)
        tables["http"]["retry_after_seconds"] = 1
        async with stopping(Gateway(tables, tmp_path, environment)) as gateway:
            await gateway.start()
            async with gateway.api() as api:
                assert (await api.submit(MESSAGE)).status == 202

                failing.touch()
                for body in (ANOTHER, BATCH):
                    assert await gateway.post(body) == (503, "1")

                failing.unlink()
                assert (await api.submit(BATCH)).status == 202
                await wait_for(api, all_final)
                messages = await seen(api)
    assert len(messages) == 101
    assert {message.status for message in messages.values()} == {"delivered"}
