"""A long run under traffic with a fault every so often: nothing lost, memory and answers as at its beginning."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from loadtest.processes import read_usage
from tests.faults import networks
from tests.faults.outcome import Outcome
from tests.faults.samples import Sample, growth, plot
from tests.faults.world import MOST_COPIES, Plan, World, world

BETWEEN_FAULTS_SECONDS: Final = (10.0, 30.0)
MOST_GROWTH: Final = 0.05
# A shorter run is still filling its tables and caches in its second tenth.
LEAST_MINUTES_TO_COMPARE: Final = 10.0
_HANGING_SECONDS: Final = 5.0


async def soak(plan: Plan, *, minutes: float, messages_per_second: float, picture: Path) -> Outcome:
    """Run for so long, draw what was seen, and account for every message. Faults are those that need no restart."""
    samples: list[Sample] = []
    happened: list[str] = []
    async with world(plan, proxied=True, messages_per_second=messages_per_second) as made:
        watching = asyncio.create_task(_watch(made, samples, happened))
        faults = 0
        end = time.monotonic() + minutes * 60
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, plan.chance.uniform(*BETWEEN_FAULTS_SECONDS)))
            made.traffic.check()
            name = plan.chance.choice(sorted(_FAULTS))
            happened.append(name)
            faults += 1
            await _FAULTS[name](made, plan)
            await made.bound()
        watching.cancel()
        outcome = await made.judged(
            f"soak of {minutes:g} minutes at {messages_per_second:g} messages a second",
            tried=faults,
            most_resend=faults * MOST_COPIES,
        )
    _draw(picture, plot(samples, f"{outcome.fault}, {faults} faults"))
    return _with_growth(outcome, samples, minutes)


def _draw(picture: Path, svg: str) -> None:
    picture.write_text(svg, encoding="utf-8")


def _with_growth(outcome: Outcome, samples: list[Sample], minutes: float) -> Outcome:
    memory = growth(samples, lambda sample: sample.resident_bytes)
    slowest = growth(samples, lambda sample: sample.slowest_seconds)
    note = f"from the second tenth to the last: memory {memory:+.1%}, slowest answers {slowest:+.1%}"
    broken = outcome.broken
    if minutes >= LEAST_MINUTES_TO_COMPARE and memory > MOST_GROWTH:
        broken = (*broken, f"memory grew by {memory:.1%}")
    return msgspec.structs.replace(outcome, note=note, broken=broken)


async def _watch(made: World, samples: list[Sample], happened: list[str]) -> None:
    start = before_at = time.monotonic()
    before = len(made.traffic.accepted)
    while True:
        await asyncio.sleep(1)
        assert made.gateway.child is not None
        now, accepted = time.monotonic(), len(made.traffic.accepted)
        samples.append(
            Sample(
                now - start,
                (accepted - before) / (now - before_at),
                made.traffic.slowest_seconds,
                read_usage(made.gateway.child.pid).resident_bytes,
                happened.pop() if happened else "",
            )
        )
        before, before_at, made.traffic.slowest_seconds = accepted, now, 0.0


async def _hang(made: World, plan: Plan) -> None:
    made.told.hanging = True
    await asyncio.sleep(_HANGING_SECONDS)
    made.told.hanging = False


_FAULTS: Final[Mapping[str, networks.Work]] = {**networks.KINDS, "restart": networks.restart, "receiver": _hang}
