"""What every store does, whatever it is made of."""

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.message import Message, MessageId, Record, Status, first_id_at
from gateway.store.api import (
    INBOUND,
    EventId,
    InboundMessage,
    InboundQuery,
    PartMark,
    Query,
    Store,
    UnmatchedReceipt,
)
from gateway.store.matching import copy_of

MORNING = 1_800_000_000_000

LANE = "cmcc-a/normal"


async def list_all(store: Store, query: Query) -> list[Record]:
    """Every page of a list, one after the other."""
    found: list[Record] = []
    cursor = query.before
    while True:
        page = await store.find(
            Query(
                account=query.account,
                to=query.to,
                client_ref=query.client_ref,
                batch=query.batch,
                status=query.status,
                since=query.since,
                before=cursor,
                limit=query.limit,
            )
        )
        assert len(page.records) <= query.limit
        found += page.records
        if page.cursor is None:
            return found
        assert cursor is None or page.cursor < cursor
        cursor = page.cursor


async def gathered(chunks) -> list:
    return [one async for chunk in chunks for one in chunk]


# Writing and reading one.


async def test_what_is_appended_is_read_as_it_was(store, samples):
    records = [
        samples.record(
            text='【阳光】"水"\\\n\x00\u2028😀',
            client_ref="a\"b\\c\x00'd",
            batch="水费-7",
            signature="阳光",
            sender="01",
            urgent=True,
            network="cmcc",
            parts=3,
            send_at=1,
            carriers=("cmcc-a", "backup"),
        ),
        samples.record(),
        samples.record(Status.HELD, parts=2),
        samples.record(Status.SCHEDULED, lane="b/high"),
    ]
    await store.append(records)
    for record in records:
        assert await store.read(record.id) == copy_of(record)


async def test_an_id_that_was_never_appended_is_not_found(store, samples):
    assert await store.read(MessageId(1)) is None
    first, missing, last = samples.record(), samples.record(), samples.record()
    await store.append([first, last])
    assert await store.read(missing.id) is None
    assert await store.read(MessageId(last.id + 1)) is None
    assert await store.read(MessageId(0)) is None


async def test_many_are_read_at_once_in_any_order_and_those_that_are_not_there_are_left_out(store, samples):
    records = samples.records(9)
    missing = samples.record()
    for record in records:
        await store.append([record])
    await store.update(samples.enter(records[3], Status.SENDING))
    wanted = [records[n].id for n in (7, 3, 0, 8, 3)]
    found = await store.read_all([*wanted, missing.id, MessageId(0), MessageId(2**63)])
    assert found == {records[n].id: copy_of(records[n]) for n in (7, 3, 0, 8)}
    assert await store.read_all([]) == {}


async def test_a_commit_of_nothing_is_done(store):
    await store.append([])


async def test_a_record_is_stored_as_it_is_at_the_cut(store, samples):
    record = samples.record()
    commit = store.append([record])
    samples.submit(record, "a1")
    await commit
    assert (await store.read(record.id)).status is Status.SUBMITTED


async def test_a_change_is_not_stored_before_it_is_handed_over(store, samples):
    record = samples.record()
    await store.append([record])
    samples.enter(record, Status.SENDING)
    assert (await store.read(record.id)).status is Status.QUEUED
    await store.update(record)
    assert await store.read(record.id) == copy_of(record)


async def test_two_changes_between_two_cuts_leave_the_last(store, samples):
    record = samples.record()
    await store.append([record])
    store.update(samples.enter(record, Status.SENDING))
    commit = store.update(samples.submit(record, "a1"))
    samples.deliver(record)
    await commit
    assert await store.read(record.id) == copy_of(record)


async def test_appended_and_changed_before_one_cut_is_stored_changed(store, samples):
    record = samples.record()
    store.append([record])
    await store.update(samples.submit(record, "a1"))
    assert await store.read(record.id) == copy_of(record)


async def test_a_copy_that_was_read_can_be_changed_and_handed_over(store, samples):
    record = samples.record()
    await store.append([record])
    copy = await store.read(record.id)
    samples.enter(copy, Status.CANCELLED)
    await store.update(copy)
    assert (await store.read(record.id)).status is Status.CANCELLED
    assert record.status is Status.QUEUED


