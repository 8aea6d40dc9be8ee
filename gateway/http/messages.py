"""GET /v1/messages/{id}, the list, and the search: an account sees its own messages only."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from gateway.account import Account
from gateway.http.answers import ListView, MessageView, message_view
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import FILTERS, take_fields
from gateway.http.formats import Shape, shape_of
from gateway.http.paging import MAX_ID, IdCursors, take_query, unreadable
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.message import MessageId, Milliseconds
from gateway.numbers import InvalidNumber, normalise
from gateway.store.api import Query, Store, StoreError

_DAY_MILLISECONDS: Final = 86_400_000
MAX_SEARCH_BYTES: Final = 65_536
_SLICE: Final = 200  # messages shown between two returns to the loop
CURSORS: Final = IdCursors(1)


class Messages:
    """Finds messages for those who may see them."""

    def __init__(self, store: Store, clock: Callable[[], Milliseconds]) -> None:
        self._store = store
        self._clock = clock

    async def get(self, call: Call) -> Answer:
        """One message. Raises Problem (404), the same for one that is not there and one of another account."""
        message_id = parse_id(call.argument)
        try:
            record = None if message_id is None else await self._store.read(message_id)
        except StoreError:
            raise unreadable() from None
        if record is None or not _may_see(call.account, record.message.account):
            raise Problem(Code.NOT_FOUND, "There is no message with this id.")
        return answer(call, message_view(record, mask_codes=call.account.sees_all))

    async def list(self, call: Call) -> Answer:
        """A page of messages, newest first, by the parameters of the query."""
        return await self._page(call, take_query(call, FILTERS), place="parameter", prefix="")

    async def search(self, call: Call) -> Answer:
        """The same, by the members of the body, so that numbers stay out of the logs of proxies."""
        if len(call.body) > MAX_SEARCH_BYTES:
            raise Problem(Code.TOO_LARGE, f"The body of a search has at most {MAX_SEARCH_BYTES} octets.")
        if shape_of(call.body, call.body_format) is not Shape.OBJECT:
            raise invalid(Fault(pointer="", rule="must be an object of filters"))
        values, faults = take_fields(call.body, call.body_format, FILTERS)
        if faults:
            raise invalid(*faults)
        return await self._page(call, values, place="pointer", prefix="/")

    async def _page(self, call: Call, values: dict[str, Any], *, place: str, prefix: str) -> Answer:
        def fault(name: str) -> Problem:
            where: dict[str, Any] = {place: prefix + name}
            return invalid(Fault(**where, rule=FILTERS[name].rule))

        to = values.get("to", "")
        cursor = values.get("cursor")
        try:
            number = normalise(to).e164 if to else ""
        except InvalidNumber:
            raise fault("to") from None
        before = None if cursor is None else CURSORS.parse(cursor)
        if cursor is not None and before is None:
            raise fault("cursor")
        query = Query(
            account="" if call.account.sees_all else call.account.name,
            to=number,
            client_ref=values.get("client_ref", ""),
            batch=values.get("batch", ""),
            status=values.get("status"),
            since=since_of(values.get("since"), now=self._clock()),
            before=None if before is None else MessageId(before),
            limit=values.get("limit", 100),
        )
        try:
            page = await self._store.find(query)
        except StoreError:
            raise unreadable() from None
        views: list[MessageView] = []
        for start in range(0, len(page.records), _SLICE):
            if start:
                await asyncio.sleep(0)
            shown = page.records[start : start + _SLICE]
            views += [message_view(record, mask_codes=call.account.sees_all) for record in shown]
        return answer(call, ListView(views, CURSORS.of(page.cursor)))


def since_of(asked: datetime | None, *, now: Milliseconds) -> Milliseconds:
    """Of since when a list is: a day back by default; no time that the ids of messages have no room for."""
    if asked is None:
        return now - _DAY_MILLISECONDS
    return min(max(0, round(asked.timestamp() * 1000)), now + _DAY_MILLISECONDS)


def _may_see(account: Account, owner: str) -> bool:
    return account.sees_all or account.name == owner


def parse_id(text: str) -> MessageId | None:
    """An id as we show it, or None: one spelling only."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or text[0] == "0":
        return None
    number = int(text)
    return MessageId(number) if number <= MAX_ID else None
