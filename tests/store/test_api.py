"""The table of state changes, and the commit that many share."""

import asyncio
import gc

import pytest

from gateway.message import FINAL, Status
from gateway.store.api import TRANSITIONS, Commit, StoreUnavailableError, check_transition


def test_every_status_has_its_row():
    assert set(TRANSITIONS) == set(Status)


def test_what_is_final_leads_only_to_what_is_final():
    for status in FINAL:
        assert TRANSITIONS[status] <= FINAL


def test_every_status_can_reach_a_final_one():
    ending = set(FINAL)
    while grown := {status for status, after in TRANSITIONS.items() if after & ending} - ending:
        ending |= grown
    assert ending == set(Status)


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_only_changes_in_the_table_pass_the_check(before: Status, after: Status):
    if after is before or after in TRANSITIONS[before]:
        check_transition(before, after)
    else:
        with pytest.raises(AssertionError, match=f"{before} cannot become {after}"):
            check_transition(before, after)


async def test_a_cancelled_waiter_does_not_take_the_commit_from_the_others():
    commit = Commit()

    async def wait() -> None:
        await commit

    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert not commit.done()
    commit.set_result(None)
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_failed_commit_raises_for_every_waiter():
    commit = Commit()
    waiters = [asyncio.ensure_future(asyncio.shield(commit)) for _ in range(2)]
    commit.set_exception(StoreUnavailableError("disk full"))
    for waiter in waiters:
        with pytest.raises(StoreUnavailableError, match="disk full"):
            await waiter


async def test_a_failed_commit_that_nobody_awaits_is_no_error():
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    Commit().set_exception(StoreUnavailableError("disk full"))
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
