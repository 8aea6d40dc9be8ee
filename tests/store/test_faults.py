"""Failing disks and sudden ends: what was acknowledged is there, what failed is not, and service comes back."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from gateway.message import MessageId, Record, Status
from gateway.store.api import Query, Recovered, StoreLockedError, StoreUnavailableError
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATH = (Status.QUEUED, Status.SENDING, Status.SUBMITTED, Status.DELIVERED)


@pytest.fixture(scope="session")
def fsync_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes syncs fail."""
    library = tmp_path_factory.mktemp("shims") / "fsync.so"
    source = ROOT / "tests/faults/shims/fsync.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True)
    return library


class Worker:
    """`worker.py`, running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def tell(self) -> object:
        line = await self.process.stdout.readline()
        assert line, "the worker ended"
        return msgspec.json.decode(line)

    async def ask(self, **command: object) -> object:
        self.process.stdin.write(msgspec.json.encode(command) + b"\n")
        return await self.tell()

    async def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        self.process.stdin.close()
        assert await self.process.wait() == 0


@pytest.fixture
async def start_worker() -> AsyncIterator[Callable]:
    """Start workers; none outlives the test."""
    workers: list[Worker] = []

    async def start(settings: StoreSettings, **environment: str) -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            HERE / "worker.py",
            msgspec.json.encode(settings).decode(),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 22,
        )
        workers.append(Worker(process))
        assert await workers[-1].tell() == "ready"
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.returncode is None:
            await worker.kill()


@asynccontextmanager
async def opened(settings: StoreSettings) -> AsyncIterator[tuple[SqliteStore, Recovered]]:
    store = SqliteStore(settings)
    recovered = await store.open()
    yield store, recovered
    await store.close()


async def everything(store: SqliteStore) -> dict[MessageId, Record]:
    found: dict[MessageId, Record] = {}
    cursor = None
    while True:
        page = await store.find(Query(since=0, before=cursor, limit=1000))
        found |= {record.id: record for record in page.records}
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.fixture
def plain(tmp_path: Path) -> StoreSettings:
    return StoreSettings(
        path=str(tmp_path / "store"), disk_reserve_bytes=0, late_change_seconds=0.02, retry_seconds=0.01
    )


async def test_whatever_was_reported_is_there_after_every_kill(plain, start_worker):
    settings = msgspec.structs.replace(
        plain,
        file_messages=60,
        open_files=3,
        checkpoint_seconds=0.05,
        batch_messages=40,
        index_messages=25,
        index_tail_messages=50,
        index_check_seconds=0.01,
    )
    index_directory = Path(plain.path) / "index"
    steps: dict[str, int] = {}
    kept: set[str] = set()
    for seed in range(3):
        worker = await start_worker(settings)
        worker.process.stdin.write(msgspec.json.encode({"traffic": seed}) + b"\n")
        for _ in range(700):
            match await worker.tell():
                case {"status": reached}:
                    steps |= reached
                case {"kept": text}:
                    kept.add(text)
        await worker.kill()
        # Read up to the kill: what was reported last counts as well.
        rest = (await worker.process.stdout.read()).splitlines(keepends=True)
        for line in rest:
            if line.endswith(b"\n"):
                report = msgspec.json.decode(line)
                steps |= report.get("status", {})
                kept |= {report["kept"]} if "kept" in report else set()
        async with opened(settings) as (store, recovered):
            found = await everything(store)
            lost = [key for key, step in steps.items() if PATH.index(found[MessageId(int(key))].status) < step]
            assert lost == []
            submitted = [int(key) for key, step in steps.items() if PATH[step] in (Status.SUBMITTED, Status.DELIVERED)]
            matched = await store.find_attempts("a", [f"id-{message_id}" for message_id in submitted])
            assert {record.id for record in matched} >= set(submitted)
            inbound = await store.inbound(after=MessageId(0), limit=10_000)
            assert kept <= {one.text for one in inbound} | {one.carrier_message_id for one in recovered.receipts}
            assert recovered.last_id >= max(found)
            waiting = sum(record.status is Status.QUEUED for record in found.values())
            assert sum(recovered.lanes.values()) == waiting
            open_ones = [record.id async for chunk in store.unsettled() for record in chunk]
            assert open_ones == sorted(
                key for key, record in found.items() if record.status in (Status.SENDING, Status.SUBMITTED)
            )
    assert len(steps) > 300
    assert len(sorted(index_directory.iterdir())) > 3


async def test_nothing_is_acknowledged_while_syncs_fail_and_service_comes_back(
    plain, start_worker, fsync_shim, tmp_path
):
    failing = tmp_path / "failing"
    worker = await start_worker(plain, LD_PRELOAD=str(fsync_shim), FAIL_SYNC_FILE=str(failing))
    first, second = await worker.ask(append=2)

    failing.touch()
    assert "disk I/O error" in (await worker.ask(append=3))["error"]
    assert "disk I/O error" in (await worker.ask(update=[first, "sending"]))["error"]
    assert "disk I/O error" in (await worker.ask(receipt="lost"))["error"]
    assert "disk I/O error" in (await worker.ask(inbound="lost"))["error"]
    assert "disk I/O error" in await worker.ask(failure=True)

    failing.unlink()
    assert await worker.ask(update=[second, "sending"]) is True
    later = await worker.ask(append=1)
    assert await worker.ask(receipt="kept") is True
    assert await worker.ask(failure=True) is None
    await worker.stop()

    async with opened(plain) as (store, recovered):
        found = await everything(store)
        assert found.keys() == {first, second, *later}
        assert found[first].status is Status.SENDING
        assert [receipt.carrier_message_id for receipt in recovered.receipts] == ["kept"]
        assert await store.inbound(after=MessageId(0), limit=10) == []


async def test_what_failed_to_sync_is_not_replayed_after_a_kill(plain, start_worker, fsync_shim, tmp_path):
    failing = tmp_path / "failing"
    worker = await start_worker(plain, LD_PRELOAD=str(fsync_shim), FAIL_SYNC_FILE=str(failing))
    acknowledged = await worker.ask(append=2)
    failing.touch()
    assert "error" in await worker.ask(append=40)
    assert "error" in await worker.ask(append=1)
    await worker.kill()
    async with opened(plain) as (store, _):
        assert (await everything(store)).keys() == set(acknowledged)


async def test_a_full_disk_fails_what_does_not_fit_and_takes_more_when_there_is_room(plain, start_worker):
    worker = await start_worker(plain)
    acknowledged = await worker.ask(append=2)
    await worker.ask(limit=200_000)
    answers = [await worker.ask(append=100) for _ in range(10)]
    kept = [message_id for answer in answers if isinstance(answer, list) for message_id in answer]
    assert any(isinstance(answer, dict) for answer in answers)
    await worker.ask(limit=0)
    await asyncio.sleep(0.05)
    later = await worker.ask(append=3)
    assert await worker.ask(failure=True) is None
    await worker.stop()
    async with opened(plain) as (store, _):
        assert (await everything(store)).keys() == {*acknowledged, *kept, *later}


async def test_a_disk_that_fails_at_a_rotation_loses_nothing(plain, start_worker, fsync_shim, tmp_path):
    data = Path(plain.path) / "data"
    settings = msgspec.structs.replace(plain, file_messages=2)
    failing = tmp_path / "failing"
    worker = await start_worker(settings, LD_PRELOAD=str(fsync_shim), FAIL_SYNC_FILE=str(failing))
    acknowledged = await worker.ask(append=2)
    for _ in range(2):
        failing.touch()
        assert "error" in await worker.ask(append=2)
        assert "error" in await worker.ask(update=[acknowledged[0], "sending"])
        failing.unlink()
        acknowledged += await worker.ask(append=2)
    await worker.stop()
    async with opened(settings) as (store, _):
        found = await everything(store)
        assert sorted(found) == acknowledged
        assert found[acknowledged[0]].status is Status.SENDING
    assert len(sorted(data.glob("*.db"))) == 3


async def test_a_kill_while_a_new_file_cannot_be_created_leaves_a_store_that_opens(
    plain, start_worker, fsync_shim, tmp_path
):
    settings = msgspec.structs.replace(plain, file_messages=2)
    failing = tmp_path / "failing"
    worker = await start_worker(settings, LD_PRELOAD=str(fsync_shim), FAIL_SYNC_FILE=str(failing))
    acknowledged = await worker.ask(append=2)
    failing.touch()
    for _ in range(3):
        assert "error" in await worker.ask(append=2)
    await worker.kill()
    async with opened(settings) as (store, recovered):
        assert (await everything(store)).keys() == set(acknowledged)
        assert recovered.last_id >= acknowledged[-1]


async def test_nothing_is_accepted_into_the_disk_reserve_but_changes_are_written(plain, samples, monkeypatch):
    async with opened(plain) as (store, _):
        record = samples.record()
        await store.append([record])
    everything_and_more = msgspec.structs.replace(plain, disk_reserve_bytes=1 << 50)
    async with opened(everything_and_more) as (store, _):
        assert store.is_full
        commit = store.append([samples.record()])
        assert commit.done()
        with pytest.raises(StoreUnavailableError, match="disk reserve"):
            await commit
        await store.update(samples.enter(record, Status.CANCELLED))
        await store.keep_receipt(samples.receipt("id-1"))
        await store.append_inbound(samples.inbound("T"))
        assert (await store.read(record.id)).status is Status.CANCELLED


async def test_a_second_gateway_is_refused_and_told_who_has_the_store(plain, start_worker):
    worker = await start_worker(plain)
    with pytest.raises(StoreLockedError, match=f"in use by process {worker.process.pid}"):
        await SqliteStore(plain).open()
    await worker.stop()
    async with opened(plain):
        with pytest.raises(StoreLockedError, match=f"process {os.getpid()}"):
            await SqliteStore(plain).open()


@pytest.mark.parametrize("torn_bytes", [1, 24, 4_000, 9_000])
async def test_a_torn_end_of_the_log_costs_nothing_that_was_acknowledged_before_it(
    plain, start_worker, torn_bytes, samples
):
    worker = await start_worker(msgspec.structs.replace(plain, checkpoint_seconds=60.0))
    acknowledged = await worker.ask(append=3)
    [log] = (Path(plain.path) / "data").glob("*-wal")
    whole = log.stat().st_size
    await worker.ask(append=40)
    await worker.kill()
    assert log.stat().st_size > whole + torn_bytes
    os.truncate(log, log.stat().st_size - torn_bytes)
    async with opened(plain) as (store, recovered):
        assert recovered.last_id >= acknowledged[-1]
        assert set(acknowledged) <= (await everything(store)).keys()


async def test_garbage_behind_the_log_is_no_damage(plain, start_worker):
    worker = await start_worker(plain)
    acknowledged = await worker.ask(append=3)
    await worker.kill()
    [log] = (Path(plain.path) / "data").glob("*-wal")
    with log.open("ab") as file:
        file.write(os.urandom(5_000))
    async with opened(plain) as (store, _):
        assert sorted(await everything(store)) == acknowledged
