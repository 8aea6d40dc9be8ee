"""The queues of carriers that are down or paused: who moves where, when, and how much."""

import asyncio
from collections import Counter

from gateway.delivery.elsewhere import Why
from gateway.delivery.settings import WhenPaused
from gateway.message import Category, Priority, Record, Status
from tests.delivery.rig import Rig, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, accept, keep_silent, scripted

BOTH = (CARRIER, "cmcc-b")


def two_carriers(first: ScriptedSmsc, second: ScriptedSmsc, **fields):
    return (
        carrier_settings(bind_settings(first.port, "a"), **fields),
        carrier_settings(bind_settings(second.port, "b"), name="cmcc-b", **fields),
    )


async def up(rig: Rig, *names: str) -> None:
    await eventually(lambda: all(rig.delivery.carriers[name].is_up for name in names))


def been_to(stored: Record) -> list[str]:
    return [attempt.carrier for attempt in stored.state.parts[0].attempts]


async def test_what_waits_for_a_carrier_that_stays_down_goes_by_another():
    async with scripted() as first, scripted() as second:
        await first.stop()
        async with running(*two_carriers(first, second), lane_window=20, move_after_seconds=0.3) as rig:
            records = [rig.a_message(carriers=BOTH, to=f"+8613800{n:06}") for n in range(100)]
            await rig.hand_in(*records)
            for record in records:
                stored = await rig.until(record, Status.SUBMITTED)
                assert been_to(stored) == ["cmcc-b"]
            assert len(second.submits) == 100
            assert rig.metrics.messages_moved.value((CARRIER, Why.DOWN)) == 100
            assert rig.carrier.waiting == 0
            assert "goes by cmcc-b: down" in [entry.reason for entry in stored.state.timeline]
        await first.start()


async def test_a_carrier_that_comes_back_soon_keeps_its_queue():
    async with scripted() as first, scripted() as second:
        await first.stop()
        async with running(*two_carriers(first, second), move_after_seconds=30.0) as rig:
            await up(rig, "cmcc-b")
            record = await rig.accept(carriers=BOTH)
            await first.start()
            assert been_to(await rig.until(record, Status.SUBMITTED)) == [CARRIER]
            assert second.submits == []


async def test_no_more_is_moved_than_the_other_can_soon_send_and_codes_before_all():
    async with scripted() as first, scripted() as second:
        await first.stop()
        settings = two_carriers(first, second, throughput=1)  # ten seconds of that are ten messages
        async with running(*settings, move_after_seconds=0.1) as rig:
            await up(rig, "cmcc-b")
            second.otherwise = keep_silent
            others = [rig.a_message(carriers=BOTH, priority=Priority.LOW) for _ in range(50)]
            codes = [
                rig.a_message(carriers=BOTH, category=Category.OTP, priority=Priority.HIGH, to=f"+8613900{n:06}")
                for n in range(5)
            ]
            await rig.hand_in(*others, *codes)
            target = rig.delivery.carriers["cmcc-b"]
            await eventually(lambda: second.submits)
            await eventually(lambda: target.waiting + len(second.submits) >= 10)
            assert target.waiting <= 10
            assert second.submits[0].body.destination_addr.startswith("8613900")
            lanes = Counter(each.lane.split("/")[0] for each in codes)
            assert lanes == {"cmcc-b": 5}
            assert rig.carrier.waiting >= 40  # those that find no room are counted while it is looked for, too
        await first.start()


async def test_what_has_gone_in_part_waits_for_its_carrier_and_lets_the_others_go():
    async with scripted(accept()) as first, scripted() as second:
        first.otherwise = keep_silent
        narrow = carrier_settings(bind_settings(first.port, "a", window=2), otp_share=0.0)
        async with running(narrow, two_carriers(first, second)[1], move_after_seconds=0.1) as rig:
            await up(rig, *BOTH)
            begun = await rig.accept(carriers=BOTH, text=LONG, parts=3)
            await eventually(lambda: len(first.submits) >= 2)
            await first.stop()
            after = await rig.accept(carriers=BOTH)
            assert been_to(await rig.until(after, Status.SUBMITTED)) == ["cmcc-b"]
            assert len(second.submits) == 1
            assert rig.status_on_disk(begun) is not Status.FAILED
            await first.start()
            first.otherwise = accept()
            await rig.until(begun, Status.SUBMITTED)
            assert {attempt.carrier for part in begun.state.parts for attempt in part.attempts} == {CARRIER}


async def test_what_no_other_carrier_takes_waits():
    async with scripted() as first, scripted() as second:
        await first.stop()
        async with running(*two_carriers(first, second), move_after_seconds=0.1) as rig:
            await up(rig, "cmcc-b")
            only_here = await rig.accept(carriers=(CARRIER,))
            both = await rig.accept(carriers=BOTH)
            await rig.until(both, Status.SUBMITTED)
            assert rig.status_on_disk(only_here) is Status.QUEUED
            await first.start()
            assert been_to(await rig.until(only_here, Status.SUBMITTED)) == [CARRIER]


