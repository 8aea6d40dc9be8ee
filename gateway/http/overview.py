"""GET /v1/status: the gateway at a glance, for operators and for the page that they look at."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.account import Scope
from gateway.http.calls import Answer, Call, answer
from gateway.http.routes import Route


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How it is now, and what it has done since it started. Rates are the difference of two looks."""

    at: str
    version: str
    ready: bool
    uptime_seconds: float
    accepted: int  # messages
    refused: Mapping[str, int]  # messages, by code
    submits: Mapping[str, int]  # parts handed to carriers, by outcome
    finished: Mapping[str, int]  # messages, by final status
    queued: Mapping[str, int]  # messages that wait for a carrier, by priority
    oldest_queued_seconds: Mapping[str, float]
    waiting: Mapping[str, int]  # messages that are held, scheduled or in doubt
    open: int  # messages that are accepted and not final
    receipts_overdue: int
    callbacks_waiting: int
    disk_free_bytes: int | None  # null: it cannot be asked


class OverviewCalls:
    """Shows it to operators."""

    def __init__(self, look: Callable[[], Overview]) -> None:
        self._look = look

    def routes(self) -> Sequence[Route]:
        return [Route(method="GET", path="/v1/status", handler=self.show, scope=Scope.OPERATE)]

    async def show(self, call: Call) -> Answer:
        """The gateway at a glance."""
        return answer(call, self._look())
