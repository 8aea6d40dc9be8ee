"""GET /v1/refusals and POST /v1/refusals/search: what was refused of late, without whole numbers and without texts."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.account import Scope
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import FILTERS, Fields, take_fields
from gateway.http.formats import Shape, shape_of
from gateway.http.messages import MAX_SEARCH_BYTES
from gateway.http.paging import IdCursors, take_query, unreadable
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.refusals import RefusalQuery, Refusals, Refused, masked
from gateway.store.api import StoreError

REFUSAL_FILTERS: Final[Fields] = {name: FILTERS[name] for name in ("to", "batch", "cursor", "limit")}
_CURSORS: Final = IdCursors(4)


class RefusalView(msgspec.Struct, frozen=True):
    """One message that was refused."""

    at: str
    account: str
    to: str  # masked
    code: str
    rule: str | None
    category: str
    batch: str | None
    client_ref: str | None


class RefusalList(msgspec.Struct, frozen=True):
    """One page of them."""

    refusals: Sequence[RefusalView]
    cursor: str | None


class RefusalCalls:
    """Lists refusals: an account its own, who operates everybody's."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def routes(self) -> Sequence[Route]:
        search = "/v1/refusals/search"
        return [
            Route(method="GET", path="/v1/refusals", handler=self.list, scope=Scope.READ),
            Route(method="POST", path=search, handler=self.search, scope=Scope.READ, takes_body=True),
        ]

    async def list(self, call: Call) -> Answer:
        """One page, newest first. Raises Problem."""
        return await self._page(call, take_query(call, REFUSAL_FILTERS))

    async def search(self, call: Call) -> Answer:
        """The same, by the members of the body, so that numbers stay out of the logs of proxies. Raises Problem."""
        if len(call.body) > MAX_SEARCH_BYTES:
            raise Problem(Code.TOO_LARGE, f"The body of a search has at most {MAX_SEARCH_BYTES} octets.")
        if shape_of(call.body, call.body_format) is not Shape.OBJECT:
            raise invalid(Fault(pointer="", rule="must be an object of filters"))
        values, faults = take_fields(call.body, call.body_format, REFUSAL_FILTERS)
        if faults:
            raise invalid(*faults)
        return await self._page(call, values)

    async def _page(self, call: Call, values: dict[str, Any]) -> Answer:
        to = values.get("to", "")
        query = RefusalQuery(
            account="" if call.account.sees_all else call.account.name,
            to=masked(to) if to else "",
            batch=values.get("batch", ""),
            before=_CURSORS.place(values),
            limit=values.get("limit", 100),
        )
        try:
            page = await self._refusals.find(query)
        except StoreError:
            raise unreadable() from None
        views = [_view(refused) for refused in page.refusals]
        return answer(call, RefusalList(views, _CURSORS.of(page.cursor)))


def _view(refused: Refused) -> RefusalView:
    return RefusalView(
        at=format_time(refused.at),
        account=refused.account,
        to=refused.to,
        code=refused.code,
        rule=refused.rule or None,
        category=refused.category,
        batch=refused.batch or None,
        client_ref=refused.client_ref or None,
    )
