"""Files of the store that a power loss or a bad disk has damaged, found by the next start."""

import asyncio
import random
import struct
from pathlib import Path
from typing import Final

import msgspec

from loadtest.configuration import Tables
from loadtest.processes import ChildEnded
from tests.faults.outcome import Outcome
from tests.faults.world import MOST_COPIES, Plan, World, waiting, world

_IN_TRAFFIC_SECONDS: Final = (0.5, 2.0)
_WAL_HEADER = struct.Struct(">8L")
_FRAME_HEADER = struct.Struct(">6L")
_FILE_SECONDS: Final = 2
_DAMAGE: Final = b"x" * 8_192


async def torn_log(plan: Plan) -> Outcome:
    """Leave a torn frame behind the last commit of each write-ahead log, as a power loss does."""
    torn = 0
    async with world(plan) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_IN_TRAFFIC_SECONDS))
            made.traffic.check()
            await made.gateway.kill()
            for log in (plan.directory / "store").rglob("*-wal"):
                torn += tear(log, plan.chance)
            await made.gateway.start()
        return await made.judged(
            "killed, and the write-ahead logs end in a torn frame",
            tried=plan.times,
            most_resend=plan.times * MOST_COPIES,
            note=f"{torn} logs",
        )


async def live_file_damaged(plan: Plan) -> Outcome:
    """Damage the file that new messages go to: the start is refused and says what to do; brought back, it starts."""
    wrong = []
    async with world(plan) as made:
        for _ in range(plan.times):
            await asyncio.sleep(plan.chance.uniform(*_IN_TRAFFIC_SECONDS))
            made.traffic.check()
            assert await made.gateway.stop() == 0
            live = _data_files(plan)[-1]
            kept = live.read_bytes()
            live.write_bytes(_DAMAGE + kept[len(_DAMAGE) :])
            said = await _refusal(made)
            if not (str(live) in said and "bring it back from a backup" in said and "Traceback" not in said):
                wrong.append(f"the start says: {said}")
            live.write_bytes(kept)
            await made.gateway.start()
        outcome = await made.judged("live data file damaged: start refused", tried=plan.times, most_resend=0)
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


async def old_file_damaged(plan: Plan) -> Outcome:
    """Damage a file whose messages have all ended, with the gateway stopped: the others are served all the same."""

    def short_files(tables: Tables) -> Tables:
        return {**tables, "store": {**tables["store"], "file_seconds": _FILE_SECONDS}}

    wrong: list[str] = []
    async with world(plan, change=short_files) as made:
        for _ in range(plan.times):
            await asyncio.sleep(2 * _FILE_SECONDS + plan.chance.uniform(*_IN_TRAFFIC_SECONDS))
            await made.settle()
            made.traffic.start()
            await asyncio.sleep(2 * _FILE_SECONDS)
            assert await made.gateway.stop() == 0
            old = plan.chance.choice(_data_files(plan)[:-2])
            kept = old.read_bytes()
            old.write_bytes(_DAMAGE + kept[len(_DAMAGE) :])
            try:
                await made.gateway.start()
                wrong += await _serves(made)
                wrong += await _is_told_of(made, old)
                assert await made.gateway.stop() == 0
            except ChildEnded as error:
                wrong.append(f"does not start: {error}")
            old.write_bytes(kept)
            await made.gateway.start()
        outcome = await made.judged("old data file damaged: service goes on", tried=plan.times, most_resend=0)
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


def tear(log: Path, chance: random.Random) -> bool:
    """Write the beginning of a frame behind the last valid one of a log; False where it has none."""
    octets = bytearray(log.read_bytes())
    if len(octets) < _WAL_HEADER.size:
        return False
    _, _, page_size, _, *salts, _, _ = _WAL_HEADER.unpack_from(octets)
    frame_size = _FRAME_HEADER.size + page_size
    end = _WAL_HEADER.size
    while end + frame_size <= len(octets) and list(_FRAME_HEADER.unpack_from(octets, end)[2:4]) == salts:
        end += frame_size
    if end == _WAL_HEADER.size:
        return False
    last = octets[end - frame_size : end]
    last[_FRAME_HEADER.size :] = chance.randbytes(page_size)
    octets[end:] = last[: chance.randrange(1, frame_size)]
    log.write_bytes(octets)
    return True


def _data_files(plan: Plan) -> list[Path]:
    return sorted((plan.directory / "store" / "data").glob("*.db"))


async def _refusal(made: World) -> str:
    """What a start says that is refused. Raises AssertionError where it is not."""
    try:
        await made.gateway.start()
    except ChildEnded:
        return made.gateway.log()
    raise AssertionError("it started with a damaged live file")


async def _is_told_of(made: World, file: Path) -> list[str]:
    """What is missing of the alert, and of a clear answer about what is in the file."""
    wrong = []
    first_id = int(file.stem.rpartition("-")[2])
    ids = sorted(int(each) for each in made.traffic.accepted if int(each) >= first_id)
    status = await made.gateway.status_of(f"/v1/messages/{ids[0]}")
    if status != 503:
        wrong.append(f"a message in the damaged file is answered with {status}")
    async with made.gateway.api() as api:
        if await api.total("gateway_damaged_files") != 1:
            wrong.append("no metric tells of the damaged file")
    if made.gateway.log().count(str(file)) != 1:
        wrong.append(f"the log names the damaged file {made.gateway.log().count(str(file))} times")
    return wrong


async def _serves(made: World) -> list[str]:
    """Wait until new messages are accepted and submitted; what keeps them from it."""
    before = len(made.traffic.accepted)

    async def idle() -> str:
        made.traffic.check()
        return "" if len(made.traffic.accepted) > before + 100 else "hardly anything was accepted"

    try:
        await waiting(idle, timeout_seconds=20)
    except AssertionError as error:
        return [str(error)]
    return []
