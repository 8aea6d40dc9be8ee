"""GET /v1/refusals: what was refused of late, newest first, without whole numbers and without texts."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.account import Scope
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import FILTERS, Fields, take_parameters
from gateway.http.messages import parameters_of
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.refusals import RefusalQuery, Refusals, Refused, masked
from gateway.store.api import StoreError

REFUSAL_FILTERS: Final[Fields] = {name: FILTERS[name] for name in ("to", "batch", "cursor", "limit")}
_CURSOR_VERSION: Final = b"\x04"


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
        values, faults = take_parameters(parameters_of(call.query, REFUSAL_FILTERS), REFUSAL_FILTERS)
        if faults:
            raise invalid(*faults)
        cursor = values.get("cursor")
        before = None if cursor is None else _parse_cursor(cursor)
        if cursor is not None and before is None:
            raise invalid(Fault(parameter="cursor", rule=REFUSAL_FILTERS["cursor"].rule))
        to = values.get("to", "")
        query = RefusalQuery(
            account="" if call.account.sees_all else call.account.name,
            to=masked(to) if to else "",
            batch=values.get("batch", ""),
            before=before,
            limit=values.get("limit", 100),
        )
        try:
            page = await self._refusals.find(query)
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "The store cannot be read at the moment.") from None
        cursor = None if page.cursor is None else _cursor(page.cursor)
        return answer(call, RefusalList([_view(refused) for refused in page.refusals], cursor))


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


def _cursor(before: int) -> str:
    return base64.urlsafe_b64encode(_CURSOR_VERSION + before.to_bytes(8, "big")).decode("ascii")


def _parse_cursor(cursor: str) -> int | None:
    """The place that a cursor means; None when it is none of ours."""
    try:
        octets = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return int.from_bytes(octets[1:], "big") if len(octets) == 9 and octets[:1] == _CURSOR_VERSION else None
