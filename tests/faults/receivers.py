"""An application that takes callbacks and does not answer: nothing else waits for it, and it is told all in the end."""

import asyncio
from typing import Final

import msgspec

from tests.faults.outcome import Outcome
from tests.faults.world import Plan, world

_BETWEEN_SECONDS: Final = (0.5, 2.0)
_HANGING_SECONDS: Final = (3.0, 6.0)


async def receiver_hangs(plan: Plan) -> Outcome:
    """Let it hang for longer than an answer may take."""
    wrong: list[str] = []
    async with world(plan) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
            before = len(made.traffic.accepted)
            made.told.hanging = True
            await asyncio.sleep(plan.chance.uniform(*_HANGING_SECONDS))
            made.told.hanging = False
            made.traffic.check()
            if len(made.traffic.accepted) == before:
                wrong.append("nothing was accepted while the receiver hung")
        outcome = await made.judged(
            "callback receiver hangs",
            tried=plan.times,
            most_resend=0,
            note=f"{made.told.was_hung} requests without an answer",
        )
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))
