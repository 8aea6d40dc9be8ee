"""/v1/suppressions: numbers that a carrier has blacklisted, for operators, who may know better."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from gateway.account import Scope
from gateway.audit import Audit
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.cursors import SealedCursors
from gateway.http.fields import Field, Fields, Shown, show
from gateway.http.paging import SEALED_PAGE, read_query, unreadable
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.numbers import InvalidNumber, normalise
from gateway.store.api import Commit, StoreError
from gateway.suppression import Suppressions

_CARRIER: Final = Field(str, "must be the name of a carrier")
SCOPE: Final[Fields] = {"carrier": _CARRIER}
FILTERS: Final[Fields] = {
    "carrier": _CARRIER,
    **SEALED_PAGE,
}


class SuppressionView(msgspec.Struct, frozen=True):
    """A number that is not sent to by a carrier. `reason`: the code that the carrier gave, or who said so."""

    to: str
    carrier: str
    at: str
    reason: str | None


class SuppressionListView(msgspec.Struct, frozen=True):
    """One page."""

    suppressions: list[SuppressionView]
    cursor: str | None


class SuppressionCalls:
    """Shows and changes which numbers go by which carriers no more."""

    def __init__(self, suppressions: Suppressions, audit: Audit, carriers: Collection[str]) -> None:
        """`carriers`: the names of those configured."""
        self._suppressions = suppressions
        self._audit = audit
        self._carriers = carriers
        self._cursors = SealedCursors()

    def routes(self) -> Sequence[Route]:
        one, operate = "/v1/suppressions/{to}", Scope.OPERATE
        return [
            Route(method="GET", path="/v1/suppressions", handler=self.list, scope=operate),
            Route(method="PUT", path=one, handler=self.add, scope=operate),
            Route(method="DELETE", path=one, handler=self.remove, scope=operate),
        ]

    async def list(self, call: Call) -> Answer:
        """A page of one carrier's, in the order of numbers."""
        values, faults = read_query(call, FILTERS)
        carrier = _carrier(values, faults, self._carriers)
        after = self._cursors.open(values["cursor"]) if "cursor" in values else ""
        if after is None:
            faults.append(Fault(parameter="cursor", rule=FILTERS["cursor"].rule))
        if faults:
            raise invalid(*faults)
        limit = values.get("limit", 100)
        try:
            found = await self._suppressions.list(carrier, after=after or "", limit=limit)
        except StoreError:
            raise unreadable() from None
        views = [SuppressionView(number, carrier, format_time(each.at), each.reason or None) for number, each in found]
        cursor = self._cursors.seal(found[-1][0]) if len(found) == limit else None
        return answer(call, SuppressionListView(views, cursor))

    async def add(self, call: Call) -> Answer:
        """Leave a carrier out for a number; the same again changes nothing."""
        carrier, number = self._parse(call)
        new = not self._suppressions.has(carrier, number)
        commit = self._suppressions.suppress(carrier, number, reason=f"by {call.account.name}")
        if not self._suppressions.has(carrier, number):
            raise Problem(Code.QUEUE_FULL, "The gateway keeps as many suppressed numbers as it may.")
        await self._finish(call, "suppression.add" if new else "", commit, f"{carrier}/{number}")
        return answer(call, {"to": number, "carrier": carrier, "suppressed": True})

    async def remove(self, call: Call) -> Answer:
        """Let the carrier be tried again. `removed` says whether it was left out."""
        carrier, number = self._parse(call)
        commit = self._suppressions.lift(carrier, number)
        await self._finish(call, "suppression.remove" if commit else "", commit, f"{carrier}/{number}")
        return answer(call, {"to": number, "carrier": carrier, "removed": commit is not None})

    async def _finish(self, call: Call, what: str, commit: Commit | None, subject: str) -> None:
        """Note the change and wait until it is on disk. Raises Problem."""
        noted = self._audit.note(call.account.name, what, subject=subject) if what else None
        try:
            for each in (commit, noted):
                if each is not None:
                    await asyncio.shield(each)
        except StoreError:
            detail = "The change could not be written to disk, and does not hold."
            raise Problem(Code.STORE_UNAVAILABLE, detail) from None

    def _parse(self, call: Call) -> tuple[str, str]:
        """The carrier and the number that a path and its query mean. Raises Problem."""
        values, faults = read_query(call, SCOPE)
        carrier = _carrier(values, faults, self._carriers)
        written = unquote(call.argument)
        try:
            number = normalise(written).e164
        except InvalidNumber as error:
            number = ""
            rule = f"must be a phone number: {error.reason}"
            faults.append(Fault(parameter="to", rule=rule, value=show(written, Shown.MASKED)))
        if faults:
            raise invalid(*faults)
        return carrier, number


def _carrier(values: dict[str, Any], faults: list[Fault], known: Collection[str]) -> str:
    """The carrier that a query names; a fault more when it is none of those known."""
    carrier = str(values.get("carrier", ""))
    if carrier not in known:
        faults.append(Fault(parameter="carrier", rule=f"{_CARRIER.rule}: one of {', '.join(sorted(known))}"))
    return carrier
