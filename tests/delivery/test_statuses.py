"""Every command_status that an answer may have, and what becomes of its message: by its class, and by nothing else."""

import pytest

from gateway.message import Status
from gateway.smpp import CommandStatus, StatusClass, SubmitSmResp, classify
from tests.delivery.rig import running
from tests.delivery.samples import bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, Submit, scripted

UNNAMED = (0x0000_0400, 0x0000_04FF, 0x7FFF_FFFF)  # of a vendor, or of nobody
REFUSALS = [status for status in (*map(int, CommandStatus), *UNNAMED) if classify(status) is not StatusClass.OK]


def of_class(*classes: StatusClass) -> dict[str, int]:
    """Refusals of these classes, each with a number of its own."""
    chosen = [status for status in REFUSALS if classify(status) in classes]
    return {f"+86138001{n:05}": status for n, status in enumerate(chosen)}


def refusing_once(by_number: dict[str, int]):
    """An SMSC that refuses the first submit to each of these numbers with its status."""
    refused: set[str] = set()

    def answer(smsc: ScriptedSmsc, submit: Submit) -> None:
        number = "+" + submit.body.destination_addr
        if number in by_number and number not in refused:
            refused.add(number)
            submit.connection.respond(submit.pdu, SubmitSmResp(), command_status=by_number[number])
        else:
            smsc.accept(submit)

    return answer


async def test_what_may_pass_later_is_sent_again_and_passes():
    by_number = of_class(StatusClass.RETRY, StatusClass.THROTTLE)
    assert CommandStatus.ESME_RTHROTTLED in by_number.values()
    async with scripted() as smsc, running(carrier_settings(bind_settings(smsc.port))) as rig:
        smsc.otherwise = refusing_once(by_number)
        records = [rig.a_message(to=number) for number in by_number]
        await rig.hand_in(*records)
        for record in records:
            stored = await rig.until(record, Status.SUBMITTED)
            refusal, success = stored.state.parts[0].attempts
            assert (refusal.command_status, success.command_status) == (by_number[record.message.to], 0)
            assert refusal.error, "an attempt says what was wrong with it"
            assert Status.SENDING in [entry.status for entry in stored.state.timeline]


async def test_what_is_refused_for_good_has_failed_with_its_reason_whatever_the_status():
    by_number = of_class(StatusClass.PERMANENT)
    assert set(UNNAMED) < set(by_number.values())
    assert len(by_number) > 40
    async with scripted() as smsc, running(carrier_settings(bind_settings(smsc.port))) as rig:
        smsc.otherwise = refusing_once(by_number)
        records = [rig.a_message(to=number) for number in by_number]
        await rig.hand_in(*records)
        for record in records:
            stored = await rig.until(record, Status.FAILED)
            [refusal] = stored.state.parts[0].attempts
            assert refusal.command_status == by_number[record.message.to]
            assert stored.state.timeline[-1].reason == refusal.error
        assert len(smsc.submits) == len(records)
        assert smsc.connections == 1


@pytest.mark.parametrize("status", of_class(StatusClass.CLOSE).values(), ids=hex)
async def test_what_says_that_the_bind_is_wrong_pauses_that_bind_and_its_messages_go_by_another(status: int):
    async with scripted() as first, scripted() as second:
        paused = bind_settings(first.port, "a", reconnect_first_seconds=30.0, reconnect_longest_seconds=30.0)
        other = bind_settings(second.port, "b", window=1)
        async with running(carrier_settings(paused, other, response_timeout_seconds=5.0)) as rig:
            first.otherwise = lambda _, submit: submit.connection.respond(
                submit.pdu, SubmitSmResp(), command_status=status
            )
            await eventually(lambda: all(bind.is_up for bind in rig.carrier.binds))
            record = await rig.accept()  # by the one with more room
            stored = await rig.until(record, Status.SUBMITTED)
            assert [(each.bind, each.command_status) for each in stored.state.parts[0].attempts] == [
                ("a", status),
                ("b", 0),
            ]
            assert not rig.carrier.binds[0].is_up
            assert (first.connections, len(first.submits)) == (1, 1)
