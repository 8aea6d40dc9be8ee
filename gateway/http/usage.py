"""GET /v1/account and GET /v1/usage: what an account may do, and what it has done."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from gateway.account import Scope
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import Field, Fields
from gateway.http.paging import take_query
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.message import Milliseconds
from gateway.store.api import StoreError
from gateway.usage import DIMENSIONS, MAX_DAYS, MAX_ROWS, Row, TooMuchError, Usage

_DAY: Final = Field(date, "must be a day: 2026-03-01")
PARAMETERS: Final[Fields] = {
    "from": _DAY,
    "to": _DAY,
    "by": Field(str, f"must be some of {', '.join(DIMENSIONS)}, each once, with commas between them"),
    "account": Field(str, "must be the name of an account"),
}


class UsageCalls:
    """Tells accounts about themselves, and operators about all of them."""

    def __init__(self, usage: Usage, clock: Callable[[], Milliseconds]) -> None:
        self._usage = usage
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", path="/v1/account", handler=self.account, scope=Scope.READ),
            Route(method="GET", path="/v1/usage", handler=self.usage, scope=Scope.READ),
        ]

    async def account(self, call: Call) -> Answer:
        """What the caller's key may do, under which names, and how much of it is left."""
        account = call.account
        page = {
            "name": account.name,
            "scopes": sorted(account.scopes),
            "signatures": account.signatures,
            "senders": account.senders,
            "allow_high": account.allow_high,
            "categories": None if account.categories is None else sorted(account.categories),
            "submit_rate": account.submit_rate,
            "quotas": self._usage.quotas(account.name, at=self._clock()),
        }
        return answer(call, page)

    async def usage(self, call: Call) -> Answer:
        """Sums over days; of the caller's account, or of any for those who see all."""
        values = take_query(call, PARAMETERS)
        today = self._usage.today(at=self._clock())
        first, last = values.get("from", today), values.get("to", today)
        by = _dimensions(values)
        if not 0 <= (last - first).days < MAX_DAYS:
            raise invalid(Fault(parameter="to", rule=f"must be less than {MAX_DAYS} days after `from`, and not before"))
        account: str | None = call.account.name
        if call.account.sees_all:
            account = values.get("account")
        elif values.get("account", account) != account:
            raise Problem(Code.FORBIDDEN, "This key sees its own account only.")
        try:
            rows = await self._usage.report(first, last, by, account=account)
        except TooMuchError:
            rule = f"makes more than {MAX_ROWS} lines: ask for fewer days, or by less"
            raise invalid(Fault(parameter="by", rule=rule)) from None
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "The counters could not be read from disk.") from None
        page = {
            "from": str(first),
            "to": str(last),
            "time_zone": self._usage.zone,
            "by": by,
            "usage": [_line(by, row) for row in rows],
        }
        return answer(call, page)


def _dimensions(values: dict[str, Any]) -> list[str]:
    by: list[str] = values.get("by", "day").split(",")
    if not set(by) <= set(DIMENSIONS) or len(set(by)) != len(by):
        raise invalid(Fault(parameter="by", rule=PARAMETERS["by"].rule))
    return by


def _line(by: Sequence[str], row: Row) -> dict[str, object]:
    counts = msgspec.structs.asdict(row)
    del counts["labels"]
    return {**dict(zip(by, row.labels, strict=True)), **counts}
