"""Messages that wait: in order, by priority, for their time, and not for ever."""

import asyncio
import random

import pytest

from gateway.message import Level, PartStatus, Priority, Record, Status
from gateway.smpp import CommandStatus
from gateway.store.api import StoreDamagedError
from tests.delivery.rig import RESEND, WAIT, Rig, running
from tests.delivery.samples import CARRIER, LONG, OF_TWO, bind_settings, carrier_settings, eventually, statuses
from tests.delivery.scripted_smsc import (
    ScriptedSmsc,
    Submit,
    accept,
    keep_silent,
    receipt,
    refuse,
    refuse_bind,
    reset,
    scripted,
)

W, S, D, U, OK, F, X = PartStatus


def a_carrier(smsc: ScriptedSmsc, *, window: int = 100, **fields):
    settings = {"response_timeout_seconds": 5.0} | fields
    return carrier_settings(bind_settings(smsc.port, window=window), **settings)


def numbers(smsc: ScriptedSmsc) -> list[str]:
    return ["+" + submit.body.destination_addr for submit in smsc.submits]


async def all_submitted(rig: Rig, records: list[Record]) -> None:
    await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records), seconds=10.0)


# --- backlogs ---------------------------------------------------------------------------------------------------------


async def test_a_backlog_larger_than_memory_leaves_whole_and_in_order():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc), lane_window=10) as rig:
            records = [rig.a_message(to=f"+86138002{n:05}") for n in range(500)]
            for start in range(0, 500, 50):
                await rig.hand_in(*records[start : start + 50])
            assert rig.carrier.waiting == 500
            assert len(rig.shared.live) == 10

            await smsc.start()
            await all_submitted(rig, records)
            assert numbers(smsc) == [record.message.to for record in records]
            assert rig.carrier.waiting == 0


async def test_what_comes_while_a_backlog_leaves_stands_behind_it():
    async with scripted() as smsc, running(a_carrier(smsc, window=3), lane_window=10) as rig:
        records: list[Record] = []
        for _ in range(40):
            batch = [rig.a_message(to=f"+86138003{len(records) + n:05}") for n in range(5)]
            records += batch
            await rig.hand_in(*batch)
        await all_submitted(rig, records)
        assert numbers(smsc) == [record.message.to for record in records]


async def test_a_lane_that_cannot_be_read_is_read_again():
    async with scripted() as smsc, running(a_carrier(smsc), lane_window=10) as rig:
        queued, failures = rig.store.queued, iter([True, True])

        async def fail_twice(lane: str, **keywords):
            if next(failures, False):
                raise StoreDamagedError("cannot be read for now")
            return await queued(lane, **keywords)

        rig.store.queued = fail_twice
        records = [rig.a_message() for _ in range(30)]
        await rig.hand_in(*records)
        await all_submitted(rig, records)
        assert len(smsc.submits) == 30


async def test_a_message_that_is_settled_while_its_lane_is_read_does_not_go_twice():
    """What is read may be older than what was written meanwhile."""
    async with scripted() as smsc, running(a_carrier(smsc, window=1), lane_window=10) as rig:
        slow_reads = asyncio.Event()
        queued = rig.store.queued

        async def answer_late(lane: str, **keywords):
            found = await queued(lane, **keywords)
            if any(record.id == first.id for record in found):
                await slow_reads.wait()
            return found

        smsc.script.append(keep_silent)
        first = await rig.accept(category=RESEND)
        await eventually(lambda: len(smsc.submits) == 1)
        rig.store.queued = answer_late
        rig.carrier.queues.rewind(first)  # as the release of an older message does
        rig.carrier.queues.settle_on_disk(first.lane)
        rig.carrier.wake()
        await eventually(lambda: rig.carrier.queues.levels[Level.NORMAL].lane(first.lane)._latest_when_read is not None)
        message_id = smsc.accept(smsc.submits[0])
        await rig.until(first, Status.SUBMITTED)
        assert await smsc.deliver(receipt(smsc.submits[0], message_id)) == 0
        await eventually(lambda: first.id not in rig.shared.live)
        slow_reads.set()
        await all_submitted(rig, [await rig.accept()])

        assert len(smsc.submits) == 2
        assert rig.status_on_disk(first) is Status.DELIVERED


