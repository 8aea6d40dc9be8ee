"""What subscribers wrote, across `kill -9`: no message that was acknowledged is lost, none is there twice."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.smpp import DeliverSm
from gateway.text import Coding, cut
from tests.delivery.samples import eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, scripted
from tests.faults.rig import KEY, Gateway, gateway_tables, stopping

MESSAGES = 300
IN_FLIGHT = 20


def text_of(n: int) -> str:
    return f"第{n}条：好的，知道了。" * (12 if n % 4 == 0 else 1)


def bodies_of(n: int) -> list[DeliverSm]:
    """The parts of a message, each subscriber's own."""
    segments = cut(text_of(n), coding=Coding.UCS2, reference=n & 0xFF)
    return [
        DeliverSm(
            source_addr=f"86138{n:08}",
            destination_addr="10690001",
            esm_class=segments.esm_class,
            data_coding=int(Coding.UCS2),
            short_message=short_message,
        )
        for short_message in segments.parts
    ]


class Carrier:
    """Delivers until it is answered: what a connection took with it is sent again by the next."""

    def __init__(self, smsc: ScriptedSmsc) -> None:
        self._smsc = smsc
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self.acknowledged = 0
        self.sent = 0

    async def deliver(self, body: DeliverSm) -> None:
        async with self._room:
            while not await self._try(body):
                await asyncio.sleep(0.02)
            self.acknowledged += 1

    async def _try(self, body: DeliverSm) -> bool:
        smsc = self._smsc
        if not smsc.binds:
            return False
        bind = smsc.binds[self.sent % len(smsc.binds)]
        sent = smsc.send(body, bind)
        self.sent += 1
        while smsc.answer_to(sent) is None and bind in smsc.binds:
            await asyncio.sleep(0.002)
        return smsc.answer_to(sent) == 0


async def inbound(url: str) -> list[dict[str, Any]]:
    """Every message from a subscriber that the API tells of."""
    found: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            async with session.get(f"{url}/v1/inbound", params=query) as response:
                page = await response.json()
            found += page["messages"]
            cursor = page["cursor"]
    return found


@pytest.mark.parametrize("killed_after", [(1, 150), (60, 200), (250, 400)])
async def test_what_was_acknowledged_is_there_once_and_whole_however_often_the_gateway_is_killed(
    tmp_path: Path, killed_after: tuple[int, ...]
):
    bodies = [body for n in range(MESSAGES) for body in bodies_of(n)]
    async with scripted() as smsc:
        tables = gateway_tables(f"127.0.0.1:{smsc.port}", tmp_path / "store", on_doubt="resend")
        async with stopping(Gateway(tables, tmp_path)) as gateway:
            await gateway.start()
            carrier = Carrier(smsc)
            async with asyncio.TaskGroup() as tasks:
                for body in bodies:
                    tasks.create_task(carrier.deliver(body))
                for count in killed_after:
                    await eventually(lambda count=count: carrier.acknowledged >= count, seconds=30.0)
                    await gateway.kill()
                    await gateway.start()
            assert carrier.acknowledged == len(bodies)
            assert await gateway.stop() == 0
            await gateway.start()
            found = await inbound(gateway.url)

    assert Counter(message["text"] for message in found) == Counter(text_of(n) for n in range(MESSAGES))
    assert all(message["missing"] == [] and message["account"] == "test" for message in found)
