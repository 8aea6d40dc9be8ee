"""A file of opt-outs is taken whole or not at all, and says line by line what is wrong with it."""

import asyncio
import time
from collections.abc import Mapping

import pytest

from gateway.message import Category
from gateway.opt_out_import import (
    MAX_FAULTS,
    SLICE,
    TABLE,
    ImportBusyError,
    Imported,
    ImportFaultsError,
    LineFault,
    OptOutImport,
)
from gateway.opt_outs import OptOut, OptOutsFullError, Source
from gateway.policy.consent import EVERYONE, Scope
from gateway.store.api import Commit, StoreUnavailableError
from gateway.store.memory import MemoryStore
from tests.test_opt_outs import NUMBER, OTHER, OUT, PROOF, Rig, a_rig, restarted


def imports(rig: Rig) -> OptOutImport:
    return OptOutImport(rig.register, rig.store, rig.audit, lambda: 3_000)


async def faults_of(body: bytes) -> list[LineFault]:
    rig = await a_rig()
    with pytest.raises(ImportFaultsError) as caught:
        await imports(rig).take(body, who="operator")
    assert len(rig.opt_outs) == 0
    assert await rig.store.entries(TABLE, limit=1) == []
    return caught.value.faults


def a_file(count: int) -> bytes:
    return b"to\n" + b"".join(b"138%08d\n" % n for n in range(count))


async def test_a_file_is_taken_in_and_is_there_after_a_restart() -> None:
    rig = await a_rig()
    await rig.register.add({OUT: PROOF})
    body = (
        f"\ufeffto,category,signature\r\n138 0013 8000,,阳光物业\r\n{OTHER},notification,@demo\r\n\r\n{OTHER},,\r\n"
    ).encode()

    assert await imports(rig).take(body, who="operator") == Imported(lines=3, added=2)

    again = await restarted(rig)
    proof = OptOut(3_000, Source.IMPORT, "operator")
    assert await again.register.read(OUT) == PROOF, "the first proof counts"
    assert await again.register.read(Scope("@demo", OTHER, Category.NOTIFICATION)) == proof
    assert await again.register.read(Scope(EVERYONE, OTHER, Category.MARKETING)) == proof
    assert len(again.opt_outs) == 3
    assert await rig.store.entries(TABLE, limit=1) == []
    assert ("operator", "opt_out.import", "", "3 lines, 2 new") in await rig.audited()


async def test_every_fault_has_its_line_and_nothing_is_taken() -> None:
    body = f"to,signature\n{NUMBER},\n13800,\n{NUMBER},【x】\n{NUMBER},,x\n+8613800138000x,阳光物业\n".encode()

    faults = await faults_of(body)

    assert [(fault.line, fault.column) for fault in faults] == [(3, "to"), (4, "signature"), (5, ""), (6, "to")]
    assert "0013" not in repr(faults)


@pytest.mark.parametrize(
    ("body", "line", "rule"),
    [
        (b"", 1, "first line"),
        (b"number\n13800138000\n", 1, "must name the columns"),
        (b"to,to\n", 1, "must name the columns"),
        (b"to\n13800138000\n\xff\n", 3, "UTF-8"),
        (b"to\n" + b"13800138000\n" * 10_000 + b"\xe4\xb8", 10_002, "UTF-8"),
        (b'to\n13800138000\n"13800138000\n', 3, "well-formed CSV"),
        (b"to,category\n13800138000,spam\n", 2, "must be one of otp, notification, marketing"),
        (b"to\n" + b"1" * 200_000, 2, "well-formed CSV"),
    ],
)
async def test_a_file_that_is_none_says_where_and_why(body: bytes, line: int, rule: str) -> None:
    [fault] = await faults_of(body)

    assert fault.line == line
    assert rule in fault.rule


async def test_no_more_faults_are_told_than_somebody_reads() -> None:
    assert len(await faults_of(b"to\n" + b"x\n" * 1_000)) == MAX_FAULTS


async def test_one_at_a_time() -> None:
    rig = await a_rig(limit=3_000)
    both = imports(rig)
    first = asyncio.ensure_future(both.take(a_file(3_000), who="operator"))
    await asyncio.sleep(0)

    with pytest.raises(ImportBusyError):
        await both.take(a_file(1), who="operator")
    assert (await first).lines == 3_000
    assert (await both.take(a_file(1), who="operator")).added == 0, "what is known already needs no room"


async def test_a_file_for_which_there_is_no_room_is_refused_whole() -> None:
    rig = await a_rig(limit=10)

    with pytest.raises(OptOutsFullError):
        await imports(rig).take(a_file(11), who="operator")
    assert len(rig.opt_outs) == 0


class Stops(MemoryStore):
    """A store that fails after so many calls, as at a kill."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def put_entries(self, table: str, entries: Mapping[str, bytes | None]) -> Commit:
        self.calls -= 1
        if self.calls < 0:
            self.break_down("killed")
        return super().put_entries(table, entries)


@pytest.mark.parametrize("calls", range(8))
async def test_a_file_that_was_cut_off_is_there_whole_after_the_next_start_or_not_at_all(calls: int) -> None:
    count = 5 * SLICE
    store = Stops(calls)
    await store.open()
    rig = Rig(store, limit=10 * count)
    try:
        await imports(rig).take(a_file(count), who="operator")
        finished = True
    except StoreUnavailableError:
        finished = False

    store.calls = 100
    store.repair()
    again = await restarted(rig)
    await imports(again).finish()

    assert len(again.opt_outs) == (0 if calls == 0 else count)
    assert len((await restarted(rig)).opt_outs) == len(again.opt_outs)
    assert finished == (calls >= 8)
    assert await store.entries(TABLE, limit=1) == []


async def test_what_a_failing_disk_interrupted_is_finished_by_the_next_import() -> None:
    store = Stops(3)
    await store.open()
    rig = Rig(store, limit=10_000)
    with pytest.raises(StoreUnavailableError):
        await imports(rig).take(a_file(4 * SLICE), who="operator")

    store.calls = 100
    store.repair()
    await imports(rig).take(a_file(1), who="operator")

    assert len(rig.opt_outs) == 4 * SLICE


async def test_a_large_file_leaves_the_loop_to_others() -> None:
    rig = await a_rig(limit=1_000_000)
    gaps: list[float] = []

    async def watch() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            gaps.append(now - last)
            last = now

    watching = asyncio.ensure_future(watch())
    await imports(rig).take(a_file(20_000), who="operator")
    watching.cancel()

    assert len(gaps) > 2 * 20_000 / SLICE
    assert sorted(gaps)[-3] < 0.05, "bound is 10 ms; a machine that is busy gets five times as much"
