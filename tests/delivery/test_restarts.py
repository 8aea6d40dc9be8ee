"""A start finds everything that was open, and goes on with it: after a stop, after a crash, with other carriers."""

import random

import pytest

from gateway.message import Attempt, Entry, Part, PartStatus, Record, State, Status
from gateway.smpp import TlvTag, find_tlv
from gateway.store.api import UnmatchedReceipt
from tests.delivery.rig import RESEND, WAIT, SlowStore, running
from tests.delivery.samples import CARRIER, LONG, a_message, bind_settings, carrier_settings, eventually, statuses
from tests.delivery.scripted_smsc import ScriptedSmsc, accept, keep_silent, receipt, reset, scripted

NOW = 1_800_000_000_000
W, S, D, U, OK, F, X = PartStatus


def a_carrier(smsc: ScriptedSmsc, name: str = CARRIER, **fields):
    settings = {"name": name, "response_timeout_seconds": 0.3} | fields
    return carrier_settings(bind_settings(smsc.port, f"{name}-1", window=4), **settings)


def an_attempt(status: PartStatus, n: int, *, carrier: str = CARRIER) -> Attempt:
    """The last attempt of a part that is in this state."""
    taken = status in {U, OK, X}
    return Attempt(carrier, f"{carrier}-1", NOW, f"id-{n}" if taken else "", 0 if taken else None, reference=100 + n)


def found_on_disk(status: Status, *parts: PartStatus, carrier: str = CARRIER, **fields) -> Record:
    """A record as a crash leaves it. Its lane is that of `carrier`."""
    message = a_message(
        parts=len(parts),
        accepted_at=NOW,
        expires_at=NOW * 2,
        **({"text": LONG if len(parts) > 1 else "【阳光物业】水"} | fields),
    )
    state = State(
        status,
        [Part(part, () if part is W else (an_attempt(part, n, carrier=carrier),)) for n, part in enumerate(parts)],
        [Entry(NOW, status)],
    )
    return Record(message, state, f"{carrier}/{message.priority}" if status is Status.QUEUED else "")


async def a_store(*records: Record, receipts: tuple[UnmatchedReceipt, ...] = ()) -> SlowStore:
    """A store that was closed with these in it."""
    store = SlowStore()
    await store.open()
    await store.append(sorted(records, key=lambda record: record.id))
    for each in receipts:
        await store.keep_receipt(each)
    await store.close()
    return store


def reference(submit) -> object:
    return find_tlv(submit.body.tlvs, TlvTag.USER_MESSAGE_REFERENCE)


# --- after a crash ----------------------------------------------------------------------------------------------------


async def test_a_part_whose_answer_was_lost_in_a_crash_goes_again_with_its_reference():
    async with scripted(keep_silent) as smsc:
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept(category=RESEND)
            await eventually(lambda: smsc.submits)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            await rig.until(record, Status.SUBMITTED)
        first, second = smsc.submits
        assert reference(first) == reference(second)
        assert first.body.short_message == second.body.short_message


async def test_a_single_copy_whose_answer_was_lost_in_a_crash_is_in_doubt():
    async with scripted(keep_silent) as smsc:
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept(category=WAIT)
            await eventually(lambda: smsc.submits)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            stored = await rig.until(record, Status.IN_DOUBT)
            await rig.until(await rig.accept(category=WAIT), Status.SUBMITTED)
            assert [attempt.error for attempt in stored.state.parts[0].attempts] == ["restart"]
            assert len(smsc.submits) == 2

            rig.ahead_milliseconds = 400_000_000
            await rig.until(record, Status.UNKNOWN)


@pytest.mark.parametrize(
    ("category", "after", "sent"),
    [(RESEND, [U, U, U], [2, 3]), (WAIT, [U, D, U], [3])],
)
async def test_the_rest_of_a_message_leaves_after_a_crash_in_the_middle_of_it(category, after, sent):
    async with scripted() as smsc:
        async with running(a_carrier(smsc)) as rig:
            smsc.script.extend([accept("one"), keep_silent, keep_silent])
            record = await rig.accept(category=category, text=LONG, parts=3)
            await eventually(lambda: len(smsc.submits) == 3)
            await eventually(lambda: rig.store.stored(record).state.parts[0].status is U)
            store = await rig.store.after_a_crash()
            # As if the third part had not been handed over.
            store._records[record.id].state.parts[2] = Part()
            store._records[record.id].state.status = Status.SENDING
            before = len(smsc.submits)
        async with running(a_carrier(smsc), store=store) as rig:
            await eventually(lambda: statuses(rig.store.stored(record)) == after)
        parts = [submit.part for submit in smsc.submits]
        assert [part[2] for part in parts[before:]] == sent
        assert len({part[0] for part in parts}) == 1


