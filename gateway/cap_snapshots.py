"""Caps across restarts: what of the table of charges is on disk, and how a start makes it whole again.

Charges are no records of their own: that a message was charged, and when, follows from its record (`charge_time`). It
was charged when it was first `queued`, and given back if it was cancelled before any attempt. Going through a day of
messages would take too long, so the table is also kept in `control.db`:

    caps/slice/NNNN   an id, and the charges of one slice of the table; in it are those of all messages up to that id
    caps/header       for each slice the id up to which it is complete (it grows also while a slice does not change),
                      the gateway's clock and the latest wall clock
    caps/secret       the key of the hashes in the charges
    caps_late/ID      a message whose charge changes after its acceptance: from its acceptance for as long as it waits
                      (the time until which it may), then with the charge that was made or given back

A slice is copied at one moment with the last id handed out by then, and written when every message up to that id is on
disk or known not to be; if one was given back meanwhile, the copy is thrown away. Charges that came or went later than
at acceptance are noted under `caps_late` until every slice has been written since.

A start loads the slices, and then asks the records: of every message behind the id of its slice, and of every message
noted as late. A charge has the id of its message, so it does not matter whether the slice had it already: it is there
once if the record says that it was charged, and not at all otherwise. What that misses is a message cancelled in the
milliseconds before a crash, between the commit of its record and that of the note: its charge stands. No order of
commits lets a charge be forgotten.

All slices that changed are written within twenty seconds, so a start goes through as much of messages at most.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

import msgspec

from gateway.message import MessageId, Milliseconds, Record, Status
from gateway.policy.caps import SECRET_BYTES, CapsStage, number_of
from gateway.policy.charges import Charge, unpack
from gateway.store.api import Store, StoreUnavailableError

CYCLE_SECONDS: Final = 20.0  # in which every slice that changed is written
WRITE_SECONDS: Final = 1.0  # what was copied in so long is written together
_SWEEP_CYCLES: Final = 30  # a slice is swept every so many cycles: sweeping costs more than copying
_LATE_CYCLES: Final = 2  # after so many the record of a late change is on disk, where the store has no trouble
_CHUNK: Final = 500
_TABLE: Final = "caps"
_LATE_TABLE: Final = "caps_late"
_HEADER: Final = "header"
_SECRET: Final = "secret"  # noqa: S105 the key under which it is kept
_SLICE: Final = "slice/"
_TIMES: Final = Struct("<QQ")
_ID: Final = Struct("<Q")
_WAITING: Final = frozenset({Status.HELD, Status.SCHEDULED})


class _Copy:
    """One slice as it was at a moment."""

    def __init__(self, version: tuple[int, int], through: MessageId, octets: bytes | None) -> None:
        self.version = version
        self.through = through
        self.octets = octets  # None: as it is on disk


class _Late(msgspec.Struct, frozen=True):
    """A note that can go when its slice has been written since, and its record is on disk."""

    place: int
    changes: int  # of the slice, with this one
    cycle: int


class CapSnapshots:
    """Loads the charges of a stage at a start, and writes them while it runs."""

    def __init__(self, store: Store, *, last_id: MessageId) -> None:
        """`last_id`: the last id on disk. Of a store that knows no caps yet, nothing up to it was charged."""
        self._store = store
        self._found_last_id = last_id
        self._stage: CapsStage
        self._through: list[int] = []  # by slice: up to which id it is complete on disk
        self._written: list[tuple[int, int]] = []  # by slice: the version that is on disk
        self._copies: dict[int, _Copy] = {}
        self._late: dict[MessageId, _Late] = {}
        self._unsaved: dict[str, bytes | None] = {}  # notes whose commit failed
        self._next = 0
        self._cycle = 0
        self._header = b""

    # Start.

    async def secret(self) -> bytes:
        """The key of the hashes in the charges; made at the first start. Raises StoreUnavailableError."""
        for key, value in await self._store.entries(_TABLE, prefix=_SECRET, limit=1):
            if key == _SECRET and len(value) == SECRET_BYTES:
                return value
        made = secrets.token_bytes(SECRET_BYTES)
        await self._store.put_entries(_TABLE, {_SECRET: made})
        return made

    async def load(self, stage: CapsStage) -> Milliseconds:
        """Give a new stage all charges that count; return the latest time by the gateway's clock that is on disk."""
        self._stage = stage
        slices = stage.charges.slices
        latest = await self._load_header(slices)
        latest = max(latest, await self._load_slices())
        self._written = [stage.charges.version(place) for place in range(slices)]
        latest = max(latest, await self._settle_late())
        latest = max(latest, await self._replay())
        await self._write_header(latest)
        return latest

    async def _load_header(self, slices: int) -> Milliseconds:
        self._through = [self._found_last_id] * slices
        for key, value in await self._store.entries(_TABLE, prefix=_HEADER, limit=1):
            if key == _HEADER and len(value) == _TIMES.size + slices * _ID.size:
                at, wall = _TIMES.unpack_from(value)
                self._stage.note_wall(wall)
                self._through = [through for (through,) in _ID.iter_unpack(value[_TIMES.size :])]
                return int(at)
        return 0

    async def _load_slices(self) -> Milliseconds:
        stage, latest, after = self._stage, 0, ""
        while entries := await self._store.entries(_TABLE, after=after, prefix=_SLICE, limit=16):
            for after, value in entries:
                place = int(after.removeprefix(_SLICE))
                self._through[place] = max(self._through[place], _ID.unpack_from(value)[0])
                latest = max(latest, stage.take_in(value[_ID.size :]))
            await asyncio.sleep(0)
        return latest

    async def _replay(self) -> Milliseconds:
        """Ask the records of all messages that some slice does not know yet."""
        latest, after = 0, MessageId(min(self._through))
        slice_of, through = self._stage.charges.slice_of, self._through
        while records := await self._store.appended(after=after, limit=_CHUNK):
            waiting = []
            for record in records:
                latest = max(latest, _charged_at(record))
                if record.id > through[slice_of(number_of(record.message.to))]:
                    self._settle(record)
                    if record.status in _WAITING:
                        waiting.append(record)
            self.note_waiting(waiting)
            after = records[-1].id
        return latest

    async def _settle_late(self) -> Milliseconds:
        """Ask the records of all messages that were noted as late, but for those that still wait."""
        still_waiting = await self._waiting_ids()
        latest, after = 0, ""
        while entries := await self._store.entries(_LATE_TABLE, after=after, limit=_CHUNK):
            for after, value in entries:
                message_id = MessageId(int(after))
                charge = next(unpack(value[_ID.size :]), None)
                if charge is None and message_id in still_waiting:
                    continue
                record = await self._store.read(message_id)
                if record is not None:
                    self._settle(record)
                    latest = max(latest, _charged_at(record))
                    self._keep_note(message_id, number_of(record.message.to))
                elif charge is not None:
                    self._forget(charge.number, message_id)
                    self._keep_note(message_id, charge.number)
        return latest

    async def _waiting_ids(self) -> set[MessageId]:
        found: set[MessageId] = set()
        after = MessageId(-1)
        while ids := await self._store.waiting(after=after, limit=20_000):
            found.update(ids)
            after = ids[-1]
        return found

    def _settle(self, record: Record) -> None:
        """Make the table say of a message what its record says."""
        stage = self._stage
        time = record.charge_time
        number = number_of(record.message.to)
        if time is None or _was_given_back(record):
            self._forget(number, record.id)
            return
        stage.note_wall(time.wall * 1_000)
        if stage.charges.find(number, record.id) is not None:
            return
        charge = stage.charge_of(record.message, time)
        if charge is not None and stage.counts(charge):
            stage.restore(charge)

    def _forget(self, number: int, message_id: MessageId) -> None:
        charge = self._stage.charges.find(number, message_id)
        if charge is not None:
            self._stage.forget(charge)

    # While it runs.

    def note_waiting(self, records: Iterable[Record]) -> None:
        """These were accepted and wait: they are charged later, if at all."""
        self._note({_key(record.id): _ID.pack(record.message.expires_at) for record in records})

    def note_late(self, charge: Charge) -> None:
        """A message that is on disk was charged just now, or its charge was given back."""
        self._keep_note(charge.message_id, charge.number)
        self._note({_key(charge.message_id): _ID.pack(0) + charge.pack()})

    async def run(self, *, last_id: Callable[[], MessageId], oldest_open: Callable[[], MessageId | None]) -> None:
        """Copy and write slices, for ever. `last_id`: handed out; `oldest_open`: whose commit is not done yet."""
        slices = self._stage.charges.slices
        a_turn = max(1, round(slices * WRITE_SECONDS / CYCLE_SECONDS))
        pause_seconds = WRITE_SECONDS / a_turn
        while True:
            for _ in range(a_turn):
                await asyncio.sleep(pause_seconds)
                self._copy_next(last_id())
            await self._write_copies(oldest_open)

    async def finish(self, *, last_id: MessageId) -> None:
        """Write all that changed, once nothing changes any more: then a start has nothing to go through."""
        charges = self._stage.charges
        self._copies.clear()
        for place in range(charges.slices):
            self._copy(place, last_id)
            if len(self._copies) >= 64:  # a few MB at a time
                await self._write_copies(lambda: None)
        await self._write_copies(lambda: None)

    def _copy_next(self, last_id: MessageId) -> None:
        place, self._next = self._next, self._next + 1
        if self._next == self._stage.charges.slices:
            self._next = 0
            self._cycle += 1
        if place in self._copies:
            return  # it waits for a commit that takes long
        if (place + self._cycle) % _SWEEP_CYCLES == 0:
            self._stage.sweep(place)
        self._copy(place, last_id)

    def _copy(self, place: int, last_id: MessageId) -> None:
        charges = self._stage.charges
        version = charges.version(place)
        if version == self._written[place]:
            self._copies[place] = _Copy(version, last_id, None)
        else:
            self._copies[place] = _Copy(version, last_id, _ID.pack(last_id) + charges.dump(place))

    async def _write_copies(self, oldest_open: Callable[[], MessageId | None]) -> None:
        """Write the copies that stand for nothing but what is on disk."""
        if self._unsaved:
            self._note({})
            return
        version = self._stage.charges.version
        oldest = oldest_open()
        entries: dict[str, bytes | None] = {}
        done: dict[int, _Copy] = {}
        for place, copy in list(self._copies.items()):
            if version(place)[1] != copy.version[1]:
                del self._copies[place]  # it may have what was given back
            elif oldest is None or oldest > copy.through:
                done[place] = self._copies.pop(place)
                if copy.octets is not None:
                    entries[f"{_SLICE}{place:04d}"] = copy.octets
        try:
            if entries:
                await self._store.put_entries(_TABLE, entries)
            for place, copy in done.items():
                self._through[place] = max(self._through[place], copy.through)
                self._written[place] = copy.version
            await self._write_header(self._stage.now())
            self._drop_late()
        except StoreUnavailableError:
            return  # the next cycle writes them: until then a start has more to go through

    async def _write_header(self, at: Milliseconds) -> None:
        throughs = b"".join(map(_ID.pack, self._through))
        if throughs != self._header:  # an idle gateway writes nothing
            await self._store.put_entries(_TABLE, {_HEADER: _TIMES.pack(at, self._stage.wall) + throughs})
            self._header = throughs

    def _keep_note(self, message_id: MessageId, number: int) -> None:
        charges = self._stage.charges
        place = charges.slice_of(number)
        self._late.pop(message_id, None)  # the oldest come first
        self._late[message_id] = _Late(place, charges.version(place)[0], self._cycle)

    def _drop_late(self) -> None:
        """Forget notes that are not needed any more."""
        if self._store.failure is not None:
            return
        old = []
        for message_id, late in self._late.items():  # oldest first
            if self._cycle - late.cycle <= _LATE_CYCLES:
                break
            if self._written[late.place][0] >= late.changes:
                old.append(message_id)
        for message_id in old:
            del self._late[message_id]
        self._note(dict.fromkeys(map(_key, old)))

    def _note(self, entries: dict[str, bytes | None]) -> None:
        if not entries and not self._unsaved:
            return
        unsaved, self._unsaved = self._unsaved, {}
        written = unsaved | entries
        commit = self._store.put_entries(_LATE_TABLE, written)
        commit.add_done_callback(lambda done: self._noted(written, done))

    def _noted(self, written: dict[str, bytes | None], commit: "asyncio.Future[None]") -> None:
        if commit.cancelled() or commit.exception() is not None:
            self._unsaved = written | self._unsaved


def _charged_at(record: Record) -> Milliseconds:
    """When a message was charged, by the gateway's clock; 0 when it was not yet."""
    time = record.charge_time
    return 0 if time is None else time.at


def _was_given_back(record: Record) -> bool:
    return record.status is Status.CANCELLED and not any(part.attempts for part in record.state.parts)


def _key(message_id: MessageId) -> str:
    return f"{message_id:020d}"
