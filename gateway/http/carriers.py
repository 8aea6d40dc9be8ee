"""What operators do to carriers: POST /v1/carriers/{c}/pause and /resume, POST /v1/binds/{b}/rebind."""

from typing import Annotated, Final, Protocol

import msgspec

from gateway.account import Scope
from gateway.audit import Audit
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import Field, Fields
from gateway.http.operations import CarrierView
from gateway.http.paging import take_query
from gateway.http.problems import Code, Problem
from gateway.http.routes import Route
from gateway.http.status import carrier_page
from gateway.store.api import StoreError

PAUSE: Final[Fields] = {
    "queue": Field(Annotated[str, msgspec.Meta(pattern=r"\A(keep|move)\Z")], "must be keep or move"),
}
_NOTHING: Final[Fields] = {}


class CarrierDesk(Protocol):
    """What the API asks of the carriers. None: there is nothing of this name. The first two raise StoreError."""

    async def pause(self, name: str, queue: str | None) -> CarrierView | None: ...

    async def resume(self, name: str) -> CarrierView | None: ...

    def rebind(self, name: str) -> CarrierView | None: ...


class CarrierControls:
    """Pauses carriers, lets them go on, and binds again."""

    def __init__(self, desk: CarrierDesk, audit: Audit) -> None:
        self._desk = desk
        self._audit = audit

    def routes(self) -> list[Route]:
        """The calls of this part."""
        scope = Scope.OPERATE
        return [
            Route(method="POST", path="/v1/carriers/{c}/pause", handler=self.pause, scope=scope),
            Route(method="POST", path="/v1/carriers/{c}/resume", handler=self.resume, scope=scope),
            Route(method="POST", path="/v1/binds/{b}/rebind", handler=self.rebind, scope=scope),
        ]

    async def pause(self, call: Call) -> Answer:
        """Begin no more messages by a carrier. The answer is the carrier, once that is on disk; again: the same."""
        queue = take_query(call, PAUSE).get("queue")
        try:
            view = await self._desk.pause(call.argument, queue)
            return await self._done(call, view, "carrier.pause", why=f"queue={queue}" if queue else "")
        except StoreError:
            raise _unwritable() from None

    async def resume(self, call: Call) -> Answer:
        """Go on with a carrier. The answer is the carrier, once that is on disk; again: the same."""
        take_query(call, _NOTHING)
        try:
            return await self._done(call, await self._desk.resume(call.argument), "carrier.resume")
        except StoreError:
            raise _unwritable() from None

    async def rebind(self, call: Call) -> Answer:
        """Unbind and bind again. The answer, 202, is the carrier of the bind as it is now: it takes a moment."""
        take_query(call, _NOTHING)
        try:
            return await self._done(call, self._desk.rebind(call.argument), "bind.rebind", status=202)
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "Bound again, and it could not be written who did it.") from None

    async def _done(
        self, call: Call, view: CarrierView | None, what: str, *, why: str = "", status: int = 200
    ) -> Answer:
        """Note who did it, and show the carrier."""
        if view is None:
            raise Problem(Code.NOT_FOUND, "There is nothing of this name.")
        await self._audit.note(call.account.name, what, subject=call.argument, why=why)
        return answer(call, carrier_page(view), status)


def _unwritable() -> Problem:
    return Problem(Code.STORE_UNAVAILABLE, "The store cannot be written at the moment.")
