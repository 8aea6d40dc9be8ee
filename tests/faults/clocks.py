"""Somebody sets the wall clock of the running machine, an hour forward or back; the monotonic clock does not move."""

import asyncio
from pathlib import Path
from typing import Final

from loadtest.clocks import SOURCE, build
from tests.faults.outcome import Outcome
from tests.faults.world import Plan, world

STEP_SECONDS: Final = 3_600
_BETWEEN_SECONDS: Final = (0.5, 2.5)


async def wall_clock_stepped(plan: Plan) -> Outcome:
    """Step by an hour, forward or back as chance has it, and never further than an hour from the true time."""
    offset_file = plan.directory / "offset"
    environment = {
        "LD_PRELOAD": str(build(SOURCE, plan.directory)),
        "YIZHAN_CLOCK_OFFSET_FILE": str(offset_file),
        "YIZHAN_CLOCK_OFFSET_SECONDS": "0",
    }
    hours, steps = 0, []
    async with world(plan, environment=environment) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
            step = -hours if hours else plan.chance.choice((-1, 1))
            hours += step
            steps.append(step)
            _set(offset_file, hours * STEP_SECONDS)
            made.traffic.check()
        await asyncio.sleep(1)
        _set(offset_file, 0)
        ahead = sum(step > 0 for step in steps)
        return await made.judged(
            "wall clock steps by an hour",
            tried=plan.times,
            most_resend=0,
            note=f"{ahead} forward, {len(steps) - ahead} back",
        )


def _set(file: Path, seconds: int) -> None:
    """Replace the offset in one step, as the library asks for."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds), encoding="ascii")
    new.rename(file)
