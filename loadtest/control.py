"""A client of the simulator's control HTTP: what it saw of the messages."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec

from loadtest.errors import CannotRun

_TIMEOUT_SECONDS: Final = 120.0


class Place(msgspec.Struct, frozen=True):
    """Which part of a long message it is."""

    reference: int
    total: int
    number: int


class Submitted(msgspec.Struct, frozen=True):
    """A submit_sm that the simulator took off the wire."""

    n: int
    phone: str
    part: Place | None = None
    at: str = ""  # RFC 3339
    taken_as: str = ""  # the id that it was processed under; none where it was refused


class Control:
    """The calls of one simulator. Raises CannotRun when it cannot be asked."""

    def __init__(self, base_url: str) -> None:
        self.base_url: Final = base_url

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self.base_url, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS), trust_env=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def submitted(self) -> AsyncIterator[Submitted]:
        """Return every submit_sm in the simulator's journal, oldest first."""
        decode = msgspec.json.Decoder(Submitted).decode
        try:
            async with self._session.get("/journal", params={"command": "submit_sm"}) as response:
                response.raise_for_status()
                async for line in response.content:
                    yield decode(line)
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
            raise CannotRun(f"the simulator's journal cannot be read: {error!r}") from error
