"""A store that an older version wrote is brought up to date at a start, whenever the last attempt was interrupted."""

from collections import Counter
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from gateway.message import MessageId, PartStatus, Status
from gateway.store.api import Query, StoreDamagedError, StoreUnavailableError
from gateway.store.database import open_for_writing
from gateway.store.schema import PATHS, STEPS, Step
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore

FIXTURE = Path(__file__).parent / "fixtures" / "version-1"

MADE_UP = (
    *STEPS,
    Step(
        control=("ALTER TABLE lane ADD COLUMN paused INTEGER NOT NULL DEFAULT 0",),
        data=(
            "ALTER TABLE message ADD COLUMN account TEXT",
            "UPDATE message SET account = body ->> '$[1]'",
        ),
    ),
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    """A store as version 1 of the schema left it: five messages in two files, a receipt, an inbound message."""
    for dump in FIXTURE.rglob("*.sql"):
        path = tmp_path / dump.relative_to(FIXTURE).with_suffix(".db")
        path.parent.mkdir(exist_ok=True)
        connection = dbapi2.connect(str(path))
        connection.executescript(dump.read_text())
        connection.close()
    return StoreSettings(path=str(tmp_path), disk_reserve_bytes=0, late_change_seconds=0.001)


def ask(path: Path, question: str) -> list[tuple]:
    connection = dbapi2.connect(str(path))
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def versions(settings: StoreSettings) -> list[int]:
    return [ask(path, "PRAGMA user_version")[0][0] for path in sorted(Path(settings.path).rglob("*.db"))]


async def check_content(settings: StoreSettings, steps: tuple[Step, ...]) -> None:
    store = SqliteStore(settings, steps=steps)
    recovered = await store.open()
    try:
        assert dict(recovered.lanes) == {"cmcc-a/normal": 1}
        assert [receipt.carrier_message_id for receipt in recovered.receipts] == ["id-9"]
        records = (await store.find(Query(since=0))).records
        assert [record.status for record in records] == [
            Status.SCHEDULED,
            Status.QUEUED,
            Status.HELD,
            Status.DELIVERED,
            Status.SUBMITTED,
        ]
        assert [record.message.client_ref for record in records] == ["r4", "r3", "r2", "r1", "r0"]
        assert [part.status for part in records[3].state.parts] == [PartStatus.DELIVERED] * 2
        assert [record.id for record in await store.find_attempts("cmcc-a", ["id-1.1"])] == [records[3].id]
        assert [message.text for message in await store.inbound(after=MessageId(0), limit=9)] == ["T"]
        assert records[0].due == (records[0].message.send_at or 0)
        assert store.open_total == sum(not record.is_final for record in records)
        await store.update(records[0])
    finally:
        await store.close()


async def test_a_store_of_version_1_is_read_by_this_version(settings):
    await check_content(settings, STEPS)


async def test_a_store_of_version_1_is_brought_to_a_made_up_version(settings):
    assert versions(settings) == [1, 1, 1]
    await check_content(settings, MADE_UP)
    assert versions(settings) == [len(MADE_UP)] * 3
    assert ask(Path(settings.path) / "control.db", "SELECT name, paused FROM lane") == [("cmcc-a/normal", 0)]
    for path in (Path(settings.path) / "data").glob("*.db"):
        assert ask(path, "SELECT DISTINCT account FROM message") == [("demo",)]
    await check_content(settings, MADE_UP)


async def test_an_upgrade_that_was_interrupted_between_two_files_goes_on(settings):
    first = min((Path(settings.path) / "data").glob("*.db"))
    open_for_writing(first, [step.data for step in MADE_UP]).close()
    assert versions(settings) == [1, len(MADE_UP), 1]
    await check_content(settings, MADE_UP)
    assert versions(settings) == [len(MADE_UP)] * 3


async def test_a_step_that_fails_changes_nothing(settings):
    broken = (*STEPS[:1], Step(data=("ALTER TABLE message ADD COLUMN account TEXT", "UPDATE nonsense SET x = 1")))
    with pytest.raises(StoreUnavailableError, match="no such table: nonsense"):
        await SqliteStore(settings, steps=broken).open()
    assert versions(settings) == [1, 1, 1]
    await check_content(settings, STEPS)


async def test_the_older_version_refuses_what_the_newer_one_wrote(settings):
    await check_content(settings, MADE_UP)
    complaint = rf"later version \(schema {len(MADE_UP)}, this one knows {len(STEPS)}\): run that version"
    with pytest.raises(StoreDamagedError, match=complaint):
        await SqliteStore(settings, steps=STEPS).open()


def name_batches(settings: StoreSettings, batch: str) -> None:
    for path in Path(settings.path, "data").glob("*.db"):
        connection = dbapi2.connect(str(path))
        connection.execute(f"UPDATE message SET body = json_set(body, '{PATHS['batch']}', ?)", (batch,))
        connection.commit()
        connection.close()


async def test_batches_that_an_older_version_wrote_are_counted(settings):
    name_batches(settings, "march")
    store = SqliteStore(settings)
    await store.open()
    try:
        records = (await store.find(Query(since=0))).records
        tally = await store.batch(records[0].message.account, "march")
        assert tally is not None
        assert dict(tally.counts) == Counter(record.status for record in records)
        assert tally.segments == sum(record.message.parts for record in records)
    finally:
        await store.close()
