"""What becomes of a part that is handed over: every answer that a carrier can give, or fail to give."""

import asyncio
import time
from itertools import pairwise

import pytest

from gateway.delivery.settings import LongText
from gateway.message import PartStatus, Record, Status
from gateway.smpp import CommandId, CommandStatus, GenericNack, TlvTag, find_tlv
from tests.delivery.rig import RESEND, WAIT, running
from tests.delivery.samples import CARRIER, LONG, OF_TWO, bind_settings, carrier_settings, eventually, statuses
from tests.delivery.scripted_smsc import (
    Answer,
    ScriptedSmsc,
    Submit,
    accept,
    keep_silent,
    receipt,
    refuse,
    refuse_bind,
    reset,
    reset_connection,
    scripted,
    write,
)

TEMPORARY = CommandStatus.ESME_RSYSERR
OK, F, S, U, D, W = (
    PartStatus.DELIVERED,
    PartStatus.FAILED,
    PartStatus.SENDING,
    PartStatus.SUBMITTED,
    PartStatus.IN_DOUBT,
    PartStatus.WAITING,
)


def a_carrier(smsc: ScriptedSmsc, *, window: int = 100, binds: int = 1, **fields):
    """A carrier with so many binds to it, which waits a tenth of a second for an answer."""
    made = [bind_settings(smsc.port, f"{CARRIER}-{n + 1}", window=window) for n in range(binds)]
    return carrier_settings(*made, **({"response_timeout_seconds": 5.0} | fields))


def attempts(stored: Record, n: int = 0) -> list[tuple[int | None, str]]:
    return [(attempt.command_status, attempt.error) for attempt in stored.state.parts[n].attempts]


# --- answers ----------------------------------------------------------------------------------------------------------


async def test_an_accepted_message_is_submitted_with_the_id_it_was_given():
    async with scripted(accept("abc")) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.SUBMITTED)

        [attempt] = stored.state.parts[0].attempts
        assert (attempt.carrier, attempt.bind) == ("cmcc-a", "cmcc-a-1")
        assert (attempt.carrier_message_id, attempt.command_status, attempt.error) == ("abc", 0, "")
        [submit] = smsc.submits
        assert (submit.body.source_addr, submit.body.destination_addr) == ("10690001", "8613800138000")
        assert find_tlv(submit.body.tlvs, TlvTag.USER_MESSAGE_REFERENCE) == attempt.reference
        assert rig.metrics.submits.value(("cmcc-a", "accepted")) == 1


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL])
async def test_a_throttled_message_goes_again_a_little_later(status: CommandStatus):
    async with scripted(refuse(status)) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.SUBMITTED)

        assert [known for known, _ in attempts(stored)] == [status, 0]
        assert [entry.status for entry in stored.state.timeline] == [
            Status.QUEUED,
            Status.SENDING,
            Status.QUEUED,
            Status.SENDING,
            Status.SUBMITTED,
        ]
        assert rig.metrics.submits.value(("cmcc-a", "throttle")) == 1


async def test_a_carrier_that_throttles_for_long_fails_no_message():
    throttled = [refuse(CommandStatus.ESME_RTHROTTLED)] * 6
    async with scripted(*throttled) as smsc, running(a_carrier(smsc), attempts=2) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.SUBMITTED)

        assert len(smsc.submits) == 7
        assert [known for known, _ in attempts(stored)] == [CommandStatus.ESME_RTHROTTLED, 0]


async def test_a_carrier_that_throttles_is_sent_to_more_slowly_and_others_go_meanwhile():
    async with (
        scripted(refuse(CommandStatus.ESME_RTHROTTLED)) as smsc,
        running(a_carrier(smsc), retry_first_seconds=30.0, retry_longest_seconds=30.0) as rig,
    ):
        assert rig.carrier.rate == 100_000
        throttled = await rig.accept()
        await rig.until(throttled, Status.QUEUED)
        await eventually(lambda: rig.carrier.rate < 51_000)

        await rig.until(await rig.accept(), Status.SUBMITTED)
        assert rig.status_on_disk(throttled) is Status.QUEUED
        assert rig.carrier.waiting == 1


async def test_a_message_refused_for_now_goes_again_after_a_pause():
    async with scripted(refuse(TEMPORARY)) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.SUBMITTED)

        assert [known for known, _ in attempts(stored)] == [TEMPORARY, 0]
        assert rig.metrics.submits.value(("cmcc-a", "retry")) == 1