async def test_a_receipt_finds_its_message_after_a_restart():
    async with scripted(accept("a")) as smsc:
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept()
            await rig.until(record, Status.SUBMITTED)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            await eventually(lambda: smsc.bind_count == 2 and smsc.binds)
            assert await smsc.deliver(receipt(smsc.submits[0], "a")) == 0
            assert rig.status_on_disk(record) is Status.DELIVERED


@pytest.mark.parametrize("by_reference", [True, False])
async def test_a_doubt_of_before_the_restart_is_settled_by_a_receipt_after_it(by_reference: bool):
    async with scripted(keep_silent) as smsc:
        async with running(a_carrier(smsc)) as rig:
            record = await rig.accept(category=WAIT)
            await rig.until(record, Status.IN_DOUBT)
            store = await rig.store.after_a_crash()
        async with running(a_carrier(smsc), store=store) as rig:
            await eventually(lambda: smsc.bind_count == 2 and smsc.binds)
            number = reference(smsc.submits[0]) if by_reference else 0
            assert await smsc.deliver(receipt(smsc.submits[0], "x", reference=number)) == 0
            assert rig.status_on_disk(record) is Status.DELIVERED


async def test_a_receipt_kept_before_a_crash_settles_the_doubt_that_the_crash_made():
    async with scripted(keep_silent) as smsc:
        async with running(a_carrier(smsc, response_timeout_seconds=5.0)) as rig:
            record = await rig.accept(category=WAIT)
            await eventually(lambda: smsc.submits)
            assert await smsc.deliver(receipt(smsc.submits[0], "x")) == 0
            store = await rig.store.after_a_crash()
            assert len(store.receipts) == 1
        async with running(a_carrier(smsc), store=store) as rig:
            await rig.until(record, Status.DELIVERED)
            await eventually(lambda: not rig.store.receipts)


@pytest.mark.parametrize("category", [RESEND, WAIT])
async def test_a_start_goes_on_with_messages_in_every_state(category):
    states = {
        "queued": found_on_disk(Status.QUEUED, W, category=category),
        "sending": found_on_disk(Status.SENDING, S, category=category),
        "sending in part": found_on_disk(Status.SENDING, U, S, W, category=category),
        "in doubt": found_on_disk(Status.IN_DOUBT, D, category=category),
        "in doubt in part": found_on_disk(Status.IN_DOUBT, OK, D, W, category=category),
        "submitted": found_on_disk(Status.SUBMITTED, U, category=category),
        "submitted in part": found_on_disk(Status.SUBMITTED, OK, U, X, category=category),
        "scheduled": found_on_disk(Status.SCHEDULED, W, category=category, send_at=1_700_000_000_000),
        "held": found_on_disk(Status.HELD, W, category=category),
        "delivered": found_on_disk(Status.DELIVERED, OK, category=category),
        "failed": found_on_disk(Status.FAILED, F, category=category),
    }
    resend = category is RESEND
    expected = {
        "queued": [U],
        "sending": [U] if resend else [D],
        "sending in part": [U, U, U] if resend else [U, D, U],
        "in doubt": [D],
        "in doubt in part": [OK, D, U],
        "submitted": [U],
        "submitted in part": [OK, U, X],
        "scheduled": [U],
        "held": [W],
        "delivered": [OK],
        "failed": [F],
    }
    store = await a_store(*states.values())
    async with scripted() as smsc, running(a_carrier(smsc), store=store) as rig:
        for name, parts in expected.items():
            await eventually(
                lambda name=name, parts=parts: statuses(rig.store.stored(states[name])) == parts, seconds=3.0
            )
        assert rig.status_on_disk(states["held"]) is Status.HELD
        await eventually(lambda: rig.carrier.in_use == 0)
        assert len(smsc.submits) == sum(
            part is U and before is not U
            for name, parts in expected.items()
            for part, before in zip(parts, statuses(states[name]), strict=True)
        )


async def test_a_backlog_goes_on_in_the_order_of_its_acceptance():
    records = [found_on_disk(Status.QUEUED, W, to=f"+86138001{n:05}") for n in range(300)]
    store = await a_store(*records)
    async with scripted() as smsc, running(a_carrier(smsc), store=store, lane_window=10) as rig:
        await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records))
        sent = [submit.body.destination_addr for submit in smsc.submits]
        assert sent == [record.message.to.removeprefix("+") for record in records]
        assert rig.carrier.waiting == 0


# --- with other carriers ----------------------------------------------------------------------------------------------