async def test_when_very_many_are_refused_for_now_no_more_are_handed_over():
    async with (
        scripted() as smsc,
        running(a_carrier(smsc, window=5), lane_window=10, retry_first_seconds=60.0, retry_longest_seconds=60.0) as rig,
    ):
        smsc.otherwise = refuse(CommandStatus.ESME_RSYSERR)
        records = [rig.a_message() for _ in range(50)]
        await rig.hand_in(*records)
        await eventually(lambda: len(rig.carrier._retries) >= 10)
        await eventually(lambda: rig.carrier.in_use == 0)
        assert len(smsc.submits) <= 10 + 5


# --- priorities -------------------------------------------------------------------------------------------------------


async def test_high_goes_before_normal_and_normal_before_low():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc, window=1)) as rig:
            records = [
                rig.a_message(priority=priority, to=f"+8613800{n:01}00{turn:03}")
                for turn in range(20)
                for n, priority in enumerate(reversed(Priority))
            ]
            await rig.hand_in(*records)
            await smsc.start()
            await all_submitted(rig, records)
            by_number = {record.message.to: record.message.priority for record in records}
            order = [by_number[number] for number in numbers(smsc)]
            assert order[:20] == [Priority.HIGH] * 20
            rest = order[20:]
            assert [rest[n : n + 5].count(Priority.LOW) for n in (0, 5, 10, 15, 20)] == [1] * 5  # slowed, never stopped


async def test_a_code_overtakes_a_backlog():
    async with scripted() as smsc, running(a_carrier(smsc, window=2), lane_window=10) as rig:
        smsc.otherwise = keep_silent
        backlog = [rig.a_message(priority=Priority.LOW) for _ in range(100)]
        await rig.hand_in(*backlog)
        await eventually(lambda: len(smsc.submits) == 2)
        code = await rig.accept(priority=Priority.HIGH, to="+8613911112222")
        smsc.otherwise = accept()
        for submit in list(smsc.submits):
            smsc.accept(submit)
        await rig.until(code, Status.SUBMITTED)
        assert numbers(smsc).index("+8613911112222") == 2


# --- later ------------------------------------------------------------------------------------------------------------


async def test_a_scheduled_message_is_sent_at_its_time_and_not_before():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        loop, at = asyncio.get_running_loop(), []
        smsc.otherwise = lambda smsc, submit: (at.append(loop.time()), smsc.accept(submit))
        begun = loop.time()
        record = await rig.accept(send_at=rig.now() + 150)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert rig.status_on_disk(record) is Status.SCHEDULED
        assert record.id not in rig.shared.live
        stored = await rig.until(record, Status.SUBMITTED)

        assert at[0] - begun < 0.1
        assert 0.14 <= at[1] - begun < 1.0
        assert [entry.status for entry in stored.state.timeline][:3] == [
            Status.SCHEDULED,
            Status.QUEUED,
            Status.SENDING,
        ]


async def test_a_clock_that_went_back_sends_nothing_early():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept(send_at=rig.now() + 1_000)
        rig.ahead_milliseconds = -20_000
        await rig.until(await rig.accept(), Status.SUBMITTED)
        await asyncio.sleep(1.2)  # past its time, had the clock not gone back
        assert rig.status_on_disk(record) is Status.SCHEDULED
        assert len(smsc.submits) == 1


async def test_many_scheduled_among_the_rest_are_neither_lost_nor_doubled():
    """Releases make lanes go back on disk while they are being read and emptied."""
    chance = random.Random(7)
    async with scripted() as smsc, running(a_carrier(smsc, window=5), lane_window=10) as rig:

        def accept_and_deliver(smsc: ScriptedSmsc, submit: Submit) -> None:
            smsc.send(receipt(submit, smsc.accept(submit)), submit.connection)

        smsc.otherwise = accept_and_deliver
        records: list[Record] = []
        for _ in range(40):
            batch = []
            for _ in range(8):
                send_at = rig.now() + chance.randrange(1, 300) if chance.random() < 0.5 else None
                number = f"+86138004{len(records) + len(batch):05}"
                category = chance.choice([RESEND, WAIT])
                batch.append(rig.a_message(send_at=send_at, to=number, category=category))
            records += batch
            await rig.hand_in(*batch)
        await eventually(lambda: all(rig.status_on_disk(r) is Status.DELIVERED for r in records), seconds=10.0)
        assert sorted(numbers(smsc)) == sorted(record.message.to for record in records)
        assert rig.carrier.waiting == 0
        await eventually(lambda: len(rig.shared.live) == 0)


async def test_a_release_that_the_store_refuses_is_tried_again():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept(send_at=rig.now() + 50)
        rig.store.break_down("disk full")
        await eventually(lambda: record.id in rig.shared.live)
        assert smsc.submits == []
        rig.store.repair()
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 1