async def test_a_message_refused_for_now_too_often_has_failed():
    async with scripted(*[refuse(TEMPORARY)] * 3) as smsc, running(a_carrier(smsc), attempts=3) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.FAILED)

        assert len(smsc.submits) == 3
        assert [known for known, _ in attempts(stored)] == [TEMPORARY] * 3


async def test_a_message_refused_for_good_has_failed_and_the_next_goes():
    async with scripted(refuse(CommandStatus.ESME_RINVDSTADR)) as smsc, running(a_carrier(smsc)) as rig:
        refused, next_one = await rig.accept(), await rig.accept()
        stored = await rig.until(refused, Status.FAILED)
        await rig.until(next_one, Status.SUBMITTED)

        assert "ESME_RINVDSTADR" in stored.state.timeline[-1].reason
        assert [known for known, _ in attempts(stored)] == [CommandStatus.ESME_RINVDSTADR]
        assert len(smsc.submits) == 2
        await eventually(lambda: refused.id not in rig.shared.live)


async def test_a_status_that_means_the_session_is_wrong_closes_it_and_binds_again():
    async with scripted(refuse(CommandStatus.ESME_RINVBNDSTS)) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept()
        stored = await rig.until(record, Status.SUBMITTED)

        assert smsc.bind_count == 2
        assert [known for known, _ in attempts(stored)] == [CommandStatus.ESME_RINVBNDSTS, 0]


async def test_a_generic_nack_is_a_refusal():
    def nack(_: ScriptedSmsc, submit: Submit) -> None:
        submit.connection.respond(submit.pdu, GenericNack(), command_status=CommandStatus.ESME_RINVCMDID)

    async with scripted(nack) as smsc, running(a_carrier(smsc)) as rig:
        stored = await rig.until(await rig.accept(), Status.FAILED)
        assert [known for known, _ in attempts(stored)] == [CommandStatus.ESME_RINVCMDID]


async def test_a_message_that_does_not_fit_the_wire_fails_alone():
    async with scripted() as smsc, running(a_carrier(smsc, source="")) as rig:
        odd, next_one = rig.a_message(sender="1" * 21), rig.a_message()
        await rig.hand_in(odd, next_one)
        stored = await rig.until(odd, Status.FAILED)
        await rig.until(next_one, Status.SUBMITTED)

        assert "source_addr" in stored.state.timeline[-1].reason
        assert len(smsc.submits) == 1


async def test_messages_leave_in_the_order_in_which_they_were_accepted():
    async with scripted() as smsc, running(a_carrier(smsc, window=7)) as rig:
        records = [rig.a_message(text=f"【阳光物业】第{n}条") for n in range(100)]
        await rig.hand_in(*records)
        await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records))
        texts = [submit.body.short_message.decode("utf-16-be") for submit in smsc.submits]
        assert texts == [record.message.text for record in records]


async def test_no_more_leave_than_the_carrier_is_paid_for():
    async with scripted() as smsc, running(a_carrier(smsc, throughput=200)) as rig:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        smsc.otherwise = lambda smsc, submit: (times.append(loop.time()), smsc.accept(submit))
        records = [rig.a_message() for _ in range(41)]
        began = loop.time()  # the first may be seen late here, and then the others seem to come faster
        await rig.hand_in(*records)
        await eventually(lambda: len(times) == 41)
        assert times[-1] - began >= 38 / 200


# --- no answer --------------------------------------------------------------------------------------------------------


async def test_a_part_without_an_answer_goes_again_with_the_same_reference():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=RESEND)
        stored = await rig.until(record, Status.SUBMITTED)

        assert attempts(stored) == [(None, "timeout"), (0, "")]
        first, second = smsc.submits
        assert first.body.tlvs == second.body.tlvs != ()
        assert first.body.short_message == second.body.short_message
        assert rig.metrics.submits.value(("cmcc-a", "unanswered")) == 1


async def test_a_carrier_that_never_answers_is_sent_a_limited_number_of_copies():
    async with scripted() as smsc, running(a_carrier(smsc, response_timeout_seconds=0.05)) as rig:
        smsc.otherwise = keep_silent
        record = await rig.accept(category=RESEND)
        stored = await rig.until(record, Status.IN_DOUBT)

        assert len(smsc.submits) == 3
        assert attempts(stored) == [(None, "timeout")] * 3


