"""How many messages of each batch are in which state, and how many of each account are open.

The counts are rows in the data file of the messages, changed in the transaction of each change: so they are exact,
whatever happens, and cost one short statement a commit. Which files hold which batch is in `control.db`, before the
first of its messages is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.message import FINAL, Message, MessageId, Record, Status
from gateway.store.api import BatchTally

OPEN: Final = "open"  # of an account, in the row that has no batch
REFUSED: Final = "refused"  # of a batch: never stored, but counted
_KNOWN_BATCHES: Final = 100_000  # in memory, for each file that is written; more are told to `control.db` again

TallyKey = tuple[str, str, str]  # account, batch, and a Status, REFUSED or OPEN
Refused = Mapping[tuple[str, str], int]  # by account and batch


class BatchFile(msgspec.Struct, frozen=True):
    """A data file may hold messages of a batch."""

    account: str
    batch: str
    first_id: MessageId  # of the file


class Changes(msgspec.Struct):
    """What one file's part of a batch of writes changes in the counts."""

    counts: dict[TallyKey, tuple[int, int]] = msgspec.field(default_factory=dict)  # messages and segments more
    counted: list[tuple[Record, Status]] = msgspec.field(default_factory=list)
    opened: dict[str, int] = msgspec.field(default_factory=dict)  # by account; less than 0 when more have ended

    @property
    def rows(self) -> list[tuple[str, str, str, int, int]]:
        return [(*key, messages, segments) for key, (messages, segments) in self.counts.items()]


class Tallies:
    """Finds out what changes, and knows what is open. Belongs to the loop."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}  # by account, as it is on disk
        self.open_total = 0
        self._known: dict[MessageId, set[tuple[str, str]]] = {}  # batches in each file, told to `control.db`

    def start(self, found: dict[str, int]) -> None:
        """Take in what is open at a start."""
        self.open = found
        self.open_total = sum(found.values())

    def changes_of(self, groups: Iterable[Sequence[Record]], refused: Refused) -> Changes | None:
        """What these records, which are about to be written, change; None when it is nothing."""
        changes = Changes()
        counted, opened, final = changes.counted, changes.opened, FINAL
        for records in groups:
            for record in records:
                before, after = record.counted, record.state.status
                if after is before:
                    continue
                counted.append((record, after))
                message = record.message
                if before is None or (after in final and before not in final):
                    account = message.account
                    more = (after not in final) - (before is not None)
                    opened[account] = opened.get(account, 0) + more
                if message.batch:
                    _move(message, before, after, changes.counts)
        for account, count in changes.opened.items():
            if count:
                changes.counts[account, "", OPEN] = count, 0
        for (account, batch), count in refused.items():
            changes.counts[account, batch, REFUSED] = count, 0
        return changes if changes.counted or changes.counts else None

    def confirm(self, changes: Changes) -> None:
        """They are on disk."""
        for record, status in changes.counted:
            record.counted = status
        for account, count in changes.opened.items():
            self.open[account] = self.open.get(account, 0) + count
            self.open_total += count

    def new_files(self, first_id: MessageId, changes: Changes) -> list[BatchFile]:
        """What `control.db` must know before these changes go into a file."""
        known = self._known.get(first_id, set())
        batches = {(account, batch) for account, batch, _ in changes.counts if batch} - known
        return [BatchFile(account, batch, first_id) for account, batch in sorted(batches)]

    def saved(self, files: Iterable[BatchFile]) -> None:
        """`control.db` knows them."""
        for file in files:
            known = self._known.setdefault(file.first_id, set())
            if len(known) >= _KNOWN_BATCHES:
                known.clear()
            known.add((file.account, file.batch))

    def forget_but(self, live: MessageId) -> None:
        """Another file has begun: what is known of older ones is told again when they change."""
        self._known = {first_id: known for first_id, known in self._known.items() if first_id == live}


def _move(message: Message, before: Status | None, after: Status, counts: dict[TallyKey, tuple[int, int]]) -> None:
    """A message of a batch leaves one count for another."""
    parts = message.parts
    if before is not None:
        key = message.account, message.batch, before
        messages, segments = counts.get(key, (0, 0))
        counts[key] = messages - 1, segments - parts
    key = message.account, message.batch, after
    messages, segments = counts.get(key, (0, 0))
    counts[key] = messages + 1, segments + parts


def batch_tally(rows: Iterable[tuple[str, int, int]]) -> BatchTally | None:
    """One batch from the rows (state, messages, segments) of all its files; None when there are none."""
    messages: dict[str, int] = {}
    segments = 0
    for status, more, more_segments in rows:
        messages[status] = messages.get(status, 0) + more
        segments += more_segments
    if not messages:
        return None
    refused = messages.pop(REFUSED, 0)
    counts = {Status(status): count for status, count in sorted(messages.items()) if count}
    return BatchTally(counts, refused, segments)
