"""GET and POST /v1/ported: the table of ported numbers (携号转网) that is kept by hand.

A number is given in any spelling, or as its keyed hash where the config has a key for them. It is in the body, never in
a path, which others on the way may write down.
"""

import asyncio
from typing import Any, Final, Protocol

import msgspec

from gateway.account import Scope
from gateway.http.calls import Answer, Call, answer
from gateway.http.cursors import SealedCursors
from gateway.http.fields import Field, Fields, Shown, syntax_fault, take_fields
from gateway.http.formats import MALFORMED, decode
from gateway.http.paging import DEFAULT_LIMIT, SEALED_PAGE, take_query, unreadable, wrong_cursor
from gateway.http.problems import MAX_FAULTS, Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.numbers import Network
from gateway.ports import Ported
from gateway.routing.ported import PORTED_TO, PortTableError, parse_row
from gateway.store.api import StoreError

MAX_CHANGES: Final = 10_000
_SLICE: Final = 500  # rows checked between two returns to the loop

_NAMES: Final = ", ".join(PORTED_TO)
ROW: Final[Fields] = {
    "number": Field(str, "must be a phone number, or its keyed hash", Shown.MASKED),
    "network": Field(Network | None, f"must be one of {_NAMES}, or null to forget the number"),
}


class Ports(Protocol):
    """The ported numbers of the gateway."""

    async def listed(self, *, after: str, limit: int) -> list[Ported]:
        """What is kept by hand, behind `after`. Raises StoreError."""

    async def change(self, numbers: dict[str, Network | None]) -> None:
        """Set or (None) forget; all or, with a StoreError, nothing. Returns when it is on disk."""


class PortedNumbers:
    """The calls about ported numbers."""

    def __init__(self, ports: Ports, *, takes_hashes: bool) -> None:
        self._ports = ports
        self._takes_hashes = takes_hashes
        self._cursors = SealedCursors()

    async def page(self, call: Call) -> Answer:
        """One page, in the order of the numbers. Raises Problem."""
        values = take_query(call, SEALED_PAGE)
        limit = values.get("limit", DEFAULT_LIMIT)
        after = self._cursors.open(values["cursor"]) if "cursor" in values else ""
        if after is None:
            raise wrong_cursor(SEALED_PAGE)
        try:
            rows = await self._ports.listed(after=after, limit=limit)
        except StoreError:
            raise unreadable() from None
        cursor = self._cursors.seal(rows[-1].number) if len(rows) == limit else None
        return answer(call, {"ported": rows, "cursor": cursor})

    async def change(self, call: Call) -> Answer:
        """Set or forget up to MAX_CHANGES numbers: all, or none when one of them is wrong. Raises Problem."""
        try:
            rows: list[msgspec.Raw] = decode(call.body, call.body_format, list[msgspec.Raw])
        except msgspec.ValidationError:
            raise invalid(Fault(pointer="", rule="must be an array of objects with number and network")) from None
        except MALFORMED as error:
            raise invalid(syntax_fault(error, call.body, call.body_format)) from None
        if not 1 <= len(rows) <= MAX_CHANGES:
            raise invalid(Fault(pointer="", rule=f"must have 1 to {MAX_CHANGES} elements", value=str(len(rows))))
        changes: dict[str, Network | None] = {}
        faults: list[Fault] = []
        for n, row in enumerate(rows):
            if n and n % _SLICE == 0:
                await asyncio.sleep(0)
            values, wrong = take_fields(row, call.body_format, ROW, ("number", "network"), at=f"/{n}")
            if not wrong:
                wrong = self._add(changes, values, at=f"/{n}")
            faults += wrong
            if len(faults) >= MAX_FAULTS:
                break
        if faults:
            raise invalid(*faults)
        try:
            await self._ports.change(changes)
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "Nothing was changed: the store cannot be written.") from None
        return answer(call, {"changed": len(changes)})

    def routes(self) -> tuple[Route, ...]:
        """Where these calls are."""
        return (
            Route(method="GET", path="/v1/ported", handler=self.page, scope=Scope.OPERATE),
            Route(method="POST", path="/v1/ported", handler=self.change, scope=Scope.OPERATE, takes_body=True),
        )

    def _add(self, changes: dict[str, Network | None], values: dict[str, Any], *, at: str) -> list[Fault]:
        network: Network | None = values["network"]
        try:
            number, _ = parse_row([values["number"], network or PORTED_TO[0]], hashes=self._takes_hashes)
        except PortTableError as error:
            return [Fault(pointer=at, rule=str(error))]
        if number in changes:
            return [Fault(pointer=f"{at}/number", rule="must not come twice")]
        changes[number] = network
        return []
