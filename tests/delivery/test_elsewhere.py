"""Messages that change their carrier: to which, when, and when never."""

import pytest

from gateway.delivery import outcomes
from gateway.delivery.elsewhere import Why
from gateway.delivery.settings import OnDoubt
from gateway.message import Message, PartStatus, Record, Status
from gateway.rulings import NotHere, Ruling
from gateway.smpp import CommandStatus
from tests.delivery.rig import RESEND, WAIT, OpenGate, Rig, running
from tests.delivery.samples import CARRIER, LONG, bind_settings, carrier_settings, eventually, statuses
from tests.delivery.scripted_smsc import ScriptedSmsc, accept, keep_silent, refuse, scripted

BOTH = (CARRIER, "cmcc-b")
TEMPORARY = CommandStatus.ESME_RSYSERR
FOR_GOOD = CommandStatus.ESME_RSUBMITFAIL


def two_carriers(first: ScriptedSmsc, second: ScriptedSmsc, **fields):
    """Of one bind each; the second is where a message goes next."""
    return (
        carrier_settings(bind_settings(first.port, "a"), **fields),
        carrier_settings(bind_settings(second.port, "b"), name="cmcc-b", **fields),
    )


async def both_up(rig: Rig) -> None:
    await eventually(lambda: all(carrier.is_up for carrier in rig.delivery.carriers.values()))


def been_to(stored: Record, n: int = 0) -> list[str]:
    return [attempt.carrier for attempt in stored.state.parts[n].attempts]


async def test_what_a_carrier_refuses_for_now_again_and_again_goes_by_the_next():
    async with scripted() as first, scripted() as second:
        first.otherwise = refuse(TEMPORARY)
        async with running(*two_carriers(first, second), attempts_before_next=2) as rig:
            await both_up(rig)
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.SUBMITTED)

            assert been_to(stored) == [CARRIER, CARRIER, "cmcc-b"]
            assert "goes by cmcc-b: refused" in [entry.reason for entry in stored.state.timeline]
            assert rig.metrics.messages_moved.value((CARRIER, Why.REFUSED)) == 1
            await eventually(lambda: all(c.waiting == 0 for c in rig.delivery.carriers.values()))


async def test_it_stays_where_it_is_while_the_next_carrier_is_down():
    async with scripted(*[refuse(TEMPORARY)] * 4) as first, scripted() as second:
        await second.stop()
        async with running(*two_carriers(first, second), attempts_before_next=2) as rig:
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.SUBMITTED)
            assert been_to(stored) == [CARRIER] * 5
        await second.start()


async def test_it_goes_to_each_carrier_once_and_then_ends_by_its_attempts():
    async with scripted() as first, scripted() as second:
        first.otherwise = second.otherwise = refuse(TEMPORARY)
        async with running(*two_carriers(first, second), attempts_before_next=2, attempts=6) as rig:
            await both_up(rig)
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.FAILED)
            assert been_to(stored) == [CARRIER] * 2 + ["cmcc-b"] * 4


async def test_what_is_refused_for_good_has_failed_unless_its_route_goes_on():
    async with scripted() as first, scripted() as second:
        first.otherwise = refuse(FOR_GOOD)
        async with running(*two_carriers(first, second)) as rig:
            await both_up(rig)
            await rig.until(await rig.accept(carriers=BOTH), Status.FAILED)
            assert second.submits == []

            rig.shared.goes_on_when_refused = lambda message: message.category is RESEND
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.SUBMITTED)
            assert been_to(stored) == [CARRIER, "cmcc-b"]
            await rig.until(await rig.accept(carriers=BOTH, category=WAIT), Status.FAILED)


async def test_what_every_carrier_refuses_for_good_has_failed():
    async with scripted() as first, scripted() as second:
        first.otherwise = second.otherwise = refuse(FOR_GOOD)
        async with running(*two_carriers(first, second)) as rig:
            await both_up(rig)
            rig.shared.goes_on_when_refused = lambda _: True
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.FAILED)
            assert been_to(stored) == list(BOTH)
            assert "ESME_RSUBMITFAIL" in stored.state.timeline[-1].reason
            await eventually(lambda: len(rig.shared.live) == 0)


async def test_a_long_message_changes_its_carrier_whole():
    async with (
        scripted(refuse(FOR_GOOD)) as first,
        scripted() as second,
        running(*two_carriers(first, second, throughput=20)) as rig,  # the others have not left by then
    ):
        await both_up(rig)
        rig.shared.goes_on_when_refused = lambda _: True
        stored = await rig.until(await rig.accept(carriers=BOTH, text=LONG, parts=3), Status.SUBMITTED)
        assert [been_to(stored, n)[-1] for n in range(3)] == ["cmcc-b"] * 3
        assert [submit.part[2] for submit in second.submits] == [1, 2, 3]