async def test_a_lane_whose_carrier_is_gone_goes_by_the_next_candidate():
    records = [found_on_disk(Status.QUEUED, W, carrier="gone", carriers=("gone", "cmcc-b")) for _ in range(20)]
    store = await a_store(*records)
    async with scripted() as smsc, running(a_carrier(smsc, "cmcc-b"), store=store) as rig:
        await eventually(lambda: all(rig.status_on_disk(record) is Status.SUBMITTED for record in records))
        assert {rig.store.stored(record).state.parts[0].attempts[0].carrier for record in records} == {"cmcc-b"}
        assert rig.delivery.carriers["cmcc-b"].waiting == 0


async def test_what_no_configured_carrier_reaches_has_failed():
    record = found_on_disk(Status.QUEUED, W, carrier="gone", carriers=("gone",))
    store = await a_store(record)
    async with scripted() as smsc, running(a_carrier(smsc), store=store) as rig:
        stored = await rig.until(record, Status.FAILED)
        assert stored.state.timeline[-1].reason == "no configured carrier reaches it"


@pytest.mark.parametrize("category", [RESEND, WAIT])
@pytest.mark.parametrize(
    ("status", "parts"),
    [
        (Status.SENDING, [S]),
        (Status.SENDING, [U, S, W]),
        (Status.SENDING, [U, W]),
        (Status.IN_DOUBT, [D]),
        (Status.IN_DOUBT, [D, W]),
        (Status.SUBMITTED, [U]),
    ],
)
async def test_what_is_with_a_carrier_that_is_gone_ends(category, status: Status, parts: list[PartStatus]):
    record = found_on_disk(status, *parts, category=category, carrier="gone", carriers=("gone",))
    store = await a_store(record)
    async with scripted() as smsc, running(a_carrier(smsc), store=store) as rig:
        rig.ahead_milliseconds = max(0, NOW - rig.now()) + 400_000_000
        await eventually(lambda: rig.store.stored(record).is_final)
        assert rig.status_on_disk(record) in {Status.UNKNOWN, Status.FAILED}
        assert smsc.submits == []
        await eventually(lambda: record.id not in rig.shared.live)


async def test_receipts_of_a_carrier_that_is_gone_are_given_up():
    kept = UnmatchedReceipt("gone", "a", "8613800138000", "10690001", 2, "", NOW)
    store = await a_store(receipts=(kept,))
    async with scripted() as smsc, running(a_carrier(smsc), store=store) as rig:
        await eventually(lambda: rig.store.receipts == [])


# --- crash after crash ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("category", [RESEND, WAIT])
async def test_however_often_it_crashes_no_message_is_lost_and_no_single_copy_is_sent_twice(category, seed: int):
    """A crash at any moment; a carrier that answers some, ignores some and resets now and then."""
    chance = random.Random(seed)
    crashes = 6

    def answer(smsc: ScriptedSmsc, submit) -> None:
        draw = chance.random()
        if draw < 0.75:
            message_id = smsc.accept(submit)
            smsc.send(receipt(submit, message_id), submit.connection)
        elif draw < 0.95:
            keep_silent(smsc, submit)
        else:
            reset(smsc, submit)

    async with scripted() as smsc:
        smsc.otherwise = answer
        store, records = SlowStore(), []
        for crash in range(crashes + 1):
            last = crash == crashes
            async with running(a_carrier(smsc, response_timeout_seconds=0.05), store=store, copies=20) as rig:
                for _ in range(0 if last else 10):
                    records.append(await rig.accept(category=category, to=f"+8613800{len(records):06}"))
                if not last:
                    goal = len(smsc.submits) + chance.randrange(1, 12)
                    await eventually(lambda goal=goal: len(smsc.submits) >= goal or rig.carrier.waiting == 0)
                    store = await rig.store.after_a_crash()
                    continue
                smsc.otherwise = lambda smsc, submit: smsc.send(receipt(submit, smsc.accept(submit)), submit.connection)
                await eventually(
                    lambda: all(rig.status_on_disk(r) in {Status.DELIVERED, Status.IN_DOUBT} for r in records),
                    seconds=10.0,
                )
                rig.ahead_milliseconds = 400_000_000
                await eventually(lambda: all(rig.store.stored(record).is_final for record in records))
                ended = {record.message.to: rig.status_on_disk(record) for record in records}

    sent = ["+" + submit.body.destination_addr for submit in smsc.submits]
    assert set(sent) <= {record.message.to for record in records}
    if category is WAIT:
        assert len(sent) == len(set(sent))
        assert set(ended.values()) <= {Status.DELIVERED, Status.UNKNOWN}
    else:
        assert set(sent) == {record.message.to for record in records}
        assert set(ended.values()) == {Status.DELIVERED}
