"""GET /v1/inbound: what subscribers wrote to the account, newest first."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.account import Scope
from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import FILTERS, Fields
from gateway.http.messages import CURSORS, since_of
from gateway.http.paging import take_query, unreadable
from gateway.http.routes import Route
from gateway.message import MessageId, Milliseconds
from gateway.store.api import InboundMessage, InboundQuery, Store, StoreError

INBOUND_FILTERS: Final[Fields] = {name: FILTERS[name] for name in ("since", "cursor", "limit")}


class InboundView(msgspec.Struct, frozen=True):
    """A message from a subscriber."""

    id: str
    account: str | None  # null: nobody's that is known
    source: str = msgspec.field(name="from")
    to: str
    text: str
    at: str
    answers: str | None  # the id of the message that it is a reply to
    missing: Sequence[int]  # the numbers of the parts that never came
    carrier: str


class InboundList(msgspec.Struct, frozen=True):
    """One page of them."""

    messages: Sequence[InboundView]
    cursor: str | None


class InboundCalls:
    """Lists messages from subscribers for those whose they are; those that are nobody's for operators alone."""

    def __init__(self, store: Store, clock: Callable[[], Milliseconds]) -> None:
        self._store = store
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        return [Route(method="GET", path="/v1/inbound", handler=self.list, scope=Scope.READ)]

    async def list(self, call: Call) -> Answer:
        """One page, newest first. Raises Problem."""
        values = take_query(call, INBOUND_FILTERS)
        before = CURSORS.place(values)
        query = InboundQuery(
            account="" if call.account.sees_all else call.account.name,
            since=since_of(values.get("since"), now=self._clock()),
            before=None if before is None else MessageId(before),
            limit=values.get("limit", 100),
        )
        try:
            page = await self._store.find_inbound(query)
        except StoreError:
            raise unreadable() from None
        views = [_view(message) for message in page.messages]
        return answer(call, InboundList(views, CURSORS.of(page.cursor)))


def _view(message: InboundMessage) -> InboundView:
    return InboundView(
        id=str(message.id),
        account=message.account or None,
        source=message.source,
        to=message.destination,
        text=message.text,
        at=format_time(message.at),
        answers=str(message.answers) if message.answers else None,
        missing=message.missing,
        carrier=message.carrier,
    )
