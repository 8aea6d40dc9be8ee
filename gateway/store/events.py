"""The outbox: which changes are told to whom, under which ids, and which data files hold them.

An event is a row in the data file of its message, written in the transaction of the change. Ids grow in the order of
the commits, over all files and all starts: they are given out in blocks, and which file may hold events of which block
is in `control.db` before the first of them is written. So a reader who has seen everything up to an id finds what
followed in a few files, and a start never gives out an id twice, however the clock was set.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from gateway.message import FINAL, Entry, MessageId, Milliseconds, Record, first_id_at
from gateway.store.api import INBOUND, Event, EventId, InboundMessage, Wanted

BLOCK_BITS: Final = 16
_BLOCK_MASK: Final = (1 << BLOCK_BITS) - 1

EventRow = tuple[str, int, int, str, str, int, str]  # account, id, message, type, corrected status, time, reason


class EventFile(msgspec.Struct, frozen=True):
    """A data file may hold events of a block, the first of which is not older than `begun`."""

    first_id: MessageId  # of the file
    block: int
    begun: Milliseconds


def event_of_inbound(event_id: EventId, message: InboundMessage) -> Event:
    """What an account is told of a message from a subscriber."""
    return Event(
        id=event_id,
        account=message.account,
        message_id=message.id,
        type=INBOUND,
        at=message.at,
        to=message.destination,
        source=message.source,
        text=message.text,
        answers=message.answers,
        missing=message.missing,
    )


class News(msgspec.Struct):
    """The events of one file in one batch."""

    rows: list[EventRow] = msgspec.field(default_factory=list)
    ends: list[tuple[Record, int, Entry]] = msgspec.field(default_factory=list)  # the last of so many entries is told
    told: list[tuple[Record, int, Sequence[Entry]]] = msgspec.field(default_factory=list)  # entries from there on

    def confirm(self) -> None:
        """They are on disk. A timeline may have been cut short since, and gone on."""
        for record, count, entry in self.ends:
            timeline = record.state.timeline
            if len(timeline) >= count and timeline[count - 1] is entry:
                record.told = count
        for record, first, entries in self.told:
            record.told = first + _still_there(record.state.timeline, first, entries)

    def counts(self) -> Counter[str]:
        """How many each account got."""
        return Counter([row[0] for row in self.rows])


class EventLog:
    """Gives events their ids, and knows where they are. Belongs to the loop."""

    def __init__(self) -> None:
        self._wanted: Wanted = {}
        self._only_finals: frozenset[str] = frozenset()  # accounts that want no other change of a message
        self._next = EventId(0)
        self._files: dict[int, dict[MessageId, Milliseconds]] = {}  # by block, ascending; then by file
        self.through = EventId(0)  # everything up to here is on disk, or never will be

    def start(self, files: Iterable[EventFile]) -> None:
        """Take in what `control.db` knows."""
        for file in sorted(files, key=lambda each: each.block):
            self._files.setdefault(file.block, {})[file.first_id] = file.begun
        last_block = max(self._files, default=-1)
        self._next = EventId((last_block + 1) << BLOCK_BITS)
        self.through = EventId(max(0, self._next - 1))

    def want(self, wanted: Wanted) -> None:
        """Keep these types of events for these accounts from now on."""
        self._wanted = wanted
        self._only_finals = frozenset(account for account, types in wanted.items() if types - {INBOUND} <= FINAL)

    def news_of(self, groups: Iterable[Sequence[Record]], inbound: Sequence[InboundMessage]) -> News | None:
        """What there is to tell of a file's records and inbound messages; None when there is nothing."""
        wanted = self._wanted
        if not wanted:
            return None
        news = News()
        for records in groups:
            self._tell_all(records, news)
        for message in inbound:
            if INBOUND in wanted.get(message.account, ()):
                news.rows.append((message.account, self._next_id(message.at), message.id, INBOUND, "", message.at, ""))
        return news if news.rows else None

    def _tell_all(self, records: Sequence[Record], news: News) -> None:
        """What there is to tell of some records. Nearly always of each that ended: that it did, and nothing before."""
        wanted, only_finals, final, rows, ends = self._wanted, self._only_finals, FINAL, news.rows, news.ends
        for record in records:
            state, message = record.state, record.message
            account = message.account
            if account in only_finals and state.status not in final:
                continue  # final states come last
            types = wanted.get(account)
            timeline = state.timeline
            count = len(timeline)
            if types is None or record.told >= count:
                continue
            if account not in only_finals or (count > 1 and timeline[-2].status in final):
                self._tell(record, record.told, types, news)
            elif state.status in types:
                entry = timeline[-1]
                event_id = self._next
                if not event_id & _BLOCK_MASK:
                    event_id = self._next_id(entry.at)
                self._next = event_id + 1  # type: ignore[assignment] # a call for each event to say what it is
                rows.append((account, event_id, message.id, entry.status, "", entry.at, entry.reason))
                ends.append((record, count, entry))

    def _tell(self, record: Record, first: int, types: frozenset[str], news: News) -> None:
        """The entries of a timeline from the `first` on, as far as they are wanted."""
        message, timeline = record.message, record.state.timeline
        before = timeline[first - 1].status if first else None
        entries = timeline[first:]
        for entry in entries:
            status = entry.status
            if status in types:
                corrected = before if before in FINAL and before is not None else ""
                event_id = self._next_id(entry.at)
                news.rows.append((message.account, event_id, message.id, status, corrected, entry.at, entry.reason))
            before = status
        news.told.append((record, first, entries))

    def unknown_files(self, first_id: MessageId, rows: Sequence[EventRow]) -> list[EventFile]:
        """What `control.db` must know before these rows go into a file."""
        if rows[0][1] >> BLOCK_BITS == rows[-1][1] >> BLOCK_BITS:  # nearly always
            blocks = {rows[0][1] >> BLOCK_BITS}
        else:
            blocks = {row[1] >> BLOCK_BITS for row in rows}
        return [
            EventFile(first_id, block, min(row[5] for row in rows))
            for block in sorted(blocks)
            if first_id not in self._files.get(block, ())
        ]

    def saved(self, files: Iterable[EventFile]) -> None:
        """`control.db` knows these now."""
        for file in files:
            self._files.setdefault(file.block, {})[file.first_id] = file.begun

    def settled(self) -> None:
        """The last batch was written, or failed: what was given out until now is on disk, or never will be."""
        self.through = EventId(max(self.through, self._next - 1))

    def begin_block(self) -> None:
        """Begin another block: a new data file is there, and the block shall name few files."""
        if self._next & _BLOCK_MASK:
            self._next = EventId(((self._next >> BLOCK_BITS) + 1) << BLOCK_BITS)

    def holding(self, after: EventId, through: EventId) -> list[tuple[EventId, list[MessageId]]]:
        """Which files may hold events between two ids: for each block, its last id and the first ids of its files."""
        first, last = (after + 1) >> BLOCK_BITS, through >> BLOCK_BITS
        found = []
        for block in reversed(self._files):
            if block < first:
                break
            if block <= last:
                found.append((EventId(((block + 1) << BLOCK_BITS) - 1), list(self._files[block])))
        return found[::-1]

    def forget(self, before: Milliseconds) -> list[EventFile]:
        """Drop the blocks all of whose events are older than a time; returns them. The last block always stays."""
        blocks = sorted(self._files)
        gone: list[EventFile] = []
        for block, following in pairwise(blocks):
            if min(self._files[following].values()) >= before:
                break
            gone += [EventFile(first_id, block, begun) for first_id, begun in self._files.pop(block).items()]
        return gone

    def _next_id(self, at: Milliseconds) -> EventId:
        """The next id. A block begins not below its time, so that a new store's ids do not repeat an old one's."""
        event_id = self._next
        if not event_id & _BLOCK_MASK:
            event_id = EventId(max(event_id, first_id_at(at)))
        self._next = EventId(event_id + 1)
        return event_id


def _still_there(timeline: Sequence[Entry], first: int, entries: Sequence[Entry]) -> int:
    """How many of these entries a timeline has still, from the `first` on: it may have been cut short, and gone on."""
    for place, entry in enumerate(entries, first):
        if place >= len(timeline) or timeline[place] is not entry:
            return place - first
    return len(entries)
