"""The store as the rest of the gateway sees it: the port, and the table of state changes.

A store takes records and says when they are on disk. Nothing that a `Commit` stands for is lost by a crash after it is
done; what it stands for may or may not be there before. The errors:

    StoreError
    ├── StoreUnavailableError   the write is known to have failed (disk full, failing fsync): nothing is acknowledged
    ├── StoreLockedError        another gateway has these files open: stop it, or choose another path
    └── StoreDamagedError       the files are not what this version can read: refuse to start, and say what to do
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, NewType, Protocol

import msgspec

from gateway.message import MessageId, Milliseconds, Record, Status

# What may follow what. A late receipt corrects a final state: that is the last group. Anything else cannot happen.
TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.HELD: frozenset({Status.QUEUED, Status.SCHEDULED, Status.CANCELLED, Status.EXPIRED, Status.FAILED}),
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.CANCELLED, Status.EXPIRED, Status.FAILED}),
    Status.QUEUED: frozenset(
        {Status.SENDING, Status.SCHEDULED, Status.CANCELLED, Status.EXPIRED, Status.FAILED, Status.DELIVERED}
    ),
    Status.SENDING: frozenset(
        {Status.SUBMITTED, Status.IN_DOUBT, Status.QUEUED, Status.FAILED, Status.EXPIRED, Status.DELIVERED}
    ),
    # To SENDING when a doubt is settled while another part still waits for its turn or its answer.
    Status.IN_DOUBT: frozenset(
        {Status.SENDING, Status.SUBMITTED, Status.QUEUED, Status.DELIVERED, Status.FAILED, Status.UNKNOWN}
    ),
    Status.SUBMITTED: frozenset({Status.DELIVERED, Status.FAILED, Status.UNKNOWN, Status.CANCELLED, Status.QUEUED}),
    Status.UNKNOWN: frozenset({Status.DELIVERED, Status.FAILED}),
    Status.FAILED: frozenset({Status.DELIVERED}),
    Status.EXPIRED: frozenset({Status.DELIVERED}),
    Status.CANCELLED: frozenset({Status.DELIVERED}),
    Status.DELIVERED: frozenset(),
}


class StoreError(Exception):
    """Something that the store could not do."""


class StoreUnavailableError(StoreError):
    """A write failed for good: nothing of it may be acknowledged."""


class StoreLockedError(StoreError):
    """Another process has the files open. The text says which directory."""


class StoreDamagedError(StoreError):
    """The files cannot be read by this version. The text says which file, and what to do."""


class Commit(asyncio.Future[None]):
    """Done when all handed over with it is on disk; failed with StoreUnavailableError when it is known not to be.

    Many share one, so it cannot be cancelled: a task that is cancelled while it awaits one goes on until it is done.
    Who wants to go at once awaits `asyncio.shield(commit)`. A failure that nobody asks for is not an error.
    """

    def cancel(self, msg: object = None) -> bool:
        return False

    def set_exception(self, exception: type[BaseException] | BaseException, /) -> None:
        super().set_exception(exception)
        self.exception()  # asked for: asyncio does not complain when an update was handed over and forgotten


def check_transition(before: Status, after: Status) -> None:
    """Assert that `after` may follow `before`: only a bug can break it."""
    assert after is before or after in TRANSITIONS[before], f"a message that is {before} cannot become {after}"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages to list, newest first. `account` empty: every account's."""

    account: str = ""
    to: str = ""  # E.164
    client_ref: str = ""
    batch: str = ""
    status: Status | None = None
    since: Milliseconds  # accepted at or after
    before: MessageId | None = None  # only older ones: the cursor
    limit: int = 100


class Page(msgspec.Struct, frozen=True):
    """One page of a list. It may be short and still have a `cursor`: that is where the search stopped."""

    records: tuple[Record, ...]
    cursor: MessageId | None


class UnmatchedReceipt(msgspec.Struct, frozen=True, array_like=True):
    """A receipt that no attempt has claimed yet; kept on disk until one does, or until it is too old."""

    carrier: str
    carrier_message_id: str
    source: str  # of the deliver_sm: the subscriber, as the carrier wrote it
    destination: str
    state: int  # SMPP message_state
    error: str
    at: Milliseconds
    reference: int = 0  # user_message_reference, 0 when the receipt had none


class PartMark(msgspec.Struct, frozen=True, array_like=True):
    """One part that a message from a subscriber came in: what it is known by, until all carriers have forgotten it."""

    key: int
    fingerprint: int  # of what the carrier sent: the same when it sends it again


class InboundMessage(msgspec.Struct, frozen=True, array_like=True):
    """A message from a subscriber, its parts put together."""

    id: MessageId
    carrier: str
    source: str  # the subscriber: in E.164 where that can be made out, else as the carrier wrote it
    destination: str  # as the carrier wrote it
    text: str
    at: Milliseconds
    account: str = ""  # whose it is; empty: nobody's that is known
    answers: MessageId = MessageId(0)  # the last message that the subscriber got from that number; 0: none is known
    missing: tuple[int, ...] = ()  # the numbers of the parts that never came
    parts: tuple[PartMark, ...] = ()


class InboundQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages from subscribers to list, newest first. `account` empty: every account's, and nobody's."""

    account: str = ""
    since: Milliseconds  # come at or after
    before: MessageId | None = None  # only older ones: the cursor
    limit: int = 100


class InboundPage(msgspec.Struct, frozen=True):
    """One page of them. It may be short and still have a `cursor`: that is where the search stopped."""

    messages: tuple[InboundMessage, ...]
    cursor: MessageId | None


EventId = NewType("EventId", int)  # of events; they grow in the order of the commits

INBOUND: Final = "inbound"  # the type of the event that a subscriber's message is; others are a Status

# Of which types events are kept, by account. Of accounts that are not in it none is.
Wanted = Mapping[str, frozenset[str]]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One change that an account is to be told of, with what it needs to know of the message."""

    id: EventId
    account: str
    message_id: MessageId
    type: str  # a Status, or INBOUND
    corrects: str = ""  # the final status that the message had before, when it had one
    at: Milliseconds
    reason: str = ""
    to: str
    client_ref: str = ""
    batch: str = ""
    source: str = ""  # of an inbound message: the subscriber
    text: str = ""  # of an inbound message
    answers: MessageId = MessageId(0)  # the message that an inbound one is a reply to
    missing: tuple[int, ...] = ()  # the parts of an inbound message that never came


class BatchTally(msgspec.Struct, frozen=True):
    """How many messages of a batch are in which state, and what was refused of it. `segments`: of those accepted."""

    counts: Mapping[Status, int]  # more than 0 each
    refused: int
    segments: int

    @property
    def total(self) -> int:
        """Messages that were accepted."""
        return sum(self.counts.values())


class Recovered(msgspec.Struct, frozen=True):
    """What a start found on disk, before anything open is read."""

    last_id: MessageId  # the highest id ever handed out that reached the disk; 0 on an empty store
    last_time: Milliseconds  # the latest time on disk
    lanes: Mapping[str, int]  # how many messages wait, queued, in each lane
    receipts: tuple[UnmatchedReceipt, ...]


