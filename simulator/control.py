"""The control HTTP: what happened, and what shall happen. JSON both ways, scenarios also in TOML."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.text import TextError
from simulator.checking import BrokenRule, SettingError, settings_from
from simulator.distributions import Seconds
from simulator.journal import Entry, render
from simulator.live import NEWEST_ENTRIES, describe, recent_waits
from simulator.metrics import CONTENT_TYPE, render_metrics
from simulator.pages import send_file, send_page
from simulator.questions import Question, group, read_grouping, read_question
from simulator.scenario import Scenario, read_scenario
from simulator.settings import MAIN, parse_toml
from simulator.smsc import NobodyReceives
from simulator.station import Station
from simulator.tables import Table, check_number

BODY_LIMIT_BYTES: Final = 256 * 1024

# Between two slices of a long answer the loop is free for messages.
_ENTRIES_A_SLICE: Final = 2000
_LINES_A_WRITE: Final = 500

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Inbound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A subscriber's message, as `POST /inbound` takes it."""

    source: str = msgspec.field(name="from")
    destination: str = msgspec.field(name="to")
    text: str

    def __post_init__(self) -> None:
        check_number("from", self.source)
        check_number("to", self.destination)


class Restart(Table, frozen=True):
    """How to restart, as `POST /restart` takes it."""

    memory: bool = True
    down_seconds: Seconds = 1.0
    reuse_ids: bool = False

    def __post_init__(self) -> None:
        if self.reuse_ids and self.memory:
            raise BrokenRule("reuse_ids", "must be false where memory is true")


