"""GET /v1/audit: who did what, for operators."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.account import Scope
from gateway.audit import Audit, first_key
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.cursors import SealedCursors
from gateway.http.fields import FILTERS as MESSAGE_FILTERS
from gateway.http.fields import Fields
from gateway.http.paging import SEALED_PAGE, take_query, unreadable, wrong_cursor
from gateway.http.routes import Route
from gateway.store.api import StoreError

PARAMETERS: Final[Fields] = {
    "since": MESSAGE_FILTERS["since"],
    **SEALED_PAGE,
}


class AuditView(msgspec.Struct, frozen=True):
    """One thing that was done."""

    at: str
    who: str | None  # null: a subscriber, by reply
    what: str
    subject: str | None
    why: str | None


class AuditListView(msgspec.Struct, frozen=True):
    """One page, oldest first."""

    entries: list[AuditView]
    cursor: str | None


class AuditCalls:
    """Shows the audit."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._cursors = SealedCursors()

    def routes(self) -> Sequence[Route]:
        return [Route(method="GET", path="/v1/audit", handler=self.list, scope=Scope.OPERATE)]

    async def list(self, call: Call) -> Answer:
        """A page of entries, oldest first."""
        values = take_query(call, PARAMETERS)
        after: str | None = ""
        if "since" in values:
            after = first_key(max(0, round(values["since"].timestamp() * 1000)))
        if "cursor" in values:
            after = self._cursors.open(values["cursor"])
        if after is None:
            raise wrong_cursor(PARAMETERS)
        try:
            entries, end = await self._audit.list(after=after, limit=values.get("limit", 100))
        except StoreError:
            raise unreadable() from None
        views = [
            AuditView(format_time(each.at), each.who or None, each.what, each.subject or None, each.why or None)
            for each in entries
        ]
        return answer(call, AuditListView(views, None if end is None else self._cursors.seal(end)))
