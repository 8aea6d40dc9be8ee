"""The one way in: what is accepted is on disk, once, and handed on, once."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.account import Account
from gateway.intake import SLICE, Accepted, Decision, Intake, Misuse, check_rights
from gateway.message import (
    Category,
    IdSource,
    Message,
    MessageId,
    Milliseconds,
    Priority,
    Record,
    Status,
    lane_name,
)
from gateway.numbers import Network
from gateway.policy.candidate import Candidate
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.pipeline import Pipeline
from gateway.policy.signature import SignatureStage
from gateway.policy.verdict import Reason, Refusal
from gateway.refs import ClientRefs, ClientRefSettings
from gateway.routing.router import Router
from gateway.routing.routes import CarrierReach
from gateway.store.matching import copy_of
from tests.delivery.rig import SlowStore
from tests.delivery.samples import eventually
from tests.policy.samples import DEMO, PLAN, SIGNED, a_draft

NOW = 1_800_000_000_000
CARRIERS = [CarrierReach(name="first", networks=frozenset({Network.CMCC})), CarrierReach(name="second")]


class Counting:
    """A stage that charges."""

    name = "counting"

    def __init__(self) -> None:
        self.decided = 0
        self.charged: list[str] = []

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        self.decided += 1
        return None

    def commit(self, candidate: Candidate, *, now: float) -> None:
        self.charged.append(candidate.to)

    def take_back(self, message: Message, *, charged_at: Milliseconds, now: float) -> None:
        assert charged_at == message.accepted_at
        self.charged.remove(message.to)


class Says:
    """A stage that says of every message what it is told to say."""

    name = "says"

    def __init__(self) -> None:
        self.hold = ""
        self.opens_at: Milliseconds | None = None
        self.fails_at = 0
        self._decided = 0

    def decide(self, candidate: Candidate, *, now: float) -> Refusal | None:
        self._decided += 1
        if self._decided == self.fails_at:
            raise LookupError("a bug")
        candidate.hold, candidate.opens_at = self.hold, self.opens_at
        return None


class Rig:
    """An intake, and everything around it."""

    def __init__(self, store: SlowStore, **options: Any) -> None:
        self.store = store
        self.now = NOW
        self.accepted: list[Record] = []
        self.refused: list[tuple[str, Category, Reason]] = []
        self.counting = Counting()
        self.pipeline_says = Says()
        self.refs = ClientRefs(ClientRefSettings())
        self.down: set[str] = set()
        settings: dict[str, Any] = {
            "pipeline": Pipeline(
                [NumberStage(PLAN), SignatureStage(), ContentStage()], [self.pipeline_says], [self.counting]
            ),
            "router": Router(CARRIERS, []),
            "store": store,
            "ids": IdSource(node=3, last=MessageId(0)),
            "refs": self.refs,
            "valid_for_seconds": {Category.OTP: 300, Category.NOTIFICATION: 86_400, Category.MARKETING: 3_600},
            "is_up": lambda carrier: carrier not in self.down,
            "on_accepted": self.accepted.extend,
            "on_refused": lambda account, draft, refusal: self.refused.append(
                (account, draft.category, refusal.reason)
            ),
            "clock": lambda: self.now,
        }
        settings["step_seconds"] = 60.0  # however slow the machine is, slices end by their number
        self.intake = Intake(**(settings | options))

    async def submit(self, *drafts, account: Account = DEMO) -> list[Decision]:
        return await self.intake.submit(account, drafts)

    async def one(self, account: Account = DEMO, **fields: Any) -> Decision:
        [decision] = await self.submit(a_draft(**fields), account=account)
        return decision

    async def record(self, account: Account = DEMO, **fields: Any) -> Record:
        decision = await self.one(account, **fields)
        assert isinstance(decision, Accepted), decision
        return decision.record


@pytest.fixture
async def rig():
    store = SlowStore()
    await store.open()
    yield Rig(store)
    await store.close()


def reason(decision: Decision) -> Reason:
    assert isinstance(decision, Refusal), decision
    return decision.reason


# --- accepting --------------------------------------------------------------------------------------------------------


async def test_an_accepted_message_is_on_disk_and_handed_on(rig: Rig):
    record = await rig.record(to="138 0013 8000", client_ref="order-1", batch="july", sender="88", urgent=True)
    message = record.message
    assert await rig.store.read(message.id) == copy_of(record)
    assert rig.accepted == [record]
    assert (message.account, message.to, message.network, message.parts) == ("demo", "+8613800138000", "cmcc", 1)
    assert (message.client_ref, message.batch, message.sender, message.urgent) == ("order-1", "july", "88", True)
    assert (message.signature, message.carriers) == ("阳光物业", ("first", "second"))
    assert (message.accepted_at, message.send_at, message.expires_at) == (NOW, None, NOW + 86_400_000)
    assert (record.status, record.lane) == (Status.QUEUED, "first/normal/demo")


@pytest.mark.parametrize(
    ("category", "priority"),
    [
        (Category.OTP, Priority.HIGH),
        (Category.NOTIFICATION, Priority.NORMAL),
        (Category.MARKETING, Priority.LOW),
    ],
)
async def test_a_category_has_a_priority_and_a_validity_of_its_own(rig: Rig, category: Category, priority: Priority):
    record = await rig.record(category=category)
    assert record.message.priority is priority
    assert record.lane == lane_name("first", record.message)
    valid_for = {Category.OTP: 300, Category.NOTIFICATION: 86_400, Category.MARKETING: 3_600}[category]
    assert record.message.expires_at == NOW + valid_for * 1000

    asked = await rig.record(category=category, priority=Priority.LOW, valid_for_seconds=60)
    assert (asked.message.priority, asked.message.expires_at) == (Priority.LOW, NOW + 60_000)


async def test_a_carrier_that_is_up_is_preferred_and_none_is_left_out(rig: Rig):
    rig.down = {"first"}
    record = await rig.record()
    assert (record.lane, record.message.carriers) == ("second/normal/demo", ("first", "second"))
    rig.down = {"first", "second"}
    assert (await rig.record()).lane == "first/normal/demo"


async def test_a_message_for_later_is_scheduled_and_valid_from_then(rig: Rig):
    later = datetime.fromtimestamp(NOW / 1000 + 600, UTC)
    record = await rig.record(send_at=later, valid_for_seconds=60)
    assert record.status is Status.SCHEDULED
    assert (record.message.send_at, record.message.expires_at) == (NOW + 600_000, NOW + 660_000)


async def test_a_message_outside_its_hours_is_due_when_it_is_told_after_they_open():
    store = SlowStore()
    await store.open()
    rig = Rig(store, due=lambda message, opens_at: opens_at + message.id % 1_000)
    rig.pipeline_says.opens_at = NOW + 60_000
    record = await rig.record()
    assert record.status is Status.SCHEDULED
    assert record.due_at == NOW + 60_000 + record.id % 1_000
    assert await store.next_due() == record.due_at
    await store.close()


@pytest.mark.parametrize("seconds", [0, -600])
async def test_a_time_that_has_passed_means_now(rig: Rig, seconds: int):
    record = await rig.record(send_at=datetime.fromtimestamp(NOW / 1000 + seconds, UTC))
    assert (record.status, record.message.send_at) == (Status.QUEUED, None)


async def test_ids_grow_in_the_order_of_the_request(rig: Rig):
    decisions = await rig.submit(*[a_draft() for _ in range(3 * SLICE + 1)])
    ids = [decision.record.id for decision in decisions if isinstance(decision, Accepted)]
    assert len(ids) == 3 * SLICE + 1
    assert ids == sorted(set(ids))
    assert [record.id for record in rig.accepted] == ids


async def test_nothing_is_answered_or_handed_on_before_it_is_on_disk(rig: Rig):
    rig.store.hold()
    task = asyncio.create_task(rig.one())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    assert rig.accepted == []
    rig.store.let_go()
    decision = await task
    assert isinstance(decision, Accepted)
    assert rig.accepted == [decision.record]


async def test_a_large_request_lets_others_through(rig: Rig):
    done: list[str] = []

    async def submit(name: str, count: int) -> None:
        await rig.submit(*[a_draft() for _ in range(count)])
        done.append(name)

    await asyncio.gather(submit("large", 20 * SLICE), submit("small", 1))
    assert done == ["small", "large"]


# --- refusing ---------------------------------------------------------------------------------------------------------


async def test_each_message_of_a_request_is_decided_by_itself_and_in_order(rig: Rig):
    decisions = await rig.submit(
        a_draft(),
        a_draft(to="nobody"),
        a_draft(text="没有签名"),
        a_draft(text="【阳光物业】" + "水" * 500),
        a_draft(text="【阳光物业】\x00"),
        a_draft(to="13000138000"),
    )
    assert [type(decision) for decision in decisions] == [Accepted, *[Refusal] * 4, Accepted]
    assert [reason(decision) for decision in decisions[1:5]] == [
        Reason.INVALID_NUMBER,
        Reason.SIGNATURE_MISSING,
        Reason.TOO_LONG,
        Reason.INVALID_TEXT,
    ]
    assert rig.refused == [("demo", Category.NOTIFICATION, reason(decision)) for decision in decisions[1:5]]
    assert len(rig.accepted) == 2
    assert rig.counting.charged == ["+8613800138000", "+8613000138000"]


async def test_a_message_that_no_carrier_reaches_is_refused_and_not_charged():
    store = SlowStore()
    await store.open()
    rig = Rig(store, router=Router(CARRIERS[:1], []))
    refusal = await rig.one(to="13000138000")
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.data) == (Reason.UNROUTABLE, {"rule": "network", "network": "cucc"})
    assert rig.counting.decided == 1
    assert rig.counting.charged == []
    await store.close()


async def test_what_cannot_be_written_is_refused_and_leaves_nothing(rig: Rig):
    rig.store.break_down("disk full")
    assert reason(await rig.one(client_ref="order-1")) is Reason.STORE_UNAVAILABLE
    assert rig.accepted == []
    assert rig.refused == [("demo", Category.NOTIFICATION, Reason.STORE_UNAVAILABLE)]
    assert rig.intake._uncommitted == {}

    rig.store.repair()
    record = await rig.record(client_ref="order-1")  # its ref is free again
    assert rig.accepted == [record]


async def test_without_time_every_draft_has_a_turn_of_its_own_and_none_is_left_out():
    store = SlowStore()
    await store.open()
    rig = Rig(store, step_seconds=0.0)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    decisions = await rig.submit(*[a_draft(client_ref=f"r{n}") for n in range(20)])
    counting.cancel()
    await store.close()
    accepted = [decision.record.message.client_ref for decision in decisions if isinstance(decision, Accepted)]
    assert accepted == [f"r{n}" for n in range(20)]
    assert turns >= 20


async def test_of_a_request_that_is_written_in_part_only_that_part_is_accepted(rig: Rig):
    commits = iter([None, "disk full"])

    def break_after_the_first() -> None:
        if next(commits, None) is None:
            rig.store.break_down("disk full")

    rig.store.on_commit = break_after_the_first
    decisions = await rig.submit(*[a_draft(client_ref=f"r{n}") for n in range(2 * SLICE + 5)])
    counted = Counter(type(decision) for decision in decisions)
    assert counted == {Accepted: SLICE, Refusal: SLICE + 5}
    assert [type(decision) for decision in decisions[:SLICE]] == [Accepted] * SLICE
    assert len(rig.accepted) == SLICE
    assert len(rig.refs) == SLICE
    assert len(rig.counting.charged) == SLICE  # what is not on disk was not charged


async def test_what_waits_is_not_charged_before_it_goes(rig: Rig):
    await rig.record(send_at=datetime.fromtimestamp(NOW / 1000 + 60, UTC))
    rig.pipeline_says.hold = "category"
    held = await rig.record()
    rig.pipeline_says.hold, rig.pipeline_says.opens_at = "", NOW + 60_000
    waiting = await rig.record()

    assert (held.status, waiting.status) == (Status.HELD, Status.SCHEDULED)
    assert rig.counting.charged == []


async def test_a_rule_that_fails_refuses_its_message_and_no_other(rig: Rig, caplog):
    rig.pipeline_says.fails_at = 2
    first, second, third = await rig.submit(a_draft(), a_draft(), a_draft())

    assert reason(second) is Reason.INTERNAL
    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    assert len(rig.counting.charged) == 2


# --- again ------------------------------------------------------------------------------------------------------------


async def test_a_repeat_is_answered_with_its_first_message(rig: Rig):
    first = await rig.record(client_ref="order-1")
    again = await rig.one(client_ref="order-1", to="+86 138 0013 8000")  # the same number, spelt otherwise
    assert again == Accepted(copy_of(first), duplicate=True)
    assert rig.accepted == [first]
    assert rig.counting.charged == ["+8613800138000"]


async def test_a_repeat_is_answered_also_when_its_first_was_long_settled(rig: Rig):
    first = await rig.record(client_ref="order-1")
    first.state.status = Status.DELIVERED
    await rig.store.update(first)
    rig.now += 3_600_000
    again = await rig.one(client_ref="order-1")
    assert isinstance(again, Accepted)
    assert (again.duplicate, again.record.status) == (True, Status.DELIVERED)


async def test_repeats_by_the_hundred_are_answered_in_their_order_with_few_questions_to_the_store(rig: Rig):
    drafts = [a_draft(client_ref=f"order-{n}", to=f"138{n:08}") for n in range(1, 1_001)]
    firsts = await rig.submit(*drafts)
    asked: list[int] = []
    read_all = rig.store.read_all

    async def counting(message_ids: Sequence[MessageId]) -> dict[MessageId, Record]:
        asked.append(len(message_ids))
        return await read_all(message_ids)

    rig.store.read_all = counting  # type: ignore[method-assign]
    mixed = [*drafts[:500], a_draft(to="13900139000"), *reversed(drafts[500:])]
    again = await rig.submit(*mixed)
    expected = [*firsts[:500], *reversed(firsts[500:])]
    assert [d.record.id for d in [*again[:500], *again[501:]]] == [d.record.id for d in expected]  # type: ignore[union-attr]
    assert [d.duplicate for d in again] == [True] * 500 + [False] + [True] * 500  # type: ignore[union-attr]
    assert (sum(asked), len(asked)) == (1_000, 10)


@pytest.mark.parametrize(
    "other",
    [
        {"to": "13900139000"},
        {"text": "【阳光物业】别的"},
        {"text": "【花园小区】您的快递已到物业前台。"},
        {"category": Category.MARKETING},
        {"urgent": True},
        {"sender": "99"},
        {"batch": "august"},
        {"priority": Priority.LOW},
        {"valid_for_seconds": 60},
        {"send_at": datetime.fromtimestamp(NOW / 1000 + 600, UTC)},
        {"to": "nobody"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_a_repeat_with_other_content_is_a_conflict(rig: Rig, other: dict[str, Any]):
    first = await rig.record(client_ref="order-1")
    refusal = await rig.one(**({"client_ref": "order-1"} | other))
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.data) == (Reason.CLIENT_REF_CONFLICT, {"id": str(first.id)})
    assert rig.accepted == [first]
    assert first.message.to not in str(refusal)


@pytest.mark.parametrize(
    "same",
    [
        {"priority": Priority.NORMAL},
        {"valid_for_seconds": 86_400},
        {"signature": "阳光物业"},
        {"text": "您的快递已到物业前台。", "signature": "阳光物业"},
        {"send_at": datetime.fromtimestamp(NOW / 1000 - 5, UTC)},
    ],
    ids=lambda same: next(iter(same)),
)
async def test_a_repeat_that_says_the_same_in_other_words_is_a_repeat(rig: Rig, same: dict[str, Any]):
    first = await rig.record(client_ref="order-1")
    assert await rig.one(**({"client_ref": "order-1"} | same)) == Accepted(copy_of(first), duplicate=True)


async def test_a_repeat_of_a_scheduled_message_is_a_repeat_before_and_after_its_time(rig: Rig):
    at = datetime.fromtimestamp(NOW / 1000 + 600, UTC)
    first = await rig.record(client_ref="order-1", send_at=at, valid_for_seconds=60)
    for _ in range(2):
        again = await rig.one(client_ref="order-1", send_at=at + timedelta(0), valid_for_seconds=60)
        assert isinstance(again, Accepted)
        assert (again.record.id, again.duplicate) == (first.id, True)
        rig.now += 700_000


async def test_a_ref_belongs_to_its_account(rig: Rig):
    first = await rig.record(client_ref="order-1")
    second = await rig.record(SIGNED, client_ref="order-1")
    assert first.id != second.id


async def test_a_repeat_in_the_same_request_is_one_too(rig: Rig):
    first, again, other = await rig.submit(
        a_draft(client_ref="order-1"), a_draft(client_ref="order-1"), a_draft(client_ref="order-1", to="13900139000")
    )
    assert isinstance(first, Accepted)
    assert again == Accepted(copy_of(first.record), duplicate=True)
    assert reason(other) is Reason.CLIENT_REF_CONFLICT
    assert len(rig.accepted) == 1


async def test_a_repeat_is_not_answered_before_its_first_is_on_disk(rig: Rig):
    rig.store.hold()
    first = asyncio.create_task(rig.one(client_ref="order-1"))
    await asyncio.sleep(0)
    again = asyncio.create_task(rig.one(client_ref="order-1"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not again.done()
    rig.store.let_go()
    accepted = await first
    assert isinstance(accepted, Accepted)
    assert await again == Accepted(accepted.record, duplicate=True)
    assert len(rig.accepted) == 1


async def test_a_repeat_whose_first_cannot_be_written_is_refused_as_well(rig: Rig):
    rig.store.hold()
    both = [asyncio.create_task(rig.one(client_ref="order-1")) for _ in range(2)]
    await asyncio.sleep(0)
    rig.store.break_down("disk full")
    rig.store.let_go()
    assert [reason(decision) for decision in await asyncio.gather(*both)] == [Reason.STORE_UNAVAILABLE] * 2
    rig.store.repair()
    await rig.record(client_ref="order-1")


async def test_a_refused_message_takes_no_ref(rig: Rig):
    assert reason(await rig.one(client_ref="order-1", to="nobody")) is Reason.INVALID_NUMBER
    await rig.record(client_ref="order-1")


async def test_a_ref_is_forgotten_after_a_day(rig: Rig):
    first = await rig.record(client_ref="order-1")
    rig.now += 26 * 3_600_000
    second = await rig.record(client_ref="order-1")
    assert first.id != second.id


async def test_many_clients_with_one_ref_make_one_message(rig: Rig):
    tasks = [asyncio.create_task(rig.one(client_ref="order-1")) for _ in range(50)]
    decisions = await asyncio.gather(*tasks)
    assert {decision.record.id for decision in decisions if isinstance(decision, Accepted)} == {rig.accepted[0].id}
    assert sum(not decision.duplicate for decision in decisions if isinstance(decision, Accepted)) == 1
    assert len(rig.accepted) == 1


# --- callers that go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_caller_that_hangs_up_loses_its_answer_and_never_its_messages(rig: Rig, turns: int):
    rig.store.hold()
    task = asyncio.create_task(rig.submit(*[a_draft(client_ref=f"r{n}") for n in range(2 * SLICE)]))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    rig.store.let_go()
    await eventually(lambda: not rig.intake._uncommitted)

    on_disk = list(rig.store._records)
    assert [record.id for record in rig.accepted] == on_disk
    assert len(on_disk) == min(turns, 2) * SLICE
    assert len(rig.counting.charged) == len(on_disk)
    again = await rig.one(client_ref="r0")
    assert isinstance(again, Accepted)
    assert again.duplicate


async def test_whatever_happens_each_message_is_handed_on_exactly_once(rig: Rig):
    """Many requests, some cancelled, a store that fails now and then."""
    tasks = []
    for turn in range(60):
        tasks.append(asyncio.create_task(rig.submit(*[a_draft() for _ in range(turn % 7 + 1)])))
        if turn % 9 == 4:
            rig.store.break_down("disk full")
        if turn % 9 == 6:
            rig.store.repair()
        if turn % 5 == 3:
            await asyncio.sleep(0)
            tasks[-1].cancel()
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await eventually(lambda: rig.store._commit is None)
    handed_on = Counter(record.id for record in rig.accepted)
    assert set(handed_on.values()) == {1}
    assert set(handed_on) == set(rig.store._records)
    answered = {
        decision.record.id
        for result in results
        if isinstance(result, list)
        for decision in result
        if isinstance(decision, Accepted)
    }
    assert answered <= set(handed_on)


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "fields", "field"),
    [
        (DEMO, {"priority": Priority.HIGH}, "priority"),
        (DEMO, {"priority": Priority.HIGH, "category": Category.MARKETING}, "priority"),
        (DEMO, {"priority": Priority.HIGH, "category": Category.OTP}, None),
        (Account(name="a", allow_high=True), {"priority": Priority.HIGH}, None),
        (Account(name="a", allow_high=True), {"priority": Priority.HIGH, "category": Category.MARKETING}, "priority"),
        (Account(name="a", senders=("88",)), {"sender": "99"}, "sender"),
        (Account(name="a", senders=("88",)), {"sender": "88"}, None),
        (Account(name="a", senders=("88",)), {}, None),
        (Account(name="a", senders=()), {"sender": "88"}, "sender"),
        (DEMO, {"sender": "99"}, None),
        (DEMO, {"signature": "花园小区"}, "signature"),
        (DEMO, {"signature": "阳光物业"}, None),
        (DEMO, {"signature": "花园小区", "text": "水"}, None),
    ],
)
def test_what_an_account_may_not_ask_for_is_named(account: Account, fields: dict[str, Any], field: str | None):
    misuse = check_rights(account, a_draft(**fields))
    assert (misuse.field if isinstance(misuse, Misuse) else None) == field
