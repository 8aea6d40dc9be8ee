"""GET /v1/refusals: what was refused of late, newest first, without whole numbers and without texts."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.account import Scope
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import FILTERS, Fields
from gateway.http.paging import IdCursors, take_query, unreadable
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
        return [Route(method="GET", path="/v1/refusals", handler=self.list, scope=Scope.READ)]

    async def list(self, call: Call) -> Answer:
        """One page, newest first. Raises Problem."""
        values = take_query(call, REFUSAL_FILTERS)
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
