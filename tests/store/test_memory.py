"""What the store in memory can do beyond the port: break down on demand."""

import pytest

from gateway.message import Status
from gateway.store.api import StoreUnavailableError
from gateway.store.matching import copy_of
from gateway.store.memory import MemoryStore


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await store.open()
    return store


async def test_nothing_is_acknowledged_or_kept_while_it_is_broken(store, samples):
    store.break_down("disk full")
    record = samples.record()
    with pytest.raises(StoreUnavailableError, match="disk full"):
        await store.append([record])
    assert isinstance(store.failure, StoreUnavailableError)
    store.repair()
    assert store.failure is None
    await store.append([samples.record()])
    assert await store.read(record.id) is None


async def test_a_change_that_failed_is_written_after_the_repair_as_it_is_by_then(store, samples):
    record = samples.record()
    await store.append([record])
    store.break_down("disk full")
    with pytest.raises(StoreUnavailableError):
        await store.update(samples.enter(record, Status.SENDING))
    samples.submit(record, "id-1")
    store.repair()
    await store.append([])
    assert await store.read(record.id) == copy_of(record)


async def test_a_receipt_that_could_not_be_kept_is_not_there(store, samples):
    store.break_down("disk full")
    with pytest.raises(StoreUnavailableError):
        await store.keep_receipt(samples.receipt("id-1"))
    store.repair()
    await store.close()
    assert (await store.open()).receipts == ()


async def test_an_update_of_what_was_never_appended_is_a_bug(store, samples):
    with pytest.raises(AssertionError, match="never appended"):
        store.update(samples.record())