async def test_a_long_message_of_which_a_part_was_taken_stays_with_its_carrier():
    async with (
        scripted(accept(), refuse(FOR_GOOD)) as first,
        scripted() as second,
        running(*two_carriers(first, second)) as rig,
    ):
        await both_up(rig)
        rig.shared.goes_on_when_refused = lambda _: True
        record = await rig.accept(carriers=BOTH, text=LONG, parts=3)
        stored = await rig.until(record, Status.FAILED)
        assert been_to(stored, 1) == [CARRIER]
        assert second.submits == []


async def test_the_ranking_of_the_moment_decides():
    async with scripted(refuse(FOR_GOOD)) as first, scripted() as second, scripted() as third:
        carriers = (*two_carriers(first, second), carrier_settings(bind_settings(third.port, "c"), name="cmcc-c"))
        async with running(*carriers) as rig:
            await both_up(rig)
            rig.shared.goes_on_when_refused = lambda _: True
            ranked: dict[str, tuple[str, ...]] = {}

            def rank(message: Message) -> tuple[str, ...]:
                return ranked[message.client_ref]

            rig.shared.rank = rank
            ranked["x"] = ("unheard-of", CARRIER, "cmcc-c", "cmcc-b")
            stored = await rig.until(await rig.accept(carriers=BOTH, client_ref="x"), Status.SUBMITTED)
            assert been_to(stored) == [CARRIER, "cmcc-c"]


async def test_a_message_whose_receipt_says_failed_goes_once_more_by_another_carrier():
    async with scripted() as first, scripted() as second, running(*two_carriers(first, second)) as rig:
        await both_up(rig)
        record = await rig.accept(carriers=BOTH)
        await rig.until(record, Status.SUBMITTED)

        assert outcomes.send_again(record, 0, 0, "NP:1243", at=rig.now())
        assert rig.delivery.elsewhere.send(record, Why.RECEIPT)
        await eventually(lambda: second.submits)
        stored = await rig.until(record, Status.SUBMITTED)
        assert been_to(stored) == list(BOTH)
        assert [attempt.error for attempt in stored.state.parts[0].attempts] == ["NP:1243", ""]
        assert not outcomes.send_again(record, 0, 0, "NP:1243", at=rig.now())  # the second copy may get through
        assert not rig.delivery.elsewhere.send(record, Why.RECEIPT)


@pytest.mark.parametrize("parts", [1, 3])
async def test_a_doubt_moves_nothing_of_several_parts(parts: int):
    text = LONG if parts > 1 else "【阳光物业】您好"
    async with scripted() as first, scripted() as second:
        first.otherwise = keep_silent
        async with running(*two_carriers(first, second, response_timeout_seconds=5.0)) as rig:
            await both_up(rig)
            record = await rig.accept(carriers=BOTH, text=text, parts=parts)
            await eventually(lambda: len(first.submits) == parts)
            for n in range(parts):
                outcomes.unanswered(record, n, 0, "timeout", OnDoubt.RESEND, at=rig.now())
            assert set(statuses(record)) == {PartStatus.WAITING}
            assert outcomes.may_change_carrier(record) is (parts == 1)


class Blacklists(OpenGate):
    """Carriers that do not want the number; nobody minds but them."""

    def __init__(self, *carriers: str) -> None:
        self.carriers = set(carriers)

    def hand_over(self, message: Message, carrier: str, *, now: int) -> Ruling:
        return NotHere("opted_out") if carrier in self.carriers else None

    def rank(self, message: Message) -> list[str]:
        return [name for name in message.carriers if name not in self.carriers]


async def test_whom_a_carrier_has_blacklisted_since_goes_by_the_next():
    async with scripted() as first, scripted() as second:
        gate = Blacklists(CARRIER)
        async with running(*two_carriers(first, second), gate=gate) as rig:
            rig.shared.rank = gate.rank
            await both_up(rig)
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.SUBMITTED)

            assert been_to(stored) == ["cmcc-b"]
            assert first.submits == []
            assert "goes by cmcc-b: blacklisted" in [entry.reason for entry in stored.state.timeline]


async def test_whom_all_have_blacklisted_counts_as_opted_out():
    async with scripted() as first, scripted() as second:
        gate = Blacklists(*BOTH)
        async with running(*two_carriers(first, second), gate=gate) as rig:
            rig.shared.rank = gate.rank
            await both_up(rig)
            stored = await rig.until(await rig.accept(carriers=BOTH), Status.FAILED)

            assert stored.state.timeline[-1].reason == "opted_out"
            assert first.submits == second.submits == []
