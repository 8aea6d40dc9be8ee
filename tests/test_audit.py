"""Who did what is kept for as long as it is wanted."""

from gateway.audit import TRIM_AT_ONCE, Audit, AuditEntry
from gateway.store.memory import MemoryStore

DAY = 86_400_000


class Clock:
    now = 1_772_323_200_000

    def __call__(self) -> int:
        return self.now


async def an_audit() -> tuple[Audit, Clock]:
    store = MemoryStore()
    await store.open()
    clock = Clock()
    return Audit(store, clock, keep_seconds=10 * 86_400), clock


async def test_what_was_done_is_told_in_its_order_page_by_page() -> None:
    audit, clock = await an_audit()
    for n in range(5):
        await audit.note("operator", "opt_out.add", subject=f"{n}", why="asked by telephone")
        clock.now += 1

    first, after = await audit.list(limit=3)
    assert after is not None
    second, end = await audit.list(after=after, limit=3)

    assert [entry.subject for entry in first + second] == ["0", "1", "2", "3", "4"]
    assert first[0] == AuditEntry(Clock.now, "operator", "opt_out.add", "0", "asked by telephone")
    assert end is None


async def test_those_of_the_same_millisecond_are_all_there_in_their_order() -> None:
    audit, _ = await an_audit()
    for n in range(20):
        audit.note(str(n), "x")
    await audit.note("20", "x")

    entries, _ = await audit.list(limit=100)

    assert [entry.who for entry in entries] == [str(n) for n in range(21)]


async def test_what_is_too_old_is_forgotten_some_at_a_time_and_the_rest_is_not() -> None:
    audit, clock = await an_audit()
    for _ in range(TRIM_AT_ONCE + 1):
        audit.note("operator", "old")
    clock.now += 5 * DAY
    await audit.note("operator", "new")

    clock.now += 5 * DAY
    await audit.trim()
    assert len((await audit.list(limit=10_000))[0]) == TRIM_AT_ONCE + 2, "ten days are not over"

    clock.now += 1
    await audit.trim()
    assert [entry.what for entry in (await audit.list(limit=10_000))[0]] == ["old", "new"]
    await audit.trim()
    assert [entry.what for entry in (await audit.list(limit=10_000))[0]] == ["new"]