async def test_many_writers_at_once_all_find_their_records(store, samples):
    batches = [samples.records(7) for _ in range(30)]

    async def write(batch: list[Record]) -> None:
        await store.append(batch)
        for record in batch:
            await store.update(samples.submit(record, f"id-{record.id}"))

    await asyncio.gather(*(write(batch) for batch in batches))
    for batch in batches:
        for record in batch:
            assert await store.read(record.id) == copy_of(record)


async def test_no_failure_while_all_is_well(store, samples):
    await store.append(samples.records(2))
    assert store.failure is None


# Lists.


@pytest.fixture
async def mixed(store, samples) -> list[Record]:
    """Twelve records in three accounts, numbers, batches and several states, oldest first."""
    records = [
        samples.record(
            account=("demo", "other", "demo2")[n % 3],
            to=f"+861380013800{n % 4}",
            client_ref=f"ref-{n}" if n % 2 else "",
            batch=("water", "", "power")[n % 3],
        )
        for n in range(12)
    ]
    for start in range(0, 12, 4):
        await store.append(records[start : start + 4])
    for n in (1, 4, 7):
        await store.update(samples.submit(records[n], f"id-{n}"))
    for n in (4, 7):
        await store.update(samples.deliver(records[n]))
    for n in (2, 11):
        await store.update(samples.enter(records[n], Status.FAILED))
    return records


@pytest.mark.parametrize(
    "query",
    [
        Query(since=0),
        Query(since=0, limit=1),
        Query(since=0, limit=5),
        Query(since=0, account="demo"),
        Query(since=0, account="dem"),
        Query(since=0, to="+8613800138001"),
        Query(since=0, to="+8613800138001", limit=1),
        Query(since=0, to="+8613800138001", account="other"),
        Query(since=0, client_ref="ref-7"),
        Query(since=0, client_ref="ref-7", account="demo"),
        Query(since=0, batch="water", limit=3),
        Query(since=0, batch="water", to="+8613800138002"),
        Query(since=0, status=Status.QUEUED, limit=2),
        Query(since=0, status=Status.SUBMITTED),
        Query(since=0, status=Status.DELIVERED, limit=1),
        Query(since=0, status=Status.FAILED, account="demo2"),
        Query(since=0, status=Status.HELD),
        Query(since=0, status=Status.DELIVERED, to="+8613800138003"),
    ],
)
async def test_a_list_holds_what_matches_newest_first(store, mixed, query):
    wanted = [
        copy_of(record)
        for record in reversed(mixed)
        if (not query.account or record.message.account == query.account)
        and (not query.to or record.message.to == query.to)
        and (not query.client_ref or record.message.client_ref == query.client_ref)
        and (not query.batch or record.message.batch == query.batch)
        and (query.status is None or record.status is query.status)
    ]
    assert await list_all(store, query) == wanted


async def test_a_list_goes_back_to_its_time_and_no_further(store, mixed):
    since = mixed[5].message.accepted_at
    assert await list_all(store, Query(since=since)) == [copy_of(record) for record in reversed(mixed[5:])]
    assert await list_all(store, Query(since=since, batch="water", limit=1)) == [copy_of(mixed[9]), copy_of(mixed[6])]
    assert await list_all(store, Query(since=mixed[-1].message.accepted_at + 1)) == []


async def test_a_message_that_was_accepted_on_a_slow_clock_is_listed_by_its_time(store, samples):
    record = samples.record(accepted_at=samples.now - 3_600_000)
    await store.append([record])
    assert await list_all(store, Query(since=samples.now - 60_000)) == []
    assert await list_all(store, Query(since=samples.now - 7_200_000)) == [copy_of(record)]


async def test_a_cursor_in_the_past_shows_only_what_is_older(store, mixed):
    page = await store.find(Query(since=0, before=mixed[3].id))
    assert page.records == tuple(copy_of(record) for record in reversed(mixed[:3]))


