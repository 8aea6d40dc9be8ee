"""The control HTTP: what happened, and what shall happen. JSON both ways, scenarios also in TOML."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from gateway.text import TextError
from simulator.checking import BrokenRule, SettingError, settings_from
from simulator.journal import Entry, Question, render
from simulator.metrics import CONTENT_TYPE, render_metrics
from simulator.settings import Scenario, parse_toml, read_scenario
from simulator.smsc import NobodyReceives

if TYPE_CHECKING:
    from simulator.server import Simulator

BODY_LIMIT_BYTES: Final = 256 * 1024

# Between two slices of a long answer the loop is free for messages.
_LINES_A_SLICE: Final = 500

_LONGEST_ADDRESS: Final = 20  # SMPP 3.4, section 4.6.1


class Inbound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A subscriber's message, as `POST /inbound` takes it."""

    source: str = msgspec.field(name="from")
    destination: str = msgspec.field(name="to")
    text: str

    def __post_init__(self) -> None:
        for name, address in (("from", self.source), ("to", self.destination)):
            if not (1 <= len(address) <= _LONGEST_ADDRESS and address.isascii() and address.isprintable()):
                raise BrokenRule(name, f"must be 1 to {_LONGEST_ADDRESS} printable ASCII characters")


async def start_control(simulator: "Simulator", address: tuple[str, int]) -> web.AppRunner:
    """Listen at `address`, and return what ends that with `cleanup()`. Raises OSError."""
    control = Control(simulator)
    app = web.Application(client_max_size=BODY_LIMIT_BYTES)
    app.add_routes(
        [
            web.get("/healthz", control.health),
            web.get("/counts", control.counts),
            web.get("/journal", control.journal),
            web.get("/metrics", control.metrics),
            web.post("/reset", control.reset),
            web.get("/scenario", control.scenario),
            web.post("/scenario", control.change),
            web.post("/inbound", control.inbound),
            web.post("/drop", control.drop),
            web.post("/unbind", control.unbind),
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


class Control:
    """A handler for each call."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator

    async def health(self, _: web.Request) -> web.Response:
        """Say that the simulator runs."""
        return _answer({"status": "ok"})

    async def counts(self, _: web.Request) -> web.Response:
        """Return the counts."""
        return _answer(self._simulator.counts())

    async def metrics(self, _: web.Request) -> web.Response:
        """Return the counts as Prometheus reads them."""
        return web.Response(body=render_metrics(self._simulator.counts()), headers={"Content-Type": CONTENT_TYPE})

    async def journal(self, request: web.Request) -> web.StreamResponse:
        """Stream the entries that the query asks for, a JSON line each, oldest first."""
        try:
            question, with_text = _read_question(dict(request.query))
        except SettingError as error:
            return _answer({"error": str(error)}, status=400)
        entries = self._simulator.journal.snapshot()
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for start in range(0, len(entries), _LINES_A_SLICE):
            lines = _lines(entries[start : start + _LINES_A_SLICE], question, with_text=with_text)
            await response.write(b"".join(lines))
        await response.write_eof()
        return response

    async def reset(self, _: web.Request) -> web.Response:
        """Forget what happened."""
        self._simulator.reset()
        return _answer({"status": "ok"})

    async def scenario(self, _: web.Request) -> web.Response:
        """Return the present scenario."""
        return _answer(_scenario_document(self._simulator))

    async def change(self, request: web.Request) -> web.Response:
        """Behave by the scenario in the body from now on, and return it whole."""
        body = await request.read()
        try:
            is_json = body.lstrip().startswith(b"{")
            document = _parse_json(body) if is_json else parse_toml(body, name="the body")
            scenario = read_scenario(document, self._simulator.settings)
        except SettingError as error:
            return _answer({"error": str(error)}, status=400)
        self._simulator.change(scenario)
        return _answer(_scenario_document(self._simulator))

    async def inbound(self, request: web.Request) -> web.Response:
        """Send a subscriber's message."""
        try:
            message = settings_from(_parse_json(await request.read()), Inbound)
            parts = self._simulator.send_inbound(message.source, message.destination, message.text)
        except (SettingError, TextError) as error:
            return _answer({"error": str(error)}, status=400)
        except NobodyReceives:
            return _answer({"error": "no bind is there that receives"}, status=409)
        return _answer({"parts": parts})

    async def drop(self, _: web.Request) -> web.Response:
        """Reset every connection."""
        return _answer({"connections": self._simulator.drop()})

    async def unbind(self, _: web.Request) -> web.Response:
        """End every session in order."""
        return _answer({"connections": await self._simulator.unbind()})


def _answer(document: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")


def _parse_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingError("the body", f"is not JSON: {error}") from error


def _scenario_document(simulator: "Simulator") -> dict[str, Any]:
    scenario = simulator.smsc.scenario
    return {name: msgspec.to_builtins(getattr(scenario, name)) for name in Scenario.__struct_fields__}


def _read_question(query: dict[str, str]) -> tuple[Question, bool]:
    """Return what a query asks for, and whether texts are wanted. Raises SettingError."""
    known = {"to", "since", "after", "command", "bind", "text"}
    for name in query:
        if name not in known:
            raise SettingError(name, f"unknown; known here are {', '.join(sorted(known))}")
    after = query.get("after", "0")
    if not after.isdecimal():
        raise SettingError("after", "must be the number of an entry", after)
    question = Question(
        phone=query.get("to"),
        since=_read_time(query.get("since", "0")),
        after=int(after),
        command=query.get("command"),
        bind=query.get("bind"),
    )
    return question, query.get("text", "0") not in {"0", "false"}


def _read_time(text: str) -> float:
    """Return a Unix time from its number or from RFC 3339."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise SettingError("since", "must be Unix time or RFC 3339", text) from None


def _lines(entries: list[tuple[int, Entry]], question: Question, *, with_text: bool) -> Iterator[bytes]:
    for number, entry in entries:
        if question.matches(number, entry):
            yield msgspec.json.encode(render(entry, number=number, with_text=with_text)) + b"\n"
