"""Lists: what matches a query, newest first, a bounded stretch of the store at a time."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.message import FINAL, MessageId, Record, Status, first_id_at
from gateway.store.api import Page, Query
from gateway.store.files import DataFile
from gateway.store.matching import has_attempt, matches
from gateway.store.reader import LAST_ID, RECORD, Reader
from gateway.store.rows import encode_list
from gateway.store.schema import FIRST_LANE, PATHS, STATUS_CODES

_FIRST_STRETCH: Final = 500  # messages looked at first; each stretch after it is four times as long
_RANGE: Final = f"{RECORD} WHERE id < ? AND id >= ?"
_NEWEST: Final = "ORDER BY id DESC LIMIT ?"
_HAS_ATTEMPT: Final = """
    EXISTS (
        SELECT 1
        FROM json_each(coalesce(state, body -> '$[2]'), '$[1]') AS part, json_each(part.value, '$[1]') AS attempt
        WHERE attempt.value ->> 0 = ? ->> 0 AND attempt.value ->> 3 IN (SELECT value FROM json_each(?))
    )
"""


class Condition(msgspec.Struct, frozen=True):
    """Part of a WHERE, and its arguments."""

    sql: str
    arguments: tuple[object, ...] = ()


def find(reader: Reader, files: Iterable[DataFile], query: Query, *, budget: int) -> Page:
    """One page from `files`, which are given newest first; at most about `budget` messages are looked at."""
    wanted, source = _conditions(query)
    floor = first_id_at(query.since)
    below = LAST_ID if query.before is None else query.before
    found: list[Record] = []
    stretch = min(budget, max(_FIRST_STRETCH, 2 * query.limit))
    for file in files:
        while below > max(file.first_id, floor):
            if budget <= 0:
                return Page(tuple(found), below)
            bottom = _bottom(reader, file, source, below, stretch)
            lowest = max(bottom or file.first_id, floor)
            asked = query.limit - len(found)
            rows = reader.records(
                file, f"{_RANGE} AND {wanted.sql} {_NEWEST}", (below, lowest, *wanted.arguments, asked)
            )
            found += [record for record in rows if matches(query, record)]
            if len(found) == query.limit:
                return Page(tuple(found), found[-1].id)
            below = lowest if len(rows) < asked else rows[-1].id
            budget -= stretch
            stretch = max(1, min(budget, 4 * stretch))
    return Page(tuple(found), None)


def find_attempts(
    reader: Reader, file: DataFile, carrier: str, carrier_message_ids: Sequence[str], *, below: MessageId, budget: int
) -> tuple[list[Record], MessageId | None]:
    """Records of a file with such an attempt, newest first, and where to go on; None at the beginning of the file."""
    bottom = _bottom(reader, file, Condition("TRUE"), below, budget)
    arguments = (below, bottom or 0, _json([carrier]), _json(carrier_message_ids), -1)
    rows = reader.records(file, f"{_RANGE} AND {_HAS_ATTEMPT} {_NEWEST}", arguments)
    return [record for record in rows if has_attempt(record, carrier, carrier_message_ids)], bottom


def _conditions(query: Query) -> tuple[Condition, Condition]:
    """What a row must be, and of that what the index of open messages can answer."""
    texts = {name: getattr(query, name) for name in ("account", "to", "client_ref", "batch")}
    # Both sides go through ->>, so that a NUL in the text does to one what it does to the other.
    parts = [Condition(f"body ->> '{PATHS[name]}' = ? ->> 0", (_json([text]),)) for name, text in texts.items() if text]
    source = Condition("TRUE")
    if query.status is Status.QUEUED:
        parts.append(Condition(f"lane >= {FIRST_LANE}"))
    elif query.status in FINAL:
        parts.append(Condition("lane = ?", (STATUS_CODES[query.status],)))
    elif query.status is not None:
        source = Condition("lane > 0 AND lane = ?", (STATUS_CODES[query.status],))
        parts.append(source)
    sql = " AND ".join(part.sql for part in parts) or "TRUE"
    return Condition(sql, tuple(argument for part in parts for argument in part.arguments)), source


def _bottom(reader: Reader, file: DataFile, source: Condition, below: MessageId, stretch: int) -> MessageId | None:
    """The lowest id of the next `stretch` rows; None where the file has no more than that."""
    statement = f"SELECT id FROM message WHERE id < ? AND {source.sql} ORDER BY id DESC LIMIT 1 OFFSET ?"  # noqa: S608
    rows = reader.rows(file.path, statement, (below, *source.arguments, stretch - 1))
    return MessageId(rows[0][0]) if rows else None


def _json(values: Sequence[str]) -> str:
    return encode_list(values).decode()
