"""What to do once something is on disk: gathered by commit, so that hundreds of answers wake the loop once."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from gateway.store.api import Commit

T = TypeVar("T")
Action = Callable[[bool], None]  # told whether the commit succeeded


class AfterCommit:
    """Runs actions when the commit they wait for is done, in the order in which they were added."""

    def __init__(self) -> None:
        self._commit: Commit | None = None
        self._actions: deque[Action] = deque()
        self._gathered: dict[Callable[..., None], list[Any]] = {}  # what the actions of this commit get together
        self.pending = 0  # actions not run yet

    def add(self, commit: Commit, action: Action) -> None:
        if commit is not self._commit:
            self._commit = commit
            self._actions = deque()
            self._gathered = {}
            commit.add_done_callback(partial(self._run, self._actions))
        self._actions.append(action)
        self.pending += 1

    def gather(self, commit: Commit, together: Callable[[list[T], bool], None], item: T) -> None:
        """Add `item` to those that `together` gets, all at once, when the commit is done."""
        if commit is self._commit:
            items = self._gathered.get(together)
            if items is not None:
                items.append(item)
                return
        items = [item]
        self.add(commit, partial(together, items))
        self._gathered[together] = items

    def _run(self, actions: deque[Action], commit: Commit) -> None:
        if commit is self._commit:
            self._gathered = {}
            self._commit = None  # what is added to it from now on is called by itself
        succeeded = not commit.cancelled() and commit.exception() is None
        try:
            while actions:
                self.pending -= 1
                actions.popleft()(succeeded)
        finally:
            if actions:  # one of them has failed, which is a bug: the others hold window slots
                asyncio.get_running_loop().call_soon(self._run, actions, commit)