async def test_new_messages_do_not_move_a_list_that_is_being_paged(store, samples, mixed):
    first = await store.find(Query(since=0, limit=5))
    await store.append(samples.records(3))
    rest = await list_all(store, Query(since=0, before=first.cursor, limit=5))
    assert [*first.records, *rest] == [copy_of(record) for record in reversed(mixed)]


# Lanes and sweeps.


async def test_a_lane_gives_its_queued_records_in_order(store, samples):
    fast = samples.records(3, lane="a/high")
    slow = samples.records(4, lane="a/low")
    await store.append([*fast, *slow])
    await store.append(more := samples.records(2, lane="a/high"))
    wanted = [copy_of(record) for record in (*fast, *more)]
    assert await store.queued("a/high", after=MessageId(0), limit=10) == wanted
    assert await store.queued("a/high", after=MessageId(0), limit=4) == wanted[:4]
    assert await store.queued("a/high", after=fast[1].id, limit=2) == wanted[2:4]
    assert await store.queued("a/high", after=more[1].id, limit=2) == []
    assert await store.queued("a/normal", after=MessageId(0), limit=10) == []


async def test_a_record_leaves_its_lane_when_it_is_sent_and_may_come_back_to_another(store, samples):
    record = samples.record(lane="a/high")
    await store.append([record])
    await store.update(samples.enter(record, Status.SENDING))
    assert await store.queued("a/high", after=MessageId(0), limit=10) == []
    record.lane = "b/high"
    await store.update(samples.enter(record, Status.QUEUED))
    assert await store.queued("a/high", after=MessageId(0), limit=10) == []
    assert await store.queued("b/high", after=MessageId(0), limit=10) == [copy_of(record)]


@pytest.fixture
async def one_of_each(store, samples) -> dict[Status, Record]:
    """A record in every state, appended in the order of the states."""
    records = {status: samples.record(expires_at=samples.now + 1000) for status in Status}
    await store.append(list(records.values()))
    for status, record in records.items():
        await store.update(samples.enter(record, status))
    return records


async def test_unsettled_is_what_is_with_a_carrier(store, one_of_each):
    wanted = (Status.SENDING, Status.IN_DOUBT, Status.SUBMITTED)
    assert await gathered(store.unsettled()) == [copy_of(one_of_each[status]) for status in wanted]


async def test_unsettled_comes_in_chunks_oldest_first(store, samples):
    records = samples.records(1203)
    for start in range(0, len(records), 400):
        await store.append(records[start : start + 400])
    for n, record in enumerate(records):
        samples.enter(record, (Status.SENDING, Status.SUBMITTED, Status.IN_DOUBT)[n % 3])
    await asyncio.gather(*(store.update(record) for record in records))
    chunks = [chunk async for chunk in store.unsettled()]
    assert len(chunks) > 1
    assert [record.id for chunk in chunks for record in chunk] == [record.id for record in records]


async def test_overdue_is_what_awaits_a_receipt_since_long(store, one_of_each):
    wanted = [copy_of(one_of_each[status]) for status in (Status.IN_DOUBT, Status.SUBMITTED)]
    accepted_at = wanted[1].message.accepted_at
    assert await store.overdue(accepted_before=accepted_at + 1, after=-1, limit=10) == wanted
    assert await store.overdue(accepted_before=accepted_at + 1, after=-1, limit=1) == wanted[:1]
    assert await store.overdue(accepted_before=accepted_at, after=-1, limit=10) == wanted[:1]
    assert await store.overdue(accepted_before=0, after=-1, limit=10) == []
    assert await store.overdue(accepted_before=accepted_at + 1, after=wanted[0].id, limit=10) == wanted[1:]


async def test_expired_is_what_was_not_sent_in_its_time(store, one_of_each):
    wanted = {one_of_each[status].id for status in (Status.QUEUED, Status.SCHEDULED, Status.HELD)}
    latest = max(one_of_each[status].message.expires_at for status in (Status.QUEUED, Status.SCHEDULED, Status.HELD))
    found = await store.expired(now=latest, limit=10)
    assert {record.id for record in found} == wanted
    assert all(record == copy_of(one_of_each[record.status]) for record in found)
    assert len(await store.expired(now=latest, limit=2)) == 2
    assert len(await store.expired(now=latest - 1, limit=10)) == 2
    assert await store.expired(now=0, limit=10) == []


