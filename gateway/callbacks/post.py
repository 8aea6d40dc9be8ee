"""One request to a receiver, and what became of it. Nothing but the configured URL is ever asked."""

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import aiohttp
import msgspec

from gateway.callbacks.resolver import Resolver
from gateway.callbacks.settings import CallbackSettings
from gateway.callbacks.signing import signed_headers, webhook_id
from gateway.event_view import Batch, event_view
from gateway.store.api import Event

_READ_BYTES: Final = 4_096  # of an answer: so much is read, that the connection can be used again, and thrown away
_encode: Final = msgspec.json.Encoder().encode


class Outcome(StrEnum):
    """What became of a request, as metrics name it."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # answered, and not with 2xx
    UNREACHABLE = "unreachable"  # not answered


class Answer(msgspec.Struct, frozen=True):
    """`error` is for people: never a body, for it may quote the request."""

    outcome: Outcome
    error: str = ""
    retry_after_seconds: float = 0.0
    is_busy: bool = False  # it says that it has had enough for now, which says nothing of these events


class Post:
    """Sends batches. One for all accounts; what one waits for costs no other anything but memory for its socket."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, settings: CallbackSettings, events: Sequence[Event]) -> Answer:
        """POST these events to the URL of an account."""
        body = _encode(Batch([event_view(event) for event in events]))
        headers = signed_headers(settings.key, webhook_id(event.id for event in events), int(time.time()), body)
        try:
            request = self._open().post(
                settings.url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds),
            )
            async with request as response:
                await response.content.read(_READ_BYTES)
                return _judge(response.status, response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer(Outcome.UNREACHABLE, "timeout")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a host that cannot be one
            return Answer(Outcome.UNREACHABLE, type(error).__name__)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, resolver=Resolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": "yizhan"},
                trust_env=False,
            )
        return self._session


def _judge(status: int, retry_after: str | None) -> Answer:
    if 200 <= status < 300:
        return Answer(Outcome.DELIVERED)
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() and len(retry_after) < 9 else 0.0
    return Answer(Outcome.REFUSED, f"status {status}", seconds, is_busy=status in {429, 503})
