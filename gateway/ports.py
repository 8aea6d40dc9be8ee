"""Ported numbers beside those in the file: what was set over the API and what receipts told, kept on disk.

`Networks` answers; this brings both back at a start and writes down what changes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from gateway.message import Milliseconds
from gateway.numbers import Network
from gateway.routing.networks import Networks
from gateway.store.api import Commit, Store

TABLE: Final = "ported"  # by hand: number in E.164, or its keyed hash -> network
LEARNED: Final = "ported.learned"  # number in E.164 -> network, and when
_AT_ONCE: Final = 5_000

log = structlog.get_logger(__name__)


class _Port(msgspec.Struct, frozen=True, array_like=True):
    """What a receipt told."""

    network: Network
    at: Milliseconds


class Ported(msgspec.Struct, frozen=True):
    """A number of the table that is kept by hand, or its hash, with the network that serves it."""

    number: str
    network: Network


class Ports:
    """The ported numbers of one gateway. One event loop uses it."""

    def __init__(self, networks: Networks, store: Store, clock: Callable[[], Milliseconds]) -> None:
        """`clock`: the wall clock."""
        self._networks = networks
        self._store = store
        self._clock = clock

    async def load(self) -> None:
        """Take in what is on disk. Raises StoreError."""
        learned: list[tuple[Milliseconds, str, Network]] = []
        async for number, value in self._entries(LEARNED):
            port = msgspec.json.decode(value, type=_Port)
            learned.append((port.at, number, port.network))
        for at, number, network in sorted(learned):
            self._forget(self._networks.learned.learn(number, network, at=at))
        async for key, value in self._entries(TABLE):
            self._networks.by_hand.put(key, Network(value.decode()))
        self.expire()

    async def listed(self, *, after: str, limit: int) -> list[Ported]:
        """The table kept by hand, in the order of its numbers. Raises StoreError."""
        rows = await self._store.entries(TABLE, after=after, limit=limit)
        return [Ported(key, Network(value.decode())) for key, value in rows]

    async def change(self, numbers: Mapping[str, Network | None]) -> None:
        """Set who serves these numbers (in E.164, or hashes), None forgets one; returns when it is on disk.

        All of them or, with a StoreError, none.
        """
        await asyncio.shield(
            self._store.put_entries(
                TABLE, {key: None if network is None else network.encode() for key, network in numbers.items()}
            )
        )
        by_hand = self._networks.by_hand
        for key, network in numbers.items():
            if network is None:
                by_hand.remove(key)
            else:
                by_hand.put(key, network)

    def learn(self, number: str, network: Network) -> bool:
        """A receipt said that this network serves a number in E.164. False when that cannot be."""
        at = self._clock()
        dropped = self._networks.learn(number, network, at=at)
        if dropped is None:
            return False
        entries = dict.fromkeys(dropped) | {number: msgspec.json.encode(_Port(network, at))}
        self._keep(entries)
        return True

    def expire(self) -> None:
        """Forget what was learned too long ago. Called now and then."""
        self._forget(self._networks.learned.expire(now=self._clock()))

    def _forget(self, numbers: Sequence[str]) -> None:
        if numbers:
            self._keep(dict.fromkeys(numbers))

    def _keep(self, entries: Mapping[str, bytes | None]) -> None:
        """Write what was learned. Should that fail, it is known until the next start all the same."""
        self._store.put_entries(LEARNED, entries).add_done_callback(_tell_of_failure)

    async def _entries(self, table: str) -> AsyncIterator[tuple[str, bytes]]:
        after = ""
        while True:
            rows = await self._store.entries(table, after=after, limit=_AT_ONCE)
            for row in rows:
                yield row
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1][0]


def _tell_of_failure(commit: Commit) -> None:
    error = None if commit.cancelled() else commit.exception()
    if error is not None:
        log.warning("could not write down a learned port", error=str(error))