# Receipts.


async def test_every_attempt_of_every_part_is_found_by_its_id_also_when_all_is_over(store, samples):
    _, record, _ = records = samples.records(3, parts=2)
    await store.append(records)
    await store.update(samples.submit(record, "first"))
    await store.update(samples.submit(record, "second", carrier="backup"))
    await store.update(samples.deliver(record))
    wanted = [copy_of(record)]
    assert await store.find_attempts("cmcc-a", ["first"]) == wanted
    assert await store.find_attempts("cmcc-a", ["first.1"]) == wanted
    assert await store.find_attempts("backup", ["second"]) == wanted
    assert await store.find_attempts("backup", ["other", "second.1", "second"]) == wanted
    assert await store.find_attempts("backup", ["first"]) == []
    assert await store.find_attempts("cmcc-a", ["firs", "irst", "second", ""]) == []
    assert await store.find_attempts("cmcc-a", []) == []


async def test_a_carrier_that_gives_an_id_again_is_answered_newest_first(store, samples):
    records = samples.records(5)
    await store.append(records)
    for n, record in enumerate(records):
        await store.update(samples.submit(record, "again" if n % 2 == 0 else f"id-{n}"))
    found = await store.find_attempts("cmcc-a", ["again", "id-3"])
    assert found == [copy_of(records[n]) for n in (4, 3, 2, 0)]


async def test_an_id_with_odd_characters_is_found(store, samples):
    odd = "a\"b\\c'd%e_f\x00ü"
    record = samples.record()
    await store.append([record])
    await store.update(samples.submit(record, odd))
    assert await store.find_attempts("cmcc-a", [odd]) == [copy_of(record)]
    assert await store.find_attempts("cmcc-a", [odd[:-1]]) == []


async def test_a_receipt_that_nothing_matched_is_kept_until_it_is_dropped(shelf, samples):
    receipts = [samples.receipt(f"id-{n}") for n in range(4)]
    for receipt in receipts:
        commit = shelf.store.keep_receipt(receipt)
    await commit
    await shelf.reopen()
    assert shelf.recovered.receipts == tuple(receipts)
    await shelf.store.drop_receipts(receipts[1:3])
    await shelf.reopen()
    assert shelf.recovered.receipts == (receipts[0], receipts[3])


async def test_a_receipt_that_is_kept_twice_is_kept_once(shelf, samples):
    receipt = samples.receipt("id-1")
    shelf.store.keep_receipt(receipt)
    await shelf.store.keep_receipt(receipt)
    await shelf.reopen()
    assert shelf.recovered.receipts == (receipt,)


async def test_a_receipt_that_is_kept_and_dropped_before_one_cut_is_gone(shelf, samples):
    kept, gone = samples.receipt("id-1"), samples.receipt("id-2")
    shelf.store.keep_receipt(kept)
    shelf.store.keep_receipt(gone)
    await shelf.store.drop_receipts([gone, UnmatchedReceipt("x", "never kept", "", "", 2, "", 0)])
    await shelf.reopen()
    assert shelf.recovered.receipts == (kept,)


async def test_the_newest_records_to_each_of_many_numbers_are_found_in_one_look(store, samples):
    phones = [f"+8613800138{n:03}" for n in range(5)]
    records = []
    for n in range(30):
        records.append(samples.record(to=phones[n % 5]))
        await store.append(records[-1:])
    wanted = [phones[1], phones[3], "+8613900139000"]
    newest = [record for record in reversed(records) if record.message.to in wanted]
    assert await store.sent_to(wanted, since=0, limit=100) == [copy_of(record) for record in newest]
    assert await store.sent_to(wanted, since=0, limit=2) == [copy_of(record) for record in newest[:4]]
    since = records[20].message.accepted_at
    assert await store.sent_to(wanted, since=since, limit=100) == [copy_of(record) for record in newest[:4]]
    assert await store.sent_to([], since=0, limit=2) == []


# Inbound messages.


