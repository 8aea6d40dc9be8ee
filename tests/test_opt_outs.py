"""The register of opt-outs: at once in memory, with its proof on disk, the same after a restart."""

import asyncio

import pytest

from gateway import opt_outs as module
from gateway.audit import Audit
from gateway.message import Category, MessageId
from gateway.opt_outs import OptOut, OptOutRegister, OptOutsFullError, Source
from gateway.policy.consent import EVERYONE, OptOuts, Scope
from gateway.store.api import StoreUnavailableError
from gateway.store.memory import MemoryStore

NUMBER, OTHER = "+8613800138000", "+8613900139000"
OUT = Scope("阳光物业", NUMBER, Category.MARKETING)
PROOF = OptOut(1_000, Source.REPLY, "demo", "TD", MessageId(7))


class Rig:
    """A register over a store, which may be opened again."""

    def __init__(self, store: MemoryStore, *, limit: int = 1_000) -> None:
        self.store = store
        self.opt_outs = OptOuts()
        self.audit = Audit(store, lambda: 2_000, keep_seconds=1_000)
        self.counted: list[tuple[str, int]] = []
        self.register = OptOutRegister(
            self.opt_outs, store, self.audit, limit=limit, on_opt_out=lambda *count: self.counted.append(count)
        )

    async def audited(self) -> list[tuple[str, str, str, str]]:
        entries, _ = await self.audit.list(limit=100)
        return [(each.who, each.what, each.subject, each.why) for each in entries]


async def a_rig(**settings: int) -> Rig:
    store = MemoryStore()
    await store.open()
    return Rig(store, **settings)


async def restarted(rig: Rig) -> Rig:
    again = Rig(rig.store)
    await again.register.load()
    return again


async def test_an_opt_out_holds_at_once_and_after_a_restart_with_its_proof() -> None:
    rig = await a_rig()

    commit = rig.register.add({OUT: PROOF})

    assert commit is not None
    assert OUT in rig.opt_outs
    await commit
    again = await restarted(rig)
    assert OUT in again.opt_outs
    assert len(again.opt_outs) == 1
    assert await again.register.read(OUT) == PROOF
    assert rig.counted == [("demo", 1)]


async def test_the_first_proof_counts() -> None:
    rig = await a_rig()
    later = OptOut(2_000, Source.API, "operator")
    commit = rig.register.add({OUT: PROOF})

    assert rig.register.add({OUT: later}) is commit, "it is not on disk yet, and waited for"
    assert await rig.register.opt_out(OUT, later) == PROOF
    assert rig.register.add({OUT: later}) is None
    assert rig.counted == [("demo", 1)]
    assert await rig.audited() == []


async def test_what_the_disk_refuses_is_said_and_does_not_hold() -> None:
    rig = await a_rig()
    rig.store.break_down("the disk is full")

    with pytest.raises(StoreUnavailableError):
        await rig.register.opt_out(OUT, PROOF)
    assert OUT not in rig.opt_outs

    rig.store.repair()
    await rig.register.opt_out(OUT, PROOF)
    rig.store.break_down("again")
    with pytest.raises(StoreUnavailableError):
        await rig.register.opt_in(OUT, who="operator", why="api")
    assert OUT in rig.opt_outs


async def test_who_opts_in_is_written_to_again_and_the_audit_keeps_the_proof() -> None:
    rig = await a_rig()
    await rig.register.opt_out(OUT, PROOF)

    assert await rig.register.opt_in(OUT, who="operator", why="api")
    assert not await rig.register.opt_in(OUT, who="operator", why="api")

    assert OUT not in (await restarted(rig)).opt_outs
    [added, removed] = sorted(await rig.audited(), key=lambda entry: entry[1])
    assert added == ("demo", "opt_out.add", f"{NUMBER}/marketing/阳光物业", "")
    assert removed[:3] == ("operator", "opt_out.remove", f"{NUMBER}/marketing/阳光物业")
    assert '"TD"' in removed[3]


async def test_changes_of_the_same_moment_end_as_the_last_says() -> None:
    rig = await a_rig()
    await rig.register.opt_out(OUT, PROOF)

    gone = asyncio.ensure_future(rig.register.opt_in(OUT, who="operator", why="api"))
    for _ in range(3):
        await asyncio.sleep(0)
    await rig.register.opt_out(OUT, PROOF)
    await gone

    assert OUT in rig.opt_outs
    assert OUT in (await restarted(rig)).opt_outs


async def test_of_two_removals_of_the_same_moment_neither_is_answered_before_it_is_on_disk() -> None:
    rig = await a_rig()
    await rig.register.opt_out(OUT, PROOF)

    async def remove() -> tuple[bool, int]:
        removed = await rig.register.opt_in(OUT, who="operator", why="api")
        return removed, len((await restarted(rig)).opt_outs)

    answers = await asyncio.gather(remove(), remove())

    assert sorted(answers) == [(False, 0), (True, 0)]


async def test_there_is_room_for_so_many_by_the_api_and_always_for_replies() -> None:
    rig = await a_rig(limit=1)
    await rig.register.opt_out(OUT, PROOF)
    second = Scope("阳光物业", OTHER, Category.MARKETING)

    with pytest.raises(OptOutsFullError):
        await rig.register.opt_out(second, PROOF)
    rig.register.add({second: PROOF})

    assert second in rig.opt_outs


@pytest.mark.parametrize("at_once", [1, 2, 100])
async def test_the_list_has_every_one_once_by_number_and_by_sender(monkeypatch, at_once: int) -> None:
    monkeypatch.setattr(module, "SCAN_AT_ONCE", at_once)
    rig = await a_rig()
    scopes = [
        Scope(sender, number, category)
        for number in (NUMBER, OTHER)
        for category in (Category.MARKETING, Category.NOTIFICATION)
        for sender in (EVERYONE, "阳光物业", "丰收银行", "@demo")
    ]
    await rig.register.add(dict.fromkeys(scopes, PROOF))

    async def listed(limit: int, **filters: str) -> list[Scope]:
        found, after = [], ""
        while after is not None:
            page, after = await rig.register.list(after=after, limit=limit, **filters)
            found += [scope for scope, _ in page]
        return found

    everything = await listed(3)
    assert len(everything) == len(scopes)
    assert set(everything) == set(scopes)
    assert [each.number for each in everything] == sorted(each.number for each in scopes)
    assert set(await listed(2, number=OTHER)) == {scope for scope in scopes if scope.number == OTHER}
    assert set(await listed(3, sender="@demo")) == {scope for scope in scopes if scope.sender == "@demo"}
    assert len(await listed(3, sender=EVERYONE, number=NUMBER)) == 2
    assert await listed(3, number="+861380013800") == []
