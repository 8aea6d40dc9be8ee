"""`kill -9` of the gateway, at any moment: in the midst of traffic, and now and then while it starts."""

import asyncio
from typing import Final

from tests.faults.outcome import Outcome
from tests.faults.world import MOST_COPIES, Plan, world

_IN_TRAFFIC_SECONDS: Final = (0.2, 2.5)  # after it is ready
_AT_START_SECONDS: Final = (0.05, 1.0)  # after it is started
_AT_START_SHARE: Final = 0.2


async def gateway_killed(plan: Plan) -> Outcome:
    """Kill it again and again, and account for everything at the end."""
    async with world(plan) as made:
        await asyncio.sleep(1)
        await made.gateway.kill()
        at_start = 0
        for _ in range(plan.times - 1):
            if plan.chance.random() < _AT_START_SHARE:
                at_start += 1
                made.gateway.spawn()
                await asyncio.sleep(plan.chance.uniform(*_AT_START_SECONDS))
            else:
                await made.gateway.start()
                await asyncio.sleep(plan.chance.uniform(*_IN_TRAFFIC_SECONDS))
            made.traffic.check()
            await made.gateway.kill()
        await made.gateway.start()
        return await made.judged(
            "gateway killed (kill -9)",
            tried=plan.times,
            most_resend=plan.times * MOST_COPIES,
            note=f"{at_start} of them while it started",
        )