async def test_inbound_messages_come_oldest_first_behind_the_cursor(store, samples):
    messages = []
    for n in range(7):
        await store.append(samples.records(3))
        messages.append(samples.inbound(f"回复 {n}"))
        await store.append_inbound(messages[-1])
    assert await store.inbound(after=MessageId(0), limit=100) == messages
    assert await store.inbound(after=messages[2].id, limit=2) == messages[3:5]
    assert await store.inbound(after=messages[-1].id, limit=2) == []


async def list_inbound(store: Store, **query: Any) -> list[InboundMessage]:
    """Every page of a list, one after the other."""
    found: list[InboundMessage] = []
    page = await store.find_inbound(InboundQuery(**query))
    while page.cursor is not None:
        assert len(page.messages) <= query.get("limit", 100)
        found += page.messages
        page = await store.find_inbound(InboundQuery(**query, before=page.cursor))
    return found + list(page.messages)


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_inbound_messages_are_listed_newest_first_by_account_and_time(store, samples, limit):
    messages = []
    for n in range(7):
        await store.append(samples.records(2))
        messages.append(msgspec.structs.replace(samples.inbound(f"{n}"), account=("demo", "other", "")[n % 3]))
        await store.append_inbound(messages[-1])
    assert await list_inbound(store, since=0, limit=limit) == messages[::-1]
    assert await list_inbound(store, since=messages[4].at, limit=limit) == messages[:3:-1]
    assert await list_inbound(store, account="demo", since=0, limit=limit) == messages[6::-3]
    assert await list_inbound(store, account="nobody", since=0, limit=limit) == []


async def test_a_message_from_a_subscriber_keeps_everything_that_is_known_of_it(shelf, samples):
    message = InboundMessage(
        samples.next_id(), "a", "+8613800138000", "1069", "退订\0\n", samples.now,
        "demo", MessageId(7), (2, 3), (PartMark(1 << 62, (1 << 63) - 1), PartMark(2, 0)),
    )  # fmt: skip
    await shelf.store.append_inbound(message)
    await shelf.reopen()
    assert await shelf.store.inbound(after=MessageId(0), limit=2) == [message]


async def test_ids_that_do_not_follow_each_other_are_a_bug(store, samples):
    older, record, message, younger = samples.record(), samples.record(), samples.inbound("T"), samples.record()
    await store.append([record])
    with pytest.raises(AssertionError, match="follows"):
        store.append([older])
    await store.append_inbound(message)
    await store.append([younger])
    with pytest.raises(AssertionError, match="follows"):
        store.append_inbound(message)


# A start.


async def test_an_empty_store_starts_from_nothing(shelf):
    assert shelf.recovered.last_id == 0
    assert shelf.recovered.last_time == 0
    assert dict(shelf.recovered.lanes) == {}
    assert shelf.recovered.receipts == ()


async def test_a_start_says_how_many_wait_in_each_lane(shelf, samples):
    records = [*samples.records(5, lane="a/high"), *samples.records(4, lane="b/low"), samples.record(Status.HELD)]
    await shelf.store.append(records)
    await shelf.store.update(samples.enter(records[0], Status.SENDING))
    await shelf.store.update(samples.enter(records[6], Status.CANCELLED))
    await shelf.reopen()
    assert dict(shelf.recovered.lanes) == {"a/high": 4, "b/low": 3}


async def test_a_start_knows_the_last_id_and_the_latest_time(shelf, samples):
    records = samples.records(6)
    await shelf.store.append(records)
    await shelf.store.update(samples.enter(records[0], Status.SENDING))
    await shelf.reopen()
    assert (shelf.recovered.last_id, shelf.recovered.last_time) == (records[-1].id, samples.now)
    inbound = samples.inbound("T")
    await shelf.store.append_inbound(inbound)
    await shelf.reopen()
    assert (shelf.recovered.last_id, shelf.recovered.last_time) == (inbound.id, samples.now)
    await shelf.store.keep_receipt(samples.receipt("id-1"))
    await shelf.reopen()
    assert (shelf.recovered.last_id, shelf.recovered.last_time) == (inbound.id, samples.now)


