"""/v1/opt-outs: who wants no messages of which sender and category, for operators."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from gateway.account import Scope as Right
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.cursors import SealedCursors
from gateway.http.fields import Field, Fields, Shown, show, take_fields
from gateway.http.formats import CSV, Shape, shape_of
from gateway.http.paging import SEALED_PAGE, read_query, take_query, unreadable
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.message import Category, Milliseconds
from gateway.numbers import InvalidNumber, normalise
from gateway.opt_out_import import ImportBusyError, ImportFaultsError, OptOutImport
from gateway.opt_outs import OptOut, OptOutRegister, OptOutsFullError, Source
from gateway.policy.consent import EVERYONE, Scope, sender_fault
from gateway.store.api import StoreError

_MAX_SEARCH_BYTES: Final = 65_536
_SIGNATURE: Final = "must be a signature without 【】, or @ and the name of an account"
_CATEGORY: Final = Field(Category, f"must be one of {', '.join(Category)}")

SCOPE: Final[Fields] = {"signature": Field(str, _SIGNATURE), "category": _CATEGORY}
FILTERS: Final[Fields] = {
    "to": Field(str, "must be a phone number", Shown.MASKED),
    "signature": Field(str, _SIGNATURE),
    **SEALED_PAGE,
}


class OptOutView(msgspec.Struct, frozen=True, kw_only=True):
    """One opt-out with its proof. `signature` is null when it is from everyone."""

    to: str
    signature: str | None
    category: str
    at: str
    source: str
    account: str
    text: str | None
    message_id: str | None


class OptOutListView(msgspec.Struct, frozen=True):
    """One page."""

    opt_outs: list[OptOutView]
    cursor: str | None


class OptOutCalls:
    """Shows and changes the register."""

    def __init__(self, register: OptOutRegister, imports: OptOutImport, clock: Callable[[], Milliseconds]) -> None:
        self._register = register
        self._imports = imports
        self._clock = clock
        self._cursors = SealedCursors()

    def routes(self) -> Sequence[Route]:
        one, operate = "/v1/opt-outs/{to}", Right.OPERATE
        return [
            Route(method="GET", path="/v1/opt-outs", handler=self.list, scope=operate),
            Route(method="POST", path="/v1/opt-outs/search", handler=self.search, scope=operate, takes_body=True),
            Route(
                method="POST",
                path="/v1/opt-outs/import",
                handler=self.take_file,
                scope=operate,
                takes_body=True,
                media_type=CSV,
            ),
            Route(method="PUT", path=one, handler=self.add, scope=operate),
            Route(method="DELETE", path=one, handler=self.remove, scope=operate),
        ]

    async def list(self, call: Call) -> Answer:
        """A page, in the order of numbers, by the parameters of the query."""
        values = take_query(call, FILTERS)
        return await self._page(call, values, place="parameter", prefix="")

    async def search(self, call: Call) -> Answer:
        """The same, by the members of the body, so that numbers stay out of the logs of proxies."""
        if len(call.body) > _MAX_SEARCH_BYTES:
            raise Problem(Code.TOO_LARGE, f"The body of a search has at most {_MAX_SEARCH_BYTES} octets.")
        if shape_of(call.body, call.body_format) is not Shape.OBJECT:
            raise invalid(Fault(pointer="", rule="must be an object of filters"))
        values, faults = take_fields(call.body, call.body_format, FILTERS)
        if faults:
            raise invalid(*faults)
        return await self._page(call, values, place="pointer", prefix="/")

    async def add(self, call: Call) -> Answer:
        """Add one, and show it; the same again changes nothing."""
        scope = _scope(call)
        proof = OptOut(self._clock(), Source.API, call.account.name)
        try:
            kept = await self._register.opt_out(scope, proof)
        except OptOutsFullError as error:
            raise _full(error) from None
        except StoreError:
            raise _unavailable() from None
        return answer(call, _view(scope, kept))

    async def remove(self, call: Call) -> Answer:
        """Remove one: messages go there again. `removed` says whether it was there."""
        scope = _scope(call)
        try:
            removed = await self._register.opt_in(scope, who=call.account.name, why="api")
        except StoreError:
            raise _unavailable() from None
        shown = {"to": scope.number, "signature": scope.sender or None, "category": scope.category, "removed": removed}
        return answer(call, shown)

    async def take_file(self, call: Call) -> Answer:
        """Add all of a CSV file, or nothing of it."""
        try:
            imported = await self._imports.take(call.body, who=call.account.name)
        except ImportFaultsError as error:
            raise invalid(
                *(
                    Fault(line=each.line, parameter=each.column or None, rule=each.rule, value=each.value or None)
                    for each in error.faults
                )
            ) from None
        except ImportBusyError:
            raise Problem(Code.QUEUE_FULL, "Another file is being taken in.") from None
        except OptOutsFullError as error:
            raise _full(error) from None
        except StoreError:
            detail = "The disk did not take all of it. What is missing follows with the next import, or the next start."
            raise Problem(Code.STORE_UNAVAILABLE, detail) from None
        return answer(call, imported)

    async def _page(self, call: Call, values: dict[str, Any], *, place: str, prefix: str) -> Answer:
        def fault(name: str) -> Problem:
            where: dict[str, Any] = {place: prefix + name}
            return invalid(Fault(**where, rule=FILTERS[name].rule))

        to, sender = values.get("to", ""), values.get("signature")
        try:
            number = normalise(to).e164 if to else ""
        except InvalidNumber:
            raise fault("to") from None
        if sender and sender_fault(sender) is not None:
            raise fault("signature")
        after = self._cursors.open(values["cursor"]) if "cursor" in values else ""
        if after is None:
            raise fault("cursor")
        try:
            found, end = await self._register.list(
                number=number, sender=sender, after=after, limit=values.get("limit", 100)
            )
        except StoreError:
            raise unreadable() from None
        cursor = None if end is None else self._cursors.seal(end)
        return answer(call, OptOutListView([_view(scope, opt_out) for scope, opt_out in found], cursor))


def _scope(call: Call) -> Scope:
    """What a path and its query mean. Raises Problem."""
    values, faults = read_query(call, SCOPE)
    written = unquote(call.argument)
    try:
        number = normalise(written).e164
    except InvalidNumber as error:
        rule = f"must have a phone number at its end: {error.reason}"
        faults.append(Fault(parameter="to", rule=rule, value=show(written, Shown.MASKED)))
        number = ""
    sender = values.get("signature", EVERYONE)
    if sender != EVERYONE and sender_fault(sender) is not None:
        faults.append(Fault(parameter="signature", rule=_SIGNATURE))
    if faults:
        raise invalid(*faults)
    return Scope(sender, number, values.get("category", Category.MARKETING))


def _view(scope: Scope, opt_out: OptOut) -> OptOutView:
    return OptOutView(
        to=scope.number,
        signature=scope.sender or None,
        category=scope.category,
        at=format_time(opt_out.at),
        source=opt_out.source,
        account=opt_out.account,
        text=opt_out.text or None,
        message_id=str(opt_out.message_id) if opt_out.message_id else None,
    )


def _full(error: OptOutsFullError) -> Problem:
    return Problem(Code.QUEUE_FULL, f"The gateway keeps at most {error.limit} opt-outs.")


def _unavailable() -> Problem:
    return Problem(Code.STORE_UNAVAILABLE, "The change could not be written to disk, and does not hold.")
