"""A table of small entries on disk, with its keys in memory too, so that asking costs no disk.

A change holds in memory at once. When its commit fails, and nothing else is under way for the key, the memory says
again what the disk does. Commits are done in the order in which changes were handed over.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final, Protocol

import msgspec

from gateway.store.api import Commit, Store

LOAD_AT_ONCE: Final = 10_000  # keys, while others wait: about 10 ms


class KeysInMemory(Protocol):
    """What a mirror keeps in step with the disk."""

    def __contains__(self, key: str) -> bool: ...

    def add(self, key: str) -> None: ...

    def discard(self, key: str) -> None: ...


class _UnderWay(msgspec.Struct):
    """A key whose changes are not all on disk."""

    is_on_disk: bool
    changes: int = 0
    last: Commit | None = None


class Mirror:
    """Keeps one table of the store and its keys in memory in step."""

    def __init__(self, store: Store, table: str, keys: KeysInMemory) -> None:
        self._store = store
        self._table = table
        self._keys = keys
        self._under_way: dict[str, _UnderWay] = {}

    async def load(self) -> None:
        """Take in what is on disk, at a start. Raises StoreError."""
        after = ""
        while True:
            entries = await self._store.entries(self._table, after=after, limit=LOAD_AT_ONCE)
            for key, _ in entries:
                self._keys.add(key)
            if len(entries) < LOAD_AT_ONCE:
                return
            after = entries[-1][0]

    def change(self, entries: Mapping[str, bytes | None]) -> Commit:
        """Add keys with their values, remove those with None. Holds at once; the commit says when it is on disk."""
        for key, value in entries.items():
            under_way = self._under_way.get(key)
            if under_way is None:
                under_way = self._under_way[key] = _UnderWay(key in self._keys)
            under_way.changes += 1
            self._show(key, there=value is not None)
        commit = self._store.put_entries(self._table, entries)
        for key in entries:
            self._under_way[key].last = commit
        commit.add_done_callback(partial(self._done, {key: value is not None for key, value in entries.items()}))
        return commit

    def last_change(self, key: str) -> Commit | None:
        """The commit of the last change of a key that is still under way."""
        under_way = self._under_way.get(key)
        return None if under_way is None else under_way.last

    def _done(self, changes: Mapping[str, bool], commit: Commit) -> None:
        succeeded = commit.exception() is None
        for key, there in changes.items():
            under_way = self._under_way[key]
            under_way.changes -= 1
            if succeeded:
                under_way.is_on_disk = there
            if under_way.changes == 0:
                del self._under_way[key]
                self._show(key, there=under_way.is_on_disk)

    def _show(self, key: str, *, there: bool) -> None:
        if there:
            self._keys.add(key)
        else:
            self._keys.discard(key)
