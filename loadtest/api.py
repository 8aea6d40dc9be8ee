"""A client of the gateway's HTTP API, as its users have: it knows the contract, and nothing of the inside."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

import aiohttp

from loadtest.answers import MessageSeen, Page, Readiness, Reply, buckets, read, shown, total
from loadtest.errors import CannotRun
from loadtest.guard import check_host

PAGE: Final = 1000  # messages, the most that a page has

TRY_AGAIN: Final = frozenset({429, 503})
TRIES: Final = 20

_TIMEOUT_SECONDS: Final = 60.0


class Api:
    """The calls of one gateway with one key, over a pool of kept connections. Raises CannotRun when it cannot be asked.

    Only loopback, or the host that is `allowed`: see guard.py.
    """

    def __init__(self, base_url: str, key: str, *, connections: int = 8, allowed: str = "") -> None:
        check_host(base_url, allowed)
        self.base_url: Final = base_url
        self._key = key
        self._connections = connections

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self.base_url,
            connector=aiohttp.TCPConnector(limit=self._connections),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def submit(self, body: bytes) -> Reply:
        """Hand in the JSON of one message or of an array. Where the gateway asks for time (429, 503), try again.

        The messages should have a `client_ref`: then no try makes a second one.
        """
        sent_at = time.perf_counter()
        for tries in range(1, TRIES + 1):
            status, answer, retry_after = await self._call("POST", "/v1/messages", body)
            reply = Reply(status, answer, time.perf_counter() - sent_at, tries)
            if status not in TRY_AGAIN or tries == TRIES:
                break
            await asyncio.sleep(float(retry_after or 1))
        return reply

    async def submit_once(self, body: bytes) -> tuple[int, bytes]:
        """Hand in the same, and return the answer whatever it is. Raises CannotRun where there is none."""
        status, answer, _ = await self._call("POST", "/v1/messages", body)
        return status, answer

    async def events(self, cursor: str, *, limit: int) -> bytes:
        """Return what the account is told, from a cursor on."""
        return await self._get("/v1/events", {"limit": str(limit)} | ({"cursor": cursor} if cursor else {}))

    async def pages(self, **filters: str) -> AsyncIterator[list[MessageSeen]]:
        """Return the messages of the last 24 hours that fit, newest first, a page at a time."""
        cursor: str | None = None
        while True:
            query = {**filters, "limit": str(PAGE)} | ({} if cursor is None else {"cursor": cursor})
            page = read(Page, await self._get("/v1/messages", query))
            yield page.messages
            cursor = page.cursor
            if cursor is None:
                return

    async def readiness(self) -> Readiness:
        """Return what /readyz says, ready or not."""
        _, body, _ = await self._call("GET", "/readyz")
        return read(Readiness, body)

    async def total(self, metric: str) -> float:
        """Return the sum of a metric over all its labels."""
        return total(await self._get("/metrics"), metric)

    async def pause(self, carrier: str) -> None:
        """Let nothing more go by a carrier. Raises CannotRun."""
        await self._operate(f"/v1/carriers/{carrier}/pause")

    async def resume(self, carrier: str) -> None:
        """Let a paused carrier go on. Raises CannotRun."""
        await self._operate(f"/v1/carriers/{carrier}/resume")

    async def buckets(self, metric: str, label: str) -> dict[float, float]:
        """Return how many observations of a histogram are at most each of its bounds."""
        return buckets(await self._get("/metrics"), metric, label)

    async def _operate(self, path: str) -> None:
        status, body, _ = await self._call("POST", path)
        if status != 200:
            raise CannotRun(f"the gateway answers {status} to POST {path}: {shown(body)}")

    async def _get(self, path: str, query: dict[str, str] | None = None) -> bytes:
        status, body, _ = await self._call("GET", path, query=query)
        if status != 200:
            raise CannotRun(f"the gateway answers {status} to GET {path}: {shown(body)}")
        return body

    async def _call(
        self, method: str, path: str, body: bytes | None = None, *, query: dict[str, str] | None = None
    ) -> tuple[int, bytes, str | None]:
        try:
            async with self._session.request(method, path, data=body, params=query) as response:
                return response.status, await response.read(), response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CannotRun(f"the gateway cannot be asked: {method} {self.base_url}{path}: {error!r}") from error
