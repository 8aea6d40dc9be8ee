"""Take in the body of a request, but not more of it, nor for longer, than the limits say."""

import asyncio

from aiohttp import StreamReader, web

from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.settings import HttpSettings


class BodyReader:
    """Reads bodies, and knows how much of them all is held that has not come to its end."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._unread_bytes = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """The whole body. Raises Problem: 413, 408, 429, or 400 when it breaks off.

        What is too large by its own word is refused before any of it is asked for (RFC 9110, section 10.1.1).
        """
        declared = request.content_length
        if declared is not None and declared > self._settings.max_body_bytes:
            raise self._too_large()
        content = request.content
        if content.is_eof():  # it came together with its header, as most do
            body = content.read_nowait()
            if len(body) > self._settings.max_body_bytes:
                raise self._too_large()
            return body
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                return await self._gather(content)
        except TimeoutError:
            detail = f"The body did not arrive within {self._settings.body_timeout_seconds:g} seconds."
            raise Problem(Code.REQUEST_TIMEOUT, detail, headers={"Connection": "close"}) from None
        except (web.RequestPayloadError, ConnectionError):
            raise invalid(Fault(pointer="", rule="must arrive whole: it broke off or was badly framed")) from None

    async def _gather(self, content: StreamReader) -> bytes:
        """The pieces of a body, as they come."""
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await content.readany():
                pieces.append(piece)
                size += len(piece)
                self._unread_bytes += len(piece)
                if size > self._settings.max_body_bytes:
                    raise self._too_large()
                if self._unread_bytes > self._settings.max_unread_bytes:
                    raise Problem(Code.QUEUE_FULL, "More bodies are arriving than the gateway holds at once.")
        finally:
            self._unread_bytes -= size
        return b"".join(pieces)

    def _too_large(self) -> Problem:
        return Problem(Code.TOO_LARGE, f"A body has at most {self._settings.max_body_bytes} octets.")
