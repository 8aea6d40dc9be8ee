"""What to do once something is on disk: gathered by commit, so that hundreds of answers wake the loop once."""

import logging
from collections.abc import Callable
from functools import partial

from gateway.store.api import Commit

Action = Callable[[bool], None]  # told whether the commit succeeded

log = logging.getLogger(__name__)


class AfterCommit:
    """Runs actions when the commit they wait for is done, in the order in which they were added."""

    def __init__(self) -> None:
        self._commit: Commit | None = None
        self._actions: list[Action] = []
        self.pending = 0  # actions not run yet

    def add(self, commit: Commit, action: Action) -> None:
        if commit is not self._commit:
            self._commit = commit
            self._actions = []
            commit.add_done_callback(partial(self._run, self._actions))
        self._actions.append(action)
        self.pending += 1

    def _run(self, actions: list[Action], commit: Commit) -> None:
        succeeded = not commit.cancelled() and commit.exception() is None
        self.pending -= len(actions)
        for action in actions:
            action(succeeded)
        actions.clear()
