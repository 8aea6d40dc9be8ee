"""Who goes before whom at one carrier: one-time passwords, accounts beside each other, source numbers with a limit."""

from collections import Counter

from gateway.message import Category, Priority, Record, Status
from tests.delivery.rig import RESEND, running
from tests.delivery.samples import LONG, bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import ScriptedSmsc, accept, keep_silent, scripted

OTP = {"category": Category.OTP, "priority": Priority.HIGH}


def a_carrier(smsc: ScriptedSmsc, *, window: int, **fields):
    settings = {"response_timeout_seconds": 5.0} | fields
    return carrier_settings(bind_settings(smsc.port, window=window), **settings)


def sent_to(smsc: ScriptedSmsc) -> list[str]:
    return ["+" + submit.body.destination_addr for submit in smsc.submits]


async def test_the_others_leave_a_part_of_the_window_to_one_time_passwords():
    async with scripted() as smsc, running(a_carrier(smsc, window=10, otp_share=0.2)) as rig:
        smsc.otherwise = keep_silent
        await rig.hand_in(*[rig.a_message(priority=Priority.LOW) for _ in range(30)])
        await rig.hand_in(*[rig.a_message(priority=Priority.HIGH, category=RESEND) for _ in range(30)])
        await eventually(lambda: rig.carrier.in_use == 8)

        codes = [rig.a_message(to=f"+861391111000{n}", **OTP) for n in range(3)]
        await rig.hand_in(*codes)
        await eventually(lambda: len(smsc.submits) == 10)
        assert sent_to(smsc)[8:] == [code.message.to for code in codes[:2]]


async def test_a_low_message_that_was_sent_as_a_code_takes_no_room_that_is_kept():
    """What its sender does not want sent first is one of the others, whatever its category."""
    async with scripted() as smsc, running(a_carrier(smsc, window=10, otp_share=0.2)) as rig:
        smsc.otherwise = keep_silent
        await rig.hand_in(*[rig.a_message(category=Category.OTP, priority=Priority.LOW) for _ in range(30)])
        await eventually(lambda: rig.carrier.in_use == 8)
        await rig.accept(**OTP)
        await eventually(lambda: rig.carrier.in_use == 9)


async def test_a_code_leaves_between_the_parts_of_a_long_message_of_the_same_bind():
    async with (
        scripted() as smsc,
        running(a_carrier(smsc, window=50, otp_share=0.2, throughput=10)) as rig,
    ):
        long = [rig.a_message(text=LONG, parts=3) for _ in range(10)]
        await rig.hand_in(*long)
        await eventually(lambda: len(smsc.submits) >= 4)
        code = await rig.accept(to="+8613911112222", **OTP)
        await rig.until(code, Status.SUBMITTED)
        assert sent_to(smsc).index("+8613911112222") <= 6


async def test_while_there_are_always_codes_the_others_are_slowed_and_not_stopped():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc, window=2, otp_share=0.2)) as rig:
            codes = [rig.a_message(**OTP) for _ in range(200)]
            other = rig.a_message(priority=Priority.LOW, to="+8613911112222")
            await rig.hand_in(*codes, other)
            await smsc.start()
            await eventually(lambda: len(smsc.submits) == 201)
            assert sent_to(smsc).index("+8613911112222") == 20


async def test_a_batch_of_one_account_leaves_anothers_messages_their_share():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc, window=5), lane_window=40) as rig:
            bulk = [rig.a_message(account="bulk", to=f"+8613800{n:06}") for n in range(1_000)]
            few = [rig.a_message(account="few", to=f"+8613900{n:06}") for n in range(100)]
            for first in range(0, 1_000, 500):
                await rig.hand_in(*bulk[first : first + 500])
            await rig.hand_in(*few)
            assert len(rig.shared.live) <= 2 * 40
            await smsc.start()
            await eventually(lambda: len(smsc.submits) == 1_100, seconds=20.0)
            begin = Counter(number[:7] for number in sent_to(smsc)[:200])
            assert begin["+861390"] >= 80, begin


async def test_a_source_number_has_a_limit_of_its_own_and_others_go_meanwhile():
    async with (
        scripted() as smsc,
        running(a_carrier(smsc, window=50, source_throughput=20)) as rig,
    ):
        limited = [rig.a_message(account="one", sender="1") for _ in range(10)]
        await rig.hand_in(*limited)
        await eventually(lambda: smsc.submits)
        others = [rig.a_message(account=f"other-{n}", sender=f"2{n}", to=f"+861390000000{n}") for n in range(5)]
        await rig.hand_in(*others)
        for other in others:
            await rig.until(other, Status.SUBMITTED)
        assert len([submit for submit in smsc.submits if submit.body.source_addr.endswith("011")]) < 10
        await all_sent(rig, limited)
        sources = Counter(submit.body.source_addr for submit in smsc.submits)
        assert sources["106900011"] == 10


async def all_sent(rig, records: list[Record]) -> None:
    for record in records:
        await rig.until(record, Status.SUBMITTED)


async def test_after_a_restart_accounts_take_turns_too():
    async with scripted() as smsc:
        await smsc.stop()
        async with running(a_carrier(smsc, window=5), lane_window=40) as rig:
            await rig.hand_in(*[rig.a_message(account="bulk", to=f"+8613800{n:06}") for n in range(500)])
            await rig.hand_in(*[rig.a_message(account="few", to=f"+8613900{n:06}") for n in range(50)])
            found = await rig.store.after_a_crash()
        await smsc.start()
        smsc.otherwise = accept()
        async with running(a_carrier(smsc, window=5), store=found, lane_window=40) as rig:
            assert rig.carrier.waiting == 550
            await eventually(lambda: len(smsc.submits) == 550, seconds=20.0)
            begin = Counter(number[:7] for number in sent_to(smsc)[:100])
            assert begin["+861390"] >= 30, begin
