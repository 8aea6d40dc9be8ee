"""A batch is paused, goes on and is cancelled as a whole, exactly, and over a restart; others do not notice."""

import asyncio
from collections import Counter

import pytest

from gateway.controls import TooManyStopped
from gateway.delivery import batches
from gateway.message import Priority, Record, Status
from gateway.smpp import CommandStatus
from gateway.store.api import StoreUnavailableError
from tests.delivery.rig import WAIT, Rig, SlowStore, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, keep_silent, refuse, scripted
from tests.delivery.test_cancelling import CountingGate


@pytest.fixture
def gate() -> CountingGate:
    return CountingGate()


def a_carrier(smsc: ScriptedSmsc, *, window: int = 4, **fields):
    return carrier_settings(bind_settings(smsc.port, f"{CARRIER}-1", window=window), **fields)


async def hand_in(rig: Rig, batch: str, count: int, **fields) -> list[Record]:
    records = [rig.a_message(batch=batch, to=f"+8613800{n:06}", **fields) for n in range(count)]
    await rig.hand_in(*records)
    return records


async def state(rig: Rig, batch: str) -> str:
    found = await rig.delivery.batches.state("demo", batch)
    assert found is not None
    return found.state


async def counts(rig: Rig, batch: str) -> dict[Status, int]:
    found = await rig.delivery.batches.state("demo", batch)
    assert found is not None
    return dict(found.tally.counts)


# --- pause and resume -------------------------------------------------------------------------------------------------


async def test_nothing_of_a_paused_batch_goes_and_all_of_the_others_does(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate, lane_window=10) as rig:
        await hand_in(rig, "still", 1, send_at=rig.now() + 60_000)
        assert await rig.delivery.batches.pause("demo", "still") is not None
        await hand_in(rig, "still", 60)
        others = await hand_in(rig, "moves", 60)
        await rig.until(others[-1], Status.SUBMITTED)
        await eventually(lambda: len(smsc.submits) == 60)
        assert await state(rig, "still") == "paused"
        assert await counts(rig, "still") == {Status.QUEUED: 60, Status.SCHEDULED: 1}
        assert rig.carrier.waiting == 60
        await eventually(lambda: len(rig.shared.live) <= 60)  # of the paused none is in memory


async def test_a_batch_that_is_resumed_goes_whole_and_once(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate, lane_window=10) as rig:
        await hand_in(rig, "still", 1, send_at=rig.now() + 60_000)
        await rig.delivery.batches.pause("demo", "still")
        await hand_in(rig, "still", 60)
        await hand_in(rig, "still", 20, priority=Priority.LOW)
        await rig.until((await hand_in(rig, "moves", 5))[-1], Status.SUBMITTED)
        found = await rig.delivery.batches.resume("demo", "still")
        assert found is not None
        assert found.state == "active"
        await eventually(lambda: len(smsc.submits) == 85)
        await eventually(lambda: rig.carrier.waiting == 0)
        sent = Counter(submit.body.destination_addr for submit in smsc.submits)
        assert sorted(sent.values()) == [1] * 40 + [2] * 15 + [3] * 5  # of 60, 20 and 5 numbers
        assert not rig.shared.stops


async def test_what_was_about_to_go_when_its_batch_was_paused_stays(gate):
    async with scripted() as smsc, running(a_carrier(smsc, throughput=2), gate=gate) as rig:
        await hand_in(rig, "still", 6)
        await eventually(lambda: len(smsc.submits) == 1)
        await rig.delivery.batches.pause("demo", "still")
        await asyncio.sleep(0.8)
        assert len(smsc.submits) == 1
        await rig.delivery.batches.resume("demo", "still")
        await eventually(lambda: len(smsc.submits) == 6, seconds=10.0)


