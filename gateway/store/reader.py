"""Reading: one thread with connections of its own, which can change nothing; so a list never disturbs a commit."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.message import MessageId, Milliseconds, Record, Status
from gateway.store.api import INBOUND, Event, EventId, InboundMessage, StoreDamagedError
from gateway.store.database import RESTORE, Connection, naming, open_for_reading
from gateway.store.events import event_of_inbound
from gateway.store.files import DataFile, files_between
from gateway.store.indexes import LAST_ID, REBUILD
from gateway.store.matching import AWAITING_RECEIPT, UNSETTLED, WAITING
from gateway.store.rows import Lanes, decode_inbound, decode_record, encode_numbers, encode_text
from gateway.store.schema import END_OF_LANES, PATHS, STATUS_CODES

RECORD: Final = "SELECT id, lane, body, state, due FROM message"
_BY_IDS: Final = f"{RECORD} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
_OPEN_RANGE: Final = f"{RECORD} WHERE lane > 0 AND lane = ? AND id > ? AND id < ?"
_EXPIRED: Final = f"""
    {RECORD} INDEXED BY open_message WHERE lane > 0 AND lane < {END_OF_LANES} AND expires_at <= ? LIMIT ?
"""
_SCHEDULED: Final = f"lane = {STATUS_CODES[Status.SCHEDULED]}"  # as the index says it
_DUE: Final = f"{RECORD} INDEXED BY scheduled_message WHERE {_SCHEDULED} AND due <= ? LIMIT ?"
_COUNT: Final = "SELECT count(*) FROM message WHERE lane > 0 AND lane = ?"  # of the index alone
_NEXT_DUE: Final = f"SELECT min(due) FROM message INDEXED BY scheduled_message WHERE {_SCHEDULED}"  # noqa: S608
_CLIENT_REFS: Final = f"""
    SELECT id, body ->> '{PATHS["account"]}', body ->> '{PATHS["client_ref"]}' AS client_ref,
        body ->> '{PATHS["accepted_at"]}'
    FROM message WHERE id > ? ORDER BY id LIMIT ?
"""  # noqa: S608 the paths are ours
_WAITING: Final = f"""
    SELECT id FROM message INDEXED BY open_message
    WHERE lane > 0 AND lane IN ({STATUS_CODES[Status.SCHEDULED]}, {STATUS_CODES[Status.HELD]}) AND id > ?
        AND (state IS NULL OR json_array_length(state, '$[2]') = 1)
    ORDER BY id LIMIT ?
"""  # noqa: S608 the codes are ours

_NTH: Final = "SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
_UNSENT: Final = f"""
    {RECORD} NOT INDEXED
    WHERE id > ? AND id <= ? AND lane > 0 AND lane < {END_OF_LANES}
        AND body ->> '{PATHS["account"]}' = ? ->> 0 AND body ->> '{PATHS["batch"]}' = ? ->> 0
    ORDER BY id LIMIT ?
"""
_BATCH_FILES: Final = "SELECT first_id FROM batch_file WHERE account = ? ->> 0 AND batch = ? ->> 0"
_TALLY: Final = "SELECT status, messages, segments FROM batch_tally WHERE account = ? ->> 0 AND batch = ? ->> 0"

_OF_CARRIER: Final = "WHERE carrier_message_id IN (SELECT value FROM json_each(?)) AND carrier = ? ->> 0"
_INDEXED_ATTEMPTS: Final = f"SELECT id FROM attempt {_OF_CARRIER}"  # noqa: S608
_STRAGGLERS: Final = f"SELECT id FROM straggler {_OF_CARRIER}"  # noqa: S608

_EVENTS: Final = f"""
    SELECT event.id, message, type, corrects, at, reason, coalesce(inbound.body, message.body ->> '{PATHS["to"]}'),
        message.body ->> '{PATHS["client_ref"]}', message.body ->> '{PATHS["batch"]}'
    FROM event
    LEFT JOIN message ON message.id = event.message AND type <> '{INBOUND}'
    LEFT JOIN inbound ON inbound.id = event.message AND type = '{INBOUND}'
    WHERE account = ? AND event.id > ? AND event.id <= ?
    ORDER BY event.id LIMIT ?
