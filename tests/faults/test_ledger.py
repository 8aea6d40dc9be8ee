"""`python -m simulator.ledger` between a running simulator and a running gateway: in order, or what was doubled."""

import asyncio
import json
from pathlib import Path

import pytest

from loadtest.api import Api
from loadtest.rig import running_simulator
from simulator import ledger
from tests.faults.rig import KEY, Gateway, all_final, gateway_tables, stopping, wait_for

LONG = "本小区将于下周一至周五对地下车库进行地面翻新，期间请将车辆停放至北门临时停车场，给您带来不便敬请谅解。" * 3
ANSWER_LOST = "0015"  # processed the first time, and its answer is lost
NO_RECEIPT = "0006"


async def send(api: Api, numbers: list[str]) -> list[str]:
    """Hand in a message to each number, every third a long one; the ids."""
    messages = [
        {"to": number, "text": f"第{n}号快递到了。" + (LONG if n % 3 == 0 else "")} for n, number in enumerate(numbers)
    ]
    reply = await api.submit(json.dumps(messages).encode())
    assert reply.status == 202
    return [result["id"] for result in json.loads(reply.body)["results"]]


async def test_the_ledger_finds_a_true_run_in_order_and_names_what_came_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    receipts = {"delay_seconds": {"kind": "uniform", "low": 0.05, "high": 0.5}, "retry_seconds": 0.5}
    async with running_simulator({"receipts": receipts}, tmp_path) as (smpp, control):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt="resend", throughput=1_000)
        # The receipt would settle the doubt before the second copy is sent.
        tables["carrier"][0]["user_message_reference"] = False
        tables["carrier"][0]["response_timeout_seconds"] = 2
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()

            async def compare() -> tuple[int, str]:
                arguments = [control.base_url, gateway.url, "--key", KEY, "--complete"]
                code = await asyncio.to_thread(ledger.main, arguments)
                return code, capsys.readouterr().out

            async with gateway.api() as api:
                await send(api, [f"138{n:04d}5{n:03d}" for n in range(60)] + [f"1399999{NO_RECEIPT}"])
                await wait_for(api, all_final)
                code, said = await compare()
                assert said == "records=61 lost=0 duplicated=0 misordered=0 mis-stated=0 unrecorded=0\n"
                assert code == 0

                [doubled] = await send(api, [f"1377777{ANSWER_LOST}"])
                await wait_for(api, all_final)
                code, said = await compare()
    assert code == 1
    assert f"duplicated {doubled} to +861377777{ANSWER_LOST}: part 1 of " in said
    assert "records=62 lost=0 duplicated=" in said
    assert said.endswith("misordered=0 mis-stated=0 unrecorded=0\n")
    assert "lost 1" not in said
