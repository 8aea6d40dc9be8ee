"""Carriers that go away, and networks between: each fault again and again under traffic, and healed each time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from tests.faults.outcome import Outcome
from tests.faults.proxy import Weather
from tests.faults.world import MOST_COPIES, Plan, World, waiting, world

_BETWEEN_SECONDS: Final = (0.5, 2.0)

# Longer than a response may take: what was submitted before is in doubt by then.
_SILENT_SECONDS: Final = (5.5, 7.0)
_AWAY_SECONDS: Final = (0.5, 3.0)

Work = Callable[[World, Plan], Awaitable[object]]


async def carriers_restarted(plan: Plan) -> Outcome:
    """Crash one SMSC after the other, with its memory of messages and receipts or without."""
    forgetful: list[bool] = []

    async def one(made: World, plan: Plan) -> None:
        forgetful.append(await restart(made, plan))

    outcome = await _again_and_again("carrier killed and restarted", plan, one, most_a_time=MOST_COPIES // 2)
    return _noted(outcome, f"{sum(forgetful)} of them without its memory")


async def delayed(plan: Plan) -> Outcome:
    """Let every octet take its time; nothing is in doubt by that."""
    return await _again_and_again("network slow (up to 0.5 s a piece)", plan, _delay, most_a_time=0)


async def torn(plan: Plan) -> Outcome:
    """Hand octets over in small pieces, so that no read sees a whole PDU."""
    return await _again_and_again("network tears writes to pieces", plan, _tear, most_a_time=0)


async def cut(plan: Plan) -> Outcome:
    """Reset every connection, and let nobody in for a while."""
    return await _again_and_again("network cut and healed", plan, _cut)


async def cut_midway(plan: Plan) -> Outcome:
    """Reset every connection with half a PDU on its way."""
    return await _again_and_again("connections reset in mid-PDU", plan, _cut_midway)


async def half_open(plan: Plan) -> Outcome:
    """End every connection at the carrier's side only: nobody tells the gateway."""
    return await _again_and_again("connections half open", plan, _half_open)


async def silent(plan: Plan) -> Outcome:
    """Pass nothing on for longer than an answer may take; then everything at once."""
    return await _again_and_again("network silent, then all comes late", plan, _silence)


async def mixed(plan: Plan) -> Outcome:
    """One of these at a time, by chance."""
    left: list[str] = []

    async def one(made: World, plan: Plan) -> None:
        if not left:
            left.extend(plan.chance.sample(sorted(KINDS), len(KINDS)))
        await KINDS[left.pop()](made, plan)

    return _noted(await _again_and_again("network, each of these faults", plan, one), ", ".join(KINDS))


def _noted(outcome: Outcome, note: str) -> Outcome:
    return msgspec.structs.replace(outcome, note=note)


async def restart(made: World, plan: Plan) -> bool:
    """Crash one of the SMSCs; whether it forgot what it had."""
    memory = plan.chance.random() < 0.5
    smsc = plan.chance.choice(made.smscs)
    down_seconds = round(plan.chance.uniform(*_AWAY_SECONDS), 2)
    await made.control(smsc, "/restart", {"memory": memory, "down_seconds": down_seconds})
    await asyncio.sleep(down_seconds)
    return not memory


async def _delay(made: World, plan: Plan) -> None:
    _change(made, Weather(delay_seconds=(0.0, 0.5)))
    await asyncio.sleep(3)
    _heal(made)


async def _tear(made: World, plan: Plan) -> None:
    _change(made, Weather(torn_octets=40))
    await asyncio.sleep(3)
    _heal(made)


async def _cut(made: World, plan: Plan) -> None:
    _change(made, Weather(refusing=True))
    for proxy in made.proxies:
        proxy.cut()
    await asyncio.sleep(plan.chance.uniform(*_AWAY_SECONDS))
    _heal(made)


async def _cut_midway(made: World, plan: Plan) -> None:
    for proxy in made.proxies:
        proxy.cut_midway()
    await asyncio.sleep(1)


async def _half_open(made: World, plan: Plan) -> None:
    for proxy in made.proxies:
        proxy.half_open()

    async def unnoticed() -> str:
        left = sum(proxy.half for proxy in made.proxies)
        return f"{left} connections without a far side are still taken for good" if left else ""

    await waiting(unnoticed, timeout_seconds=30)


async def _silence(made: World, plan: Plan) -> None:
    _change(made, Weather(silent=True))
    await asyncio.sleep(plan.chance.uniform(*_SILENT_SECONDS))
    _heal(made)


KINDS: Final[Mapping[str, Work]] = {
    "slow": _delay,
    "torn": _tear,
    "cut": _cut,
    "reset in mid-PDU": _cut_midway,
    "half open": _half_open,
    "silent": _silence,
}


def _change(made: World, weather: Weather) -> None:
    for proxy in made.proxies:
        proxy.change(weather)


def _heal(made: World) -> None:
    for proxy in made.proxies:
        proxy.heal()


async def _again_and_again(fault: str, plan: Plan, work: Work, *, most_a_time: int = MOST_COPIES) -> Outcome:
    async with world(plan, proxied=True) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
            await work(made, plan)
            made.traffic.check()
            await made.bound()
        return await made.judged(fault, tried=plan.times, most_resend=plan.times * most_a_time)