async def test_what_comes_back_from_a_carrier_waits_in_a_paused_batch(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        smsc.script.append(keep_silent)
        [record] = await hand_in(rig, "still", 1)
        await eventually(lambda: len(smsc.submits) == 1)
        await rig.delivery.batches.pause("demo", "still")
        submit = smsc.submits[0]
        refuse(CommandStatus.ESME_RSYSERR)(smsc, submit)
        await rig.until(record, Status.QUEUED)
        await asyncio.sleep(0.1)
        assert len(smsc.submits) == 1
        await rig.delivery.batches.resume("demo", "still")
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 2


async def test_the_rest_of_a_message_follows_its_beginning_though_its_batch_is_paused(gate):
    async with scripted() as smsc, running(a_carrier(smsc, window=1), gate=gate) as rig:
        smsc.script.append(keep_silent)
        [record] = await hand_in(rig, "still", 1, text=LONG, parts=3)
        await eventually(lambda: len(smsc.submits) == 1)
        await rig.delivery.batches.pause("demo", "still")
        smsc.accept(smsc.submits[0])
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 3


async def test_a_paused_batch_is_paused_after_a_crash_and_goes_when_it_is_resumed(gate):
    async with scripted() as smsc:
        async with running(a_carrier(smsc), gate=gate) as rig:
            await hand_in(rig, "水费/7\0", 30, send_at=rig.now() + 50)
            await rig.delivery.batches.pause("demo", "水费/7\0")
            await asyncio.sleep(0.2)
            store: SlowStore = await rig.store.after_a_crash()
            store._entries = dict(rig.store._entries)
        async with running(a_carrier(smsc), gate=gate, store=store) as rig:
            await rig.until((await hand_in(rig, "moves", 1))[0], Status.SUBMITTED)
            assert len(smsc.submits) == 1
            assert await state(rig, "水费/7\0") == "paused"
            await rig.delivery.batches.resume("demo", "水费/7\0")
            await eventually(lambda: len(smsc.submits) == 31)


async def test_what_waits_in_a_paused_batch_expires_all_the_same(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        await hand_in(rig, "still", 1, send_at=rig.now() + 60_000)
        await rig.delivery.batches.pause("demo", "still")
        records = await hand_in(rig, "still", 9, valid_for_seconds=0.3)
        await rig.until(records[-1], Status.EXPIRED)
        await eventually(lambda: rig.carrier.waiting == 0)
        assert smsc.submits == []


async def test_a_batch_that_nobody_has_cannot_be_paused_nor_seen_by_others(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        await hand_in(rig, "mine", 1)
        assert await rig.delivery.batches.pause("demo", "none") is None
        assert await rig.delivery.batches.pause("other", "mine") is None
        assert await rig.delivery.batches.cancel("other", "mine", wait_seconds=1) is None
        assert await rig.delivery.batches.resume("other", "mine") is None
        assert not rig.shared.stops


async def test_a_pause_that_cannot_be_kept_is_none(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        await hand_in(rig, "still", 1, send_at=rig.now() + 60_000)
        rig.store.break_down("disk full")
        with pytest.raises(StoreUnavailableError):
            await rig.delivery.batches.pause("demo", "still")
        rig.store.repair()
        assert await state(rig, "still") == "active"
        assert not rig.shared.stops


async def test_so_many_batches_of_an_account_are_stopped_and_no_more(gate, monkeypatch):
    monkeypatch.setattr(batches, "MOST_STOPPED", 3)
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        for n in range(4):
            await hand_in(rig, f"b{n}", 1, send_at=rig.now() + 60_000)
        for n in range(3):
            await rig.delivery.batches.pause("demo", f"b{n}")
        with pytest.raises(TooManyStopped):
            await rig.delivery.batches.pause("demo", "b3")
        await rig.delivery.batches.resume("demo", "b0")
        assert await rig.delivery.batches.pause("demo", "b3") is not None


# --- cancel -----------------------------------------------------------------------------------------------------------


async def test_all_of_a_batch_that_waits_is_cancelled_and_nothing_else(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate, lane_window=10) as rig:
            await hand_in(rig, "gone", 50)
            await hand_in(rig, "gone", 30, send_at=rig.now() + 60_000)
            others = await hand_in(rig, "stays", 20)
            found = await rig.delivery.batches.cancel("demo", "gone", wait_seconds=10)
            assert found is not None
            assert dict(found.tally.counts) == {Status.CANCELLED: 80}
            assert len(gate.given_back) == 50
            await smsc.start()
            await rig.until(others[-1], Status.SUBMITTED)
            await eventually(lambda: len(smsc.submits) == 20)
            await eventually(lambda: not rig.shared.stops)
            assert await state(rig, "gone") == "finished"
            assert rig.carrier.waiting == 0


async def test_what_leaves_the_memory_while_a_batch_is_read_is_cancelled_before_the_answer_too(gate):
    async with scripted() as smsc, running(a_carrier(smsc, throughput=2), gate=gate) as rig:
        await hand_in(rig, "gone", 6)
        await eventually(lambda: len(smsc.submits) == 1)
        unsent = rig.store.unsent

        async def read_slowly(*args, **fields):
            page = await unsent(*args, **fields)
            await eventually(lambda: len(rig.shared.live) <= 1)  # the lane lets go of those that are stopped
            return page

        rig.store.unsent = read_slowly
        found = await rig.delivery.batches.cancel("demo", "gone", wait_seconds=10)
        assert found is not None
        assert found.tally.counts[Status.CANCELLED] == 5


async def test_what_is_accepted_after_the_cancel_is_sent(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate) as rig:
            await hand_in(rig, "gone", 5)
            await rig.delivery.batches.cancel("demo", "gone", wait_seconds=10)
            [late] = await hand_in(rig, "gone", 1)
            await smsc.start()
            await rig.until(late, Status.SUBMITTED)
            assert await counts(rig, "gone") == {Status.CANCELLED: 5, Status.SUBMITTED: 1}


async def test_what_comes_back_from_a_carrier_after_the_cancel_is_cancelled_too(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        smsc.script += [keep_silent, keep_silent]
        refused, taken = await hand_in(rig, "gone", 2)
        await eventually(lambda: len(smsc.submits) == 2)
        found = await rig.delivery.batches.cancel("demo", "gone", wait_seconds=10)
        assert found is not None
        assert found.state == "cancelling"
        refuse(CommandStatus.ESME_RSYSERR)(smsc, smsc.submits[0])
        smsc.accept(smsc.submits[1])
        await rig.until(refused, Status.CANCELLED)
        await rig.until(taken, Status.SUBMITTED)
        await eventually(lambda: not rig.shared.stops)
        assert len(smsc.submits) == 2
        assert await state(rig, "gone") == "active"
        assert gate.given_back == []


async def test_one_copy_is_the_rule_for_what_was_being_sent_when_its_batch_was_cancelled(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        records = await hand_in(rig, "gone", 40, category=WAIT)
        await rig.delivery.batches.cancel("demo", "gone", wait_seconds=10)
        await eventually(lambda: not rig.shared.stops)
        submitted = [record for record in records if rig.status_on_disk(record) is not Status.CANCELLED]
        assert len(smsc.submits) == len(submitted)
        assert len(gate.given_back) + len(submitted) == 40


async def test_a_cancel_that_a_crash_cut_short_is_finished_after_it(gate):
    async with scripted() as smsc:
        carrier = a_carrier(smsc)
        await smsc.stop()
        async with running(carrier, gate=gate) as rig:
            records = await hand_in(rig, "gone", 30)
            rig.delivery.batches._to_cancel.put_nowait = lambda _: None  # the crash comes before it begins
            found = await rig.delivery.batches.cancel("demo", "gone", wait_seconds=0.01)
            assert found is not None
            assert found.state == "cancelling"
            store: SlowStore = await rig.store.after_a_crash()
            store._entries = dict(rig.store._entries)
        await smsc.start()
        async with running(carrier, gate=gate, store=store) as rig:
            for record in records:
                await rig.until(record, Status.CANCELLED)
            assert smsc.submits == []
            await eventually(lambda: not rig.shared.stops)


async def test_a_cancel_is_tried_until_the_store_can(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        await hand_in(rig, "gone", 5, send_at=rig.now() + 60_000)
        real, failures = rig.store.unsent, iter([True, True])

        async def unsent(*args, **kwargs):
            if next(failures, False):
                raise StoreUnavailableError("broken")
            return await real(*args, **kwargs)

        rig.store.unsent = unsent
        await rig.delivery.batches.cancel("demo", "gone", wait_seconds=0.01)
        await eventually(lambda: not rig.shared.stops)
        assert await counts(rig, "gone") == {Status.CANCELLED: 5}


async def test_a_paused_batch_can_be_cancelled_and_one_that_is_being_cancelled_not_be_resumed(gate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        smsc.script.append(keep_silent)
        await hand_in(rig, "gone", 1)
        await eventually(lambda: len(smsc.submits) == 1)
        await rig.delivery.batches.pause("demo", "gone")
        records = await hand_in(rig, "gone", 5)
        found = await rig.delivery.batches.cancel("demo", "gone", wait_seconds=10)
        assert found is not None
        assert (found.state, found.tally.counts[Status.CANCELLED]) == ("cancelling", 5)
        resumed = await rig.delivery.batches.resume("demo", "gone")
        assert resumed is not None
        assert resumed.state == "cancelling"
        assert rig.status_on_disk(records[0]) is Status.CANCELLED
        smsc.accept(smsc.submits[0])
        await eventually(lambda: not rig.shared.stops)
