"""What waits for a commit: done in order, once, and told how it went."""

import asyncio

from gateway.delivery.durable import AfterCommit
from gateway.store.api import Commit, StoreUnavailableError


class Log:
    """Actions that say that they ran."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []

    def action(self, name: str):
        return lambda succeeded: self.lines.append((name, succeeded))


async def test_actions_run_in_their_order_once_the_commit_is_done():
    after, log, commit = AfterCommit(), Log(), Commit()
    for name in "abc":
        after.add(commit, log.action(name))
    await asyncio.sleep(0)
    assert (log.lines, after.pending) == ([], 3)

    commit.set_result(None)
    await asyncio.sleep(0)
    assert log.lines == [("a", True), ("b", True), ("c", True)]
    assert after.pending == 0


async def test_actions_are_told_of_a_failure():
    after, log, commit = AfterCommit(), Log(), Commit()
    after.add(commit, log.action("a"))
    commit.set_exception(StoreUnavailableError("disk full"))
    await asyncio.sleep(0)
    assert log.lines == [("a", False)]


async def test_each_action_waits_for_its_own_commit():
    after, log = AfterCommit(), Log()
    first, second = Commit(), Commit()
    after.add(first, log.action("a"))
    after.add(second, log.action("b"))
    after.add(first, log.action("c"))
    second.set_result(None)
    await asyncio.sleep(0)
    assert (log.lines, after.pending) == ([("b", True)], 2)
    first.set_result(None)
    await asyncio.sleep(0)
    assert log.lines == [("b", True), ("a", True), ("c", True)]


async def test_a_commit_that_is_done_already_does():
    after, log, commit = AfterCommit(), Log(), Commit()
    commit.set_result(None)
    for name in "ab":
        after.add(commit, log.action(name))
        await asyncio.sleep(0)
    assert log.lines == [("a", True), ("b", True)]
    assert after.pending == 0


async def test_an_action_may_wait_for_the_next_commit():
    after, log, first, second = AfterCommit(), Log(), Commit(), Commit()
    after.add(first, lambda _: after.add(second, log.action("b")))
    after.add(first, log.action("a"))
    first.set_result(None)
    await asyncio.sleep(0)
    assert (log.lines, after.pending) == ([("a", True)], 1)
    second.set_result(None)
    await asyncio.sleep(0)
    assert log.lines == [("a", True), ("b", True)]


async def test_an_action_that_fails_does_not_keep_the_others_from_running():
    after, log, commit = AfterCommit(), Log(), Commit()
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))

    def fail(_: bool) -> None:
        raise AssertionError("a bug")

    after.add(commit, fail)
    after.add(commit, log.action("a"))
    commit.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert log.lines == [("a", True)]
    assert after.pending == 0
    assert len(errors) == 1


async def test_what_is_gathered_comes_together_where_its_first_was_added():
    after, commit = AfterCommit(), Commit()
    seen: list[tuple[list[str] | str, bool]] = []

    def together(items: list[str], succeeded: bool) -> None:
        seen.append((items, succeeded))

    after.gather(commit, together, "a")
    after.add(commit, lambda succeeded: seen.append(("alone", succeeded)))
    after.gather(commit, together, "b")
    assert after.pending > 0
    commit.set_result(None)
    await asyncio.sleep(0)
    assert seen == [(["a", "b"], True), ("alone", True)]
    assert after.pending == 0


async def test_what_is_gathered_for_one_commit_does_not_wait_for_another():
    after, first, second = AfterCommit(), Commit(), Commit()
    seen: list[tuple[list[str], bool]] = []

    def together(items: list[str], succeeded: bool) -> None:
        seen.append((items, succeeded))

    after.gather(first, together, "a")
    after.gather(second, together, "b")
    after.gather(first, together, "c")
    second.set_exception(StoreUnavailableError("disk full"))
    await asyncio.sleep(0)
    assert seen == [(["b"], False)]
    first.set_result(None)
    await asyncio.sleep(0)
    after.gather(first, together, "late")
    await asyncio.sleep(0)
    assert seen == [(["b"], False), (["a"], True), (["c"], True), (["late"], True)]
