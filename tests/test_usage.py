"""Usage: every message is counted once, on its day, whatever happens to the gateway."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.account import Account, Quota
from gateway.message import Attempt, Category, IdSource, Message, Part, PartStatus, Record, Status, new_record
from gateway.policy.quotas import QuotaStage
from gateway.store.api import StoreUnavailableError
from gateway.store.memory import MemoryStore
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore
from gateway.usage import MAX_ROWS, TooMuchError, Usage, UsageSettings
from tests.policy.samples import a_candidate

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1_000)


NOON = at("2026-03-30T12:00")
TODAY = date(2026, 3, 30)


class Life:
    """One life of a gateway: a store, counters over it, and what intake and delivery tell them."""

    def __init__(self, store: Any, *, now: int = NOON, keep_days: int = 400) -> None:
        self.store = store
        self.now = now
        self.quotas = QuotaStage({"demo": Quota(messages_a_day=100, segments_a_month=1_000)}, SHANGHAI)
        self.usage = Usage(UsageSettings(keep_days=keep_days), store, self.quotas)

    async def start(self) -> "Life":
        recovered = await self.store.open()
        self.ids = IdSource(node=0, last=recovered.last_id)
        await self.usage.load(last_id=recovered.last_id, wall=max(self.now, recovered.last_time) // 1_000)
        return self

    async def accept(self, count: int = 1, **fields: Any) -> list[Record]:
        records = []
        for _ in range(count):
            values = {
                "id": self.ids.next(self.now),
                "account": "demo",
                "to": "+8613800138000",
                "text": "水",
                "network": "cmcc",
                "accepted_at": self.now,
                "expires_at": self.now + 86_400_000,
            }
            message = Message(**(values | fields))
            records.append(new_record(message, Status.QUEUED, lane="c/normal"))
            candidate = a_candidate(Account(name=message.account))
            candidate.parts = message.parts
            assert self.quotas.decide(candidate, now=self.now / 1_000) is None
            self.quotas.commit(candidate, now=self.now / 1_000)
        await self.store.append(records)
        self.usage.accepted(records)
        return records

    def take(self, record: Record, carrier: str, *statuses: PartStatus) -> None:
        record.state.parts[:] = [Part(status, (Attempt(carrier, "b", self.now),)) for status in statuses]
        self.usage.submitted(record, carrier, at=self.now)

    def end(self, record: Record, status: Status, carrier: str = "a") -> None:
        record.state.status = status
        self.usage.finished(record, carrier, at=self.now)

    async def flush(self) -> None:
        await self.usage.flush(self.ids.last)

    async def lines(self, *by: str, first: date = TODAY, last: date = TODAY, account: str | None = None) -> Any:
        """Labels to (messages, segments) of what is not zero."""
        found = {}
        for row in await self.usage.report(first, last, by, account=account):
            totals = {name: getattr(row, name) for name in ("accepted", "submitted", "delivered", "failed")}
            counts = {name: (each.messages, each.segments) for name, each in totals.items() if each.segments}
            found[row.labels] = counts
        return found

    def used(self) -> list[int]:
        return [each.used for each in self.usage.quotas("demo", at=self.now)]


@pytest.fixture(params=["memory", "disk"])
def make_store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    kept = MemoryStore()
    return (lambda: kept) if request.param == "memory" else lambda: SqliteStore(StoreSettings(path=str(tmp_path)))


async def test_each_step_of_a_message_is_counted_by_what_it_is_asked_by():
    life = await Life(MemoryStore()).start()
    first, second = await life.accept(2, parts=2)
    [code] = await life.accept(category=Category.OTP, network="cucc")
    [third] = await life.accept(account="other")
    life.take(first, "a", PartStatus.SUBMITTED, PartStatus.WAITING)
    life.take(first, "a", PartStatus.SUBMITTED, PartStatus.SUBMITTED)
    life.take(code, "b", PartStatus.SUBMITTED)
    life.end(first, Status.DELIVERED)
    life.end(code, Status.FAILED, "b")
    life.end(second, Status.EXPIRED)
    life.end(third, Status.UNKNOWN)

    assert await life.lines() == {
        (): {"accepted": (4, 6), "submitted": (2, 3), "delivered": (1, 2), "failed": (2, 3)},
    }
    assert await life.lines("category", "carrier", account="demo") == {
        ("notification", None): {"accepted": (2, 4)},
        ("notification", "a"): {"submitted": (1, 2), "delivered": (1, 2), "failed": (1, 2)},
        ("otp", None): {"accepted": (1, 1)},
        ("otp", "b"): {"submitted": (1, 1), "failed": (1, 1)},
    }
    assert (await life.lines("network", "account"))["cucc", "demo"]["accepted"] == (1, 1)


async def test_each_is_counted_on_the_day_on_which_it_happens():
    life = await Life(MemoryStore(), now=at("2026-03-30T23:59:59")).start()
    [record] = await life.accept()
    life.now += 1_000
    life.take(record, "a", PartStatus.SUBMITTED)
    await life.flush()
    life.now += 2 * 86_400_000
    life.end(record, Status.DELIVERED)

    assert await life.lines("day", first=date(2026, 3, 1), last=date(2026, 4, 2)) == {
        ("2026-03-30",): {"accepted": (1, 1)},
        ("2026-03-31",): {"submitted": (1, 1)},
        ("2026-04-02",): {"delivered": (1, 1)},
    }
    assert await life.lines("day", first=date(2026, 3, 31), last=date(2026, 3, 31)) == {
        ("2026-03-31",): {"submitted": (1, 1)}
    }


async def test_what_was_accepted_is_counted_once_whatever_was_written_before_the_crash(make_store):
    life = await Life(make_store()).start()
    total = 0
    for written in (True, False, True, False, False):
        await life.accept(3, parts=2)
        total += 3
        if written:
            await life.flush()
            await life.accept(2, parts=2)
            total += 2
        await life.store.close()  # the counters are not told: what they hold is lost
        life = await Life(make_store(), now=life.now + 1_000).start()
        assert await life.lines() == {(): {"accepted": (total, 2 * total)}}
        assert life.used() == [total, 2 * total]
    await life.store.close()


async def test_a_crash_before_midnight_is_counted_on_its_own_day_after_it(make_store):
    life = await Life(make_store(), now=at("2026-03-30T23:59:58")).start()
    await life.accept(2)
    await life.flush()
    await life.accept(3)
    await life.store.close()

    life = await Life(make_store(), now=at("2026-03-31T00:00:01")).start()
    await life.accept(1)

    assert await life.lines("day", last=date(2026, 3, 31)) == {
        ("2026-03-30",): {"accepted": (5, 5)},
        ("2026-03-31",): {"accepted": (1, 1)},
    }
    assert life.used() == [1, 6]
    await life.store.close()


async def test_messages_of_several_days_that_are_read_at_once_are_counted_on_theirs():
    store = MemoryStore()
    life = await Life(store).start()
    await life.flush()
    for _ in range(3):
        await life.accept(2)
        life.now += 86_400_000
        life.usage.today(at=life.now)
    await store.close()

    life = await Life(store, now=life.now).start()
    assert await life.lines("day", last=date(2026, 4, 3)) == {
        (f"2026-{day}",): {"accepted": (2, 2)} for day in ("03-30", "03-31", "04-01")
    }


async def test_a_store_that_was_not_counted_yet_counts_from_now_on():
    store = MemoryStore()
    life = await Life(store).start()
    await life.accept(2)
    store._entries.clear()
    await store.close()

    life = await Life(store).start()
    assert await life.lines() == {}
    await life.accept()
    assert await life.lines() == {(): {"accepted": (1, 1)}}


async def test_what_was_cancelled_before_it_left_is_given_back_to_the_quota_and_stays_in_the_usage(make_store):
    life = await Life(make_store()).start()
    first, second, third = await life.accept(3)
    life.end(first, Status.CANCELLED)
    life.take(second, "a", PartStatus.SUBMITTED)
    life.end(second, Status.CANCELLED)
    assert life.used() == [2, 2]
    assert (await life.lines())[()]["accepted"] == (3, 3)
    await life.flush()
    third.state.status = Status.CANCELLED
    await life.store.update(third)
    await life.store.close()

    life = await Life(make_store()).start()
    assert life.used() == [2, 2]
    await life.store.close()


async def test_what_could_not_be_written_is_written_the_next_time():
    store = MemoryStore()
    life = await Life(store).start()
    await life.accept(2)
    store.break_down("disk full")
    with pytest.raises(StoreUnavailableError):
        await life.flush()
    store.repair()
    await life.flush()
    await store.close()

    life = await Life(store).start()
    assert await life.lines() == {(): {"accepted": (2, 2)}}
    assert life.used() == [2, 2]


async def test_an_idle_gateway_writes_nothing():
    store = MemoryStore()
    life = await Life(store).start()
    await life.accept()
    await life.flush()
    written = dict(store._entries)
    put = store.put_entries
    calls: list[str] = []

    def noting(table: str, entries: Any) -> Any:
        calls.append(table)
        return put(table, entries)

    store.put_entries = noting  # type: ignore[method-assign]
    await life.flush()

    assert calls == []
    assert store._entries == written


async def test_days_that_are_kept_no_longer_are_let_go():
    store = MemoryStore()
    life = await Life(store, keep_days=31).start()
    for _ in range(40):
        await life.accept()
        await life.flush()
        life.now += 86_400_000
        life.usage.today(at=life.now)
    await life.usage._sweep()

    kept = await life.lines("day", last=date(2026, 6, 1))
    assert min(kept) == ("2026-04-08",)
    assert len(kept) == 32 - 1
    assert len(life.usage._counts) <= 3, "what has passed is not in memory"


async def test_a_report_of_too_many_lines_is_not_made():
    life = await Life(MemoryStore()).start()
    for n in range(MAX_ROWS + 1):
        life.usage._at("2026-03-30", (f"account-{n}", "otp", "", "cmcc"))

    with pytest.raises(TooMuchError):
        await life.lines("account")
    assert list(await life.lines("category")) == [("otp",)]