async def test_a_part_of_which_one_copy_is_the_rule_waits_in_doubt():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT)
        stored = await rig.until(record, Status.IN_DOUBT)
        after_it = await rig.accept(category=WAIT)
        await rig.until(after_it, Status.SUBMITTED)

        assert attempts(stored) == [(None, "timeout")]
        assert len(smsc.submits) == 2
        await eventually(lambda: rig.carrier.in_use == 0)


async def test_a_connection_reset_after_the_bytes_sends_the_part_again():
    async with scripted(reset) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept(category=RESEND)
        stored = await rig.until(record, Status.SUBMITTED)

        assert attempts(stored) == [(None, "connection_lost"), (0, "")]
        assert smsc.bind_count == 2


async def test_a_connection_reset_after_the_bytes_leaves_a_single_copy_in_doubt():
    async with scripted(reset) as smsc, running(a_carrier(smsc)) as rig:
        record = await rig.accept(category=WAIT)
        stored = await rig.until(record, Status.IN_DOUBT)
        await rig.until(await rig.accept(category=WAIT), Status.SUBMITTED)

        assert attempts(stored) == [(None, "connection_lost")]
        assert len(smsc.submits) == 2


async def test_an_answer_that_cannot_be_read_is_no_answer():
    def damaged(_: ScriptedSmsc, submit: Submit) -> None:
        number = submit.pdu.sequence_number
        header = (16 + 5).to_bytes(4, "big") + CommandId.SUBMIT_SM_RESP.to_bytes(4, "big") + bytes(4)
        write(header + number.to_bytes(4, "big") + b"abcde")(smsc, submit)  # an id without its end

    async with scripted(damaged) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT)
        await rig.until(record, Status.IN_DOUBT)
        assert smsc.bind_count == 1


async def test_an_answer_that_comes_late_settles_the_doubt():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT)
        await rig.until(record, Status.IN_DOUBT)
        smsc.accept(smsc.submits[0], "late")
        stored = await rig.until(record, Status.SUBMITTED)

        assert stored.state.parts[0].attempts[0].carrier_message_id == "late"
        assert await smsc.deliver(receipt(smsc.submits[0], "late")) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


async def test_a_refusal_that_comes_late_lets_the_part_go_again():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT)
        await rig.until(record, Status.IN_DOUBT)
        refuse(TEMPORARY)(smsc, smsc.submits[0])
        stored = await rig.until(record, Status.SUBMITTED)

        assert attempts(stored) == [(TEMPORARY, attempts(stored)[0][1]), (0, "")]


async def test_an_answer_that_comes_after_the_second_copy_makes_no_third():
    async with (
        scripted(keep_silent, keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig,
    ):
        record = await rig.accept(category=RESEND)
        await eventually(lambda: len(smsc.submits) == 2)
        smsc.accept(smsc.submits[0], "first")
        await rig.until(record, Status.SUBMITTED)
        await eventually(lambda: len(record.state.parts[0].attempts[1].error) > 0)  # the second timed out as well

        assert attempts(record) == [(0, ""), (None, "timeout")]
        assert len(smsc.submits) == 2
        assert await smsc.deliver(receipt(smsc.submits[0], "first")) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


async def test_an_answer_that_comes_when_the_message_is_long_settled_changes_nothing_of_it():
    """Its copy in memory is older than what was written since."""
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2), attempts=1) as rig:
        record = await rig.accept(category=RESEND)
        await rig.until(record, Status.IN_DOUBT)
        rig.ahead_milliseconds = 400_000_000  # its receipt deadline passes, and it leaves the memory
        await rig.until(record, Status.UNKNOWN)
        await eventually(lambda: record.id not in rig.shared.live)
        smsc.accept(smsc.submits[0], "late")
        await eventually(lambda: rig.store.stored(record).state.parts[0].attempts[0].carrier_message_id == "late")
        assert rig.status_on_disk(record) is Status.UNKNOWN

        assert await smsc.deliver(receipt(smsc.submits[0], "late")) == 0
        assert rig.status_on_disk(record) is Status.DELIVERED


