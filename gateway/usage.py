"""What every account has sent: counters by day, on disk.

Each count belongs to the day on which it happened, so a day that has passed does not change any more. Values are kept
in `control.db`, table `usage`:

    day/2026-03-31/ACCOUNT/CATEGORY/CARRIER/NETWORK   messages and segments accepted, submitted, delivered, failed
    quota/ACCOUNT                                     what the account has used of its quotas
    header                                            the id up to which accepted messages are counted, and the latest
                                                      wall clock

What was accepted is exact: the header is written in one transaction with the counters, and a start adds the messages
behind it, whose records tell of them. Of what was submitted, delivered and failed a crash loses the last second.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from struct import Struct
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
import structlog

from gateway.message import Message, MessageId, Milliseconds, PartStatus, Record, Status
from gateway.policy.quotas import Calendar, QuotaStage, QuotaView, Used
from gateway.store.api import Store, StoreError, StoreUnavailableError

WRITE_SECONDS: Final = 1.0
MAX_DAYS: Final = 366  # of one report
MAX_ROWS: Final = 10_000
DIMENSIONS: Final = ("day", "account", "category", "carrier", "network")
_TABLE: Final = "usage"
_DAY: Final = "day/"
_QUOTA: Final = "quota/"
_HEADER: Final = "header"
_COUNTS: Final = Struct("<8Q")
_TIMES: Final = Struct("<QQ")
_CHUNK: Final = 500
_ACCEPTED, _SUBMITTED, _DELIVERED, _FAILED = 0, 2, 4, 6  # where messages are; their segments are next to them
_CHANGED: Final = 8
_ON_ITS_WAY: Final = frozenset({PartStatus.WAITING, PartStatus.SENDING, PartStatus.IN_DOUBT})
_FAILURES: Final = frozenset({Status.FAILED, Status.EXPIRED})

log = structlog.get_logger(__name__)

_Key = tuple[str, str, str, str]  # account, category, carrier (empty: none yet), network


class UsageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose days are counted, and for how long they are kept."""

    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "Asia/Shanghai"
    keep_days: Annotated[int, msgspec.Meta(ge=31, le=3_660)] = 400


class Total(msgspec.Struct, frozen=True):
    """How many."""

    messages: int
    segments: int


class Row(msgspec.Struct, frozen=True):
    """A line of a report. `labels`: in the order of what it was asked by; the carrier is None of what none took yet."""

    labels: tuple[str | None, ...]
    accepted: Total
    submitted: Total
    delivered: Total
    failed: Total


class TooMuchError(Exception):
    """A report would have more than MAX_ROWS lines."""


