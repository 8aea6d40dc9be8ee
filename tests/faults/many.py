"""Very many messages in and out while the caps' clock runs days ahead: what counts for a day is forgotten after it."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import aiohttp

from loadtest.clocks import SOURCE, build
from loadtest.configuration import Tables
from loadtest.processes import read_usage
from tests.faults.outcome import Outcome
from tests.faults.rig import KEY
from tests.faults.samples import Sample, growth
from tests.faults.world import Plan, World, world

BATCH: Final = 500
CLIENTS: Final = 4
DAY_SECONDS: Final = 86_400
MOST_GROWTH: Final = 0.05
# Before a day of charges has been forgotten once, memory must grow.
LEAST_MESSAGES_TO_COMPARE: Final = 1_000_000
_TENTHS: Final = 10
_STEPS: Final = 200  # of the caps' clock, over all
_DRAIN_SECONDS: Final = 600.0


async def many(plan: Plan, *, messages: int) -> Outcome:
    """Send so many, each to a number of its own; a tenth of them is a day by the caps' clock."""
    offset_file = plan.directory / "boot-offset"
    environment = {
        "LD_PRELOAD": str(build(SOURCE, plan.directory)),
        "YIZHAN_BOOT_CLOCK_OFFSET_FILE": str(offset_file),
    }
    samples: list[Sample] = []
    async with world(
        plan, environment=environment, scenario=_QUICK, change=_unhindered, messages_per_second=20
    ) as made:
        await made.traffic.stop()
        start = time.monotonic()
        sent = _Sent(messages)
        clients = [asyncio.create_task(_send(made, sent)) for _ in range(CLIENTS)]
        step = 0
        while not all(client.done() for client in clients):
            await asyncio.sleep(0.2)
            for client in clients:
                if client.done():
                    client.result()
            if sent.accepted * _STEPS >= step * messages:
                step += 1
                _set(offset_file, step * _TENTHS * DAY_SECONDS // _STEPS)
            assert made.gateway.child is not None
            resident = read_usage(made.gateway.child.pid).resident_bytes
            samples.append(Sample(time.monotonic() - start, 0.0, 0.0, resident))
        seconds = time.monotonic() - start
        finished = await _drained(made, expected=sent.accepted + len(made.traffic.accepted))
        submitted = [(await made.control(smsc, "/counts"))["processed"] for smsc in made.smscs]
        code = await made.gateway.stop()
    expected = sent.accepted + len(made.traffic.accepted)
    memory = growth(samples, lambda sample: sample.resident_bytes)
    broken = []
    if sent.refused:
        broken.append(f"{sent.refused} messages were refused, though each went to another number")
    if finished != expected:
        broken.append(f"{expected} were accepted, and {finished} are final")
    if messages >= LEAST_MESSAGES_TO_COMPARE and memory > MOST_GROWTH:
        broken.append(f"memory grew by {memory:.1%} from the second tenth to the last")
    if code != 0:
        broken.append(f"the gateway's exit code was {code}")
    return Outcome(
        fault=f"{messages:,} messages while the caps' clock runs {_TENTHS} days",
        tried=1,
        accepted=expected,
        lost=expected - finished,
        note=f"{messages / seconds:,.0f} a second; {sum(submitted):,} parts submitted; memory {memory:+.1%}, "
        f"{samples[-1].resident_bytes / (1 << 20):.0f} MiB at the end",
        broken=tuple(broken),
    )


_QUICK: Final[Tables] = {
    "memory": {"journal_entries": 10_000},
    "response": {"latency_seconds": 0.0},
    "receipts": {"delay_seconds": {"kind": "uniform", "low": 0.01, "high": 0.1}},
}


def _unhindered(tables: Tables) -> Tables:
    """No callbacks and quick carriers: what is looked at is what is kept in memory."""
    accounts = [{k: v for k, v in each.items() if k != "callback"} for each in tables["account"]]
    carriers = [
        {**each, "throughput": 1_000_000, "bind": [{**bind, "window": 500} for bind in each["bind"]]}
        for each in tables["carrier"]
    ]
    return {**tables, "account": accounts, "carrier": carriers}


class _Sent:
    """What is to be sent, and what was answered."""

    def __init__(self, messages: int) -> None:
        self.accepted = 0
        self.refused = 0
        self.bodies = self._bodies(messages)

    def _bodies(self, messages: int) -> Iterator[tuple[int, bytes]]:
        numbers = count()
        for first in range(0, messages, BATCH):
            size = min(BATCH, messages - first)
            # Eleven digits whose last four are never 0000 to 0099, which ask the simulator for something.
            places = [next(numbers) for _ in range(size)]
            yield (
                size,
                ("[" + ",".join(
                    f'{{"to":"1{35 + place // 10_000_000 % 5}{place // 1_000 % 10_000:04d}5{place % 1_000:03d}",'
                    f'"text":"您好，第{place}号快递到了。"}}'
                    for place in places
                ) + "]").encode(),
            )  # fmt: skip


async def _send(made: World, sent: _Sent) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers, trust_env=False) as session:
        for _, body in sent.bodies:
            while True:
                async with session.post(f"{made.gateway.url}/v1/messages", data=body) as response:
                    answer = await response.json(content_type=None)
                if response.status not in {429, 503}:
                    break
                await asyncio.sleep(float(response.headers["Retry-After"]))
            assert response.status == 202, f"{response.status}: {answer}"
            sent.accepted += answer["accepted"]
            sent.refused += answer["refused"]


async def _drained(made: World, *, expected: int) -> int:
    """Wait until all are final, or time is over; how many are."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    async with made.gateway.api() as api:
        while True:
            finished = round(await api.total("gateway_messages_finished_total"))
            if finished >= expected or time.monotonic() > deadline:
                return finished
            await asyncio.sleep(0.5)


def _set(file: Path, seconds: int) -> None:
    new = file.with_suffix(".new")
    new.write_text(str(seconds), encoding="ascii")
    new.rename(file)