"""  # noqa: S608 the paths are ours
_COUNT_EVENTS: Final = "SELECT count(*) FROM event WHERE account = ? AND id > ?"

_ENTRIES: Final = (
    "SELECT key, value FROM entry WHERE space = ? AND key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)


class Reader:
    """Answers questions about data files. One thread uses it. Raises StoreError."""

    def __init__(
        self,
        lanes: Lanes,
        gate: AbstractContextManager[object],
        *,
        open_files: int,
        on_damage: Callable[[Path, StoreDamagedError], None] = lambda _path, _error: None,
    ) -> None:
        """`on_damage` is told of a file whenever it cannot be read, in the reader's thread."""
        self._lanes = lanes
        self._on_damage = on_damage
        self._gate = gate  # held while a statement runs
        self._open_files = open_files
        self._connections: OrderedDict[Path, Connection] = OrderedDict()  # used longest ago first

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def rows(self, path: Path, statement: str, arguments: Sequence[object]) -> list[Any]:
        """What a question to one file yields."""
        try:
            with self._gate, naming(path):
                rows: list[Any] = self._connection(path).execute(statement, arguments).fetchall()
                return rows
        except StoreDamagedError as error:
            self._on_damage(path, error)
            raise

    def records(self, file: DataFile, statement: str, arguments: Sequence[object]) -> list[Record]:
        """The records that a question for the columns of `RECORD` yields."""
        lanes = self._lanes
        rows = self.rows(file.path, statement, arguments)
        try:
            return [decode_record(lane, body, state, due, lanes) for _, lane, body, state, due in rows]
        except msgspec.DecodeError as error:
            damaged = StoreDamagedError(f"{file.path}: {error}: {RESTORE}")
            self._on_damage(file.path, damaged)
            raise damaged from error

    def read(self, files: Sequence[DataFile], message_id: MessageId) -> Record | None:
        """The record with this id, if it is in one of `files`, which are given oldest first."""
        found = self.read_all(files, (message_id,))
        return found[0] if found else None

    def read_all(self, files: Sequence[DataFile], message_ids: Iterable[MessageId]) -> list[Record]:
        """The records with these ids, which ascend, as far as they are in `files`."""
        found: list[Record] = []
        for file, inside in groupby(message_ids, key=lambda each: _holding(files, each)):
            if file is not None:
                found += self.records(file, _BY_IDS, (encode_numbers([*inside]),))
        return found

    def queued(self, files: Iterable[DataFile], lane: int, *, after: MessageId, limit: int) -> list[Record]:
        return self._open_ones(files, (lane,), after=after, before=LAST_ID, limit=limit)

    def unsettled(self, files: Iterable[DataFile], *, after: MessageId, limit: int) -> list[Record]:
        return self._open_ones(files, _codes(UNSETTLED), after=after, before=LAST_ID, limit=limit)

    def overdue(self, files: Iterable[DataFile], *, after: MessageId, before: MessageId, limit: int) -> list[Record]:
        return self._open_ones(files, _codes(AWAITING_RECEIPT), after=after, before=before, limit=limit)

    def held(self, files: Iterable[DataFile], *, after: MessageId, limit: int) -> list[Record]:
        return self._open_ones(files, _codes({Status.HELD}), after=after, before=LAST_ID, limit=limit)

    def due(self, files: Iterable[DataFile], *, now: Milliseconds, limit: int) -> list[Record]:
        found: list[Record] = []
        for file in files:
            if len(found) < limit:
                found += self.records(file, _DUE, (now, limit - len(found)))
        return found

    def next_due(self, files: Iterable[DataFile]) -> Milliseconds | None:
        times = [self.rows(file.path, _NEXT_DUE, ())[0][0] for file in files]
        return min((due for due in times if due is not None), default=None)

    def count_waiting(self, files: Iterable[DataFile]) -> dict[Status, int]:
        counts = dict.fromkeys(WAITING, 0)
        for file in files:
            for status in WAITING:
                counts[status] += self.rows(file.path, _COUNT, (STATUS_CODES[status],))[0][0]
        return counts

    def expired(self, files: Iterable[DataFile], *, now: Milliseconds, limit: int) -> list[Record]:
        found: list[Record] = []
        for file in files:
            if len(found) < limit:
                found += self.records(file, _EXPIRED, (now, limit - len(found)))
        return found

    def client_refs(
        self, file: DataFile, *, since: Milliseconds, after: MessageId, limit: int
    ) -> tuple[list[tuple[str, str, MessageId]], MessageId | None]:
        """The refs among the next `limit` messages of a file, and where the following ones begin; None at its end."""
        rows = self.rows(file.path, _CLIENT_REFS, (after, limit))
        refs = [
            (account, client_ref, MessageId(message_id))
            for message_id, account, client_ref, accepted_at in rows
            if client_ref and accepted_at >= since
        ]
        return refs, MessageId(rows[-1][0]) if rows else None

    def appended(self, files: Iterable[DataFile], *, after: MessageId, limit: int) -> list[Record]:
        found: list[Record] = []
        for file in files:
            if len(found) < limit:
                statement = f"{RECORD} WHERE id > ? ORDER BY id LIMIT ?"
                found += self.records(file, statement, (after, limit - len(found)))
        return found

    def waiting(self, files: Iterable[DataFile], *, after: MessageId, limit: int) -> list[MessageId]:
        found: list[MessageId] = []
        for file in files:
            if len(found) < limit:
                found += [MessageId(row[0]) for row in self.rows(file.path, _WAITING, (after, limit - len(found)))]
        return found

    def inbound(self, files: Iterable[DataFile], *, after: MessageId, limit: int) -> list[InboundMessage]:
        found: list[InboundMessage] = []
        for file in files:
            if len(found) < limit:
                statement = "SELECT body FROM inbound WHERE id > ? ORDER BY id LIMIT ?"
                found += [
                    decode_inbound(body) for (body,) in self._readable(file, statement, (after, limit - len(found)))
                ]
        return found

    def unsent(
        self, file: DataFile, account: str, batch: str, *, after: MessageId, limit: int, stretch: int
    ) -> tuple[list[Record], MessageId | None]:
        """Those of a batch that were not sent yet among the next messages of a file, and the last that was looked at.

        None for that at the end of the file.
        """
        last = self.rows(file.path, _NTH, (after, stretch - 1))
        through = MessageId(last[0][0]) if last else None
        arguments = (after, LAST_ID if through is None else through, *_batch_texts(account, batch), limit)
        return self.records(file, _UNSENT, arguments), through

    def batch_files(self, control: Path, account: str, batch: str) -> set[MessageId]:
        """The first ids of the files that may hold messages of a batch."""
        return {MessageId(first_id) for (first_id,) in self.rows(control, _BATCH_FILES, _batch_texts(account, batch))}

    def tally(self, file: DataFile, account: str, batch: str) -> list[tuple[str, int, int]]:
        """The counts of a batch in one file: state, messages, segments."""
        return self.rows(file.path, _TALLY, _batch_texts(account, batch))

    def look_up(
        self, index: Path, field: str, text: str, *, above: MessageId, below: MessageId, limit: int
    ) -> list[MessageId]:
        """The newest messages between two ids that an index has under a text."""
        statement = f'SELECT id FROM "{field}" WHERE key = ? ->> 0 AND id > ? AND id < ? ORDER BY id DESC LIMIT ?'  # noqa: S608
        with naming(index, remedy=REBUILD):
            rows = self._connection(index).execute(statement, (encode_text([text]), above, below, limit))
            return [MessageId(message_id) for (message_id,) in rows]

    def look_up_attempts(self, index: Path, carrier: str, carrier_message_ids: Sequence[str]) -> list[MessageId]:
        """The messages that an index has under a carrier and one of its ids."""
        with naming(index, remedy=REBUILD):
            return self._ids(index, _INDEXED_ATTEMPTS, carrier, carrier_message_ids)

    def stragglers(self, control: Path, carrier: str, carrier_message_ids: Sequence[str]) -> list[MessageId]:
        """The messages that `control.db` has under a carrier and one of its ids."""
        with self._gate, naming(control):
            return self._ids(control, _STRAGGLERS, carrier, carrier_message_ids)

    def events(
        self,
        blocks: Iterable[tuple[EventId, Sequence[DataFile]]],
        account: str,
        *,
        after: EventId,
        through: EventId,
        limit: int,
    ) -> list[Event]:
        """Events from blocks, each with its last id and its files, until there are enough."""
        found: list[Event] = []
        for last_of_block, files in blocks:
            if len(found) == limit:
                break
            rows: list[Any] = []
            for file in files:
                arguments = (account, after, min(last_of_block, through), limit - len(found))
                rows += self._readable(file, _EVENTS, arguments)
            rows.sort()
            found += [_event(account, row) for row in rows[: limit - len(found)]]
            after = max(after, last_of_block)
        return found

    def count_events(self, files: Iterable[DataFile], account: str, *, after: EventId) -> int:
        return sum(count for file in files for (count,) in self._readable(file, _COUNT_EVENTS, (account, after)))

    def entries(self, control: Path, table: str, *, after: str, prefix: str, limit: int) -> list[tuple[str, bytes]]:
        """Entries of `control.db` in the order of their keys."""
        arguments = (table, after, prefix, f"{prefix}\U0010ffff", limit)
        return [(key, value) for key, value in self.rows(control, _ENTRIES, arguments)]

    def _readable(self, file: DataFile, statement: str, arguments: Sequence[object]) -> list[Any]:
        """What a question yields, and nothing where the file cannot be read: others shall be told of the rest."""
        try:
            return self.rows(file.path, statement, arguments)
        except StoreDamagedError:
            return []

    def _ids(self, path: Path, statement: str, carrier: str, carrier_message_ids: Sequence[str]) -> list[MessageId]:
        arguments = (encode_text(carrier_message_ids), encode_text([carrier]))
        return [MessageId(message_id) for (message_id,) in self._connection(path).execute(statement, arguments)]

    def _open_ones(
        self, files: Iterable[DataFile], codes: Sequence[int], *, after: MessageId, before: MessageId, limit: int
    ) -> list[Record]:
        """Rows that wait for any of `codes`, oldest first: one range of the index a code, merged."""
        statement = " UNION ALL ".join([_OPEN_RANGE] * len(codes)) + " ORDER BY id LIMIT ?"
        ranges = [argument for code in codes for argument in (code, after, before)]
        found: list[Record] = []
        for file in files:
            if len(found) < limit:
                found += self.records(file, statement, (*ranges, limit - len(found)))
        return found

    def _connection(self, path: Path) -> Connection:
        connection = self._connections.get(path)
        if connection is None:
            connection = self._connections[path] = open_for_reading(path)
            while len(self._connections) > self._open_files:
                self._connections.popitem(last=False)[1].close()
        else:
            self._connections.move_to_end(path)
        return connection


def _holding(files: Sequence[DataFile], message_id: MessageId) -> DataFile | None:
    """The file that has this id, if any has."""
    holding = files_between(files, MessageId(message_id - 1), message_id)
    return holding[-1] if holding else None


def _event(account: str, row: tuple[Any, ...]) -> Event:
    event_id, message_id, kind, corrects, at, reason, to, client_ref, batch = row
    if kind == INBOUND:
        return event_of_inbound(EventId(event_id), decode_inbound(to))
    return Event(
        id=event_id,
        account=account,
        message_id=message_id,
        type=kind,
        corrects=corrects,
        at=at,
        reason=reason,
        to=to,
        client_ref=client_ref or "",
        batch=batch or "",
    )


def _batch_texts(account: str, batch: str) -> tuple[str, str]:
    """Both sides of a comparison go through ->>, so that what it makes of odd characters it makes of both."""
    return encode_text([account]), encode_text([batch])


def _codes(statuses: Iterable[Status]) -> list[int]:
    return sorted(STATUS_CODES[status] for status in statuses)
