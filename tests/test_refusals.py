"""The last refusals: bounded, masked, and there after a restart."""

import pytest

from gateway.message import Category
from gateway.policy.candidate import Draft
from gateway.policy.verdict import Reason, Refusal
from gateway.refusals import BLOCK, TABLE, RefusalQuery, Refusals, RefusalSettings, Refused, masked
from gateway.store.memory import MemoryStore

NOW = 1_800_000_000_000
DAY = 86_400_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


class Rig:
    def __init__(self, **settings: int) -> None:
        self.settings = RefusalSettings(**settings)
        self.store = MemoryStore()
        self.clock = Clock()
        self.refusals = Refusals(self.settings, self.store, self.clock)

    def refuse(self, n: int, *, account: str = "demo", **fields: str) -> None:
        draft = Draft(to="13800138000", text="T", client_ref=f"{n}", **fields)
        self.refusals.add(account, draft, Refusal(Reason.FREQUENCY_CAP, "Too many.", {"rule": "day"}))

    async def restart(self) -> None:
        self.refusals = Refusals(self.settings, self.store, self.clock)
        await self.refusals.load()

    async def all(self, **query: object) -> list[Refused]:
        found: list[Refused] = []
        cursor = None
        while True:
            page = await self.refusals.find(RefusalQuery(before=cursor, **query))
            found += page.refusals
            if page.cursor is None:
                return found
            assert cursor is None or page.cursor < cursor
            cursor = page.cursor

    async def refs(self, **query: object) -> list[int]:
        return [int(refused.client_ref) for refused in await self.all(**query)]


@pytest.fixture(name="rig")
async def rig_fixture() -> Rig:
    rig = Rig(limit=2_000)
    await rig.store.open()
    return rig


async def test_a_refusal_says_to_whom_by_which_rule_and_when_and_no_more(rig: Rig):
    rig.refuse(1, batch="b", category=Category.MARKETING)
    assert await rig.all() == [Refused(NOW, "demo", "138****8000", "frequency_cap", "day", "marketing", "b", "1")]


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_they_are_found_newest_first_before_they_are_written_and_after_and_after_a_restart(rig: Rig, limit: int):
    for n in range(7):
        rig.refuse(n)
    assert await rig.refs(limit=limit) == [*range(6, -1, -1)]
    await rig.refusals.flush()
    assert await rig.refs(limit=limit) == [*range(6, -1, -1)]
    await rig.restart()
    rig.refuse(7)
    await rig.refusals.flush()
    assert await rig.refs(limit=limit) == [*range(7, -1, -1)]
    await rig.restart()
    assert await rig.refs(limit=limit) == [*range(7, -1, -1)]


async def test_they_are_found_by_account_number_and_batch(rig: Rig):
    for n in range(6):
        rig.refuse(n, account="demo" if n % 2 else "other", batch="b" if n % 3 == 0 else "")
    assert await rig.refs(account="demo") == [5, 3, 1]
    assert await rig.refs(batch="b") == [3, 0]
    assert await rig.refs(account="demo", batch="b") == [3]
    assert await rig.refs(to=masked("+86 138 0013 8000")) == [5, 4, 3, 2, 1, 0]
    assert await rig.refs(to=masked("13900138000")) == []


async def test_no_more_are_kept_than_the_limit_and_a_block_in_memory_and_on_disk(rig: Rig):
    for n in range(10 * BLOCK):
        rig.refuse(n)
        if n % 300 == 0:
            await rig.refusals.flush()
    await rig.refusals.flush()
    found = await rig.refs(limit=1_000)
    assert found == [*range(10 * BLOCK - 1, 10 * BLOCK - 1 - len(found), -1)]
    assert 2_000 <= len(found) <= 2_000 + BLOCK
    on_disk = await rig.store.entries(TABLE, limit=1_000)
    assert len(on_disk) <= 2_000 / BLOCK + 1
    assert sum(block.content is not None for block in rig.refusals._blocks) <= 1


async def test_what_is_too_old_is_forgotten(rig: Rig):
    rig.refuse(1)
    await rig.refusals.flush()
    rig.clock.now += 7 * DAY
    await rig.refusals.flush()
    assert await rig.refs() == [1]
    rig.clock.now += 1
    await rig.refusals.flush()
    assert await rig.refs() == []
    assert await rig.store.entries(TABLE, limit=10) == []
    rig.refuse(2)
    assert await rig.refs() == [2]


async def test_what_cannot_be_written_is_told_all_the_same_and_written_later(rig: Rig):
    rig.store.break_down("disk full")
    for n in range(BLOCK + 1):
        rig.refuse(n)
    await rig.refusals.flush()
    assert len(await rig.refs(limit=1_000)) == BLOCK + 1
    rig.store.repair()
    rig.refuse(BLOCK + 1)
    await rig.refusals.flush()
    await rig.restart()
    assert len(await rig.refs(limit=1_000)) == BLOCK + 2


async def test_what_is_refused_while_a_block_is_being_written_is_not_lost(rig: Rig):
    for n in range(BLOCK - 1):
        rig.refuse(n)
    commit = rig.refusals.flush()
    commit.send(None)  # as far as its wait for the disk
    rig.refuse(BLOCK - 1)
    with pytest.raises(RuntimeError):
        commit.throw(RuntimeError)
    await rig.refusals.flush()
    await rig.restart()
    assert len(await rig.refs(limit=1_000)) == BLOCK


@pytest.mark.parametrize(
    ("spelling", "shown"),
    [
        ("13800138000", "138****8000"),
        ("+86 138-0013-8000", "138****8000"),
        ("+13105551234", "+131****1234"),
        ("138001380001234", "+1380****1234"),
        ("call me", "****"),
        ("", "****"),
        ("1" * 10_000, "+1111****1111"),
    ],
)
def test_no_number_and_no_part_of_one_that_would_do_is_kept(spelling: str, shown: str):
    assert masked(spelling) == shown