# --- not for ever -----------------------------------------------------------------------------------------------------


async def test_a_message_whose_validity_ends_while_its_carrier_is_down_expires():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc), lane_window=10) as rig:
            records = [rig.a_message(valid_for_seconds=60) for _ in range(15)]
            longer = rig.a_message(valid_for_seconds=3_600)
            scheduled = rig.a_message(send_at=rig.now() + 60_000, valid_for_seconds=1)
            await rig.hand_in(*records, longer, scheduled)
            rig.ahead_milliseconds = 100_000
            for record in (*records, scheduled):
                stored = await rig.until(record, Status.EXPIRED)
                assert stored.state.timeline[-1].reason == "validity ended"
            await smsc.start()
            await rig.until(longer, Status.SUBMITTED)
            assert len(smsc.submits) == 1
            assert rig.carrier.waiting == 0
            await eventually(lambda: len(rig.shared.live) == 1)


async def test_validity_is_looked_at_again_at_the_hand_over():
    async with scripted() as smsc, running(a_carrier(smsc, window=1), sweep_seconds=600.0) as rig:
        smsc.script.append(keep_silent)
        first = await rig.accept()
        await eventually(lambda: len(smsc.submits) == 1)
        second = await rig.accept(valid_for_seconds=60)
        rig.ahead_milliseconds = 100_000
        smsc.accept(smsc.submits[0])
        await rig.until(second, Status.EXPIRED)
        await rig.until(first, Status.SUBMITTED)
        assert len(smsc.submits) == 1


async def test_validity_is_looked_at_again_before_each_part():
    async with scripted() as smsc, running(a_carrier(smsc, throughput=2), sweep_seconds=600.0) as rig:
        record = await rig.accept(text=LONG, parts=3, valid_for_seconds=0.7)
        stored = await rig.until(record, Status.EXPIRED)
        assert stored.state.timeline[-1].reason == "validity ended"
        await asyncio.sleep(1.2)
        assert len(smsc.submits) < 3


async def test_what_waits_for_the_rate_until_its_validity_ends_expires():
    async with scripted() as smsc, running(a_carrier(smsc, throughput=1), sweep_seconds=600.0) as rig:
        first, second = [await rig.accept(valid_for_seconds=0.6) for _ in range(2)]
        await rig.until(first, Status.SUBMITTED)
        await rig.until(second, Status.EXPIRED)
        assert len(smsc.submits) == 1


async def test_the_validity_left_goes_along():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await rig.until(await rig.accept(valid_for_seconds=7_205.5), Status.SUBMITTED)
        assert smsc.submits[0].body.validity_period == "000000020005000R"


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RSYSERR])
async def test_a_message_that_is_refused_for_now_until_its_validity_ends_expires(status: CommandStatus):
    async with scripted() as smsc, running(a_carrier(smsc), attempts=1_000) as rig:
        smsc.otherwise = refuse(status)
        record = await rig.accept(valid_for_seconds=60)
        await eventually(lambda: len(smsc.submits) >= 2)
        rig.ahead_milliseconds = 100_000
        await rig.until(record, Status.EXPIRED)


async def in_doubt_in_part(rig: Rig, smsc: ScriptedSmsc) -> Record:
    """A message of two parts: the first is in doubt, the second waits for a bind that does not come up."""
    smsc.bind_script.extend([refuse_bind(CommandStatus.ESME_RBINDFAIL)] * 1_000)
    record = await rig.accept(category=WAIT, text=OF_TWO, parts=2, valid_for_seconds=60)
    await rig.until(record, Status.IN_DOUBT)
    assert statuses(record) == [D, W]
    return record


async def test_a_message_in_doubt_in_part_whose_validity_ends_expires_once_the_doubt_is_settled():
    async with scripted(reset) as smsc, running(a_carrier(smsc, window=1)) as rig:
        await eventually(lambda: smsc.binds)
        record = await in_doubt_in_part(rig, smsc)
        rig.ahead_milliseconds = 100_000
        smsc.bind_script.clear()
        await eventually(lambda: smsc.binds)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert rig.status_on_disk(record) is Status.IN_DOUBT
        assert await smsc.deliver(receipt(smsc.submits[0], "x")) == 0
        stored = await rig.until(record, Status.EXPIRED)
        assert statuses(stored) == [OK, W]
        assert len(smsc.submits) == 2


