"""The last refusals, for whoever asks why a message was not taken: by which rule, to whom, when; no number, no text.

Messages that were refused are not stored; this is what is known of them. It is gathered in memory, and written behind
the traffic, in blocks: a crash forgets the last second of it. What is too old, or too much, goes by whole blocks.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final

import msgspec
import structlog

from gateway.message import Milliseconds
from gateway.numbers import InvalidNumber, mask, normalise
from gateway.policy.candidate import Draft
from gateway.policy.verdict import Refusal
from gateway.store.api import Store, StoreError

TABLE: Final = "refusal"
BLOCK: Final = 500  # refusals in a block, at most
FLUSH_SECONDS: Final = 1.0
_BLOCKS_AT_ONCE: Final = 20  # read at a start
_LOOK_AT: Final = 20  # blocks for one page; then it may be short
_LONGEST: Final = 64  # characters of a rule's name

log = structlog.get_logger(__name__)


class RefusalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many refusals are told of, and for how long."""

    limit: Annotated[int, msgspec.Meta(ge=1_000, le=10_000_000)] = 100_000
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7


class Refused(msgspec.Struct, frozen=True, array_like=True):
    """One message that was refused. `rule`: which of those with this code, where there are several."""

    at: Milliseconds
    account: str
    to: str  # masked
    code: str
    rule: str
    category: str
    batch: str
    client_ref: str


class RefusalQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which refusals to list, newest first. `account` empty: every account's. `to`: masked."""

    account: str = ""
    to: str = ""
    batch: str = ""
    before: int | None = None  # only those with lower numbers: the cursor
    limit: int = 100

    def matches(self, refused: Refused) -> bool:
        return (
            self.account in {"", refused.account} and self.to in {"", refused.to} and self.batch in {"", refused.batch}
        )


class RefusalPage(msgspec.Struct, frozen=True):
    """One page. It may be short and still have a `cursor`: that is where the search stopped."""

    refusals: tuple[Refused, ...]
    cursor: int | None


class _Block(msgspec.Struct):
    """Refusals with numbers that follow each other, from `first` on. `content`: None when it is on disk only."""

    first: int
    count: int
    last_at: Milliseconds
    content: list[Refused] | None

    @property
    def key(self) -> str:
        return f"{self.first:016d}"


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Refused]).decode


class Refusals:
    """Keeps the last refusals of all accounts, numbered from 0 on."""

    def __init__(self, settings: RefusalSettings, store: Store, clock: Callable[[], Milliseconds]) -> None:
        self._limit = settings.limit
        self._keep_milliseconds = settings.keep_days * 86_400_000
        self._store = store
        self._clock = clock
        self._blocks: list[_Block] = []  # oldest first; the last may still grow
        self._unwritten: list[_Block] = []  # blocks with something that is not on disk
        self._gone: list[str] = []  # keys of blocks that are forgotten, and may be on disk
        self._next = 0

    async def load(self) -> None:
        """Find out what is on disk, at a start. Raises StoreError."""
        after = ""
        while page := await self._store.entries(TABLE, after=after, limit=_BLOCKS_AT_ONCE):
            for key, value in page:
                content = _decode(value)
                self._blocks.append(_Block(int(key), len(content), content[-1].at, None))
            after = page[-1][0]
        if self._blocks:
            self._next = self._blocks[-1].first + self._blocks[-1].count

    def add(self, account: str, draft: Draft, refusal: Refusal) -> None:
        """A message was refused."""
        refused = Refused(
            self._clock(),
            account,
            masked(draft.to),
            refusal.reason,
            str(refusal.data.get("rule", ""))[:_LONGEST],
            draft.category,
            draft.batch,
            draft.client_ref,
        )
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.content is None or block.count >= BLOCK:
            self._trim()
            block = _Block(self._next, 0, refused.at, [])
            self._blocks.append(block)
        assert block.content is not None
        if not self._unwritten or self._unwritten[-1] is not block:
            self._unwritten.append(block)
        block.content.append(refused)
        block.count += 1
        block.last_at = refused.at
        self._next += 1

    async def run(self) -> None:
        """Write what is new, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what is new, and forget what is too old. What cannot be written now is with the next."""
        self._trim()
        blocks, self._unwritten = self._unwritten, []
        written = {block.key: _encode(block.content) for block in blocks if block.content}
        gone = dict.fromkeys(self._gone)
        if not written and not gone:
            return
        self._gone = []
        try:
            await asyncio.shield(self._store.put_entries(TABLE, {**gone, **written}))
        except StoreError as error:
            log.warning("could not write refusals", error=str(error))
            newer = [each for each in self._unwritten if not any(each is block for block in blocks)]
            self._unwritten = [*blocks, *newer]
            self._gone += gone
            return
        for block in blocks:
            if block.count >= BLOCK and not any(each is block for each in self._unwritten):
                block.content = None

    async def find(self, query: RefusalQuery) -> RefusalPage:
        """One page, newest first. Raises StoreError."""
        found: list[Refused] = []
        looked_at = 0
        for block in reversed([each for each in self._blocks if query.before is None or each.first < query.before]):
            if block.content is None:
                if looked_at >= _LOOK_AT:
                    return RefusalPage(tuple(found), block.first + block.count)
                looked_at += 1
            content = block.content if block.content is not None else await self._read(block)
            for number, refused in _backwards(block.first, content):
                if (query.before is None or number < query.before) and query.matches(refused):
                    found.append(refused)
                    if len(found) == query.limit:
                        return RefusalPage(tuple(found), number)
        return RefusalPage(tuple(found), None)

    async def _read(self, block: _Block) -> list[Refused]:
        """What a block holds; nothing when it was forgotten meanwhile. Raises StoreError."""
        before = f"{block.first - 1:016d}" if block.first else ""
        found = await self._store.entries(TABLE, after=before, limit=1)
        return _decode(found[0][1]) if found and found[0][0] == block.key else []

    def _trim(self) -> None:
        """Forget the oldest blocks: those without which there are enough, and those that are too old."""
        oldest_at = self._clock() - self._keep_milliseconds
        while self._blocks:
            block = self._blocks[0]
            others = self._next - block.first - block.count
            if others < self._limit and block.last_at >= oldest_at:
                return
            del self._blocks[0]
            self._unwritten = [each for each in self._unwritten if each is not block]
            self._gone.append(block.key)


def masked(spelling: str) -> str:
    """A number as it may be shown, and compared with others that are shown; what is no number, too."""
    try:
        return mask(normalise(spelling).e164)
    except InvalidNumber:
        return mask("".join(re.findall(r"[+0-9]", spelling[:_LONGEST])))


def _backwards(first: int, content: Sequence[Refused]) -> Iterator[tuple[int, Refused]]:
    for n in range(len(content) - 1, -1, -1):
        yield first + n, content[n]