class Store(Protocol):
    """Keeps records. One event loop uses it; a crash at any moment loses nothing whose commit was done."""

    async def open(self) -> Recovered:
        """Open or create the files, migrate them, and say what is there. Raises StoreDamagedError, StoreLockedError."""

    async def close(self) -> None:
        """Write what was handed over, then close. What cannot be written fails its commit."""

    @property
    def failure(self) -> StoreError | None:
        """Why nothing can be written at the moment; None when all is well."""

    @property
    def is_full(self) -> bool:
        """Whether so little of the disk is free that nothing new is kept; what becomes of older messages still is."""

    @property
    def damaged_files(self) -> int:
        """How many files could not be read so far; what is in them cannot be asked for, and everything else can."""

    @property
    def open_messages(self) -> Mapping[str, int]:
        """How many messages of each account are on disk and not final."""

    @property
    def open_total(self) -> int:
        """How many messages of all accounts are."""

    # Writing. The calls return at once; everything handed over while a commit is under way goes into the next.

    def append(self, records: Sequence[Record]) -> Commit:
        """Keep new records: all of them or, if the commit fails, none.

        Ids are handed over in the order they were made, those of inbound messages among them: each follows all before.
        Callers hand over at most 1,000 at a time, so that one call fits one transaction. They are written as they are
        at the cut: what is changed until then needs no `update`.
        """

    def update(self, record: Record) -> Commit:
        """Keep the state of a record that was appended before. Twice before a cut is written once, as it is then.

        When it fails, the store goes on trying with the state the record has by then; it need not be handed over again.
        """

    def keep_receipt(self, receipt: UnmatchedReceipt) -> Commit:
        """Keep a receipt that nothing matched."""

    def drop_receipts(self, receipts: Sequence[UnmatchedReceipt]) -> Commit:
        """Forget receipts that were matched, or are too old; never before the updates that were handed over earlier."""

    def append_inbound(self, message: InboundMessage) -> Commit:
        """Keep a message from a subscriber. Its id follows all before, of messages as well."""

    def put_entries(self, table: str, entries: Mapping[str, bytes | None]) -> Commit:
        """Keep small things that are not messages (opt-outs, counters, cursors): values by key, None removes one.

        `table` is a name that their owner alone uses. Keys are texts of at most 1,000 characters without NUL. They are
        written in one transaction, after everything that was handed over with it was tried; of two values for a key the
        later wins. When the commit fails the store does not try again: what is there then is what was there before.
        """

    def count_refused(self, account: str, batch: str, count: int) -> None:
        """So many messages of a batch were refused. On disk a little later; a crash may lose the last of it."""

    def watch_events(self, wanted: Wanted, on_events: Callable[[Mapping[str, int]], None]) -> None:
        """Keep events of these types from now on, each in the transaction of its change.

        `on_events` is told how many each account got, once they are on disk.
        """

    async def forget_events(self, *, before: Milliseconds) -> None:
        """Events older than this need not be found any more; many of them will not be."""

    # Reading. Sees at least everything whose commit was done when the call was made. Each record is a fresh copy; its
    # `lane` is the one it waits in while it is `queued`, else ""; its `due` is its `due_at` while it is `scheduled`,
    # else 0. Raises StoreDamagedError for a file it cannot read.

    async def read(self, message_id: MessageId) -> Record | None:
        """One record by its id, or None."""

    async def read_all(self, message_ids: Sequence[MessageId]) -> dict[MessageId, Record]:
        """The records with these ids, those that there are."""

    async def find(self, query: Query) -> Page:
        """One page of records, newest first."""

    async def queued(self, lane: str, *, after: MessageId, limit: int) -> list[Record]:
        """The next queued records of a lane, oldest first: the refill of its window in memory."""

    def unsettled(self) -> AsyncIterator[list[Record]]:
        """Every record that is with a carrier (sending, in doubt, submitted), for a start. In chunks, oldest first."""

    async def due(self, *, now: Milliseconds, limit: int) -> list[Record]:
        """Open `scheduled` records whose time has come: `due_at <= now`. In any order."""

    async def next_due(self) -> Milliseconds | None:
        """The earliest `due_at` of all open `scheduled` records; None when there is none."""

    async def held(self, *, after: MessageId, limit: int) -> list[Record]:
        """The next `held` records, oldest first."""

    async def count_waiting(self) -> dict[Status, int]:
        """How many messages are held, scheduled, and in doubt. For a metric, now and then."""

    async def overdue(self, *, accepted_before: Milliseconds, after: MessageId, limit: int) -> list[Record]:
        """Open `submitted` and `in_doubt` records accepted before a time (by their ids), oldest first.

        A receipt may be overdue. `after`: where an earlier look stopped.
        """

    async def expired(self, *, now: Milliseconds, limit: int) -> list[Record]:
        """Open `queued`, `scheduled` and `held` records whose validity has ended: `expires_at <= now`. In any order."""

    async def unsent(self, account: str, batch: str, *, after: MessageId, limit: int) -> Page:
        """Open `queued`, `scheduled` and `held` records of a batch, oldest first. The cursor goes on behind `after`.

        A page may be short, or empty, and still have a cursor.
        """

    async def batch(self, account: str, batch: str) -> BatchTally | None:
        """The counts of a batch; None when it never had a message."""

    async def sent_to(self, phones: Sequence[str], *, since: Milliseconds, limit: int) -> list[Record]:
        """Records to any of these numbers (E.164) accepted at or after a time: `limit` of each at most, newest first.

        One look for all of them: what has no index yet is read once, however many numbers there are.
        """

    async def find_attempts(self, carrier: str, carrier_message_ids: Sequence[str]) -> list[Record]:
        """Records with an attempt at this carrier that was given one of these ids, newest first.

        Those in a file that cannot be read are left out if all messages in it have ended.
        """

    def client_refs(self, *, since: Milliseconds) -> AsyncIterator[list[tuple[str, str, MessageId]]]:
        """(account, client_ref, id) of every message since then that has a client_ref, in chunks, oldest first.

        For a start. Those in a file that cannot be read are left out if all messages in it have ended.
        """

    async def appended(self, *, after: MessageId, limit: int) -> list[Record]:
        """The next records, open or not, oldest first. For a start."""

    async def waiting(self, *, after: MessageId, limit: int) -> list[MessageId]:
        """The ids of the next messages that have been `scheduled` or `held` ever since their acceptance, oldest first.

        For a start.
        """

    async def inbound(self, *, after: MessageId, limit: int) -> list[InboundMessage]:
        """Inbound messages, oldest first; those in a file that cannot be read are left out. For a start."""

    async def find_inbound(self, query: InboundQuery) -> InboundPage:
        """One page of inbound messages, newest first."""

    async def entries(self, table: str, *, after: str = "", prefix: str = "", limit: int) -> list[tuple[str, bytes]]:
        """What `put_entries` kept, in the order of the keys (by code point): those behind `after`, under `prefix`."""

    async def events(self, account: str, *, after: EventId, through: EventId | None = None, limit: int) -> list[Event]:
        """Events of an account with ids above `after`, and up to `through`, in the order of their ids.

        None that comes later has a lower id than any of them, and none is missing between them but those in a file that
        cannot be read.
        """

    async def count_events(self, account: str, *, after: EventId) -> int:
        """How many events of an account have ids above this."""

    @property
    def last_event(self) -> EventId:
        """Every event that is committed from now on has a higher id than this."""
