"""The application that is told what becomes of its messages: it takes events as they are posted, or asks for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

from loadtest.answers import read
from loadtest.api import Api

HOST: Final = "127.0.0.1"
POLL_SECONDS: Final = 0.1  # between two looks that found nothing
EVENTS_A_LOOK: Final = 1_000  # the most that one answer has


class EventSeen(msgspec.Struct, frozen=True, gc=False):
    """An event about a message, or a subscriber's message, which has no client_ref."""

    type: str
    client_ref: str | None = None


class _Events(msgspec.Struct, frozen=True):
    events: list[EventSeen]
    cursor: str | None = None


Take = Callable[[Sequence[EventSeen]], None]


@asynccontextmanager
async def receiving(take: Take) -> AsyncIterator[str]:
    """Listen for callbacks while the context lasts. Returns the URL for them."""
    decode = msgspec.json.Decoder(_Events).decode

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            take(decode(await request.read()).events)
        except msgspec.MsgspecError:
            return web.Response(status=400)
        return web.Response()

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}/events"
    finally:
        await runner.cleanup()


async def poll_events(api: Api, take: Take) -> None:
    """Ask for events, page after page, until cancelled: for a gateway that cannot call back. Raises CannotRun."""
    cursor = ""
    while True:
        page = read(_Events, await api.events(cursor, limit=EVENTS_A_LOOK))
        take(page.events)
        cursor = page.cursor or cursor
        if not page.events:
            await asyncio.sleep(POLL_SECONDS)
