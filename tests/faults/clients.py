"""Clients that mean no good: connections that never finish a request, by the thousand, beside honest traffic."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec

from loadtest.configuration import Tables
from loadtest.processes import read_usage
from tests.faults.outcome import Outcome
from tests.faults.rig import KEY
from tests.faults.world import Plan, World, world

HALF_OPEN: Final = 10_000
SLOW: Final = 1_000
FLOODS: Final = 200
MOST_MORE_BYTES: Final = 256 << 20  # of memory, for all of them together
TIMEOUT_SECONDS: Final = 4.0  # for the rest of a header, and for a body
_PATIENCE_SECONDS: Final = 10 * TIMEOUT_SECONDS  # a busy machine takes its time; what is never closed is found
_AT_ONCE: Final = 200  # connections that are being opened
_SLOW_HEAD: Final = (
    f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
).encode()

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def half_open(plan: Plan) -> Outcome:
    """Begin a header on each of many connections, and say no more."""

    async def begin(connection: Connection) -> None:
        connection[1].write(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n")

    return await _besieged(f"{HALF_OPEN:,} half-open HTTP connections", plan, HALF_OPEN, begin)


async def slow_bodies(plan: Plan) -> Outcome:
    """Send a body an octet at a time."""

    async def trickle(connection: Connection) -> None:
        connection[1].write(_SLOW_HEAD)
        with suppress(OSError):
            for _ in range(int(_PATIENCE_SECONDS / 0.5)):
                connection[1].write(b"[")
                await connection[1].drain()
                await asyncio.sleep(0.5)

    return await _besieged(f"{SLOW:,} slow bodies", plan, SLOW, trickle)


async def header_floods(plan: Plan) -> Outcome:
    """Send headers without end."""

    async def flood(connection: Connection) -> None:
        connection[1].write(b"GET /v1/messages HTTP/1.1\r\nHost: x\r\n")
        with suppress(OSError):
            for n in range(20_000):
                connection[1].write(f"X-Flood-{n}: {'x' * 1_000}\r\n".encode())
                await connection[1].drain()

    return await _besieged(f"{FLOODS:,} floods of headers", plan, FLOODS, flood)


def _impatient(tables: Tables) -> Tables:
    http = {"keep_alive_seconds": TIMEOUT_SECONDS, "body_timeout_seconds": TIMEOUT_SECONDS}
    return {**tables, "http": {**tables["http"], **http}}


async def _besieged(
    fault: str, plan: Plan, connections: int, attack: Callable[[Connection], Awaitable[None]]
) -> Outcome:
    """Open so many, attack by each, and see them closed by the gateway while honest traffic goes on."""
    wrong: list[str] = []
    slowest = most_more = 0.0
    async with world(plan, change=_impatient) as made:
        for _ in range(plan.times):
            await asyncio.sleep(1)
            before, resident = len(made.traffic.accepted), _resident(made)
            made.traffic.slowest_seconds = 0.0
            left = await _attack(made, connections, attack)
            most_more = max(most_more, _resident(made) - resident)
            slowest = max(slowest, made.traffic.slowest_seconds)
            made.traffic.check()
            if left:
                wrong.append(f"{left} connections are still open after {_PATIENCE_SECONDS:g} s")
            if len(made.traffic.accepted) == before:
                wrong.append("no honest message was accepted meanwhile")
        if most_more > MOST_MORE_BYTES:
            wrong.append(f"it took {most_more / (1 << 20):.0f} MiB more")
        outcome = await made.judged(
            fault,
            tried=plan.times,
            most_resend=0,
            note=f"slowest honest answer {slowest:.2f} s; {max(0.0, most_more) / (1 << 20):.0f} MiB more",
        )
    return msgspec.structs.replace(outcome, broken=(*outcome.broken, *wrong))


async def _attack(made: World, connections: int, attack: Callable[[Connection], Awaitable[None]]) -> int:
    """Return how many connections the gateway has not closed in time."""
    host, _, port = made.gateway.url.removeprefix("http://").rpartition(":")
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one() -> bool:
        async with turn:
            try:
                connection = await asyncio.open_connection(host, int(port))
            except OSError:
                return True  # not even let in
        reader, writer = connection
        attacking = asyncio.ensure_future(attack(connection))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                with suppress(OSError):
                    while await reader.read(65_536):
                        pass
            return True
        except TimeoutError:
            return False
        finally:
            attacking.cancel()
            writer.transport.abort()

    ended = await asyncio.gather(*(one() for _ in range(connections)))
    return ended.count(False)


def _resident(made: World) -> int:
    assert made.gateway.child is not None
    return read_usage(made.gateway.child.pid).resident_bytes
