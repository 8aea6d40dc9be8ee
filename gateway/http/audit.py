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
from gateway.http.fields import Field, Fields, Limit, take_parameters
from gateway.http.messages import parameters_of
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.store.api import StoreError

PARAMETERS: Final[Fields] = {
    "since": MESSAGE_FILTERS["since"],
    "cursor": Field(str, "must be the cursor of an earlier page, of a gateway that was not started anew since"),
    "limit": Field(Limit, "must be an integer from 1 to 1000"),
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
        values, faults = take_parameters(parameters_of(call.query, PARAMETERS), PARAMETERS)
        after: str | None = ""
        if "since" in values:
            after = first_key(max(0, round(values["since"].timestamp() * 1000)))
        if "cursor" in values:
            after = self._cursors.open(values["cursor"])
        if after is None:
            faults.append(Fault(parameter="cursor", rule=PARAMETERS["cursor"].rule))
        if faults:
            raise invalid(*faults)
        try:
            entries, end = await self._audit.list(after=after or "", limit=values.get("limit", 100))
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "The store cannot be read at the moment.") from None
        views = [
            AuditView(format_time(each.at), each.who or None, each.what, each.subject or None, each.why or None)
            for each in entries
        ]
        return answer(call, AuditListView(views, None if end is None else self._cursors.seal(end)))