async def test_a_late_answer_does_not_undo_what_was_learnt_from_disk_meanwhile():
    async with (
        scripted(keep_silent, accept("second")) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig,
    ):
        record = await rig.accept(category=RESEND)
        await rig.until(record, Status.SUBMITTED)
        first, second = smsc.submits
        failed = receipt(second, "second", state=5, error="001")  # UNDELIV
        assert await smsc.deliver(failed) == 0
        await eventually(lambda: record.id not in rig.shared.live)
        assert await smsc.deliver(receipt(second, "second")) == 0  # and then delivered after all
        assert rig.status_on_disk(record) is Status.DELIVERED
        await eventually(lambda: record.id not in rig.shared.live)

        smsc.accept(first, "first")
        await eventually(lambda: rig.store.stored(record).state.parts[0].attempts[0].carrier_message_id == "first")
        assert rig.status_on_disk(record) is Status.DELIVERED


# --- long messages ----------------------------------------------------------------------------------------------------


async def test_the_parts_of_a_message_leave_by_one_bind_in_order():
    async with scripted() as smsc, running(a_carrier(smsc, binds=3)) as rig:
        await eventually(lambda: smsc.bind_count == 3)
        records = [await rig.accept(text=LONG, parts=3) for _ in range(20)]
        for record in records:
            await rig.until(record, Status.SUBMITTED)
        by_reference: dict[str, list[Submit]] = {}
        for submit in smsc.submits:
            by_reference.setdefault(str(submit.part[0]) if submit.part else "", []).append(submit)
        for submits in by_reference.values():
            numbers = [submit.part[2] for submit in submits if submit.part]
            assert numbers == [1, 2, 3] * (len(numbers) // 3)
            for first, second in pairwise(submits):
                assert first.connection is second.connection or second.part[2] == 1


@pytest.mark.parametrize(("long_text", "parts"), [("udh_16", 3), ("sar", 3), ("message_payload", 1)])
async def test_a_long_message_is_submitted_in_the_form_of_its_carrier_and_has_as_many_parts(long_text: str, parts: int):
    async with scripted() as smsc, running(a_carrier(smsc, long_text=LongText(long_text))) as rig:
        record = await rig.accept(text=LONG, parts=3)
        stored = await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == len(stored.state.parts) == parts
        for message_id, submit in smsc.accepted.items():
            assert await smsc.deliver(receipt(submit, message_id)) == 0
        assert statuses(await rig.until(record, Status.DELIVERED)) == [PartStatus.DELIVERED] * parts


async def test_a_submit_that_the_carrier_cuts_itself_takes_the_rate_of_all_its_segments():
    """45 segments at 100 a second: not before 440 ms, though it is 15 submits."""
    async with (
        scripted() as smsc,
        running(a_carrier(smsc, throughput=100, long_text=LongText.MESSAGE_PAYLOAD)) as rig,
    ):
        started_at = time.monotonic()
        records = [await rig.accept(text=LONG, parts=3) for _ in range(15)]
        for record in records:
            await rig.until(record, Status.SUBMITTED)
        assert time.monotonic() - started_at >= 0.40


async def test_a_message_that_is_leaving_by_one_bind_leaves_whole_though_another_is_freer():
    """The rate lets its parts out one by one; meanwhile the other bind has nothing to do."""
    async with (
        scripted() as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2, binds=3, throughput=50)) as rig,
    ):
        await eventually(lambda: smsc.bind_count == 3 and all(bind.is_up for bind in rig.carrier.binds))
        smsc.otherwise = keep_silent
        blockers = [await rig.accept() for _ in range(2)]  # the first two binds have a slot less than the third
        await eventually(lambda: len(smsc.submits) == 2)
        record = await rig.accept(text=LONG, parts=3)
        await eventually(lambda: len(smsc.submits) == 3)
        smsc.otherwise = accept()
        for submit in list(smsc.submits):
            smsc.accept(submit)
        await rig.until(record, Status.SUBMITTED)
        for blocker in blockers:
            await rig.until(blocker, Status.SUBMITTED)


@pytest.mark.parametrize("category", [RESEND, WAIT])
async def test_a_bind_lost_in_the_middle_of_a_message_leaves_the_rest_to_another(category):
    async with scripted(accept("one"), reset) as smsc, running(a_carrier(smsc, binds=2, window=1)) as rig:
        await eventually(lambda: smsc.bind_count == 2)
        smsc.bind_script.extend([refuse_bind(CommandStatus.ESME_RBINDFAIL)] * 1_000)
        record = await rig.accept(text=LONG, parts=3, category=category)
        await rig.until(record, Status.SUBMITTED if category is RESEND else Status.IN_DOUBT)
        await eventually(lambda: rig.store.stored(record).state.parts[2].status is U)
        stored = rig.store.stored(record)

        sent = [submit.part for submit in smsc.submits]
        assert len({part[0] for part in sent}) == 1
        assert [part[2] for part in sent] == ([1, 2, 2, 3] if category is RESEND else [1, 2, 3])
        assert smsc.submits[-1].connection is not smsc.submits[0].connection
        assert statuses(stored) == ([U, U, U] if category is RESEND else [U, D, U])


