"""The files of the store on disk: rotation, late changes, what is open, logs, and files that are not what they were."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from sqlcipher3 import dbapi2

from gateway.message import IdSource, MessageId, Status
from gateway.store.api import EventId, InboundQuery, Query, StoreDamagedError, StoreUnavailableError
from gateway.store.files import data_file, data_files_in
from gateway.store.matching import copy_of
from gateway.store.settings import LIMITS, StoreSettings
from gateway.store.sqlite import SqliteStore


@pytest.fixture
def plain(tmp_path: Path) -> StoreSettings:
    return StoreSettings(path=str(tmp_path / "store"), disk_reserve_bytes=0, late_change_seconds=0.01)


@pytest.fixture
async def open_store(plain) -> AsyncIterator[Callable]:
    """Open stores on one directory, one after the other."""
    stores: list[SqliteStore] = []

    async def open_one(**changes: object) -> SqliteStore:
        if stores:
            await stores.pop().close()
        store = SqliteStore(msgspec.structs.replace(plain, **changes))
        await store.open()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.close()


def files(settings: StoreSettings) -> list:
    return data_files_in(Path(settings.path) / "data")


def logs(settings: StoreSettings) -> list[Path]:
    return sorted((Path(settings.path) / "data").glob("*-wal"))


def control_of(settings: StoreSettings) -> Path:
    return Path(settings.path) / "control.db"


def look(path: Path, question: str) -> list:
    connection = dbapi2.connect(path)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def open_flags(settings: StoreSettings) -> list[int]:
    rows = look(control_of(settings), "SELECT is_open FROM data_file ORDER BY first_id")
    return [is_open for (is_open,) in rows]


# Rotation.


async def test_a_file_takes_its_number_of_messages_and_then_another_begins(open_store, plain, samples):
    store = await open_store(file_messages=3)
    records = samples.records(8)
    for record in records:
        await store.append([record])
    assert [file.first_id for file in files(plain)] == [records[n].id for n in (0, 3, 6)]


async def test_a_file_takes_the_messages_of_its_time(open_store, plain, samples):
    store = await open_store(file_seconds=60)
    first = samples.record()
    samples.now = first.message.accepted_at + 59_998
    last = samples.record()
    following = samples.record()
    for record in (first, last, following):
        await store.append([record])
    assert [file.first_id for file in files(plain)] == [first.id, following.id]


async def test_a_restart_goes_on_with_the_live_file(open_store, plain, samples):
    records = samples.records(4)
    for record in records:
        store = await open_store(file_messages=3)
        await store.append([record])
    assert [file.first_id for file in files(plain)] == [records[0].id, records[3].id]


async def test_a_file_that_was_begun_before_a_crash_and_is_empty_takes_what_follows(open_store, plain, samples):
    store = await open_store()
    await store.append(samples.records(2))
    await store.close()
    begun = data_file(Path(plain.path) / "data", MessageId(samples.next_id() + 5_000_000_000))
    begun.path.touch()
    store = SqliteStore(plain)
    recovered = await store.open()
    assert recovered.last_id == begun.first_id
    ids = IdSource(node=1, last=recovered.last_id)
    record = samples.record(id=ids.next(samples.now))
    await store.append([record])
    await store.update(samples.enter(record, Status.SENDING))
    assert await store.read(record.id) == copy_of(record)
    await store.close()


def test_a_file_is_named_for_its_time_and_its_first_id(tmp_path, samples):
    record = samples.record()
    file = data_file(tmp_path, record.id)
    assert file.path.name == f"20270115T080000Z-{record.id:019d}.db"
    file.path.touch()
    (tmp_path / "20270115T080000Z-12.db").touch()
    (tmp_path / "notes-of-mine.db").touch()
    assert data_files_in(tmp_path) == [file]


async def test_what_waits_for_its_turn_is_not_overtaken_by_inbound_messages_into_the_next_file(open_store, samples):
    store = await open_store(file_messages=2, batch_messages=2)
    records, inbound = samples.records(12), []
    commits = [store.append(records[start : start + 2]) for start in range(0, 12, 2)]
    for commit in commits:
        inbound.append(samples.inbound("T"))
        commits.append(store.append_inbound(inbound[-1]))
        await commit
        if len(inbound) == 6:
            break
    await asyncio.gather(*commits)
    await asyncio.gather(*(store.update(samples.enter(record, Status.SENDING)) for record in records))
    for record in records:
        assert await store.read(record.id) == copy_of(record)
    for n, message in enumerate(inbound):
        assert await store.inbound(after=message.id, limit=9) == inbound[n + 1 :]


async def test_a_list_of_inbound_messages_stops_where_its_budget_is_spent_and_goes_on_there(open_store, plain, samples):
    store = await open_store(file_messages=5, search_messages=2)
    messages = []
    for n in range(12):
        await store.append(samples.records(1))
        messages.append(msgspec.structs.replace(samples.inbound(f"{n}"), account="demo" if n % 4 == 0 else "other"))
        await store.append_inbound(messages[-1])
    assert len(files(plain)) == 3

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await store.find_inbound(InboundQuery(account="demo", since=0, before=cursor))
        found += page.messages
        cursor, pages = page.cursor, pages + 1
    assert found == [messages[8], messages[4], messages[0]]
    assert pages > 12 / 2


# Late changes, and which files have open messages.


async def test_late_changes_are_gathered_and_then_committed(open_store, samples):
    store = await open_store(file_messages=2, late_change_seconds=0.1)
    records = samples.records(6)
    for start in (0, 2, 4):
        await store.append(records[start : start + 2])
    began = time.monotonic()
    commits = {store.update(samples.enter(record, Status.SENDING)) for record in records[:4]}
    live = store.update(samples.enter(records[5], Status.SENDING))
    await live
    assert time.monotonic() - began < 0.1
    assert len(commits) == 2  # one for each file
    assert not any(commit.done() for commit in commits)
    await asyncio.gather(*commits)
    assert time.monotonic() - began >= 0.1
    for record in records[:4]:
        assert await store.read(record.id) == copy_of(record)


async def test_a_file_is_marked_closed_when_its_last_open_message_ended_and_not_before(open_store, plain, samples):
    store = await open_store(file_messages=2)
    records = samples.records(5)
    for start in (0, 2, 4):
        await store.append(records[start : start + 2])
    assert open_flags(plain) == [1, 1, 1]
    await store.update(samples.enter(records[0], Status.CANCELLED))
    assert open_flags(plain) == [1, 1, 1]
    await store.update(samples.enter(records[1], Status.EXPIRED))
    assert open_flags(plain) == [0, 1, 1]
    await store.update(samples.enter(records[0], Status.DELIVERED))  # a correction
    assert open_flags(plain) == [0, 1, 1]
    store = await open_store(file_messages=2)
    assert await store.read(records[0].id) == copy_of(records[0])
    assert [record.id for record in await store.queued("cmcc-a/normal", after=MessageId(0), limit=9)] == [
        record.id for record in records[2:]
    ]


async def test_a_file_whose_messages_all_ended_while_it_was_live_is_closed_at_the_rotation(open_store, plain, samples):
    store = await open_store(file_messages=2)
    records = samples.records(2)
    await store.append(records)
    for record in records:
        await store.update(samples.enter(record, Status.CANCELLED))
    assert open_flags(plain) == [1]
    await store.append(samples.records(1))
    assert open_flags(plain) == [0, 1]


async def test_a_start_does_not_open_the_archive(open_store, plain, samples):
    store = await open_store(file_messages=1)
    records = samples.records(3)
    for record in records:
        await store.append([record])
        await store.update(samples.enter(record, Status.CANCELLED))
    await store.append([waiting := samples.record()])
    await store.close()
    for file in files(plain)[:2]:
        file.path.write_bytes(b"not a database" * 100)
    store = await open_store(file_messages=1)
    assert [one.id for one in await store.queued("cmcc-a/normal", after=MessageId(0), limit=9)] == [waiting.id]


# Logs.


async def test_logs_are_copied_back_and_removed_at_the_end(open_store, plain, samples):
    store = await open_store(file_messages=2)
    for _ in range(4):
        await store.append(samples.records(2))
    await store.close()
    assert logs(plain) == []


@pytest.mark.parametrize("readers", [0, 2])
async def test_a_log_is_begun_anew_when_it_has_reached_its_limit(open_store, plain, samples, readers):
    limit = 1 << 20
    store = await open_store(wal_bytes=limit, checkpoint_seconds=0.01)

    async def read_on() -> None:
        while True:
            await store.find_attempts("cmcc-a", ["none"])

    reading = [asyncio.create_task(read_on()) for _ in range(readers)]
    for _ in range(150):
        await store.append(samples.records(100, text="水" * 400))
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    [log] = logs(plain)
    written = files(plain)[0].path.stat().st_size
    assert written > 15 * limit
    assert log.stat().st_size < 10 * limit


async def test_reading_the_archive_leaves_nothing_behind(open_store, plain, samples):
    store = await open_store(file_messages=1)
    records = samples.records(3)
    for record in records:
        await store.append([record])
        await store.update(samples.enter(record, Status.CANCELLED))
    store = await open_store(file_messages=1)
    assert len((await store.find(Query(since=0))).records) == 3
    await store.close()
    assert sorted((Path(plain.path) / "data").iterdir()) == [file.path for file in files(plain)]


async def test_the_log_of_a_file_that_is_rotated_away_is_emptied_though_a_reader_has_it_open(
    open_store, plain, samples
):
    store = await open_store(file_messages=1, open_files=2)
    records = samples.records(5)
    for record in records:
        await store.append([record])
        await store.read(records[0].id)
    async with asyncio.timeout(5):
        while any(log.stat().st_size for log in logs(plain)[:1]):
            await asyncio.sleep(0.005)
    assert await store.read(records[0].id) == copy_of(records[0])


# Files that are not what they should be.


async def test_a_store_of_a_later_version_is_refused(open_store, plain, samples):
    store = await open_store()
    await store.append([samples.record()])
    await store.close()
    connection = dbapi2.connect(control_of(plain))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreDamagedError, match=r"control.db: was written by a later version \(schema 99"):
        await SqliteStore(plain).open()


async def test_a_database_of_somebody_else_is_refused_and_left_alone(plain):
    path = control_of(plain)
    path.parent.mkdir()
    connection = dbapi2.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreDamagedError, match="is a database of something else"):
        await SqliteStore(plain).open()
    assert look(path, "SELECT name FROM sqlite_master") == [("theirs",)]


async def test_a_damaged_live_file_is_refused_and_named(open_store, plain, samples):
    store = await open_store()
    await store.append([samples.record()])
    await store.close()
    [file] = files(plain)
    file.path.write_bytes(b"x" * 8192)
    with pytest.raises(StoreDamagedError, match=f"{file.path}: .*bring it back from a backup"):
        await SqliteStore(plain).open()


async def test_an_open_file_that_is_gone_is_missed_and_can_be_given_up(open_store, plain, samples):
    store = await open_store(file_messages=1)
    records = samples.records(2)
    for record in records:
        await store.append([record])
    await store.close()
    lost = files(plain)[0].path
    lost.unlink()
    with pytest.raises(StoreDamagedError, match=f"{lost}: is missing, and had open messages"):
        await SqliteStore(plain).open()
    lost.touch()
    store = await open_store()
    assert (await store.find(Query(since=0))).records == (copy_of(records[1]),)


async def test_an_archived_file_that_was_taken_away_is_not_missed(open_store, plain, samples):
    store = await open_store(file_messages=1)
    records = samples.records(2)
    for record in records:
        await store.append([record])
    await store.update(samples.enter(records[0], Status.CANCELLED))
    await store.close()
    files(plain)[0].path.unlink()
    store = await open_store()
    assert (await store.find(Query(since=0))).records == (copy_of(records[1]),)
    assert await store.read(records[0].id) is None


async def test_a_store_without_its_control_db_is_refused_while_messages_wait(open_store, plain, samples):
    store = await open_store(file_messages=1)
    records = samples.records(3)
    for record in records:
        await store.append([record])
    await store.close()
    control_of(plain).unlink()
    with pytest.raises(StoreDamagedError, match=r"control.db: does not name lane 16, in which messages wait"):
        await SqliteStore(plain).open()


async def test_files_are_found_without_control_db_when_nothing_waits(open_store, plain, samples):
    store = await open_store(file_messages=1)
    records = samples.records(3)
    for record in records:
        await store.append([record])
        await store.update(samples.submit(record, f"id-{record.id}"))
    await store.close()
    control_of(plain).unlink()
    store = await open_store()
    assert [record async for chunk in store.unsettled() for record in chunk] == [copy_of(record) for record in records]


async def test_a_damaged_old_file_fails_its_own_messages_and_no_others(open_store, plain, samples):
    store = await open_store(file_messages=1, retry_seconds=60.0)
    records = samples.records(2)
    for record in records:
        await store.append([record])
    await store.update(samples.enter(records[0], Status.CANCELLED))
    store = await open_store(file_messages=1, retry_seconds=60.0)
    files(plain)[0].path.write_bytes(b"x" * 8192)
    with pytest.raises(StoreDamagedError, match="not a database"):
        await store.read(records[0].id)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        await store.update(samples.enter(records[0], Status.DELIVERED))
    assert store.failure is None
    await store.append([samples.record()])  # at once: nobody else pauses
    await store.update(samples.enter(records[1], Status.SENDING))
    assert await store.read(records[1].id) == copy_of(records[1])


async def test_a_damaged_old_file_is_told_of_once_and_keeps_no_start_from_the_other_refs(plain, samples):
    told: list[str] = []
    settings = msgspec.structs.replace(plain, file_messages=1, late_change_seconds=0.0)
    store = SqliteStore(settings, on_damage=lambda error: told.append(str(error)))
    await store.open()
    records = [samples.record(client_ref=f"ref-{n}") for n in range(2)]
    for record in records:
        await store.append([record])
    await store.update(samples.enter(records[0], Status.CANCELLED))
    await store.close()
    old = files(plain)[0].path
    old.write_bytes(b"x" * 8192)

    store = SqliteStore(settings, on_damage=lambda error: told.append(str(error)))
    await store.open()
    assert store.damaged_files == 0
    for _ in range(2):
        refs = [ref for chunk in [some async for some in store.client_refs(since=0)] for ref in chunk]
        assert [ref for _, ref, _ in refs] == ["ref-1"]
    assert store.damaged_files == 1
    await asyncio.sleep(0)
    [said] = told
    assert said.startswith(f"{old}: ")
    await store.close()


async def test_events_of_a_damaged_file_are_left_out_and_those_of_others_are_not(plain, samples):
    settings = msgspec.structs.replace(plain, file_messages=1, late_change_seconds=0.0)
    store = SqliteStore(settings)
    await store.open()
    store.watch_events({"demo": frozenset({Status.CANCELLED})}, lambda _: None)
    records = samples.records(2)
    for record in records:
        await store.append([record])
    for record in records:
        await store.update(samples.enter(record, Status.CANCELLED))
    await store.close()
    files(plain)[0].path.write_bytes(b"x" * 8192)

    store = SqliteStore(settings)
    await store.open()
    assert await store.count_events("demo", after=EventId(0)) == 1
    assert [event.message_id for event in await store.events("demo", after=EventId(0), limit=10)] == [records[1].id]
    assert store.damaged_files == 1
    await store.close()


async def test_a_damaged_file_with_open_messages_holds_up_receipts_that_may_be_for_them(plain, samples):
    settings = msgspec.structs.replace(plain, file_messages=1, late_change_seconds=0.0)
    store = SqliteStore(settings)
    await store.open()
    records = samples.records(2)
    for n, record in enumerate(records):
        await store.append([record])
        await store.update(samples.submit(record, f"id-{n}"))
    await store.close()
    store = SqliteStore(settings)
    await store.open()
    files(plain)[0].path.write_bytes(b"x" * 8192)
    with pytest.raises(StoreDamagedError):  # its message may be the one that the receipt is for
        await store.find_attempts("cmcc-a", ["id-1"])
    await store.close()


async def test_late_receipts_of_a_damaged_file_match_nothing_and_others_do(plain, samples):
    settings = msgspec.structs.replace(plain, file_messages=1, late_change_seconds=0.0)
    store = SqliteStore(settings)
    await store.open()
    records = samples.records(2)
    for n, record in enumerate(records):
        await store.append([record])
        await store.update(samples.submit(record, f"id-{n}"))
        await store.update(samples.enter(record, Status.DELIVERED))
    await store.close()
    files(plain)[0].path.write_bytes(b"x" * 8192)

    store = SqliteStore(settings)
    await store.open()
    assert await store.find_attempts("cmcc-a", ["id-0", "id-1"]) == [copy_of(records[1])]
    await store.close()


async def test_a_damaged_row_is_told_from_a_missing_one(open_store, plain, samples):
    store = await open_store()
    record = samples.record()
    await store.append([record])
    await store.close()
    connection = dbapi2.connect(str(files(plain)[0].path))
    connection.execute("UPDATE message SET body = 'x'")
    connection.commit()
    connection.close()
    store = await open_store()
    with pytest.raises(StoreDamagedError, match=r"\.db: JSON is malformed.*bring it back from a backup"):
        await store.read(record.id)


async def test_a_receipt_is_not_forgotten_before_what_it_changed_is_written(open_store, plain, samples):
    receipt = samples.receipt("id-1")
    store = await open_store(file_messages=1, retry_seconds=60.0)
    records = samples.records(2)
    for record in records:
        await store.append([record])
    await store.keep_receipt(receipt)
    await store.update(samples.enter(records[0], Status.CANCELLED))
    store = await open_store(file_messages=1, retry_seconds=60.0)
    files(plain)[0].path.write_bytes(b"x" * 8192)
    change = store.update(samples.enter(records[0], Status.DELIVERED))
    drop = store.drop_receipts([receipt])
    for commit in (change, drop):
        with pytest.raises(StoreUnavailableError, match="not a database"):
            await commit
    await store.close()
    assert look(control_of(plain), "SELECT count(*) FROM receipt") == [(1,)]


async def test_a_path_that_cannot_be_used_is_named(plain, tmp_path):
    (tmp_path / "store").touch()
    with pytest.raises(StoreUnavailableError, match=f"{plain.path}: .*choose a directory that can be used"):
        await SqliteStore(plain).open()
    below = msgspec.structs.replace(plain, path=str(tmp_path / "store" / "below"))
    with pytest.raises(StoreUnavailableError, match="Not a directory"):
        await SqliteStore(below).open()


async def test_a_path_that_is_missing_is_made_with_all_that_leads_to_it(plain, tmp_path):
    store = SqliteStore(msgspec.structs.replace(plain, path=str(tmp_path / "not" / "there")))
    await store.open()
    await store.close()
    assert (tmp_path / "not" / "there" / "control.db").exists()


# Limits.


async def test_what_is_no_text_fails_and_stops_nothing(open_store, samples):
    complaints: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    store = await open_store()
    with pytest.raises(StoreUnavailableError, match="surrogates not allowed"):
        await store.append([samples.record(text="\ud800")])
    assert len(complaints) == 1
    await store.append([samples.record()])


async def test_more_than_may_wait_fails_at_once(open_store, samples):
    store = await open_store(batch_messages=2, pending_messages=4, pending_changes=2)
    commits = [store.append(samples.records(2)) for _ in range(3)]
    assert [commit.done() for commit in commits] == [False, False, True]
    with pytest.raises(StoreUnavailableError, match="too many messages"):
        await commits[2]
    await commits[1]
    records = samples.records(3)
    await store.append(records)
    changes = [store.update(samples.enter(record, Status.SENDING)) for record in records]
    with pytest.raises(StoreUnavailableError, match="too many changes"):
        await changes[2]
    assert store.update(records[0]) is changes[0]
    await changes[1]


async def test_a_change_of_what_was_never_appended_is_a_bug_that_stops_nothing(open_store, samples):
    complaints: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    store = await open_store(retry_seconds=0.001)
    await store.append(samples.records(1))
    stray = store.update(samples.record())
    with pytest.raises(StoreUnavailableError, match=r"a bug: .*0 of 1 rows written"):
        await stray
    assert len(complaints) == 1
    later = samples.record()
    await store.append([later])
    assert await store.read(later.id) == copy_of(later)
    assert store.failure is None


@pytest.mark.parametrize("name", LIMITS)
def test_a_setting_out_of_range_is_refused_by_name_value_and_rule(name):
    least, most = LIMITS[name]
    for wrong in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"^{name} = .*: must be {least} to {most}$"):
            StoreSettings(path="x", **{name: wrong})
    StoreSettings(path="x", **{name: least})


def test_a_store_without_a_path_is_refused():
    with pytest.raises(ValueError, match="path is empty"):
        StoreSettings(path="")
