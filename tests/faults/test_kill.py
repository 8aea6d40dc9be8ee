"""Promises 1 to 3 across `kill -9`: nothing accepted is lost, copies are as the setting says, every message ends."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadtest.answers import FINAL
from loadtest.api import Api
from loadtest.control import Control
from loadtest.errors import CannotRun
from loadtest.rig import running_simulator
from tests.faults.rig import Gateway, all_final, gateway_tables, seen, stopping, wait_for

MESSAGES = 1_000
BATCH = 50
LONG = "尊敬的业主：" + "本小区将于下周一至周五对地下车库进行地面翻新，期间请将车辆停放至北门临时停车场，" * 3
SHORT = "您好，您的快递已放入3号柜，请及时领取。"
CODE = "验证码482913。"  # a message of category otp has one
CATEGORIES = ("notification", "marketing", "otp")


def to_send(first: int, *, endings: tuple[str, ...]) -> list[dict[str, object]]:
    """A batch of messages to different numbers, some for a little later; the last few to numbers that end so."""
    numbers = [f"138{first + n:06d}52" for n in range(BATCH - len(endings))]
    numbers += [f"138{first:04d}{ending}" for ending in endings]
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    return [
        {
            "to": number,
            "text": (LONG if n % 5 == 0 else SHORT) + (CODE if CATEGORIES[n % 3] == "otp" else ""),
            "category": CATEGORIES[n % 3],
            "send_at": soon if n % 10 == 9 else None,
        }
        for n, number in enumerate(numbers)
    ]


async def submit_all(api: Api, endings: tuple[str, ...], accepted: dict[str, tuple[str, int]]) -> None:
    """Submit until the gateway is gone; note (number, parts) of everything whose acceptance was answered, by id."""
    for first in range(0, MESSAGES, BATCH):
        try:
            reply = await api.submit(json.dumps(to_send(first, endings=endings)).encode())
        except CannotRun:
            return
        if reply.status != 202:
            return
        for result in json.loads(reply.body)["results"]:
            accepted[result["id"]] = (result["to"].removeprefix("+"), result["parts"])


async def copies(control: Control) -> Counter[tuple[str, int]]:
    """How often the simulator got each part: by number and the part's place, from 1."""
    found: Counter[tuple[str, int]] = Counter()
    async for submitted in control.submitted():
        found[submitted.phone.removeprefix("+"), submitted.part.number if submitted.part else 1] += 1
    return found


@pytest.mark.parametrize(("killed_after_messages", "and_seconds"), [(100, 0.0), (MESSAGES, 0.3), (MESSAGES, 1.0)])
@pytest.mark.parametrize("on_doubt", ["resend", "wait"])
async def test_a_gateway_killed_with_messages_in_all_states_loses_none(
    tmp_path: Path, on_doubt: str, killed_after_messages: int, and_seconds: float
):
    endings = ("0006", "0014", "0015")  # no receipt; no answer; an answer that is lost
    receipts = {"delay_seconds": {"kind": "uniform", "low": 0.05, "high": 0.8}, "retry_seconds": 0.5}
    async with running_simulator({"receipts": receipts}, tmp_path) as (smpp, control):
        tables = gateway_tables(smpp, tmp_path / "store", on_doubt=on_doubt, throughput=500)
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            async with gateway.api() as api:
                accepted: dict[str, tuple[str, int]] = {}
                submitting = asyncio.create_task(submit_all(api, endings, accepted))
                while len(accepted) < killed_after_messages:
                    await asyncio.sleep(0.002)
                await asyncio.sleep(and_seconds)
                await gateway.kill()
                await submitting
            before = await copies(control)
            await gateway.start()
            async with gateway.api() as api:
                await wait_for(api, all_final)
                messages = await seen(api)
            after = await copies(control)
            assert await gateway.stop() == 0

    lost = [message_id for message_id in accepted if message_id not in messages]
    assert lost == [], "accepted, and not found after the restart"
    assert {messages[message_id].status for message_id in accepted} <= FINAL
    parts = [(number, n) for number, count in accepted.values() for n in range(1, count + 1)]
    if on_doubt == "resend":
        assert [part for part in parts if after[part] == 0] == [], "never submitted"
        # Beside those that the simulator left unanswered on purpose, no more than the windows of both binds.
        unanswered = {part for part in parts if part[0].endswith(("0014", "0015"))}
        assert sum(after[part] - 1 for part in parts if part not in unanswered) <= 2 * 50
    else:
        assert {part: after[part] for part in parts if after[part] > 1} == {}, "submitted more than once"
        assert all(status == "unknown" for status in unsent_statuses(accepted, messages, after))
    assert sum(before.values()) < sum(after.values())


def unsent_statuses(accepted, messages, after):
    """The statuses of messages some part of which the simulator never saw: their fate is unknown, and said so."""
    return [
        messages[message_id].status
        for message_id, (number, count) in accepted.items()
        if any(after[number, n] == 0 for n in range(1, count + 1))
    ]
