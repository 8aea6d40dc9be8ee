"""Lists: what matches a query, newest first, a bounded stretch of the store at a time."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.message import FINAL, MessageId, Record, Status, first_id_at
from gateway.store.api import InboundMessage, InboundPage, InboundQuery, Page, Query
from gateway.store.files import DataFile, files_between
from gateway.store.indexes import INDEXED_FIELDS, LAST_ID, Region
from gateway.store.matching import has_attempt, matches
from gateway.store.reader import RECORD, Reader
from gateway.store.rows import decode_inbound, encode_text
from gateway.store.schema import END_OF_LANES, FIRST_LANE, INBOUND_PATHS, PATHS, STATUS_CODES

_FIRST_STRETCH: Final = 500  # messages looked at first; each stretch after it is four times as long
_LOOK_UP: Final = 100  # messages read from the data files for one look into an index
_LOOK_UP_COST: Final = 500  # opening a file costs about as much as looking at so many messages
_RANGE: Final = f"{RECORD} WHERE id > ? AND id < ?"
_NEWEST: Final = "ORDER BY id DESC LIMIT ?"
_HAS_ATTEMPT: Final = """
    EXISTS (
        SELECT 1
        FROM json_each(state, '$[1]') AS part, json_each(part.value, '$[1]') AS attempt
        WHERE attempt.value ->> 0 = ? ->> 0 AND attempt.value ->> 3 IN (SELECT value FROM json_each(?))
    )
"""

_INBOUND_STRETCH: Final = (
    "SELECT count(*), min(id) FROM (SELECT id FROM inbound WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?)"
)
_INBOUND: Final = f"""
    SELECT body FROM inbound
    WHERE id > ? AND id < ? AND (?3 = '[""]' OR body ->> '{INBOUND_PATHS["account"]}' = ?3 ->> 0)
        AND body ->> '{INBOUND_PATHS["at"]}' >= ?4
    ORDER BY id DESC LIMIT ?5
"""  # noqa: S608 the paths are ours

_NTH_BELOW: Final = "SELECT id FROM message WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?"
_TO_NUMBERS: Final = f"""
    SELECT id, body ->> '{PATHS["to"]}' AS phone FROM message
    WHERE id > ? AND id < ? AND phone IN (SELECT value FROM json_each(?)) ORDER BY id DESC