async def start_control(stations: Mapping[str, Station], address: tuple[str, int]) -> web.AppRunner:
    """Listen at `address`, and return what ends that with `cleanup()`. Raises OSError."""
    control = Control(stations)
    app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[_refusing])
    app.add_routes(
        [
            web.get("/", send_page),
            web.get("/page/{name}", send_file),
            web.get("/live", control.live),
            web.get("/healthz", control.health),
            web.get("/counts", control.counts),
            web.get("/journal", control.journal),
            web.get("/journal/summary", control.summary),
            web.get("/metrics", control.metrics),
            web.post("/reset", control.reset),
            web.get("/scenario", control.scenario),
            web.post("/scenario", control.change),
            web.post("/inbound", control.inbound),
            web.post("/receipts/release", control.release),
            web.post("/drop", control.drop),
            web.post("/unbind", control.unbind),
            web.post("/restart", control.restart),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, *address).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


@web.middleware
async def _refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what cannot be meant."""
    if request.method == "POST" and request.headers.get("Origin") not in {None, f"{request.scheme}://{request.host}"}:
        return _answer({"error": "a page of another origin may not ask for this"}, status=403)
    try:
        return await handler(request)
    except (SettingError, TextError) as error:
        return _answer({"error": str(error)}, status=400)
    except NobodyReceives:
        return _answer({"error": "no bind is there that receives"}, status=409)


class Control:
    """A handler for each call. `?smsc=` says which SMSC it is about; without it, it is the main one."""

    def __init__(self, stations: Mapping[str, Station]) -> None:
        self._stations: Final = stations

    async def health(self, _: web.Request) -> web.Response:
        """Say that the simulator runs."""
        return _answer({"status": "ok"})

    async def counts(self, request: web.Request) -> web.Response:
        """Return the counts."""
        return _answer(self._station(request).counts())

    async def metrics(self, _: web.Request) -> web.Response:
        """Return the counts as Prometheus reads them."""
        counts = {name: station.counts() for name, station in self._stations.items()}
        waits = {
            name: recent_waits(station.smsc.journal.newest(NEWEST_ENTRIES), now=time.time())
            for name, station in self._stations.items()
        }
        return web.Response(body=render_metrics(counts, waits), headers={"Content-Type": CONTENT_TYPE})

    async def live(self, _: web.Request) -> web.Response:
        """Return what the live page shows, of every SMSC."""
        return _answer(describe(self._stations, now=time.time()))

    async def journal(self, request: web.Request) -> web.StreamResponse:
        """Stream the entries that the query asks for, a JSON line each, oldest first."""
        station = self._station(request)
        question = read_question(request.query, "text", "smsc")
        with_text = _flag(request, "text")

        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async for some in _found(station, question):
            for start in range(0, len(some), _LINES_A_WRITE):
                lines = (render(entry, number=n, with_text=with_text) for n, entry in some[start:][:_LINES_A_WRITE])
                await response.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        await response.write_eof()
        return response

    async def summary(self, request: web.Request) -> web.Response:
        """Return how many entries there are of each kind, of those that the query asks for."""
        station = self._station(request)
        names = read_grouping(request.query.get("by", "command,status"))
        question = read_question(request.query, "by", "smsc")
        found = [entry async for some in _found(station, question) for entry in some]
        return _answer({"groups": group(found, names)})

    async def reset(self, request: web.Request) -> web.Response:
        """Forget what happened."""
        self._station(request).reset()
        return _answer({"status": "ok"})

    async def scenario(self, request: web.Request) -> web.Response:
        """Return the present scenario."""
        return _answer(_document_of(self._station(request)))

    async def change(self, request: web.Request) -> web.Response:
        """Behave by the scenario in the body from now on, and return it whole."""
        station = self._station(request)
        body = await request.read()
        is_json = body.lstrip().startswith(b"{")
        document = _parse_json(body) if is_json else parse_toml(body, name="the body")
        station.change(read_scenario(document, station.settings))
        return _answer(_document_of(station))

    async def inbound(self, request: web.Request) -> web.Response:
        """Send a subscriber's message."""
        message = settings_from(_parse_json(await request.read()), Inbound)
        station = self._station(request)
        return _answer({"parts": station.send_inbound(message.source, message.destination, message.text)})

    async def release(self, request: web.Request) -> web.Response:
        """Send now what is to be sent later: receipts that are days late need no days."""
        return _answer({"released": self._station(request).release()})

    async def drop(self, request: web.Request) -> web.Response:
        """Reset every connection."""
        return _answer({"connections": self._station(request).drop()})

    async def unbind(self, request: web.Request) -> web.Response:
        """End every session in order."""
        return _answer({"connections": await self._station(request).unbind()})

    async def restart(self, request: web.Request) -> web.Response:
        """Go down and come back."""
        how = settings_from(_parse_json(await request.read() or b"{}"), Restart)
        dropped = self._station(request).restart(
            memory=how.memory, down_seconds=how.down_seconds, reuse_ids=how.reuse_ids
        )
        return _answer({"connections": dropped})

    def _station(self, request: web.Request) -> Station:
        """Return the SMSC that a request is about. Raises SettingError."""
        name = request.query.get("smsc", MAIN)
        if name not in self._stations:
            raise SettingError("smsc", f"must be one of {', '.join(self._stations)}", name)
        return self._stations[name]


def _answer(document: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "0") not in {"0", "false"}


def _parse_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingError("the body", f"is not JSON: {error}") from error


def _document_of(station: Station) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(station.scenario, name)) for name in Scenario.__struct_fields__}


async def _found(station: Station, question: Question) -> AsyncIterator[list[tuple[int, Entry]]]:
    """Give the entries that a question asks for, with their numbers, oldest first, a slice at a time."""
    entries = station.smsc.journal.snapshot()
    if question.last is not None:
        newest = msgspec.structs.replace(question, last=None, limit=question.last)
        yield [found async for some in _matching(entries[::-1], newest) for found in some][::-1]
        return
    async for some in _matching(entries, question):
        yield some


async def _matching(entries: list[tuple[int, Entry]], question: Question) -> AsyncIterator[list[tuple[int, Entry]]]:
    wanted = len(entries) if question.limit is None else question.limit
    for start in range(0, len(entries), _ENTRIES_A_SLICE):
        some = [found for found in entries[start : start + _ENTRIES_A_SLICE] if question.matches(*found)][:wanted]
        wanted -= len(some)
        yield some
        if not wanted:
            return
        await asyncio.sleep(0)
