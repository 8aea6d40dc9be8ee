"""Our words for what aiohttp would answer by itself: requests that are not HTTP, or overstep a limit of the parser."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Refuse = Callable[[], web.Response]


class _Connection(web.RequestHandler):
    """One connection of a client."""

    refuse: Refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse without a word of what was sent: it may hold a phone number or a key. Closes the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = self.refuse()
        response.force_close()
        return response


class ApiServer(web.Server):
    """aiohttp's low-level server: connections and parsing, with one handler and no application in between."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        refuse: Refuse,
        **connection_settings: Any,
    ) -> None:
        super().__init__(handler, **connection_settings)
        self._refuse = refuse

    def __call__(self) -> web.RequestHandler:
        connection = _Connection(self, loop=self._loop, **self._kwargs)
        connection.refuse = self._refuse
        return connection