"""  # noqa: S608 the path is ours


class _Condition(msgspec.Struct, frozen=True):
    """Part of a WHERE, and its arguments."""

    sql: str = "TRUE"
    arguments: tuple[object, ...] = ()


class Search:
    """One page of a list; at most about `budget` messages are looked at for it. `files` are given oldest first."""

    def __init__(self, reader: Reader, files: Sequence[DataFile], query: Query, *, budget: int) -> None:
        self._reader = reader
        self._files = files
        self._query = query
        self._budget = budget
        self._stretch = max(_FIRST_STRETCH, 2 * query.limit)
        self._field = next((field for field in INDEXED_FIELDS if getattr(query, field)), None)
        self._wanted, self._source = _conditions(query)
        self._floor = MessageId(first_id_at(query.since) - 1)
        self._below = LAST_ID if query.before is None else query.before  # what is not below it was looked at
        self._found: list[Record] = []

    def run(self, regions: Iterable[Region]) -> Page:
        """Search regions, newest first and without holes, until the page is full or the budget is spent."""
        for region in regions:
            above = max(region.above, self._floor)
            while self._below > above + 1:
                if self._budget <= 0:
                    return Page(tuple(self._found), self._below)
                if region.index is not None and self._field is not None:
                    self._look_up(region.index, self._field, above)
                else:
                    self._scan(above)
                if len(self._found) == self._query.limit:
                    return Page(tuple(self._found), self._found[-1].id)
        return Page(tuple(self._found), None)

    def _look_up(self, index: Path, field: str, above: MessageId) -> None:
        """Read the next messages that an index names."""
        text = getattr(self._query, field)
        message_ids = self._reader.look_up(index, field, text, above=above, below=self._below, limit=_LOOK_UP)
        self._budget -= _LOOK_UP_COST + len(message_ids)
        for message_id in message_ids:
            self._take(self._reader.read(self._files, message_id))
        self._below = MessageId(above + 1) if len(message_ids) < _LOOK_UP else message_ids[-1]

    def _scan(self, above: MessageId) -> None:
        """Look at the next stretch of messages."""
        files = files_between(self._files, above, MessageId(self._below - 1))
        if not files:
            self._below = MessageId(above + 1)
            return
        above = max(above, MessageId(files[-1].first_id - 1))
        above = self._above_stretch(files[-1], above)
        asked = self._query.limit - len(self._found)
        statement = f"{_RANGE} AND {self._wanted.sql} {_NEWEST}"
        rows = self._reader.records(files[-1], statement, (above, self._below, *self._wanted.arguments, asked))
        for record in rows:
            self._take(record)
        self._below = MessageId(above + 1) if len(rows) < asked else rows[-1].id
        self._budget -= self._stretch
        self._stretch = max(1, min(self._budget, 4 * self._stretch))

    def _above_stretch(self, file: DataFile, above: MessageId) -> MessageId:
        """The id that the next stretch of a file is above: this one, or a higher one where too much is between."""
        statement = f"""
            SELECT id FROM message WHERE id > ? AND id < ? AND {self._source.sql} ORDER BY id DESC LIMIT 1 OFFSET ?
        """  # noqa: S608
        arguments = (above, self._below, *self._source.arguments, self._stretch - 1)
        rows = self._reader.rows(file.path, statement, arguments)
        return MessageId(rows[0][0] - 1) if rows else above

    def _take(self, record: Record | None) -> None:
        if record is not None and len(self._found) < self._query.limit and matches(self._query, record):
            self._found.append(record)


def find_inbound(reader: Reader, files: Sequence[DataFile], query: InboundQuery, *, budget: int) -> InboundPage:
    """One page of inbound messages, newest first; at most about `budget` are looked at for it."""
    found: list[InboundMessage] = []
    above = MessageId(first_id_at(query.since) - 1)
    below = LAST_ID if query.before is None else query.before
    account = encode_text([query.account])
    for file in reversed(files_between(files, above, MessageId(below - 1))):
        if budget <= 0:
            return InboundPage(tuple(found), below)
        [(count, lowest)] = reader.rows(file.path, _INBOUND_STRETCH, (above, below, budget))
        asked = query.limit - len(found)
        rows = reader.rows(file.path, _INBOUND, (lowest - 1 if count else above, below, account, query.since, asked))
        found += [decode_inbound(body) for (body,) in rows]
        if len(found) == query.limit:
            return InboundPage(tuple(found), found[-1].id)
        if count == budget:
            return InboundPage(tuple(found), lowest)
        below = file.first_id
        budget -= count + _LOOK_UP_COST
    return InboundPage(tuple(found), None)


def scan_attempts(
    reader: Reader, file: DataFile, carrier: str, carrier_message_ids: Sequence[str], *, above: MessageId, budget: int
) -> tuple[list[Record], MessageId | None]:
    """Records with such an attempt among the next messages of a file, and where to go on; None at its end."""
    nth = "SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
    last = reader.rows(file.path, nth, (above, budget - 1))
    through = MessageId(last[0][0]) if last else None
    arguments = (
        above,
        LAST_ID if through is None else through + 1,
        encode_text([carrier]),
        encode_text(carrier_message_ids),
    )
    rows = reader.records(file, f"{_RANGE} AND {_HAS_ATTEMPT}", arguments)
    return [record for record in rows if has_attempt(record, carrier, carrier_message_ids)], through


def scan_numbers(
    reader: Reader, file: DataFile, phones: Sequence[str], *, above: MessageId, below: MessageId, budget: int
) -> tuple[list[tuple[MessageId, str]], MessageId | None]:
    """Ids and numbers of the messages to `phones` among the last ones of a file below an id, newest first.

    And where to go on, downwards; None at its beginning.
    """
    last = reader.rows(file.path, _NTH_BELOW, (above, below, budget - 1))
    lowest = MessageId(last[0][0]) if last else None
    arguments = (above if lowest is None else lowest - 1, below, encode_text(phones))
    found = [(MessageId(message_id), phone) for message_id, phone in reader.rows(file.path, _TO_NUMBERS, arguments)]
    return found, lowest


def _conditions(query: Query) -> tuple[_Condition, _Condition]:
    """What a row must be, and of that what the index of open messages can answer."""
    texts = {name: getattr(query, name) for name in ("account", "to", "client_ref", "batch")}
    # Both sides go through ->>, so that what it makes of odd characters it makes of both.
    parts = [
        _Condition(f"body ->> '{PATHS[name]}' = ? ->> 0", (encode_text([text]),))
        for name, text in texts.items()
        if text
    ]
    source = _Condition()
    if query.status is Status.QUEUED:
        parts.append(_Condition(f"lane BETWEEN {FIRST_LANE} AND {END_OF_LANES - 1}"))
    elif query.status in FINAL:
        parts.append(_Condition("lane = ?", (STATUS_CODES[query.status],)))
    elif query.status is not None:
        source = _Condition("lane > 0 AND lane = ?", (STATUS_CODES[query.status],))
        parts.append(source)
    sql = " AND ".join(part.sql for part in parts) or "TRUE"
    return _Condition(sql, tuple(argument for part in parts for argument in part.arguments)), source