async def test_a_part_refused_for_good_fails_the_message_and_no_more_of_it_leaves():
    script: list[Answer] = [accept("one"), refuse(CommandStatus.ESME_RINVDSTADR)]
    async with scripted(*script) as smsc, running(a_carrier(smsc, window=1)) as rig:
        record = await rig.accept(text=LONG, parts=3)
        stored = await rig.until(record, Status.FAILED)
        await rig.until(await rig.accept(), Status.SUBMITTED)

        assert statuses(stored) == [U, F, W]
        assert len(smsc.submits) == 3


async def test_what_a_failed_message_still_has_on_its_way_is_followed():
    async with (
        scripted(refuse(0x0B), keep_silent, keep_silent) as smsc,
        running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig,
    ):
        record = await rig.accept(text=LONG, parts=3)
        await rig.until(record, Status.FAILED)
        await eventually(lambda: len(smsc.submits) == 3)
        smsc.accept(smsc.submits[1], "two")
        await eventually(lambda: rig.store.stored(record).state.parts[1].status is U)
        assert await smsc.deliver(receipt(smsc.submits[1], "two")) == 0
        smsc.accept(smsc.submits[2], "three")
        await eventually(lambda: rig.store.stored(record).state.parts[2].status is U)

        assert statuses(rig.store.stored(record)) == [F, OK, U]
        assert rig.status_on_disk(record) is Status.FAILED


async def test_what_a_failed_message_has_on_its_way_and_is_not_answered_is_in_doubt():
    script = [refuse(CommandStatus.ESME_RINVDSTADR), keep_silent]
    async with scripted(*script) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=WAIT, text=OF_TWO, parts=2)
        await rig.until(record, Status.FAILED)
        await eventually(lambda: statuses(rig.store.stored(record)) == [F, D])
        await eventually(lambda: record.id not in rig.shared.live)


async def test_a_late_answer_is_for_the_copy_in_memory_also_when_it_is_not_the_one_that_was_sent():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=0.2)) as rig:
        record = await rig.accept(category=RESEND, text=OF_TWO, parts=2)
        await rig.until(record, Status.SUBMITTED)
        [second_part] = [name for name, submit in smsc.accepted.items() if submit.part and submit.part[2] == 2]
        rig.carrier.awaiting.forget(record)  # as newer ones would have it
        rig.shared.live.drop(record)
        assert await smsc.deliver(receipt(smsc.accepted[second_part], second_part)) == 0
        assert rig.shared.live.get(record.id) is not record

        smsc.accept(smsc.submits[0], "late")
        await eventually(lambda: rig.store.stored(record).state.parts[0].attempts[0].carrier_message_id == "late")
        assert statuses(rig.store.stored(record)) == [U, OK]


async def test_a_part_refused_for_now_waits_its_time_also_where_the_message_is_still_leaving():
    """With one slot, the second part waits for the first."""
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def refuse_and_note(smsc: ScriptedSmsc, submit: Submit) -> None:
        times.append(loop.time())
        refuse(TEMPORARY)(smsc, submit)

    script = [refuse_and_note] * 3
    async with (
        scripted(*script) as smsc,
        running(a_carrier(smsc, window=1), retry_first_seconds=0.1, retry_longest_seconds=0.1) as rig,
    ):
        record = await rig.accept(text=OF_TWO, parts=2)
        await rig.until(record, Status.SUBMITTED)
        assert all(second - first >= 0.07 for first, second in pairwise(times))
        assert [submit.part[2] for submit in smsc.submits] == [1, 1, 1, 1, 2]


# --- the disk ---------------------------------------------------------------------------------------------------------


async def test_a_slot_is_held_until_the_answer_is_on_disk():
    async with scripted() as smsc, running(a_carrier(smsc, window=3)) as rig:

        def hold_and_accept(smsc: ScriptedSmsc, submit: Submit) -> None:
            rig.store.hold()
            smsc.accept(submit)

        smsc.otherwise = hold_and_accept
        records = [rig.a_message() for _ in range(10)]
        await rig.hand_in(*records)
        await eventually(lambda: rig.metrics.submits.value(("cmcc-a", "accepted")) == 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(smsc.submits) == 3
        assert rig.carrier.in_use == 3

        smsc.otherwise = accept()
        rig.store.let_go()
        await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records))
        await eventually(lambda: rig.carrier.in_use == 0)


