"""Caps across restarts: after a crash at any moment, what counts is what the records say was charged."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from gateway.account import Account
from gateway.cap_snapshots import CapSnapshots
from gateway.message import (
    Attempt,
    Category,
    ChargeTime,
    Entry,
    IdSource,
    Message,
    MessageId,
    Milliseconds,
    Part,
    Record,
    Status,
    new_record,
)
from gateway.policy.candidate import candidate_of
from gateway.policy.cap_settings import Cap, CapKey
from gateway.policy.caps import CapsStage, Tags, number_of
from gateway.policy.charges import Charges
from gateway.store.api import Store, StoreUnavailableError
from gateway.store.memory import MemoryStore
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

START = 1_800_000_000_000
CAPS = (
    Cap(name="day", key=(CapKey.NUMBER,), limit=1_000),
    Cap(name="surge", key=(CapKey.SIGNATURE,), limit=100_000),
)
DEMO = Account(name="demo")
SHARDS = 2_500  # three slices


class Life:
    """One life of a gateway, from its start to a crash: caps, snapshots, and what intake and gate do with them."""

    def __init__(self, store: Store, *, wall: Milliseconds, limit: int = 1_000) -> None:
        self.store = store
        self.wall = self.at = wall
        self.limit = limit
        self.under_way: dict[MessageId, None] = {}

    async def start(self) -> "Life":
        recovered = await self.store.open()
        self.ids = IdSource(node=0, last=recovered.last_id)
        self.snapshots = CapSnapshots(self.store, last_id=recovered.last_id)
        tags = Tags(await self.snapshots.secret())
        self.stage = CapsStage(
            [Cap(name="day", key=(CapKey.NUMBER,), limit=self.limit), *CAPS[1:]],
            Charges(salt=tags.salt, shards=SHARDS),
            tags,
            clock=lambda: self.at,
            on_late_change=self.snapshots.note_late,
        )
        self.at = max(self.at, recovered.last_time)
        self.at = max(self.at, await self.snapshots.load(self.stage))
        return self

    def accept(self, to: str, *, waits: bool = False) -> Record | None:
        """What intake does; None when the cap is full."""
        message = Message(
            id=self.ids.next(self.wall),
            account="demo",
            to=to,
            text="【阳光物业】水",
            category=Category.NOTIFICATION,
            signature="阳光物业",
            accepted_at=self.wall,
            expires_at=self.wall + 86_400_000,
        )
        candidate = candidate_of(message, DEMO)
        candidate.waited = False
        if self.stage.decide(candidate, now=self.wall / 1_000) is not None:
            return None
        leads = {
            "clock_lead": candidate.charged_at - self.wall,
            "wall_lead": candidate.charged_wall - self.wall // 1_000,
        }
        message = msgspec.structs.replace(message, **leads)
        record = new_record(message, Status.SCHEDULED if waits else Status.QUEUED, lane="c/normal")
        if not waits:
            self.stage.commit(candidate, now=self.wall / 1_000)
        commit = self.store.append([record])
        self.under_way[record.id] = None

        def committed(done: "asyncio.Future[None]") -> None:
            del self.under_way[record.id]
            if done.exception() is not None:
                if not waits:
                    self.stage.take_back(message, charged_at=self.at, now=self.wall / 1_000)
            elif waits:
                self.snapshots.note_waiting([record])

        commit.add_done_callback(committed)
        return record

    def release(self, record: Record) -> None:
        """What the gate does when a message has waited for long enough."""
        candidate = candidate_of(record.message, DEMO)
        if self.stage.decide(candidate, now=self.wall / 1_000) is None:
            self.stage.commit(candidate, now=self.wall / 1_000)
            record.state.charged = ChargeTime(candidate.charged_at, candidate.charged_wall)
            self._change(record, Status.QUEUED)

    def cancel(self, record: Record) -> None:
        """A message that waits, or of which nothing has left."""
        was_charged = record.status is Status.QUEUED
        self._change(record, Status.CANCELLED)
        if was_charged:
            self.stage.take_back(record.message, charged_at=self.at, now=self.wall / 1_000)

    def send(self, record: Record) -> None:
        record.state.parts[0] = Part(attempts=(Attempt("c", "b", self.wall),))
        self._change(record, Status.SENDING)

    def _change(self, record: Record, status: Status) -> None:
        record.state.status = status
        record.state.timeline.append(Entry(self.wall, status))
        self.store.update(record)

    def copy(self, count: int) -> None:
        for _ in range(count):
            self.snapshots._copy_next(self.ids.last)

    async def write(self) -> None:
        await self.snapshots._write_copies(lambda: next(iter(self.under_way), None))

    def charged(self) -> dict[MessageId, ChargeTime]:
        """What counts: the times of each charge by its message."""
        found = {}
        for place in range(SHARDS):
            charges = _unpacked(self.stage, place)
            found |= {charge.message_id: ChargeTime(charge.at, charge.wall) for charge in charges}
        assert len(found) == len(self.stage.charges)
        assert sum(map(len, self.stage._all_tallies[0]._times.values())) == len(found)
        return found


def _unpacked(stage: CapsStage, place: int) -> Any:
    from gateway.policy.charges import unpack

    return unpack(stage.charges._shards[place])


def in_truth(records: list[Record]) -> set[MessageId]:
    """The messages that the records on disk say were charged."""
    return {
        record.id
        for record in records
        if any(entry.status is Status.QUEUED for entry in record.state.timeline)
        and not (record.status is Status.CANCELLED and not any(part.attempts for part in record.state.parts))
    }


async def settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def crash(store: MemoryStore) -> None:
    """What was handed over and is not committed is gone."""
    store._commit = None
    store._appended, store._updated = {}, {}
    store._drop_handed_over()
    store._last_handed_over = store._last_id
    store._is_open = False


@pytest.mark.parametrize("seed", range(30))
async def test_after_crashes_at_random_moments_what_counts_is_what_the_records_say(seed: int):
    dice = random.Random(seed)
    store = MemoryStore()
    life = await Life(store, wall=START).start()
    records: list[Record] = []
    for _ in range(6):
        for _ in range(60):
            life.wall += 7
            life.at += 7
            waiting = [record for record in records if record.status is Status.SCHEDULED]
            queued = [record for record in records if record.status is Status.QUEUED]
            match dice.choice(["accept"] * 6 + ["wait", "wait", "release", "cancel", "send", "copy", "copy", "write"]):
                case "accept" | "wait" as what:
                    record = life.accept(f"+86138001380{dice.randrange(100):02d}", waits=what == "wait")
                    assert record is not None
                    if dice.random() < 0.8:
                        await settled()
                        records.append(record)
                case "release" if waiting:
                    life.release(dice.choice(waiting))
                    await settled()
                case "cancel" if waiting or queued:
                    life.cancel(dice.choice(waiting + queued))
                    await settled()
                case "send" if queued:
                    life.send(dice.choice(queued))
                case "copy":
                    life.copy(dice.choice([1, 2, 5]))
                case "write":
                    await asyncio.gather(life.write(), settled())
            if dice.random() < 0.02:
                life.wall += dice.choice([-3_600_000, 3_600_000])
        before = life.charged()
        crash(store)
        life = await Life(store, wall=life.wall).start()
        records = await store.appended(after=MessageId(0), limit=10_000)
        after = life.charged()
        assert after.keys() == in_truth(records)
        assert {key: at for key, at in after.items() if at != before[key]} == {}, "a charge has another time"


@pytest.fixture(params=["memory", "disk"])
def make_store(request: pytest.FixtureRequest, tmp_path):
    kept = MemoryStore()
    return (lambda: kept) if request.param == "memory" else lambda: SqliteStore(StoreSettings(path=str(tmp_path)))


async def test_a_start_after_a_stop_has_nothing_to_go_through_and_counts_all(make_store):
    life = await Life(make_store(), wall=START).start()
    for n in range(200):
        life.accept(f"+8613800138{n % 50:03d}", waits=n % 10 == 0)
    while life.under_way:
        await asyncio.sleep(0.001)
    await life.snapshots.finish(last_id=life.ids.last)
    before = life.charged()
    await life.store.close()

    store = make_store()
    life = Life(store, wall=START)
    asked: list[MessageId] = []
    appended = store.appended

    async def noting(*, after: MessageId, limit: int) -> list[Record]:
        asked.append(after)
        return await appended(after=after, limit=limit)

    store.appended = noting  # type: ignore[method-assign]
    await life.start()
    assert len(before) == 180
    assert life.charged() == before
    assert asked == [life.ids.last]
    await store.close()


async def test_a_store_that_knew_no_caps_counts_from_now_on(make_store):
    store = make_store()
    await store.open()
    message = Message(
        id=IdSource(node=0, last=MessageId(0)).next(START),
        account="demo",
        to="+8613800138000",
        text="水",
        accepted_at=START,
        expires_at=START,
    )
    await store.append([new_record(message, Status.QUEUED, lane="c/normal")])
    await store.close()
    life = await Life(make_store(), wall=START).start()
    assert life.charged() == {}
    record = life.accept("+8613800138000")
    assert record is not None
    while life.under_way:
        await asyncio.sleep(0.001)
    await life.store.close()
    life = await Life(make_store(), wall=START).start()
    assert life.charged().keys() == {record.id}
    await life.store.close()


async def test_what_cannot_be_written_is_not_counted_before_or_after_a_start():
    store = MemoryStore()
    life = await Life(store, wall=START, limit=2).start()
    first = life.accept("+8613800138000")
    await settled()
    store.break_down("disk full")
    second = life.accept("+8613800138000")
    assert second is not None
    life.copy(3)  # the copies have its charge
    await settled()
    store.repair()
    await life.write()
    assert first is not None
    assert life.charged().keys() == {first.id}
    crash(store)
    life = await Life(store, wall=START, limit=2).start()
    assert life.charged().keys() == {first.id}
    assert life.accept("+8613800138000") is not None
    assert life.accept("+8613800138000") is None


async def test_a_late_note_that_could_not_be_written_is_tried_again_and_holds_the_slices_up():
    store = MemoryStore()
    life = await Life(store, wall=START).start()
    record = life.accept("+8613800138000", waits=True)
    assert record is not None
    await settled()
    store.break_down("disk full")
    life.release(record)
    await settled()
    life.copy(3)
    with pytest.raises(StoreUnavailableError):
        await store.put_entries("other", {"a": b""})
    store.repair()
    await life.write()
    await settled()
    assert dict(await store.entries("caps_late", limit=10)).keys() == {f"{record.id:020d}"}
    await life.write()
    crash(store)
    life = await Life(store, wall=START).start()
    assert life.charged().keys() == {record.id}


@pytest.mark.parametrize("step_seconds", [-90_000, -1, 0, 1, 80_000])
async def test_a_charge_whose_note_was_lost_has_its_exact_times_whatever_the_wall_clock_did(step_seconds: int):
    store = MemoryStore()
    life = await Life(store, wall=START).start()
    record = life.accept("+8613800138000", waits=True)
    assert record is not None
    await settled()
    life.accept("+8613900139000")
    life.wall += step_seconds * 1_000
    life.at += 5_000
    life.accept("+8613900139000")
    life.snapshots._note = lambda _: None  # type: ignore[method-assign]
    life.release(record)
    await settled()
    before = life.charged()
    assert before[record.id] == ChargeTime(START + 5_000, START // 1_000 + max(0, step_seconds))

    crash(store)
    life = await Life(store, wall=life.wall).start()

    assert life.charged() == before


async def test_a_message_that_was_charged_and_waits_again_is_not_forgotten_with_its_note(make_store):
    life = await Life(make_store(), wall=START).start()
    record = life.accept("+8613800138000", waits=True)
    others = [life.accept("+8613900139000", waits=True) for _ in range(3)]
    assert record is not None
    while life.under_way:
        await asyncio.sleep(0.001)
    await life.snapshots.finish(last_id=life.ids.last)
    life.snapshots._note = lambda _: None  # type: ignore[method-assign]
    life.release(record)
    life._change(record, Status.SCHEDULED)  # its hours have ended
    before = life.charged()
    await life.store.close()

    life = await Life(make_store(), wall=START).start()

    assert life.charged() == before
    assert before.keys() == {record.id}
    untouched = {other.id for other in others if other is not None}
    assert set(await life.store.waiting(after=MessageId(0), limit=10)) == untouched
    await life.store.close()


async def test_notes_of_late_changes_are_dropped_when_every_slice_was_written_since():
    store = MemoryStore()
    life = await Life(store, wall=START).start()
    record = life.accept("+8613800138000", waits=True)
    assert record is not None
    await settled()
    life.release(record)
    for _ in range(3):
        assert len(await store.entries("caps_late", limit=10)) == 1
        life.copy(3)
        await life.write()
        await settled()
    assert await store.entries("caps_late", limit=10) == []
    crash(store)
    life = await Life(store, wall=START).start()
    assert life.charged().keys() == {record.id}


async def test_an_idle_gateway_writes_nothing():
    store = MemoryStore()
    life = await Life(store, wall=START).start()
    life.accept("+8613800138000")
    await settled()
    life.copy(6)
    await life.write()
    written = dict(store._entries)
    calls: list[str] = []
    put = store.put_entries
    store.put_entries = lambda table, entries: calls.append(table) or put(table, entries)  # type: ignore[method-assign]
    life.copy(30)
    await life.write()
    assert calls == []
    assert store._entries == written


async def test_the_gateways_clock_goes_on_from_the_latest_charge_though_the_wall_clock_was_put_back():
    store = MemoryStore()
    life = await Life(store, wall=START, limit=1).start()
    life.wall -= 3_600_000  # put back while it runs
    assert life.accept("+8613800138000") is not None
    await settled()
    crash(store)
    life = await Life(store, wall=START - 3_600_000, limit=1).start()
    assert life.at == START
    assert life.charged() == {life.ids.last: ChargeTime(START, START // 1_000 - 3_600)}
    life.at += 86_399_999
    assert life.accept("+8613800138000") is None
    life.at += 1
    assert life.accept("+8613800138000") is not None
    assert number_of("+8613800138000") == 8613800138000
