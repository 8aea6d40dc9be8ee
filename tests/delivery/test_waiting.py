"""Messages that wait on disk: for their time, for their hours, for a reviewer; and the rules that are asked again."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gateway.delivery.waiting import AT_ONCE
from gateway.message import ChargeTime, Message, Record, Status
from gateway.rulings import Charged, Ruling, Stop, Wait
from gateway.store.api import StoreUnavailableError
from tests.delivery.rig import RESEND, WAIT, SlowStore, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, keep_silent, scripted


class ScriptedGate:
    """Rules that say what the test wants, and remember what they were asked."""

    def __init__(self) -> None:
        self.on_release: Callable[[Message, int], Ruling | Charged] = lambda *_: None
        self.on_hand_over: Callable[[Message, int], Ruling] = lambda *_: None
        self.released: list[tuple[int, bool]] = []
        self.handed_over: list[tuple[int, str]] = []

    def release(self, message: Message, *, charged: bool, now: int) -> Ruling | Charged:
        self.released.append((message.id, charged))
        return self.on_release(message, now)

    def hand_over(self, message: Message, carrier: str, *, now: int) -> Ruling:
        self.handed_over.append((message.id, carrier))
        return self.on_hand_over(message, now)

    def give_back(self, message: Message, *, charged_at: int, now: int) -> None:
        raise NotImplementedError


@pytest.fixture
def gate() -> ScriptedGate:
    return ScriptedGate()


def a_carrier(smsc: ScriptedSmsc, **fields):
    return carrier_settings(bind_settings(smsc.port, f"{CARRIER}-1", window=4), **fields)


def timeline(record: Record) -> list[tuple[Status, str]]:
    return [(entry.status, entry.reason) for entry in record.state.timeline]


# --- at the release ---------------------------------------------------------------------------------------------------


async def test_the_rules_are_asked_when_a_message_is_released_and_not_before(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept(send_at=rig.now() + 80)
        assert gate.released == []
        await rig.until(record, Status.SUBMITTED)
        assert gate.released == [(record.id, False)]


async def test_when_it_was_charged_is_kept_with_it_on_disk(gate: ScriptedGate):
    gate.on_release = lambda *_: Charged(ChargeTime(5, 6))
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept(send_at=rig.now() + 20)
        stored = await rig.until(record, Status.SUBMITTED)
        assert stored.charge_time == ChargeTime(5, 6)


async def test_a_message_that_the_rules_stop_has_failed_with_their_code(gate: ScriptedGate):
    gate.on_release = lambda *_: Stop("frequency_cap")
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept(send_at=rig.now() + 20)
        stored = await rig.until(record, Status.FAILED)
        assert timeline(stored) == [(Status.SCHEDULED, ""), (Status.FAILED, "frequency_cap")]
        assert smsc.submits == []
        await eventually(lambda: len(rig.shared.live) == 0)
        labels = (CARRIER, "cmcc", RESEND, Status.FAILED)
        assert rig.metrics.messages_finished.value(labels) == 1


async def test_a_message_that_is_put_off_again_and_again_makes_no_more_lines(gate: ScriptedGate):
    gate.on_release = lambda _, now: Wait(now + 10, "outside_hours") if len(gate.released) < 5 else None
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept(send_at=rig.now() + 20)
        stored = await rig.until(record, Status.SUBMITTED)
        assert [status for status, _ in timeline(stored)][:2] == [Status.SCHEDULED, Status.QUEUED]
        assert len(gate.released) == 5


async def test_what_ended_while_it_was_put_off_is_not_asked_about(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate, sweep_seconds=600.0) as rig:
        record = await rig.accept(send_at=rig.now() + 20, valid_for_seconds=1)
        rig.ahead_milliseconds = 10_000
        await rig.until(record, Status.EXPIRED)
        assert gate.released == []


async def test_more_than_one_look_takes_in_are_all_released(gate: ScriptedGate):
    count = AT_ONCE + 50
    async with scripted() as smsc, running(a_carrier(smsc, throughput=1_000_000), gate=gate) as rig:
        at = rig.now() + 30
        records = [rig.a_message(send_at=at, to=f"+8613800{n:06}") for n in range(count)]
        await rig.hand_in(*records)
        await eventually(lambda: len(smsc.submits) == count, seconds=20.0)
        assert len({message_id for message_id, _ in gate.released}) == len(gate.released) == count


async def test_what_waits_is_not_in_memory(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        records = [rig.a_message(send_at=rig.now() + 3_600_000) for _ in range(2_000)]
        await rig.hand_in(*records)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert len(rig.shared.live) == 1


async def test_the_one_that_is_due_first_is_not_held_up_by_one_that_came_before(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        later = await rig.accept(send_at=rig.now() + 3_600_000)
        sooner = await rig.accept(send_at=rig.now() + 50)
        await rig.until(sooner, Status.SUBMITTED)
        assert rig.status_on_disk(later) is Status.SCHEDULED


async def test_scheduled_messages_are_taken_up_again_after_a_restart(gate: ScriptedGate):
    async with scripted() as smsc:
        async with running(a_carrier(smsc), gate=gate) as rig:
            overdue = await rig.accept(send_at=rig.now() + 3_600_000)
            later = await rig.accept(send_at=rig.now() + 7_200_000, valid_for_seconds=90_000)
            store: SlowStore = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), gate=gate, store=store) as rig:
            await asyncio.sleep(0.05)
            assert smsc.submits == []
            rig.ahead_milliseconds = 3_600_000
            rig.delivery._waiting.note(0)  # the clock is looked at twice a minute
            await rig.until(overdue, Status.SUBMITTED)
            assert rig.status_on_disk(later) is Status.SCHEDULED


# --- at the hand-over -------------------------------------------------------------------------------------------------


async def test_the_rules_are_asked_again_at_the_hand_over(gate: ScriptedGate):
    gate.on_hand_over = lambda *_: Stop("opted_out")
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.FAILED)
        assert timeline(stored)[-1] == (Status.FAILED, "opted_out")
        assert gate.handed_over == [(record.id, CARRIER)]
        assert smsc.submits == []
        assert rig.carrier.waiting == 0
        await eventually(lambda: len(rig.shared.live) == 0)


async def test_what_comes_to_its_turn_outside_its_hours_waits_on_disk_and_is_not_charged_again(gate: ScriptedGate):
    gate.on_hand_over = lambda _, now: Wait(now + 60, "outside_hours") if not gate.released else None
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.SCHEDULED)
        assert timeline(stored)[-1] == (Status.SCHEDULED, "outside_hours")
        await eventually(lambda: record.id not in rig.shared.live)
        assert rig.carrier.waiting == 0
        stored = await rig.until(record, Status.SUBMITTED)
        assert gate.released == [(record.id, True)]
        assert len(smsc.submits) == 1
        queued = [status for status, _ in timeline(stored)]
        assert queued[:3] == [Status.QUEUED, Status.SCHEDULED, Status.QUEUED]


async def test_the_rest_of_a_message_follows_its_beginning_whatever_the_rules_say_by_then(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        asked_before = lambda: len(gate.handed_over) > 1  # noqa: E731
        gate.on_hand_over = lambda *_: Stop("opted_out") if asked_before() else None
        record = await rig.accept(text=LONG, parts=3)
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 3


async def test_a_message_that_was_sent_before_stays_known_while_it_waits_for_its_hours(gate: ScriptedGate):
    """Its first answer comes late, while the second attempt is put off: the answer counts."""
    async with (
        scripted(keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2), gate=gate) as rig,
    ):
        gate.on_hand_over = lambda _, now: Wait(now + 600_000) if len(gate.handed_over) > 1 else None
        record = await rig.accept(category=RESEND)
        await rig.until(record, Status.SCHEDULED)
        assert rig.shared.live.get(record.id) is record
        smsc.accept(smsc.submits[0])
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 1


async def test_a_message_that_was_sent_before_goes_again_when_its_hours_open(gate: ScriptedGate):
    async with (
        scripted(keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2), gate=gate) as rig,
    ):
        gate.on_hand_over = lambda _, now: Wait(now + 50) if len(gate.handed_over) == 2 else None
        record = await rig.accept(category=RESEND)
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 2
        assert rig.carrier.waiting == 0


async def test_a_message_is_put_off_though_the_disk_fails_meanwhile(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        gate.on_hand_over = lambda _, now: Wait(now + 50) if not gate.released else None
        record = rig.a_message()
        await rig.hand_in(record)
        rig.store.break_down("disk full")
        await eventually(lambda: record.status is Status.SCHEDULED)
        await asyncio.sleep(0.05)
        rig.store.repair()
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 1


# --- for a reviewer ---------------------------------------------------------------------------------------------------


async def held(rig, **fields) -> Record:
    """A message that waits for a reviewer."""
    record = rig.a_message(**fields)
    entry = msgspec.structs.replace(record.state.timeline[0], status=Status.HELD)
    record.state.status, record.state.timeline[0] = Status.HELD, entry
    await rig.hand_in(record)
    return record


async def test_a_held_message_waits_and_is_not_in_memory(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await held(rig)
        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert rig.status_on_disk(record) is Status.HELD
        assert record.id not in rig.shared.live
        assert gate.released == []


async def test_an_approved_message_goes_once_the_rules_agree(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await held(rig)
        reviewed = await rig.delivery.approve(record.id, note="approved by alice")
        assert reviewed.done
        assert gate.released == [(record.id, False)]
        stored = await rig.until(record, Status.SUBMITTED)
        assert timeline(stored)[:3] == [(Status.HELD, ""), (Status.HELD, "approved by alice"), (Status.QUEUED, "")]


async def test_an_approved_message_waits_for_its_hours_or_fails_if_the_rules_say_so(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        one, other = await held(rig), await held(rig)
        gate.on_release = lambda _, now: Wait(now + 3_600_000, "outside_hours")
        await rig.delivery.approve(one.id, note="a word")
        assert rig.status_on_disk(one) is Status.SCHEDULED
        gate.on_release = lambda *_: Stop("frequency_cap")
        await rig.delivery.approve(other.id, note="a word")
        assert timeline(rig.store.stored(other))[-1] == (Status.FAILED, "frequency_cap")
        assert smsc.submits == []
        await eventually(lambda: len(rig.shared.live) == 0)


async def test_a_rejected_message_is_cancelled(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await held(rig)
        assert (await rig.delivery.reject(record.id, note="rejected by alice")).done
        stored = await rig.until(record, Status.CANCELLED)
        assert timeline(stored)[-2:] == [(Status.HELD, "rejected by alice"), (Status.CANCELLED, "rejected")]
        assert gate.released == []


async def test_a_message_is_reviewed_once(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await held(rig)
        answers = await asyncio.gather(*(rig.delivery.approve(record.id, note="a word") for _ in range(5)))
        assert sorted(answer.done for answer in answers) == [False] * 4 + [True]
        await rig.until(record, Status.SUBMITTED)
        assert not (await rig.delivery.reject(record.id, note="a word")).done
        assert (await rig.delivery.approve(rig.a_message().id, note="a word")).record is None
        assert len(smsc.submits) == 1
        assert len(gate.released) == 1


async def test_a_held_message_ends_with_its_validity(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await held(rig, valid_for_seconds=1)
        rig.ahead_milliseconds = 2_000
        await rig.until(record, Status.EXPIRED)
        assert not (await rig.delivery.approve(record.id, note="a word")).done


async def test_an_approval_past_the_validity_sends_nothing(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate, sweep_seconds=600.0) as rig:
        record = await held(rig, valid_for_seconds=1)
        rig.ahead_milliseconds = 2_000
        await rig.delivery.approve(record.id, note="a word")
        assert rig.status_on_disk(record) is Status.EXPIRED
        assert gate.released == []
        assert smsc.submits == []


async def test_an_approval_that_is_not_on_disk_is_not_confirmed_and_done_all_the_same(gate: ScriptedGate):
    async with scripted() as smsc, running(a_carrier(smsc), gate=gate) as rig:
        record = await held(rig, category=WAIT)
        rig.store.break_down("disk full")
        with pytest.raises(StoreUnavailableError):
            await rig.delivery.approve(record.id, note="a word")
        assert smsc.submits == []
        rig.store.repair()
        await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 1


async def test_held_messages_can_be_approved_after_a_restart(gate: ScriptedGate):
    async with scripted() as smsc:
        async with running(a_carrier(smsc), gate=gate) as rig:
            record = await held(rig)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), gate=gate, store=store) as rig:
            assert (await rig.delivery.approve(record.id, note="a word")).done
            await rig.until(record, Status.SUBMITTED)
