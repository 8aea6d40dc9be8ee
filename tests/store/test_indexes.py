"""Index files: when they are built, that searches use them, and that no receipt slips past them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from sqlcipher3 import dbapi2

from gateway.message import MessageId, Status
from gateway.store.api import Query, StoreDamagedError
from gateway.store.building import Builder
from gateway.store.indexes import LAST_ID, Indexes, Region, take_stock
from gateway.store.matching import copy_of
from gateway.store.reader import Reader
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore


@pytest.fixture
def tiny(tmp_path: Path) -> StoreSettings:
    """Four messages an index, five a data file: most indexes are about two files."""
    return StoreSettings(
        path=str(tmp_path / "store"),
        disk_reserve_bytes=0,
        late_change_seconds=0.001,
        file_messages=5,
        index_messages=4,
        index_tail_messages=1_000,
        index_check_seconds=0.005,
    )


@pytest.fixture
async def open_store(tiny) -> AsyncIterator[Callable]:
    """Open stores on one directory, one after the other."""
    stores: list[SqliteStore] = []

    async def open_one(**changes: object) -> SqliteStore:
        if stores:
            await stores.pop().close()
        store = SqliteStore(msgspec.structs.replace(tiny, **changes))
        await store.open()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.close()


def index_directory(settings: StoreSettings) -> Path:
    return Path(settings.path) / "index"


def indexes(settings: StoreSettings) -> list[Path]:
    return sorted(index_directory(settings).glob("*.db"))


def indexed(store: SqliteStore) -> int:
    """How many index files the store knows of."""
    return sum(region.index is not None for region in store._indexes.regions)


def stragglers(settings: StoreSettings) -> list[tuple]:
    connection = dbapi2.connect(str(Path(settings.path) / "control.db"))
    try:
        return connection.execute("SELECT * FROM straggler ORDER BY 1, 2, 3").fetchall()
    finally:
        connection.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def fill(store: SqliteStore, samples, count: int) -> list:
    """Messages that were all submitted: at rest."""
    records = []
    for n in range(count):
        record = samples.record(to=f"+86138{n % 3}", client_ref=f"r{n % 4}" if n % 2 else "", batch=f"b{n % 2}")
        await store.append([record])
        await store.update(samples.submit(record, f"id-{n}"))
        records.append(record)
    return records


async def listed(store: SqliteStore, **filters: object) -> list:
    found: list = []
    query = Query(since=0, limit=2, **filters)
    while True:
        page = await store.find(query)
        found += page.records
        if page.cursor is None:
            return found
        query = msgspec.structs.replace(query, before=page.cursor)


@pytest.fixture
def look_ups(monkeypatch) -> list[tuple[Path, str]]:
    """Every look into an index: the file, and the field or the carrier."""
    seen: list[tuple[Path, str]] = []

    def spy(name: str) -> None:
        real = getattr(Reader, name)

        def look_up(self, path, first, *args, **kwargs):
            seen.append((path, first))
            return real(self, path, first, *args, **kwargs)

        monkeypatch.setattr(Reader, name, look_up)

    spy("look_up")
    spy("look_up_attempts")
    return seen


async def test_an_index_is_built_for_every_full_stretch_and_no_other(open_store, tiny, samples):
    store = await open_store()
    records = await fill(store, samples, 14)
    await until(lambda: indexed(store) == 3)
    ends = [0, records[3].id, records[7].id, records[11].id]
    assert [(region.above, region.through) for region in take_stock(index_directory(tiny))] == list(pairwise(ends))
    await asyncio.sleep(0.03)
    assert len(indexes(tiny)) == 3


async def test_a_search_looks_into_the_indexes_and_scans_the_rest(open_store, tiny, samples, look_ups):
    store = await open_store()
    records = await fill(store, samples, 14)
    await until(lambda: indexed(store) == 3)
    for filters, field in (({"to": "+861381"}, "to"), ({"client_ref": "r1"}, "client_ref"), ({"batch": "b0"}, "batch")):
        look_ups.clear()
        [(name, text)] = filters.items()
        wanted = [copy_of(record) for record in reversed(records) if getattr(record.message, name) == text]
        assert await listed(store, **filters) == wanted
        assert {path for path, _ in look_ups} == set(indexes(tiny))
        assert {seen for _, seen in look_ups} == {field}


async def test_messages_to_many_numbers_are_looked_up_in_the_indexes_and_scanned_for_in_the_rest(
    open_store, tiny, samples, look_ups
):
    store = await open_store()
    records = await fill(store, samples, 14)
    await until(lambda: indexed(store) == 3)
    phones = [records[n].message.to for n in (0, 1)]
    wanted = [record for record in reversed(records) if record.message.to in phones]
    look_ups.clear()
    assert await store.sent_to(phones, since=0, limit=100) == [copy_of(record) for record in wanted]
    assert {path for path, _ in look_ups} == set(indexes(tiny))
    newest = [next(record for record in wanted if record.message.to == phone) for phone in phones]
    expected = sorted(newest, key=lambda record: record.id, reverse=True)
    assert await store.sent_to(phones, since=0, limit=1) == [copy_of(record) for record in expected]


async def test_receipts_look_into_the_indexes_and_scan_the_rest(open_store, tiny, samples, look_ups):
    store = await open_store()
    records = await fill(store, samples, 14)
    await until(lambda: indexed(store) == 3)
    found = await store.find_attempts("cmcc-a", ["id-13", "id-0", "id-6"])
    assert found == [copy_of(records[n]) for n in (13, 6, 0)]
    assert sorted(look_ups) == [(path, "cmcc-a") for path in indexes(tiny)]


async def test_what_an_index_does_not_name_is_not_found_so_it_is_really_used(open_store, tiny, samples):
    store = await open_store()
    records = await fill(store, samples, 4)
    await until(lambda: indexed(store) == 1)
    await store.close()
    connection = dbapi2.connect(str(indexes(tiny)[0]))
    connection.execute('DELETE FROM "to"')
    connection.execute("DELETE FROM attempt")
    connection.commit()
    connection.close()
    store = await open_store()
    assert await listed(store, to=records[0].message.to) == []
    assert await store.find_attempts("cmcc-a", ["id-0"]) == []
    assert await listed(store, batch="b0") == [copy_of(records[2]), copy_of(records[0])]


@pytest.mark.parametrize(
    "filters",
    [
        {"to": "+861380"},
        {"to": "+861380", "batch": "b1"},
        {"client_ref": "r3", "to": "+861381"},
        {"client_ref": "r3", "account": "demo"},
        {"batch": "b1", "account": "other"},
        {"batch": "b1", "status": Status.SUBMITTED},
        {"batch": "b1", "status": Status.DELIVERED},
        {"to": "nobody"},
        {"account": "demo"},
    ],
)
async def test_a_list_is_the_same_with_and_without_indexes(open_store, tiny, samples, filters):
    store = await open_store(index_check_seconds=3600.0)
    records = await fill(store, samples, 14)
    await store.update(samples.deliver(records[3]))
    await store.update(samples.deliver(records[9]))
    without = await listed(store, **filters)
    attempts_without = await store.find_attempts("cmcc-a", ["id-2", "id-9", "id-13", "none"])
    store = await open_store()
    await until(lambda: indexed(store) == 3)
    assert await listed(store, **filters) == without
    assert await store.find_attempts("cmcc-a", ["id-2", "id-9", "id-13", "none"]) == attempts_without
    assert len(attempts_without) == 3


async def test_messages_that_come_while_others_are_counted_are_counted(open_store, tiny, samples, monkeypatch):
    entered, released = threading.Event(), threading.Event()
    count_between = Builder.count_between

    def slow_count(self, files, above, through):
        count = count_between(self, files, above, through)
        entered.set()
        assert released.wait(10)
        return count

    monkeypatch.setattr(Builder, "count_between", slow_count)
    store = await open_store()
    await until(entered.is_set)
    await fill(store, samples, 4)
    released.set()
    await until(lambda: indexed(store) == 1)


async def test_an_index_waits_for_what_is_queued_or_being_sent(open_store, tiny, samples):
    store = await open_store()
    records = samples.records(4)
    await store.append(records)
    for record in records[:2]:
        await store.update(samples.submit(record, f"id-{record.id}"))
    await store.update(samples.enter(records[2], Status.SENDING))
    await store.update(samples.enter(records[3], Status.CANCELLED))
    await asyncio.sleep(0.03)
    assert indexes(tiny) == []
    await store.update(samples.submit(records[2], "late"))
    await until(lambda: indexed(store) == 1)
    assert await store.find_attempts("cmcc-a", ["late"]) == [copy_of(records[2])]
    assert stragglers(tiny) == []


async def test_a_stuck_lane_holds_an_index_only_so_long_and_its_attempts_are_found_all_the_same(
    open_store, tiny, samples
):
    store = await open_store(index_tail_messages=6)
    [stuck] = samples.records(1)
    await store.append([stuck])
    await fill(store, samples, 4)
    await asyncio.sleep(0.03)
    assert indexes(tiny) == []
    await fill(store, samples, 1)
    await until(lambda: indexed(store) == 1)
    await store.update(samples.submit(stuck, "at last"))
    assert stragglers(tiny) == [("at last", "cmcc-a", stuck.id)]
    for _ in range(2):
        assert await store.find_attempts("cmcc-a", ["at last"]) == [copy_of(stuck)]
        store = await open_store()


async def test_a_part_that_is_sent_again_elsewhere_is_found_under_both_ids(open_store, tiny, samples):
    store = await open_store()
    records = await fill(store, samples, 4)
    await until(lambda: indexed(store) == 1)
    await store.update(samples.submit(records[1], "again", carrier="backup"))
    assert await store.find_attempts("backup", ["again"]) == [copy_of(records[1])]
    assert await store.find_attempts("cmcc-a", ["id-1"]) == [copy_of(records[1])]
    assert await store.find_attempts("cmcc-a", ["again"]) == []


async def test_a_receipt_for_an_indexed_message_is_no_straggler(open_store, tiny, samples):
    store = await open_store()
    records = await fill(store, samples, 9)
    await until(lambda: indexed(store) == 2)
    for record in records:
        await store.update(samples.deliver(record))
    assert stragglers(tiny) == []


async def test_an_attempt_that_is_written_while_its_index_is_being_built_is_found(
    open_store, tiny, samples, monkeypatch
):
    entered, released = threading.Event(), threading.Event()
    build = Builder.build

    def slow_build(self, files, region):
        built = build(self, files, region)
        entered.set()
        assert released.wait(10)
        return built

    monkeypatch.setattr(Builder, "build", slow_build)
    store = await open_store()
    records = await fill(store, samples, 4)
    await until(entered.is_set)
    await store.update(samples.submit(records[0], "meanwhile"))
    assert await store.find_attempts("cmcc-a", ["meanwhile"]) == [copy_of(records[0])]
    released.set()
    await until(lambda: store._indexes.through == records[3].id)
    assert await store.find_attempts("cmcc-a", ["meanwhile"]) == [copy_of(records[0])]
    assert stragglers(tiny) == [("meanwhile", "cmcc-a", records[0].id)]


async def test_the_batch_under_way_when_an_index_is_announced_is_in_it(open_store, tiny, samples, monkeypatch):
    """Its changes were cut without a word about stragglers, so the index must wait for them."""
    store = await open_store(index_check_seconds=3600.0)
    records = await fill(store, samples, 4)
    announced: list[MessageId] = []
    write = store._writer.write

    def slow_write(batch):
        announced.append(batch.indexed_through)
        threading.Event().wait(0.05)
        return write(batch)

    monkeypatch.setattr(store._writer, "write", slow_write)
    commit = store.update(samples.submit(records[0], "under way"))
    await asyncio.sleep(0.01)
    assert await store._indexing._build_next()
    assert commit.done()
    assert announced == [0]
    assert store._indexes.through == records[3].id
    assert stragglers(tiny) == []
    assert await store.find_attempts("cmcc-a", ["under way"]) == [copy_of(records[0])]


async def test_new_messages_are_above_all_indexes_though_the_indexed_ones_were_given_up(open_store, tiny, samples):
    store = await open_store()
    records = await fill(store, samples, 4)
    await until(lambda: indexed(store) == 1)
    await store.close()
    [file] = (Path(tiny.path) / "data").glob("*.db")
    file.write_bytes(b"")
    store = SqliteStore(tiny)
    assert (await store.open()).last_id == records[-1].id
    await store.close()


async def test_an_index_that_was_removed_is_built_again(open_store, tiny, samples):
    store = await open_store()
    records = await fill(store, samples, 13)
    await until(lambda: indexed(store) == 3)
    await store.close()
    lost = indexes(tiny)[1]
    lost.unlink()
    store = await open_store(index_check_seconds=3600.0)
    assert await store.find_attempts("cmcc-a", ["id-5"]) == [copy_of(records[5])]
    assert await listed(store, client_ref="r1") == [copy_of(records[n]) for n in (9, 5, 1)]
    store = await open_store()
    await until(lambda: indexed(store) == 3)
    assert indexes(tiny)[1] == lost
    assert await store.find_attempts("cmcc-a", ["id-5"]) == [copy_of(records[5])]


async def test_what_is_half_built_or_of_another_version_is_removed_at_a_start(open_store, tiny, samples):
    store = await open_store()
    await store.close()
    leftovers = [
        f"{0:019d}-{9:019d}.v1.unfinished",
        f"{0:019d}-{9:019d}.v1.staging",
        f"{0:019d}-{9:019d}.v0.db",
    ]
    for name in leftovers:
        (index_directory(tiny) / name).touch()
    await open_store()
    assert sorted(index_directory(tiny).iterdir()) == []


async def test_a_damaged_index_is_named_with_what_to_do(open_store, tiny, samples):
    store = await open_store()
    await fill(store, samples, 4)
    await until(lambda: indexed(store) == 1)
    await store.close()
    [path] = indexes(tiny)
    path.write_bytes(b"x" * 8192)
    store = await open_store()
    with pytest.raises(StoreDamagedError, match=f"{path}: .*remove it and start: it is built again"):
        await listed(store, to="+861380")


async def test_closing_does_not_wait_for_an_index(open_store, tiny, samples, monkeypatch):
    entered = threading.Event()
    copy = Builder._copy

    def slow_copy(self, *args):
        entered.set()
        assert self._stopping.wait(10)
        copy(self, *args)

    monkeypatch.setattr(Builder, "_copy", slow_copy)
    store = await open_store()
    await fill(store, samples, 4)
    await until(entered.is_set)
    async with asyncio.timeout(5):
        await store.close()
    assert list(index_directory(tiny).iterdir()) == []


async def test_a_failed_build_is_told_and_tried_again(open_store, tiny, samples, monkeypatch):
    def fail(self, files, region):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Builder, "build", fail)
        store = await open_store()
        records = await fill(store, samples, 4)
        await until(lambda: store.background_failure is not None)
        assert "No space left" in str(store.background_failure)
        assert await store.find_attempts("cmcc-a", ["id-3"]) == [copy_of(records[3])]
    await until(lambda: indexed(store) == 1)
    await until(lambda: store.background_failure is None)


def test_regions_have_no_holes_whatever_is_lost():
    indexed = [Region(MessageId(above), MessageId(above + 10), Path(f"{above}")) for above in (0, 10, 20, 30)]
    for lost in ((), (0,), (1, 2), (3,), (0, 2), (0, 1, 2, 3)):
        kept = [region for n, region in enumerate(indexed) if n not in lost]
        catalog = Indexes()
        catalog.add(kept)
        ends = [LAST_ID, *(region.above for region in catalog.regions)]
        assert [region.through for region in catalog.regions] == ends[:-1]
        assert ends[-1] == 0
        assert [region for region in catalog.regions if region.index is not None] == kept[::-1]
        assert catalog.through == (kept[-1].through if kept else 0)
