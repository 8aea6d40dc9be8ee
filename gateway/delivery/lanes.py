"""Queues: one lane for each carrier, level and account, a window in memory onto what waits on disk.

Records come in the order of their ids. Up to the `cursor` a lane has taken everything into memory (and perhaps sent it
on); what is known to be committed behind the cursor is read from disk when the window has room. So a record is either
in memory or behind the cursor, never both.
"""

from collections import deque
from collections.abc import Sequence

from gateway.message import MessageId, Record


class Lane:
    """One queue. `waiting` and `latest`: how many wait on disk at the start, and the highest id that may be there.

    `window`: how many it may have in memory; `credit` and `is_in_turn` are for those who let several lanes take turns.
    """

    def __init__(self, name: str, *, window: int, waiting: int = 0, latest: int = 0) -> None:
        self.name = name
        self.window = window
        self.credit = 0
        self.is_in_turn = False
        self._records: deque[Record] = deque()
        self._again: deque[Record] = deque()  # put back: they go before all others
        self._waiting = waiting
        self._cursor = MessageId(0)
        self._latest = latest if waiting else 0
        self._latest_when_read: int | None = None  # set while a refill is being read
        self._rewound_to: MessageId | None = None  # set by a rewind during that

    def __len__(self) -> int:
        """How many wait, in memory and on disk."""
        return max(0, self._waiting)

    @property
    def oldest(self) -> Record | None:
        """The record whose turn it is, if it is in memory."""
        if self._again:
            return self._again[0]
        return self._records[0] if self._records else None

    @property
    def cursor(self) -> MessageId:
        """Everything that is queued with a higher id is on disk only."""
        return self._cursor

    @property
    def wants_refill(self) -> bool:
        """Whether more should be read: little is left here, and some waits on disk."""
        little_is_left = self._in_memory <= self.window // 2
        return self._latest > self._cursor and self._latest_when_read is None and little_is_left

    @property
    def refill_limit(self) -> int:
        """How many to read at once: few enough to hold up nothing else; one at least, however much was put back."""
        return max(1, min(1_000, self.window - self._in_memory))

    def offer(self, record: Record) -> bool:
        """Take a record that was just committed; False when it is left on disk for now, or was read from there."""
        self._waiting += 1
        caught_up = self._latest <= self._cursor and self._latest_when_read is None
        self._latest = max(self._latest, record.id)
        if not caught_up or record.id <= self._cursor or self._in_memory >= self.window:
            return False
        self._records.append(record)
        self._cursor = record.id
        return True

    def start_refill(self) -> None:
        """A refill is about to be read; until it comes, new records stay behind it."""
        self._latest_when_read = self._latest

    def finish_refill(self, records: Sequence[Record], *, last: MessageId | None, complete: bool) -> None:
        """Take what was read behind the cursor, up to `last`. `complete`: there was no more of it then."""
        assert self._latest_when_read is not None
        self._records.extend(records)
        if last is not None:
            self._cursor = max(self._cursor, last)
        if complete:
            self._cursor = MessageId(max(self._cursor, self._latest_when_read))
        if self._rewound_to is not None:
            self._cursor = min(self._cursor, self._rewound_to)
        self.cancel_refill()

    def cancel_refill(self) -> None:
        """The read failed; what is on disk is still there."""
        self._latest_when_read = None
        self._rewound_to = None

    def take(self) -> Record:
        """The next record."""
        self._waiting -= 1
        return (self._again or self._records).popleft()

    def put_back(self, record: Record) -> None:
        """A record that is to go again: before all others, but for those put back earlier."""
        self._waiting += 1
        self._again.append(record)

    def settle_on_disk(self) -> None:
        """One of those on disk ended there: it will not come."""
        self._waiting -= 1

    def leave_on_disk(self) -> None:
        """One that was just taken stays on disk as it is there."""
        self._waiting += 1

    def rewind(self, message_id: MessageId) -> None:
        """A message older than the cursor is queued on disk: read again from there.

        Nothing is doubled: the reader skips the records that are in memory already.
        """
        self._waiting += 1
        self.read_again(message_id)

    def read_again(self, message_id: MessageId) -> None:
        """The same for one that was on disk all the time."""
        self._latest = max(self._latest, message_id)
        self._cursor = MessageId(min(self._cursor, message_id - 1))
        if self._latest_when_read is not None:
            self._rewound_to = self._cursor  # what is being read may not have it

    @property
    def _in_memory(self) -> int:
        return len(self._records) + len(self._again)