class Usage:
    """Counts what becomes of messages, and tells it."""

    def __init__(self, settings: UsageSettings, store: Store, quotas: QuotaStage) -> None:
        """`quotas`: of the same zone."""
        self._store = store
        self._quotas = quotas
        self._zone = ZoneInfo(settings.time_zone)
        self._keep_days = settings.keep_days
        self._calendar = Calendar(self._zone)
        # By day, today and the day before: the counts, and behind them whether they are changed.
        self._counts: dict[str, dict[_Key, list[int]]] = {}
        self._changed: list[tuple[str, _Key]] = []
        self._through = MessageId(0)  # up to here, what was accepted is counted on disk
        self._written = b""
        self._swept = ""

    # A start.

    async def load(self, *, last_id: MessageId, wall: int) -> None:
        """Take up what is on disk, and count what was accepted after that was written. Raises StoreError.

        `last_id`: the last on disk; of a store that was not counted yet, none up to it counts. `wall`: seconds.
        """
        self._through = last_id
        for _, value in await self._store.entries(_TABLE, prefix=_HEADER, limit=1):
            if len(value) == _TIMES.size:
                through, latest = _TIMES.unpack(value)
                self._through, wall = MessageId(through), max(wall, latest)
        await self._replay(wall)

    async def _replay(self, wall: int) -> None:
        self._enter(wall)
        await self._load_day(self._calendar.day)
        after = ""
        while entries := await self._store.entries(_TABLE, after=after, prefix=_QUOTA, limit=_CHUNK):
            for after, value in entries:
                self._quotas.load(after.removeprefix(_QUOTA), msgspec.msgpack.decode(value, type=Used))
        latest = self._through
        while records := await self._store.appended(after=latest, limit=_CHUNK):
            for record in records:
                await self._load_day(self._calendar.day_of(_wall_of(record.message)))
                if not _is_given_back(record):
                    self._quotas.restore(record.message)
            self._count_accepted([record.message for record in records])
            latest = records[-1].id
        await self.flush(latest)

    async def _load_day(self, day: str) -> None:
        if day in self._counts:
            return
        counts = self._counts[day] = {}
        prefix = after = f"{_DAY}{day}/"
        while entries := await self._store.entries(_TABLE, after=after, prefix=prefix, limit=_CHUNK):
            for after, value in entries:
                _, key = _parsed(after)
                counts[key] = [*_COUNTS.unpack(value), 0]

    # What happens.

    def accepted(self, records: Sequence[Record]) -> None:
        """These are on disk now."""
        self._count_accepted([record.message for record in records])
        self._quotas.settle(record.message for record in records)

    def submitted(self, record: Record, carrier: str, *, at: Milliseconds) -> None:
        """A carrier took a part."""
        counts = self._of(record.message, carrier, at)
        counts[_SUBMITTED + 1] += 1
        parts = record.state.parts
        if len(parts) == 1 or not any(part.status in _ON_ITS_WAY for part in parts):
            counts[_SUBMITTED] += 1

    def finished(self, record: Record, carrier: str, *, at: Milliseconds) -> None:
        """A message is in a final state."""
        status = record.state.status
        if status is Status.DELIVERED:
            place = _DELIVERED
        elif status in _FAILURES:
            place = _FAILED
        else:
            if _is_given_back(record):
                self._quotas.give_back(record.message)
            return
        counts = self._of(record.message, carrier, at)
        counts[place] += 1
        counts[place + 1] += len(record.state.parts)

    def _count_accepted(self, messages: Sequence[Message]) -> None:
        """Of one commit, or of one read: hardly ever of more than one day."""
        day_of = self._calendar.day_of
        days = {day_of(_wall_of(messages[0])), day_of(_wall_of(messages[-1]))}  # they are in the order of their times
        if len(days) > 1:
            days = {day_of(_wall_of(message)) for message in messages}
        for day in days:
            sums: dict[tuple[str, str, str], list[int]] = {}
            for message in messages:
                if len(days) > 1 and day_of(_wall_of(message)) != day:
                    continue
                key = (message.account, message.category, message.network)
                found = sums.get(key)
                if found is None:
                    found = sums[key] = [0, 0]
                found[0] += 1
                found[1] += message.parts
            for (account, category, network), (count, segments) in sums.items():
                counts = self._at(day, (account, str(category), "", str(network)))
                counts[_ACCEPTED] += count
                counts[_ACCEPTED + 1] += segments

    def _of(self, message: Message, carrier: str, at: Milliseconds) -> list[int]:
        self._enter(at // 1_000)
        # Plain strings: what comes from disk is the same key, and the hash of a member of an enum is another.
        return self._at(self._calendar.day, (message.account, str(message.category), carrier, str(message.network)))

    def _at(self, day: str, key: _Key) -> list[int]:
        by_key = self._counts.get(day)
        if by_key is None:
            by_key = self._counts[day] = {}
        counts = by_key.get(key)
        if counts is None:
            counts = by_key[key] = [0] * (_CHANGED + 1)
        if not counts[_CHANGED]:
            counts[_CHANGED] = 1
            self._changed.append((day, key))
        return counts

    def _enter(self, wall: int) -> None:
        if self._calendar.enter(wall):
            self._quotas.enter(wall)

    # To disk.

    async def run(self, through: Callable[[], MessageId], clock: Callable[[], Milliseconds]) -> None:
        """Write what changes, for ever. `through`: up to which id it is known what was accepted."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            self._enter(clock() // 1_000)
            try:
                await self.flush(through())
                await self._sweep()
            except StoreError as error:
                log.warning("could not write the counters of usage", error=str(error))

    async def flush(self, through: MessageId) -> None:
        """Write what has changed. Raises StoreUnavailableError, and then it is written the next time."""
        header = _TIMES.pack(through, self._calendar.day_start)
        quotas = self._quotas.changes()
        if header == self._written and not self._changed and not quotas:
            return
        changed, self._changed = self._changed, []
        entries: dict[str, bytes | None] = {}
        for day, key in changed:
            counts = self._counts[day][key]
            counts[_CHANGED] = 0
            entries[_named(day, key)] = _COUNTS.pack(*counts[:_CHANGED])
        entries |= {_QUOTA + account: msgspec.msgpack.encode(used) for account, used in quotas.items()}
        entries[_HEADER] = header
        try:
            await self._store.put_entries(_TABLE, entries)
        except StoreUnavailableError:
            for day, key in changed:
                self._at(day, key)  # to be written still
            self._quotas.unwritten(quotas)
            raise
        self._written = header
        for day in sorted(self._counts)[:-2]:  # the day before is kept for what was under way at midnight
            del self._counts[day]

    async def _sweep(self) -> None:
        """Once a day, let go of days that are kept no longer."""
        if self._swept == self._calendar.day:
            return
        self._swept = self._calendar.day
        oldest = str(date.fromisoformat(self._calendar.day) - timedelta(days=self._keep_days))
        while True:
            entries = await self._store.entries(_TABLE, prefix=_DAY, limit=_CHUNK)
            old: dict[str, bytes | None] = {key: None for key, _ in entries if _parsed(key)[0] < oldest}
            if not old:
                return
            await self._store.put_entries(_TABLE, old)

    # What is asked.

    @property
    def zone(self) -> str:
        """Whose days they are."""
        return self._zone.key

    def today(self, *, at: Milliseconds) -> date:
        """The day that it is in that zone."""
        self._enter(at // 1_000)
        return date.fromisoformat(self._calendar.day)

    def quotas(self, account: str, *, at: Milliseconds) -> list[QuotaView]:
        """The limits of an account as they stand."""
        return self._quotas.view(account, now=at // 1_000)

    async def report(self, first: date, last: date, by: Sequence[str], *, account: str | None) -> list[Row]:
        """Sums by these dimensions, of one account or of all. Raises StoreError, or TooMuchError."""
        sums: dict[tuple[str, ...], list[int]] = {}
        places = [DIMENSIONS.index(dimension) for dimension in by]
        in_memory = dict(self._counts)
        after, end = f"{_DAY}{first}", f"{_DAY}{last}0"  # behind all keys of the last day, as 0 is behind /
        while entries := await self._store.entries(_TABLE, after=after, prefix=_DAY, limit=_CHUNK):
            for after, value in entries:
                if after >= end:
                    break
                day, key = _parsed(after)
                if day not in in_memory:  # else that is newer
                    _add(sums, places, account, (day, *key), _COUNTS.unpack(value))
            if after >= end:
                break
        for day, counts in in_memory.items():
            if str(first) <= day <= str(last):
                for key, values in counts.items():
                    _add(sums, places, account, (day, *key), values[:_CHANGED])
        return [_row(labels, values) for labels, values in sorted(sums.items())]


def _add(
    sums: dict[tuple[str, ...], list[int]],
    places: Sequence[int],
    account: str | None,
    labels: tuple[str, ...],
    values: Sequence[int],
) -> None:
    if account is not None and labels[1] != account:
        return
    key = tuple(labels[place] for place in places)
    found = sums.get(key)
    if found is None:
        if len(sums) >= MAX_ROWS:
            raise TooMuchError
        sums[key] = list(values)
    else:
        for place, value in enumerate(values):
            found[place] += value


def _row(labels: Sequence[str], values: Sequence[int]) -> Row:
    totals = [Total(values[place], values[place + 1]) for place in (_ACCEPTED, _SUBMITTED, _DELIVERED, _FAILED)]
    return Row(tuple(label or None for label in labels), *totals)


def _named(day: str, key: _Key) -> str:
    return f"{_DAY}{day}/{'/'.join(key)}"


def _parsed(name: str) -> tuple[str, _Key]:
    day, account, category, carrier, network = name.removeprefix(_DAY).split("/")
    return day, (account, category, carrier, network)


def _wall_of(message: Message) -> int:
    """When a message was accepted, by a wall clock that never goes back: seconds since 1970."""
    return message.accepted_at // 1_000 + message.wall_lead


def _is_given_back(record: Record) -> bool:
    """Whether it has ended by somebody's will before any of it left."""
    return record.state.status is Status.CANCELLED and not any(part.attempts for part in record.state.parts)
