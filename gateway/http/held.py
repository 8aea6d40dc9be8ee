"""GET /v1/held, and the reviewers' words: POST /v1/messages/{id}/approve and /reject."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from gateway.account import Scope
from gateway.http.answers import MessageView, message_view
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import Field, Fields, Shown, take_fields
from gateway.http.formats import Shape, shape_of
from gateway.http.messages import CURSORS, parse_id
from gateway.http.paging import PAGE, take_query, unreadable
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.routes import Route
from gateway.message import Message, MessageId, Record
from gateway.review import LONGEST_REASON, NotHeldError, Reviews, Word
from gateway.store.api import StoreError

_MAX_BODY_BYTES: Final = 65_536
_SLICE: Final = 200  # messages shown between two returns to the loop

ReasonText = Annotated[str, msgspec.Meta(max_length=LONGEST_REASON, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]

BODY: Final[Fields] = {
    "reason": Field(
        ReasonText, f"must be a string of at most {LONGEST_REASON} characters, none a control character", Shown.NOT
    ),
}


# The listed words of a message, as a refusal for them would tell them.
WordsOf = Callable[[Message], Sequence[Mapping[str, Any]]]


class HeldView(MessageView, frozen=True):
    """A held message as its reviewer sees it: with the listed words that it has, by the lists as they are now."""

    words: Sequence[Mapping[str, Any]]


class HeldListView(msgspec.Struct, frozen=True):
    """One page of held messages, oldest first."""

    messages: list[HeldView]
    cursor: str | None


class HeldCalls:
    """Shows held messages to reviewers, and takes their word."""

    def __init__(self, reviews: Reviews, words_of: WordsOf = lambda _: ()) -> None:
        self._reviews = reviews
        self._words_of = words_of

    def routes(self) -> Sequence[Route]:
        review = Scope.REVIEW
        return [
            Route(method="GET", path="/v1/held", handler=self.list, scope=review),
            Route(
                method="POST",
                path="/v1/messages/{id}/approve",
                handler=self.approve,
                scope=review,
                takes_body=True,
                body_is_optional=True,
            ),
            Route(
                method="POST",
                path="/v1/messages/{id}/reject",
                handler=self.reject,
                scope=review,
                takes_body=True,
                body_is_optional=True,
            ),
        ]

    async def list(self, call: Call) -> Answer:
        """Held messages, oldest first."""
        values = take_query(call, PAGE)
        after = MessageId(CURSORS.place(values) or 0)
        try:
            page = await self._reviews.held(after=after, limit=values.get("limit", 100))
        except StoreError:
            raise unreadable() from None
        views: list[HeldView] = []
        for start in range(0, len(page.records), _SLICE):
            if start:
                await asyncio.sleep(0)
            views += map(self._view, page.records[start : start + _SLICE])
        return answer(call, HeldListView(views, CURSORS.of(page.after)))

    def _view(self, record: Record) -> HeldView:
        view = message_view(record, mask_codes=True)
        return HeldView(**msgspec.structs.asdict(view), words=self._words_of(record.message))

    async def approve(self, call: Call) -> Answer:
        """Let a message go, if the rules of this moment agree."""
        return await self._say(call, Word.APPROVED)

    async def reject(self, call: Call) -> Answer:
        """Cancel a message."""
        return await self._say(call, Word.REJECTED)

    async def _say(self, call: Call, word: Word) -> Answer:
        why = _reason(call)
        message_id = parse_id(call.argument)
        try:
            record = (
                None
                if message_id is None
                else await self._reviews.say(word, message_id, who=call.account.name, why=why)
            )
        except NotHeldError as error:
            detail = f"The message is {error.status}: it does not wait for a reviewer, or was reviewed otherwise."
            raise Problem(Code.NOT_HELD, detail) from None
        except StoreError:
            detail = "Your word could not be written to disk at the moment. Say it again."
            raise Problem(Code.STORE_UNAVAILABLE, detail) from None
        if record is None:
            raise Problem(Code.NOT_FOUND, "There is no message with this id.")
        return answer(call, message_view(record, mask_codes=True))


def _reason(call: Call) -> str:
    """The reviewer's words; none without a body. Raises Problem."""
    if not call.body:
        return ""
    if len(call.body) > _MAX_BODY_BYTES:
        raise Problem(Code.TOO_LARGE, f"The body has at most {_MAX_BODY_BYTES} octets.")
    if shape_of(call.body, call.body_format) is not Shape.OBJECT:
        raise invalid(Fault(pointer="", rule="must be an object"))
    values, faults = take_fields(call.body, call.body_format, BODY)
    if faults:
        raise invalid(*faults)
    return str(values.get("reason", "")).strip()