async def test_a_message_in_doubt_in_part_whose_validity_ended_is_unknown_at_its_receipt_deadline():
    async with scripted(reset) as smsc, running(a_carrier(smsc, window=1)) as rig:
        await eventually(lambda: smsc.binds)
        record = await in_doubt_in_part(rig, smsc)
        rig.ahead_milliseconds = 400_000_000
        await rig.until(record, Status.UNKNOWN)
        await eventually(lambda: record.id not in rig.shared.live)


async def test_a_message_without_receipt_is_unknown_after_the_deadline_of_its_carrier():
    async with scripted() as smsc, running(a_carrier(smsc, receipt_deadline_seconds=100.0)) as rig:
        early = await rig.accept()
        await rig.until(early, Status.SUBMITTED)
        rig.ahead_milliseconds = 60_000
        later = await rig.accept()
        await rig.until(later, Status.SUBMITTED)
        rig.ahead_milliseconds = 110_000
        stored = await rig.until(early, Status.UNKNOWN)
        assert stored.state.timeline[-1].reason == "receipt deadline"
        assert rig.status_on_disk(later) is Status.SUBMITTED
        await eventually(lambda: early.id not in rig.shared.live)
        assert later.id in rig.shared.live


async def test_a_part_on_its_way_is_not_overtaken_by_the_deadline_of_another():
    async with (
        scripted(accept("one"), keep_silent) as smsc,
        running(a_carrier(smsc, receipt_deadline_seconds=1.0, response_timeout_seconds=0.5)) as rig,
    ):
        record = await rig.accept(category=RESEND, text=OF_TWO, parts=2)
        await eventually(lambda: statuses(record) == [U, S])
        rig.ahead_milliseconds = 5_000
        await eventually(lambda: statuses(record) == [U, U])
        assert rig.carrier.name == CARRIER


async def test_messages_of_a_long_deadline_do_not_keep_others_from_ending():
    """There may be many that are old and not overdue yet."""
    async with scripted() as smsc:
        quick = carrier_settings(bind_settings(smsc.port, "quick"), receipt_deadline_seconds=10.0)
        patient = carrier_settings(bind_settings(smsc.port, "patient"), name="cmcc-b", receipt_deadline_seconds=1e6)
        async with running(quick, patient) as rig:
            waiting = [rig.a_message(carrier="cmcc-b") for _ in range(600)]
            await rig.hand_in(*waiting)
            await all_submitted(rig, waiting)
            overdue = await rig.accept()
            await rig.until(overdue, Status.SUBMITTED)
            rig.ahead_milliseconds = 20_000
            await rig.until(overdue, Status.UNKNOWN)
            assert all(rig.status_on_disk(record) is Status.SUBMITTED for record in waiting)


async def test_what_expires_on_disk_is_taken_off_the_count_of_its_own_lane():
    async with scripted() as smsc:
        await smsc.stop()
        first = carrier_settings(bind_settings(smsc.port, "a"))
        second = carrier_settings(bind_settings(smsc.port, "b"), name="cmcc-b")
        async with running(first, second, lane_window=10) as rig:
            # Accepted for cmcc-b, as cmcc-a, its first choice, was down.
            records = [
                rig.a_message(carrier="cmcc-b", carriers=(CARRIER, "cmcc-b"), valid_for_seconds=60) for _ in "x" * 30
            ]
            await rig.hand_in(*records)
            assert rig.delivery.carriers["cmcc-b"].waiting == 30
            rig.ahead_milliseconds = 100_000
            for record in records:
                await rig.until(record, Status.EXPIRED)
            await smsc.start()
            await eventually(lambda: rig.delivery.carriers["cmcc-b"].waiting == 0)
            assert rig.carrier.waiting == 0


async def test_messages_whose_receipt_is_overdue_are_counted_until_it_comes():
    async with scripted() as smsc, running(a_carrier(smsc, receipt_overdue_seconds=100.0)) as rig:
        records = [await rig.accept(to=f"+8613800138{n:03}") for n in range(3)]
        for record in records:
            await rig.until(record, Status.SUBMITTED)
        assert rig.delivery.receipts_overdue == {CARRIER: 0}

        rig.ahead_milliseconds = 101_000
        await eventually(lambda: rig.delivery.receipts_overdue == {CARRIER: 3})
        message_id, submit = next(iter(smsc.accepted.items()))
        await smsc.deliver(receipt(submit, message_id))
        await eventually(lambda: rig.delivery.receipts_overdue == {CARRIER: 2})