async def test_everything_is_there_after_a_restart(shelf, samples):
    records = samples.records(11, parts=2, client_ref="r")
    await shelf.store.append(records[:8])
    await shelf.store.append(records[8:])
    for n in (0, 3, 9):
        await shelf.store.update(samples.submit(records[n], f"id-{n}"))
    await shelf.store.update(samples.deliver(records[3]))
    for _ in range(2):
        store = await shelf.reopen()
        assert await list_all(store, Query(since=0, limit=4)) == [copy_of(record) for record in reversed(records)]
        assert await store.find_attempts("cmcc-a", ["id-3", "id-9"]) == [copy_of(records[9]), copy_of(records[3])]
        assert [record.id for record in await gathered(store.unsettled())] == [records[0].id, records[9].id]
    await store.append([samples.record()])


async def test_closing_writes_what_was_handed_over(shelf, samples):
    record = samples.record()
    commit = shelf.store.append([record])
    await shelf.reopen()
    assert commit.done()
    assert await shelf.store.read(record.id) == copy_of(record)


async def test_client_refs_of_a_time_are_listed_oldest_first(store, samples):
    records = [samples.record(account=f"a{n % 2}", client_ref=f"r{n}" if n % 3 else "") for n in range(10)]
    await store.append(records)
    since = records[4].message.accepted_at
    assert await gathered(store.client_refs(since=since)) == [
        (message.account, message.client_ref, message.id)
        for message in (record.message for record in records[4:])
        if message.client_ref
    ]
    assert len(await gathered(store.client_refs(since=0))) == 6


async def test_ids_of_one_time_bound_a_search(samples):
    record = samples.record()
    assert first_id_at(record.message.accepted_at) <= record.id < first_id_at(record.message.accepted_at + 1)


def test_a_stored_message_can_be_read_when_fields_have_been_added_at_its_end(samples):
    import msgspec

    message = samples.record().message
    longer = [*msgspec.to_builtins(message), "a field of a later version"]
    assert msgspec.convert(longer, Message) == message


# Entries.


async def test_entries_are_replaced_and_removed_by_key_and_listed_in_order(store):
    await store.put_entries("opt-outs", {"b": b"2", "a": b"1", "ab": b"\x00\xff", "c": b""})
    await store.put_entries("cursors", {"a": b"other"})
    await store.put_entries("opt-outs", {"b": None, "a": b"new", "never there": None})

    assert await store.entries("opt-outs", limit=9) == [("a", b"new"), ("ab", b"\x00\xff"), ("c", b"")]
    assert await store.entries("cursors", limit=9) == [("a", b"other")]
    assert await store.entries("nothing", limit=9) == []


async def test_a_page_of_entries_begins_behind_a_key_and_stays_under_a_prefix(store):
    await store.put_entries("t", dict.fromkeys(("a", "p", "p1", "p2", "p😀", "q", "物"), b""))

    assert [key for key, _ in await store.entries("t", prefix="p", limit=9)] == ["p", "p1", "p2", "p\U0001f600"]
    assert [key for key, _ in await store.entries("t", prefix="p", after="p1", limit=1)] == ["p2"]
    assert [key for key, _ in await store.entries("t", after="p2", limit=9)] == ["p\U0001f600", "q", "物"]


async def test_of_two_values_for_a_key_in_one_commit_the_later_wins(store):
    store.put_entries("t", {"kept": None, "gone": b"1"})
    await store.put_entries("t", {"kept": b"2", "gone": None})
    assert await store.entries("t", limit=9) == [("kept", b"2")]


async def test_entries_outlive_a_restart(shelf):
    await shelf.store.put_entries("t", {"物业": "值".encode()})
    await shelf.reopen()
    assert await shelf.store.entries("t", limit=9) == [("物业", "值".encode())]


