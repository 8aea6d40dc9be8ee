"""An application that is told of its messages: it checks every signature, refuses now and then, and remembers."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
REFUSED_SHARE: Final = 0.05  # requests that are answered with 500


class Told:
    """What it was told, by message: the last type of event without its `message.`."""

    def __init__(self, chance: random.Random) -> None:
        self.statuses: dict[str, str] = {}
        self.events = 0
        self.hanging = False  # takes requests and answers none while it is set
        self.was_hung = 0  # requests that were held without an answer
        self._chance = chance
        self._verifier = Webhook(SECRET)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen on a free port of loopback; yields the URL."""
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}/hook"
        finally:
            await runner.cleanup()

    def _check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        """What `verify` does, but for the age of the timestamp: the gateway's clock may be an hour off on purpose."""
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        assert headers["webhook-signature"] == self._verifier.sign(headers["webhook-id"], at, body.decode())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self._check_signature(request.headers, body)
        if self.hanging:
            self.was_hung += 1
            while self.hanging:
                await asyncio.sleep(0.1)
            return web.Response(status=500)
        if self._chance.random() < REFUSED_SHARE:
            return web.Response(status=500)
        events: list[dict[str, Any]] = msgspec.json.decode(body)["events"]
        for event in events:
            self.statuses[event["id"]] = event["type"].removeprefix("message.")
        self.events += len(events)
        return web.Response()
