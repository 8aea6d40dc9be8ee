"""Any sequence of calls leaves every store with what a plain list of records would have."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.message import MessageId, Record, Status
from gateway.store.api import TRANSITIONS, BatchTally, InboundMessage, Query
from gateway.store.matching import NOT_YET_SENT, UNSETTLED, copy_of, has_attempt, matches

LANES = ("a/high", "b/low")

appends = st.tuples(
    st.just("append"),
    st.lists(
        st.tuples(
            st.sampled_from([Status.QUEUED, Status.HELD, Status.SCHEDULED]),
            st.sampled_from(LANES),
            st.sampled_from(["demo", "other"]),
            st.sampled_from(["+861380", "+861390"]),
            st.sampled_from(["", "r1", "r2"]),
            st.sampled_from(["", "b1", "b\0's"]),
        ),
        max_size=5,
    ),
)
moves = st.tuples(st.just("move"), st.integers(0, 30), st.integers(0, 10), st.sampled_from(["", "id-1", "id-2"]))
replies = st.tuples(st.just("inbound"))
refusals = st.tuples(st.just("refuse"), st.sampled_from(["demo", "other"]), st.sampled_from(["b1", "b3"]))
pauses = st.tuples(st.just("wait"))
restarts = st.tuples(st.just("reopen"))
steps = st.lists(st.one_of(appends, moves, moves, replies, refusals, pauses, restarts), max_size=25)

queries = st.builds(
    Query,
    account=st.sampled_from(["", "demo"]),
    to=st.sampled_from(["", "+861380"]),
    client_ref=st.sampled_from(["", "r1"]),
    status=st.sampled_from([None, *Status]),
    since=st.sampled_from([0, 1_800_000_000_009]),
    limit=st.integers(1, 4),
)


class Model:
    """A list of records and the rule-books; the store under test goes along."""

    def __init__(self, shelf, samples) -> None:
        self.shelf = shelf
        self.samples = samples
        self.records: list[Record] = []
        self.inbound: list[InboundMessage] = []
        self.refused: Counter[tuple[str, str]] = Counter()

    async def take(self, step: tuple) -> None:
        match step:
            case ("append", wanted):
                new = [
                    self.samples.record(status, lane=lane, account=account, to=to, client_ref=ref, batch=batch, parts=2)
                    for status, lane, account, to, ref, batch in wanted
                ]
                self.records += new
                self.shelf.store.append(new)
            case ("inbound",):
                self.inbound.append(self.samples.inbound("T"))
                self.shelf.store.append_inbound(self.inbound[-1])
            case ("refuse", account, batch) if self.records or self.inbound:  # else there is no file to count it in
                self.refused[account, batch] += 2
                self.shelf.store.count_refused(account, batch, 2)
            case ("move", n, m, carrier_message_id) if self.records:
                self._move(self.records[n % len(self.records)], m, carrier_message_id)
            case ("wait",):
                await asyncio.sleep(0.002)
            case ("reopen",):
                await self.shelf.reopen()

    def _move(self, record: Record, m: int, carrier_message_id: str) -> None:
        following = sorted(TRANSITIONS[record.status])
        if following:
            status = following[m % len(following)]
            if carrier_message_id:
                self.samples.submit(record, carrier_message_id)
            self.samples.enter(record, status)
            record.lane = LANES[m % 2]
            record.due = m * 1_000
            self.shelf.store.update(record)

    async def compare(self, query: Query) -> None:
        store, records = self.shelf.store, self.records
        waiting = [record for record in records if record.status is Status.QUEUED]
        counts = {lane: sum(record.lane == lane for record in waiting) for lane in LANES}
        assert {lane: n for lane, n in self.shelf.recovered.lanes.items() if n} == {
            k: n for k, n in counts.items() if n
        }
        assert self.shelf.recovered.last_id == max((one.id for one in (*records, *self.inbound)), default=0)
        for n in range(len(self.inbound) + 1):
            after = self.inbound[n - 1].id if n else MessageId(0)
            assert await store.inbound(after=after, limit=3) == self.inbound[n : n + 3]
        assert [await store.read(record.id) for record in records] == [copy_of(record) for record in records]
        for lane in LANES:
            wanted = [copy_of(record) for record in waiting if record.lane == lane]
            assert await store.queued(lane, after=MessageId(0), limit=100) == wanted
        unsettled = [record async for chunk in store.unsettled() for record in chunk]
        assert unsettled == [copy_of(record) for record in records if record.status in UNSETTLED]
        scheduled = [record for record in records if record.status is Status.SCHEDULED]
        assert await store.next_due() == min((record.due_at for record in scheduled), default=None)
        for now in {record.due_at for record in scheduled}:
            wanted = {record.id for record in scheduled if record.due_at <= now}
            assert {record.id for record in await store.due(now=now, limit=100)} == wanted
        held = [copy_of(record) for record in records if record.status is Status.HELD]
        assert await store.held(after=MessageId(0), limit=100) == held
        for ids in (["id-1"], ["id-2.1", "id-2"]):
            wanted = [copy_of(record) for record in reversed(records) if has_attempt(record, "cmcc-a", ids)]
            assert await store.find_attempts("cmcc-a", ids) == wanted
        opened = Counter(record.message.account for record in records if not record.is_final)
        assert {account: n for account, n in store.open_messages.items() if n} == opened
        assert store.open_total == opened.total()
        for account in ("demo", "other"):
            for batch in ("b1", "b\0's", "b3"):
                await self._compare_batch(account, batch)
        assert await self.listed(query) == [copy_of(record) for record in reversed(records) if matches(query, record)]

    async def _compare_batch(self, account: str, batch: str) -> None:
        store, refused = self.shelf.store, self.refused[account, batch]
        mine = [one for one in self.records if (one.message.account, one.message.batch) == (account, batch)]
        counts = Counter(record.status for record in mine)
        expected = BatchTally(counts, refused, 2 * len(mine)) if mine or refused else None
        assert await store.batch(account, batch) == expected
        unsent: list[Record] = []
        cursor: MessageId | None = MessageId(0)
        while cursor is not None:
            page = await store.unsent(account, batch, after=cursor, limit=2)
            unsent += page.records
            assert page.cursor is None or page.cursor > cursor
            cursor = page.cursor
        assert unsent == [copy_of(record) for record in mine if record.status in NOT_YET_SENT]

    async def listed(self, query: Query) -> list[Record]:
        found: list[Record] = []
        while True:
            page = await self.shelf.store.find(query)
            found += page.records
            if page.cursor is None:
                return found
            query = msgspec.structs.replace(query, before=page.cursor)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, query=queries)
def test_a_store_has_what_a_list_would_have(backend, shelves, sample_sources, steps, query):
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            shelf = shelves(backend, Path(directory))
            await shelf.open()
            model = Model(shelf, sample_sources())
            for step in steps:
                await model.take(step)
            await shelf.reopen()
            await model.compare(query)
            await shelf.store.close()

    asyncio.run(run())