async def test_due_is_what_is_scheduled_until_then(store, samples):
    first = samples.record(Status.SCHEDULED, send_at=MORNING + 5_000)
    put_off = samples.record(Status.SCHEDULED, send_at=MORNING + 1_000)
    put_off.due = MORNING + 9_000
    queued = samples.record()
    await store.append([first, put_off, queued, samples.record(Status.HELD, send_at=MORNING + 1_000)])

    assert await store.next_due() == MORNING + 5_000
    assert await store.due(now=MORNING + 4_999, limit=10) == []
    assert await store.due(now=MORNING + 5_000, limit=10) == [copy_of(first)]
    assert len(await store.due(now=MORNING + 9_000, limit=1)) == 1
    assert {each.id for each in await store.due(now=MORNING + 9_000, limit=10)} == {first.id, put_off.id}


async def test_what_is_put_off_is_due_later_and_what_is_released_is_not_due(store, samples):
    record, other = samples.record(), samples.record(Status.SCHEDULED, send_at=MORNING + 5_000)
    await store.append([record, other])
    record.due = MORNING + 7_000
    await store.update(samples.enter(record, Status.SCHEDULED))

    assert await store.next_due() == MORNING + 5_000
    await store.update(samples.enter(other, Status.QUEUED))
    assert await store.next_due() == MORNING + 7_000
    assert (await store.read(record.id)).due == MORNING + 7_000
    other.due = 0
    await store.update(samples.enter(record, Status.QUEUED))
    assert await store.next_due() is None
    assert await store.due(now=MORNING * 2, limit=10) == []


async def test_when_something_is_due_is_known_after_a_restart(shelf, samples):
    record = samples.record(Status.SCHEDULED)
    record.due = MORNING + 7_000
    await shelf.store.append([record])

    store = await shelf.reopen()

    assert await store.next_due() == MORNING + 7_000
    assert await store.due(now=MORNING + 7_000, limit=10) == [copy_of(record)]


async def test_held_are_listed_oldest_first(store, samples):
    records = samples.records(3, status=Status.HELD)
    await store.append([*records, samples.record()])
    later = samples.record(Status.HELD)
    await store.append([later])
    await store.update(samples.enter(records[1], Status.QUEUED))

    wanted = [copy_of(records[0]), copy_of(records[2]), copy_of(later)]
    assert await store.held(after=MessageId(0), limit=10) == wanted
    assert await store.held(after=MessageId(0), limit=2) == wanted[:2]
    assert await store.held(after=records[2].id, limit=10) == wanted[2:]


async def test_what_waits_is_counted_by_status(store, samples):
    assert await store.count_waiting() == {Status.HELD: 0, Status.SCHEDULED: 0, Status.IN_DOUBT: 0}
    held = samples.records(3, status=Status.HELD)
    await store.append([*held, samples.record(Status.SCHEDULED), samples.record()])
    await store.update(samples.enter(held[1], Status.QUEUED))

    assert await store.count_waiting() == {Status.HELD: 2, Status.SCHEDULED: 1, Status.IN_DOUBT: 0}


# Events.

FINALS = frozenset({Status.DELIVERED, Status.FAILED, Status.UNKNOWN, INBOUND})
NONE = EventId(0)


