"""Disks that are full, read-only or broken: what gets a 503 was not accepted, and service resumes by itself."""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from loadtest.clocks import build
from loadtest.configuration import Tables
from tests.faults.mounts import small_disk
from tests.faults.outcome import Outcome
from tests.faults.world import Plan, World, world

DISK_SHIM: Final = Path(__file__).parent / "shims" / "disk.c"
DISK_MEBIBYTES: Final = 96
RESERVE_BYTES: Final = 16 << 20
_BETWEEN_SECONDS: Final = (0.5, 2.0)
_BROKEN_SECONDS: Final = (1.0, 3.0)
_PROBES: Final = 4


async def full(plan: Plan) -> Outcome:
    """Fill a small disk to its last octet, and make room again."""
    return await _filled("disk full to the last octet", plan, reserve_bytes=0)


async def reserved(plan: Plan) -> Outcome:
    """Fill a small disk down to the reserve that is kept for outcomes, and make room again."""
    return await _filled("disk full but for the reserve", plan, reserve_bytes=RESERVE_BYTES)


async def read_only(plan: Plan) -> Outcome:
    """Let every write fail as on a read-only file system."""
    return await _failing("disk read-only", plan, [errno.EROFS])


async def failing_writes(plan: Plan) -> Outcome:
    """Let every write fail with an I/O error."""
    return await _failing("writes fail (EIO)", plan, [errno.EIO])


async def failing_syncs(plan: Plan) -> Outcome:
    """Let fsync and fdatasync fail, with everything written."""
    return await _failing("fsync and fdatasync fail", plan, [-errno.EIO])


async def mixed(plan: Plan) -> Outcome:
    """One of these at a time, by chance, and ENOSPC."""
    return await _failing(
        "disk: each of these errors",
        plan,
        [errno.ENOSPC, errno.EROFS, errno.EIO, -errno.EIO],
        note="ENOSPC, EROFS, EIO, fsync",
    )


async def _filled(fault: str, plan: Plan, *, reserve_bytes: int) -> Outcome:
    with small_disk(plan.directory / "disk", mebibytes=DISK_MEBIBYTES) as disk:

        def on_disk(tables: Tables) -> Tables:
            return {**tables, "store": {"path": str(disk / "store"), "disk_reserve_bytes": reserve_bytes}}

        filler = disk / "filler"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file:
                try:
                    while os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > reserve_bytes // 2:
                        file.write(bytes(65_536 if reserve_bytes else 4_096))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

        async with world(plan, change=on_disk) as made:
            return await _again_and_again(fault, plan, made, lambda: fill, filler.unlink)


async def _failing(fault: str, plan: Plan, errors: list[int], *, note: str = "") -> Outcome:
    switch = plan.directory / "disk-fails"
    environment = {
        "LD_PRELOAD": str(build(DISK_SHIM, plan.directory)),
        "FAIL_DISK_FILE": str(switch),
        "FAIL_DISK_UNDER": str(plan.directory / "store"),
    }
    left: list[int] = []

    def next_failure() -> Callable[[], object]:
        if not left:
            left.extend(plan.chance.sample(errors, len(errors)))
        text = str(left.pop())
        return lambda: switch.write_text(text, encoding="ascii")

    async with world(plan, environment=environment) as made:
        outcome = await _again_and_again(fault, plan, made, next_failure, switch.unlink)
    return msgspec.structs.replace(outcome, note=", ".join(filter(None, (outcome.note, note))))


async def _again_and_again(
    fault: str,
    plan: Plan,
    made: World,
    next_failure: Callable[[], Callable[[], object]],
    heal: Callable[[], object],
) -> Outcome:
    probes = Probes(made)
    for _ in range(plan.times):
        await asyncio.sleep(plan.chance.uniform(*_BETWEEN_SECONDS))
        async with _broken(next_failure(), heal):
            await probes.send(seconds=plan.chance.uniform(*_BROKEN_SECONDS))
        made.traffic.check()
        await probes.serves_again()
    refused = made.traffic.statuses[503] + probes.refused
    await made.settle()
    wrong = probes.wrong + await probes.half_accepted()
    outcome = await made.judged(fault, tried=plan.times, most_resend=0, note=f"{refused} requests answered with 503")
    if not refused:
        wrong.append("no request was refused: nothing was tried")
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


@asynccontextmanager
async def _broken(do: Callable[[], object], heal: Callable[[], object]) -> AsyncIterator[None]:
    do()
    try:
        yield
    finally:
        heal()


class Probes:
    """Requests that are not repeated: what was answered with 503 must be nowhere afterwards, not even in part."""

    def __init__(self, made: World) -> None:
        self.refused = 0
        self.wrong: list[str] = []
        self._made = made
        self._sent = 0
        self._answers: dict[str, int] = {}  # by client_ref

    async def send(self, *, seconds: float) -> None:
        """Send some, spread over the time."""
        for _ in range(_PROBES):
            await asyncio.sleep(seconds / _PROBES)
            await self._send()

    async def serves_again(self) -> None:
        """Wait until a request is taken."""
        async with asyncio.timeout(20):
            while await self._send() != 202:
                await asyncio.sleep(0.2)

    async def half_accepted(self) -> list[str]:
        """What of refused requests is there all the same, and what of accepted ones is not."""
        refs = {message.client_ref for message in await self._made.listed()}
        wrong = [ref for ref, status in self._answers.items() if (status == 202) != (ref in refs)]
        return [f"half accepted, or lost: {', '.join(wrong[:5])} of {len(wrong)}"] if wrong else []

    async def _send(self) -> int:
        self._sent += 1
        messages = [
            {"to": f"139{self._sent:05d}5{n:02d}", "text": f"探测{self._sent}", "client_ref": f"probe-{self._sent}-{n}"}
            for n in range(5)
        ]
        status, retry_after = await self._made.gateway.post(json.dumps(messages).encode())
        self._answers |= {str(message["client_ref"]): status for message in messages}
        if status != 202:
            self.refused += 1
            if status != 503 or retry_after is None:
                self.wrong.append(f"answered {status}, Retry-After {retry_after}")
        return status