async def test_while_the_store_is_broken_no_slot_is_freed_and_then_all_are():
    async with scripted() as smsc, running(a_carrier(smsc, window=3)) as rig:

        def break_and_accept(smsc: ScriptedSmsc, submit: Submit) -> None:
            rig.store.break_down("disk full")
            smsc.accept(submit)

        smsc.otherwise = break_and_accept
        records = [rig.a_message() for _ in range(10)]
        await rig.hand_in(*records)
        await eventually(lambda: rig.metrics.submits.value(("cmcc-a", "accepted")) == 3)
        assert len(smsc.submits) == 3

        smsc.otherwise = accept()
        rig.store.repair()
        await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records))
        assert len(smsc.submits) == 10


async def test_what_ended_while_the_store_was_broken_leaves_the_memory_when_it_is_repaired():
    async with scripted(keep_silent) as smsc, running(a_carrier(smsc, response_timeout_seconds=5.0)) as rig:
        record = await rig.accept()
        await eventually(lambda: smsc.submits)
        rig.store.break_down("disk full")
        refuse(CommandStatus.ESME_RINVDSTADR)(smsc, smsc.submits[0])
        await eventually(lambda: record.status is Status.FAILED)
        assert rig.status_on_disk(record) is Status.QUEUED
        assert record.id in rig.shared.live

        rig.store.repair()
        await rig.until(record, Status.FAILED)
        await eventually(lambda: record.id not in rig.shared.live)


@pytest.mark.parametrize("parts", [1, 3])
async def test_where_one_copy_is_the_rule_the_intent_is_on_disk_before_the_bytes_leave(parts: int):
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        on_disk: list[list[PartStatus]] = []
        record = rig.a_message(category=WAIT, text=LONG if parts == 3 else "【阳光物业】水", parts=parts)

        def look_and_accept(smsc: ScriptedSmsc, submit: Submit) -> None:
            on_disk.append(statuses(rig.store.stored(record)))
            smsc.accept(submit)

        smsc.otherwise = look_and_accept
        await rig.hand_in(record)
        await rig.until(record, Status.SUBMITTED)
        assert len(on_disk) == parts
        for n, seen in enumerate(on_disk):
            assert seen[n] is S


async def test_no_byte_leaves_before_its_intent_is_on_disk():
    async with scripted() as smsc, running(a_carrier(smsc, window=2)) as rig:
        await eventually(lambda: rig.carrier.is_up)
        records = [rig.a_message(category=WAIT) for _ in range(5)]
        await rig.hand_in(*records)
        rig.store.hold()
        await eventually(lambda: rig.carrier.binds[0].reserved == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert smsc.submits == []
        assert rig.carrier.in_use == 2  # only what has a slot has an intent

        rig.store.let_go()
        for record in records:
            await rig.until(record, Status.SUBMITTED)
        assert len(smsc.submits) == 5


async def test_an_intent_that_cannot_be_written_sends_nothing_and_goes_when_it_can():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await eventually(lambda: rig.carrier.is_up)
        record = rig.a_message(category=WAIT)
        await rig.hand_in(record)
        rig.store.break_down("disk full")
        await eventually(lambda: rig.carrier._pump.held_until > 0)
        assert smsc.submits == []
        assert attempts(record) == []

        rig.store.repair()
        stored = await rig.until(record, Status.SUBMITTED)
        assert attempts(stored) == [(0, "")]
        assert len(smsc.submits) == 1


async def test_a_bind_lost_while_the_intent_is_written_sends_the_only_copy_by_the_next():
    async with scripted() as smsc, running(a_carrier(smsc)) as rig:
        await eventually(lambda: rig.carrier.is_up)
        record = rig.a_message(category=WAIT)
        await rig.hand_in(record)
        rig.store.hold()
        await eventually(lambda: rig.carrier.binds[0].reserved == 1)
        reset_connection(smsc.binds[0])
        await eventually(lambda: smsc.bind_count == 2)
        rig.store.let_go()
        stored = await rig.until(record, Status.SUBMITTED)

        assert attempts(stored) == [(0, "")]
        assert len(smsc.submits) == 1
        await eventually(lambda: rig.carrier.in_use == 0)