async def test_a_paused_carrier_is_sent_nothing_and_keeps_its_queue_or_gives_it_away_as_was_said():
    async with scripted() as first, scripted() as second, running(*two_carriers(first, second)) as rig:
        await up(rig, *BOTH)
        await rig.delivery.pause(CARRIER)
        assert (rig.carrier.is_up, rig.delivery.is_up(CARRIER), rig.delivery.is_up("cmcc-b")) == (True, False, True)
        kept = await rig.accept(carriers=BOTH)
        await rig.until(await rig.accept(carrier="cmcc-b", carriers=BOTH), Status.SUBMITTED)
        assert rig.status_on_disk(kept) is Status.QUEUED
        assert first.submits == []

        await rig.delivery.pause(CARRIER, WhenPaused.MOVE)
        assert been_to(await rig.until(kept, Status.SUBMITTED)) == ["cmcc-b"]
        assert rig.metrics.messages_moved.value((CARRIER, Why.PAUSED)) == 1

        await rig.delivery.resume(CARRIER)
        assert been_to(await rig.until(await rig.accept(carriers=BOTH), Status.SUBMITTED)) == [CARRIER]


async def test_a_pause_outlives_a_restart_and_so_does_its_end():
    async with scripted() as first, scripted() as second:
        carriers = two_carriers(first, second)
        async with running(*carriers) as rig:
            await rig.delivery.pause(CARRIER, WhenPaused.KEEP)
            record = await rig.accept(carriers=BOTH)
            store = rig.store
        async with running(*carriers, store=store) as rig:
            await up(rig, *BOTH)
            assert rig.carrier.paused is WhenPaused.KEEP
            assert rig.status_on_disk(record) is Status.QUEUED
            assert first.submits == []
            await rig.delivery.resume(CARRIER)
            await rig.until(record, Status.SUBMITTED)
        async with running(*carriers, store=store) as rig:
            assert rig.carrier.paused is None


async def test_a_long_message_that_has_begun_is_finished_though_its_carrier_is_paused():
    async with scripted() as first, running(carrier_settings(bind_settings(first.port, "a"), throughput=20)) as rig:
        await up(rig, CARRIER)
        begun, later = rig.a_message(text=LONG, parts=3), rig.a_message()
        await rig.hand_in(begun, later)
        await eventually(lambda: first.submits)
        await rig.delivery.pause(CARRIER)
        await rig.until(begun, Status.SUBMITTED)
        assert rig.status_on_disk(later) is Status.QUEUED
        assert len(first.submits) == 3


async def test_a_bind_is_bound_again_when_an_operator_says_so_and_nothing_is_lost():
    async with scripted() as smsc, running(carrier_settings(bind_settings(smsc.port, "a"))) as rig:
        await up(rig, CARRIER)
        [bind] = rig.carrier.binds
        before = bind.connection
        smsc.otherwise = keep_silent
        record = await rig.accept()
        await eventually(lambda: smsc.submits)
        bind.rebind()
        await eventually(lambda: bind.free == 0)  # it leaves, and takes no more
        assert bind.connection is before
        smsc.accept(smsc.submits[0])
        await rig.until(record, Status.SUBMITTED)
        await eventually(lambda: bind.connection not in {None, before})
        smsc.otherwise = accept()
        await rig.until(await rig.accept(), Status.SUBMITTED)


async def test_a_bind_that_is_down_tries_at_once_when_an_operator_says_so():
    async with scripted() as smsc:
        await smsc.stop()
        slow = bind_settings(smsc.port, "a", reconnect_first_seconds=60.0, reconnect_longest_seconds=60.0)
        async with running(carrier_settings(slow)) as rig:
            [bind] = rig.carrier.binds
            await eventually(lambda: "refused" in bind.error)
            await smsc.start()
            bind.rebind()
            await up(rig, CARRIER)


async def test_many_that_no_other_takes_do_not_keep_those_behind_them():
    async with scripted() as first, scripted() as second:
        await first.stop()
        async with running(*two_carriers(first, second), move_after_seconds=0.1) as rig:
            await up(rig, "cmcc-b")
            only_here = [rig.a_message(carriers=(CARRIER,)) for _ in range(500)]
            behind = rig.a_message(carriers=BOTH)
            await rig.hand_in(*only_here, behind)
            assert been_to(await rig.until(behind, Status.SUBMITTED)) == ["cmcc-b"]
            await eventually(lambda: rig.carrier.waiting == 500)
            await first.start()
            for record in only_here:
                await rig.until(record, Status.SUBMITTED)
            assert len(second.submits) == 1


async def test_a_bind_that_is_cancelled_leaves_no_task_behind():
    async with scripted() as smsc:
        before = asyncio.all_tasks()
        async with running(carrier_settings(bind_settings(smsc.port, "a"))) as rig:
            await up(rig, CARRIER)
        left = asyncio.all_tasks() - before
        assert [task for task in left if task.get_coro().__qualname__ == "Event.wait"] == []
