"""The store's port in memory: for tests of what stands on it, and for runs that need no disk.

It behaves as the one on disk does, promises about crashes apart: commits are done a turn of the loop later, reads see
what is committed and give copies, and a break-down fails what is handed over while updates wait for the repair.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from gateway.message import FINAL, MessageId, Milliseconds, Record, Status, first_id_at
from gateway.store.api import (
    BatchTally,
    Commit,
    Event,
    EventId,
    InboundMessage,
    InboundPage,
    InboundQuery,
    Page,
    Query,
    Recovered,
    StoreError,
    StoreUnavailableError,
    UnmatchedReceipt,
    Wanted,
)
from gateway.store.batching import failed_commit
from gateway.store.events import EventLog, EventRow, event_of_inbound
from gateway.store.matching import (
    AWAITING_RECEIPT,
    NOT_YET_SENT,
    UNSETTLED,
    WAITING,
    copy_of,
    has_attempt,
    latest_time,
    matches,
)
from gateway.store.tallies import REFUSED, batch_tally

_CHUNK: Final = 500  # records a chunk of an iterator


class MemoryStore:
    """Keeps records in a dict. Closed and opened again, it still has them."""

    def __init__(self) -> None:
        self._records: dict[MessageId, Record] = {}  # ascending, as they are appended so
        self._open: dict[MessageId, Record] = {}
        self._receipts: dict[UnmatchedReceipt, None] = {}  # in the order they came
        self._inbound: list[InboundMessage] = []
        self._last_time = 0
        self._last_id = MessageId(0)
        self._last_handed_over = MessageId(0)
        self._failure: StoreError | None = None
        self._is_open = False
        self._commit: Commit | None = None  # of what is handed over and not yet cut
        self._appended: dict[MessageId, Record] = {}
        self._updated: dict[MessageId, Record] = {}
        self._new_receipts: list[UnmatchedReceipt] = []
        self._old_receipts: list[UnmatchedReceipt] = []
        self._new_inbound: list[InboundMessage] = []
        self._event_log = EventLog()
        self._events: list[EventRow] = []  # in the order of their ids
        self._on_events: Callable[[Mapping[str, int]], None] = lambda _: None
        self._refused: Counter[tuple[str, str]] = Counter()  # by account and batch
        self.is_low = False  # set it, and nothing new is kept
        self._entries: dict[tuple[str, str], bytes] = {}
        self._new_entries: dict[tuple[str, str], bytes | None] = {}

    @property
    def damaged_files(self) -> int:
        return 0

    def break_down(self, why: str) -> None:
        """From now on no write succeeds."""
        self._failure = StoreUnavailableError(why)

    def repair(self) -> None:
        """Writes succeed again; updates that failed meanwhile are written."""
        self._failure = None
        if self._updated:
            self._next_commit()

    async def open(self) -> Recovered:
        assert not self._is_open
        self._is_open = True
        lanes = Counter(record.lane for record in self._records.values() if record.status is Status.QUEUED)
        return Recovered(self._last_id, self._last_time, lanes, tuple(self._receipts))

    async def close(self) -> None:
        if self._commit is not None:
            self._cut()
        self._is_open = False

    @property
    def failure(self) -> StoreError | None:
        return self._failure

    def append(self, records: Sequence[Record]) -> Commit:
        if self.is_low:
            return failed_commit("less than the disk reserve is free")
        for record in records:
            assert record.id > self._last_handed_over, f"id {record.id} follows {self._last_handed_over}"
            self._last_handed_over = record.id
            self._appended[record.id] = record
        return self._next_commit()

    def update(self, record: Record) -> Commit:
        if record.id not in self._appended:
            assert record.id in self._records, f"message {record.id} was never appended"
            self._updated[record.id] = record
        return self._next_commit()

    def keep_receipt(self, receipt: UnmatchedReceipt) -> Commit:
        self._new_receipts.append(receipt)
        return self._next_commit()

    def drop_receipts(self, receipts: Sequence[UnmatchedReceipt]) -> Commit:
        self._old_receipts += receipts
        return self._next_commit()

    def append_inbound(self, message: InboundMessage) -> Commit:
        assert message.id > self._last_handed_over, f"id {message.id} follows {self._last_handed_over}"
        self._last_handed_over = message.id
        self._new_inbound.append(message)
        return self._next_commit()

    def put_entries(self, table: str, entries: Mapping[str, bytes | None]) -> Commit:
        self._new_entries |= {(table, key): value for key, value in entries.items()}
        return self._next_commit()

    async def read(self, message_id: MessageId) -> Record | None:
        record = self._records.get(message_id)
        return None if record is None else copy_of(record)

    async def read_all(self, message_ids: Sequence[MessageId]) -> dict[MessageId, Record]:
        records = self._records
        return {message_id: copy_of(records[message_id]) for message_id in message_ids if message_id in records}

    async def find(self, query: Query) -> Page:
        found: list[Record] = []
        for record in self._newest_first():
            if query.before is not None and record.id >= query.before:
                continue
            if len(found) == query.limit:
                return Page(tuple(found), found[-1].id)
            if matches(query, record):
                found.append(copy_of(record))
        return Page(tuple(found), None)

    async def queued(self, lane: str, *, after: MessageId, limit: int) -> list[Record]:
        waiting = (record for record in self._open_ones({Status.QUEUED}) if record.lane == lane and record.id > after)
        return [copy_of(record) for record in islice(waiting, limit)]

    async def unsettled(self) -> AsyncIterator[list[Record]]:
        records = [copy_of(record) for record in self._open_ones(UNSETTLED)]
        for start in range(0, len(records), _CHUNK):
            yield records[start : start + _CHUNK]

    async def overdue(self, *, accepted_before: Milliseconds, after: MessageId, limit: int) -> list[Record]:
        before = first_id_at(accepted_before)
        late = (record for record in self._open_ones(AWAITING_RECEIPT) if after < record.id < before)
        return [copy_of(record) for record in islice(late, limit)]

    async def expired(self, *, now: Milliseconds, limit: int) -> list[Record]:
        ended = (record for record in self._open_ones(NOT_YET_SENT) if record.message.expires_at <= now)
        return [copy_of(record) for record in islice(ended, limit)]

    async def due(self, *, now: Milliseconds, limit: int) -> list[Record]:
        waiting = (record for record in self._open_ones({Status.SCHEDULED}) if record.due_at <= now)
        return [copy_of(record) for record in islice(waiting, limit)]

    async def next_due(self) -> Milliseconds | None:
        return min((record.due_at for record in self._open_ones({Status.SCHEDULED})), default=None)

    async def count_waiting(self) -> dict[Status, int]:
        return {status: sum(1 for _ in self._open_ones({status})) for status in WAITING}

    async def held(self, *, after: MessageId, limit: int) -> list[Record]:
        waiting = (record for record in self._open_ones({Status.HELD}) if record.id > after)
        return [copy_of(record) for record in islice(waiting, limit)]

    @property
    def is_full(self) -> bool:
        return self.is_low

    @property
    def open_messages(self) -> Mapping[str, int]:
        return Counter(record.message.account for record in self._open.values())

    @property
    def open_total(self) -> int:
        return len(self._open)

    def count_refused(self, account: str, batch: str, count: int) -> None:
        self._refused[account, batch] += count

    async def unsent(self, account: str, batch: str, *, after: MessageId, limit: int) -> Page:
        found = [
            copy_of(record)
            for record in self._open_ones(NOT_YET_SENT)
            if record.id > after and (record.message.account, record.message.batch) == (account, batch)
        ][:limit]
        return Page(tuple(found), found[-1].id if found else None)

    async def batch(self, account: str, batch: str) -> BatchTally | None:
        records = [
            record
            for record in self._records.values()
            if (record.message.account, record.message.batch) == (account, batch)
        ]
        rows = [(str(record.status), 1, record.message.parts) for record in records]
        if (account, batch) in self._refused:
            rows.append((REFUSED, self._refused[account, batch], 0))
        return batch_tally(rows)

    async def find_attempts(self, carrier: str, carrier_message_ids: Sequence[str]) -> list[Record]:
        wanted = frozenset(carrier_message_ids)
        return [copy_of(record) for record in self._newest_first() if has_attempt(record, carrier, wanted)]

    async def sent_to(self, phones: Sequence[str], *, since: Milliseconds, limit: int) -> list[Record]:
        counts: Counter[str] = Counter()
        found: list[Record] = []
        for record in self._newest_first():
            to = record.message.to
            if to in phones and record.message.accepted_at >= since and counts[to] < limit:
                counts[to] += 1
                found.append(copy_of(record))
        return found

    async def client_refs(self, *, since: Milliseconds) -> AsyncIterator[list[tuple[str, str, MessageId]]]:
        refs = [
            (message.account, message.client_ref, message.id)
            for message in (record.message for record in self._records.values())
            if message.client_ref and message.accepted_at >= since
        ]
        for start in range(0, len(refs), _CHUNK):
            yield refs[start : start + _CHUNK]

    async def appended(self, *, after: MessageId, limit: int) -> list[Record]:
        newer = (record for record in self._records.values() if record.id > after)
        return [copy_of(record) for record in islice(newer, limit)]

    async def waiting(self, *, after: MessageId, limit: int) -> list[MessageId]:
        waiting = self._open_ones({Status.SCHEDULED, Status.HELD})
        ever_since = (record.id for record in waiting if len(record.state.timeline) == 1)
        return [message_id for message_id in ever_since if message_id > after][:limit]

    async def inbound(self, *, after: MessageId, limit: int) -> list[InboundMessage]:
        newer = sorted((message for message in self._inbound if message.id > after), key=lambda message: message.id)
        return newer[:limit]

    async def find_inbound(self, query: InboundQuery) -> InboundPage:
        found: list[InboundMessage] = []
        for message in sorted(self._inbound, key=lambda each: each.id, reverse=True):
            if query.before is not None and message.id >= query.before:
                continue
            if len(found) == query.limit:
                return InboundPage(tuple(found), found[-1].id)
            if message.at >= query.since and query.account in {"", message.account}:
                found.append(message)
        return InboundPage(tuple(found), None)

    async def entries(self, table: str, *, after: str = "", prefix: str = "", limit: int) -> list[tuple[str, bytes]]:
        found = [
            (key, value)
            for (space, key), value in self._entries.items()
            if space == table and key > after and key.startswith(prefix)
        ]
        return sorted(found)[:limit]

    def watch_events(self, wanted: Wanted, on_events: Callable[[Mapping[str, int]], None]) -> None:
        self._event_log.want(wanted)
        self._on_events = on_events

    async def forget_events(self, *, before: Milliseconds) -> None:
        self._events = [row for row in self._events if row[5] >= before]

    async def events(self, account: str, *, after: EventId, through: EventId | None = None, limit: int) -> list[Event]:
        rows = (
            row
            for row in self._events
            if row[0] == account and row[1] > after and (through is None or row[1] <= through)
        )
        return [self._event(row) for row in islice(rows, limit)]

    async def count_events(self, account: str, *, after: EventId) -> int:
        return sum(row[0] == account and row[1] > after for row in self._events)

    @property
    def last_event(self) -> EventId:
        return self._event_log.through

    def _event(self, row: EventRow) -> Event:
        account, event_id, message_id, kind, corrects, at, reason = row
        record = self._records.get(MessageId(message_id))
        if record is None:
            inbound = next(message for message in self._inbound if message.id == message_id)
            return event_of_inbound(EventId(event_id), inbound)
        message = record.message
        return Event(
            id=EventId(event_id),
            account=account,
            message_id=MessageId(message_id),
            type=kind,
            corrects=corrects,
            at=at,
            reason=reason,
            to=message.to,
            client_ref=message.client_ref,
            batch=message.batch,
        )

    def _newest_first(self) -> Iterator[Record]:
        return reversed(self._records.values())

    def _open_ones(self, statuses: Collection[Status]) -> list[Record]:
        return [record for _, record in sorted(self._open.items()) if record.status in statuses]

    def _next_commit(self) -> Commit:
        assert self._is_open, "the store is closed"
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = Commit(loop=loop)
            loop.call_soon(self._cut)
        return self._commit

    def _cut(self) -> None:
        """Take over what was handed over since the last cut, or fail it."""
        commit, self._commit = self._commit, None
        if commit is None:
            return  # closed meanwhile: the cut was made there
        if self._failure is not None:
            commit.set_exception(StoreUnavailableError(str(self._failure)))
            self._drop_handed_over()
            return
        told = self._tell()
        for record in (*self._appended.values(), *self._updated.values()):
            self._keep(copy_of(record))
        self._updated.clear()
        self._receipts |= dict.fromkeys(self._new_receipts)
        for receipt in self._old_receipts:
            self._receipts.pop(receipt, None)
        self._inbound += self._new_inbound
        self._entries |= {key: value for key, value in self._new_entries.items() if value is not None}
        for key in [key for key, value in self._new_entries.items() if value is None]:
            self._entries.pop(key, None)
        ids = [*self._appended, *(message.id for message in self._new_inbound)]
        self._last_id = max(self._last_id, max(ids, default=self._last_id))
        times = [receipt.at for receipt in self._new_receipts] + [message.at for message in self._new_inbound]
        self._last_time = max(self._last_time, max(times, default=0))
        self._drop_handed_over()
        commit.set_result(None)
        if told:
            self._on_events(told)

    def _tell(self) -> Mapping[str, int]:
        """Keep the events of what is being committed; how many for each account."""
        records = (tuple(self._appended.values()), tuple(self._updated.values()))
        news = self._event_log.news_of(records, self._new_inbound)
        self._event_log.settled()
        if news is None:
            return {}
        news.confirm()
        self._events += news.rows
        return news.counts()

    def _keep(self, record: Record) -> None:
        self._records[record.id] = record
        self._last_time = max(self._last_time, latest_time(record))
        if record.status in FINAL:
            self._open.pop(record.id, None)
        else:
            self._open[record.id] = record

    def _drop_handed_over(self) -> None:
        """Forget what is done or lost. Updates stay: those that failed are written later."""
        self._appended = {}
        self._new_receipts = []
        self._old_receipts = []
        self._new_inbound = []
        self._new_entries = {}
