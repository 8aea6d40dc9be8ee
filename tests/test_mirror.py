"""A table on disk and its keys in memory say the same, whatever the disk does and in whatever order."""

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import mirror
from gateway.mirror import Mirror
from gateway.store.memory import MemoryStore

TABLE = "things"


async def a_mirror(store: MemoryStore) -> tuple[Mirror, set[str]]:
    keys: set[str] = set()
    made = Mirror(store, TABLE, keys)
    await made.load()
    return made, keys


async def on_disk(store: MemoryStore) -> set[str]:
    return {key for key, _ in await store.entries(TABLE, limit=1_000)}


async def test_a_change_holds_at_once_and_is_on_disk_when_its_commit_is_done() -> None:
    store = MemoryStore()
    await store.open()
    mirror, keys = await a_mirror(store)

    commit = mirror.change({"a": b"1", "b": b"2"})

    assert keys == {"a", "b"}
    assert mirror.last_change("a") is commit
    await commit
    assert await on_disk(store) == {"a", "b"}
    assert mirror.last_change("a") is None


async def test_what_the_disk_refuses_holds_no_more() -> None:
    store = MemoryStore()
    await store.open()
    mirror, keys = await a_mirror(store)
    await mirror.change({"a": b"1"})
    store.break_down("the disk is full")

    commits = [mirror.change({"b": b"2"}), mirror.change({"a": None})]
    await asyncio.wait(commits)

    assert keys == {"a"}


async def test_everything_is_there_again_after_a_start(monkeypatch) -> None:
    monkeypatch.setattr(mirror, "LOAD_AT_ONCE", 7)
    store = MemoryStore()
    await store.open()
    first, _ = await a_mirror(store)
    await first.change({f"key {n:03}": b"" for n in range(21)})

    _, keys = await a_mirror(store)

    assert keys == {f"key {n:03}" for n in range(21)}


# One step: a key, and whether it is added or removed; or the disk fails, is mended, or commits what waits.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abc"), st.booleans()),
        st.sampled_from(["fails", "works", "commits"]),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS)
def test_memory_and_disk_agree_when_nothing_is_under_way(steps: Sequence[str | tuple[str, bool]]) -> None:
    async def run() -> None:
        store = MemoryStore()
        await store.open()
        mirror, keys = await a_mirror(store)
        for step in steps:
            match step:
                case (key, there):
                    mirror.change({key: b"" if there else None})
                    assert (key in keys) is there, "a change holds at once"
                case "fails":
                    await asyncio.sleep(0)
                    store.break_down("on purpose")
                case "works":
                    await asyncio.sleep(0)
                    store.repair()
                case _:
                    await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        assert keys == await on_disk(store)

    asyncio.run(run())
