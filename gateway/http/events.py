"""What an account is told: GET /v1/events, GET /v1/callbacks/failed, POST /v1/callbacks/replay."""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Protocol

import msgspec

from gateway.event_view import event_view, format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.fields import Field, Fields, take_fields
from gateway.http.formats import Shape, shape_of
from gateway.http.paging import MAX_ID, PAGE, take_query, unreadable, wrong_cursor
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.message import Milliseconds
from gateway.store.api import Event, EventId, Store, StoreError

KEPT_MILLISECONDS: Final = 7 * 86_400_000
_MOST_LOOKS: Final = 10  # pages of events that are too old, before an answer,
_LOOK_EVENTS: Final = 1_000  # each with so many
_EVENT_CURSOR: Final = struct.Struct(">BQ")
_PLACE_CURSOR: Final = struct.Struct(">BQI")
_EVENTS_VERSION: Final = 2
_PLACE_VERSION: Final = 3

_EventId = Annotated[str, msgspec.Meta(pattern=r"\A[1-9][0-9]{0,18}\Z")]
_EventIds = Annotated[list[_EventId], msgspec.Meta(min_length=1, max_length=10_000)]
REPLAY: Final[Fields] = {"event_ids": Field(_EventIds, "must be an array of 1 to 10000 event ids, as they were told")}


class Failed(Protocol):
    """An event that was given up."""

    @property
    def event(self) -> Event: ...
    @property
    def at(self) -> Milliseconds: ...
    @property
    def error(self) -> str: ...


class CallbackDesk(Protocol):
    """What the API asks of the callbacks."""

    def keeps_events(self, account: str) -> bool: ...

    async def failed(
        self, account: str, *, after: tuple[int, int] | None, limit: int
    ) -> tuple[Sequence[Failed], tuple[int, int] | None]: ...

    async def replay(self, account: str, event_ids: frozenset[EventId] | None) -> int: ...


class Events:
    """Tells accounts what they were told, and what they could not be."""

    def __init__(self, store: Store, desk: CallbackDesk, clock: Callable[[], Milliseconds]) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock

    async def list(self, call: Call) -> Answer:
        """Events in the order they came, from a cursor on. The answer always has a cursor: where to go on later."""
        values = self._page(call)
        cursor = values.get("cursor")
        after = EventId(0) if cursor is None else _parse_events_cursor(cursor)
        if after is None:
            raise wrong_cursor()
        limit = values.get("limit", 100)
        oldest = self._clock() - KEPT_MILLISECONDS
        kept: list[Event] = []
        size = limit
        for _ in range(_MOST_LOOKS):
            events = await self._read(call.account.name, after, size)
            kept = [event for event in events if event.at >= oldest][:limit]
            if events:
                after = (kept or events)[-1].id
            if kept or not events:
                break
            size = _LOOK_EVENTS
        page = {"events": [event_view(event) for event in kept], "cursor": _events_cursor(after)}
        return answer(call, page)

    async def failed(self, call: Call) -> Answer:
        """Events that were given up, oldest first."""
        values = self._page(call)
        cursor = values.get("cursor")
        after = None if cursor is None else _parse_place(cursor)
        if cursor is not None and after is None:
            raise wrong_cursor()
        try:
            failed, place = await self._desk.failed(call.account.name, after=after, limit=values.get("limit", 100))
        except StoreError:
            raise unreadable() from None
        views = [
            {"event": event_view(each.event), "failed_at": format_time(each.at), "error": each.error} for each in failed
        ]
        return answer(call, {"failed": views, "cursor": None if place is None else _place_cursor(place)})

    async def replay(self, call: Call) -> Answer:
        """Send events that were given up again: those that the body names, or all. How many, once that is on disk."""
        self._check_kept(call)
        if shape_of(call.body, call.body_format) is not Shape.OBJECT:
            raise invalid(Fault(pointer="", rule='must be an object: {} for all, or {"event_ids": […]}'))
        values, faults = take_fields(call.body, call.body_format, REPLAY)
        if faults:
            raise invalid(*faults)
        named = values.get("event_ids")
        chosen = None if named is None else frozenset(EventId(int(event_id)) for event_id in named)
        try:
            count = await self._desk.replay(call.account.name, chosen)
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "The store cannot be written at the moment.") from None
        return answer(call, {"replayed": count})

    def _page(self, call: Call) -> dict[str, Any]:
        self._check_kept(call)
        return take_query(call, PAGE)

    def _check_kept(self, call: Call) -> None:
        if not self._desk.keeps_events(call.account.name):
            detail = "No events are kept for this account. Give it a table [account.callback], with a url or without."
            raise Problem(Code.NOT_FOUND, detail)

    async def _read(self, account: str, after: EventId, limit: int) -> Sequence[Event]:
        try:
            return await self._store.events(account, after=after, limit=limit)
        except StoreError:
            raise unreadable() from None


def _events_cursor(after: EventId) -> str:
    return base64.urlsafe_b64encode(_EVENT_CURSOR.pack(_EVENTS_VERSION, after)).decode("ascii")


def _parse_events_cursor(cursor: str) -> EventId | None:
    found = _unpack(cursor, _EVENT_CURSOR, _EVENTS_VERSION)
    return None if found is None else EventId(found[0])


def _place_cursor(place: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(_PLACE_CURSOR.pack(_PLACE_VERSION, *place)).decode("ascii")


def _parse_place(cursor: str) -> tuple[int, int] | None:
    found = _unpack(cursor, _PLACE_CURSOR, _PLACE_VERSION)
    return None if found is None else (found[0], found[1])


def _unpack(cursor: str, form: struct.Struct, version: int) -> tuple[int, ...] | None:
    """What is in a cursor; None when it is none of ours."""
    try:
        octets = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(octets) != form.size or octets[0] != version:
        return None
    values: tuple[int, ...] = form.unpack(octets)[1:]
    return values if values[0] <= MAX_ID else None