class Listener:
    """Counts what a store says it has to tell."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def __call__(self, counts) -> None:
        for account, count in counts.items():
            self.told[account] = self.told.get(account, 0) + count


def listen(store: Store, **wanted: frozenset[str]) -> Listener:
    listener = Listener()
    store.watch_events(wanted or {"demo": FINALS}, listener)
    return listener


async def test_a_change_that_is_wanted_is_an_event_with_what_it_is_about(store, samples):
    listener = listen(store)
    record = samples.record(client_ref="r-1", batch="水费")
    await store.append([record])
    await store.update(samples.submit(record, "id-1"))
    await store.update(samples.deliver(record))
    [event] = await store.events("demo", after=NONE, limit=9)
    assert (event.message_id, event.type, event.to, event.client_ref, event.batch, event.at, event.corrects) == (
        record.id,
        "delivered",
        "+8613800138000",
        "r-1",
        "水费",
        record.state.timeline[-1].at,
        "",
    )
    assert event.id <= store.last_event
    assert listener.told == {"demo": 1}


async def test_what_follows_in_one_commit_is_told_change_by_change(store, samples):
    listen(store, demo=frozenset(Status))
    record = samples.record()
    store.append([record])
    samples.submit(record, "id-1")
    await store.update(samples.enter(record, Status.UNKNOWN))
    await store.update(samples.deliver(record))
    events = await store.events("demo", after=NONE, limit=9)
    assert [event.type for event in events] == ["queued", "submitted", "unknown", "delivered"]
    assert [event.corrects for event in events] == ["", "", "", "unknown"]
    assert [event.id for event in events] == sorted({event.id for event in events})


async def test_what_is_written_again_is_not_told_again(shelf, samples):
    listen(shelf.store)
    record = samples.record()
    await shelf.store.append([record])
    await shelf.store.update(samples.deliver(record))
    await shelf.store.update(record)
    stored = await shelf.store.read(record.id)
    await shelf.store.update(stored)
    await shelf.reopen()
    listen(shelf.store)
    await shelf.store.update(await shelf.store.read(record.id))
    assert len(await shelf.store.events("demo", after=NONE, limit=9)) == 1


async def test_an_account_is_told_of_its_own_and_of_nothing_that_it_did_not_ask_for(store, samples):
    listen(store, demo=FINALS, other=frozenset({Status.FAILED}))
    mine, theirs, nobodys = (samples.record(account=account) for account in ("demo", "other", "third"))
    await store.append([mine, theirs, nobodys])
    await asyncio.gather(*(store.update(samples.deliver(record)) for record in (mine, theirs, nobodys)))
    assert [event.message_id for event in await store.events("demo", after=NONE, limit=9)] == [mine.id]
    assert await store.events("other", after=NONE, limit=9) == []
    assert await store.events("third", after=NONE, limit=9) == []


async def test_events_of_many_files_are_read_in_the_order_of_their_commits(shelf, samples):
    listen(shelf.store)
    records = samples.records(9)
    for record in records:
        await shelf.store.append([record])
    order = [records[n] for n in (8, 0, 4, 7, 1, 5, 6, 2, 3)]
    for record in order[:5]:
        await shelf.store.update(samples.deliver(record))
    await shelf.reopen()
    listen(shelf.store)
    for record in order[5:]:
        await shelf.store.update(samples.deliver(record))
    found, after = [], NONE
    while page := await shelf.store.events("demo", after=after, limit=2):
        found += [event.message_id for event in page]
        after = page[-1].id
    assert found == [record.id for record in order]
    assert await shelf.store.count_events("demo", after=NONE) == 9
    assert await shelf.store.count_events("demo", after=after) == 0
    first, second = (await shelf.store.events("demo", after=NONE, limit=2))[:2]
    assert await shelf.store.events("demo", after=NONE, through=first.id, limit=9) == [first]
    assert await shelf.store.events("demo", after=first.id, through=second.id, limit=9) == [second]


async def test_events_after_a_restart_follow_those_before_it(shelf, samples):
    listen(shelf.store)
    record, later = samples.records(2)
    await shelf.store.append([record, later])
    await shelf.store.update(samples.deliver(record))
    last = shelf.store.last_event
    await shelf.reopen()
    listen(shelf.store)
    assert shelf.store.last_event >= last
    await shelf.store.update(samples.deliver(later))
    [event] = await shelf.store.events("demo", after=last, limit=9)
    assert event.message_id == later.id


async def test_a_message_of_a_subscriber_is_an_event_of_its_account(store, samples):
    listen(store)
    await store.append_inbound(samples.inbound("退订"))
    message = msgspec.structs.replace(samples.inbound("您好"), account="demo")
    await store.append_inbound(message)
    [event] = await store.events("demo", after=NONE, limit=9)
    assert (event.type, event.message_id, event.source, event.to, event.text) == (
        INBOUND,
        message.id,
        message.source,
        message.destination,
        "您好",
    )


async def test_old_events_may_be_forgotten_and_new_ones_are_not(store, samples):
    listen(store)
    record, later = samples.records(2)
    await store.append([record, later])
    await store.update(samples.deliver(record))
    samples.now += 86_400_000
    await store.update(samples.deliver(later))
    await store.forget_events(before=samples.now)
    assert later.id in [event.message_id for event in await store.events("demo", after=NONE, limit=9)]
