"""Which carriers an operator has paused, and what becomes of their queues meanwhile. It outlives a restart."""

from collections.abc import Mapping
from typing import Final

import structlog

from gateway.delivery.settings import WhenPaused
from gateway.store.api import Store

_TABLE: Final = "paused_carriers"
_MOST: Final = 10_000

log = structlog.get_logger(__name__)


class Pauses:
    """Keeps on disk who is paused. A change holds once it is there."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Mapping[str, WhenPaused]:
        """Those that were paused before this start. Raises StoreError."""
        entries = await self._store.entries(_TABLE, limit=_MOST)
        return {carrier: WhenPaused(value.decode()) for carrier, value in entries}

    async def add(self, carrier: str, queue: WhenPaused) -> None:
        """A carrier is paused. Raises StoreError."""
        await self._store.put_entries(_TABLE, {carrier: queue.value.encode()})
        log.info("a carrier is paused", carrier=carrier, queue=queue.value)

    async def remove(self, carrier: str) -> None:
        """A carrier goes on. Raises StoreError."""
        await self._store.put_entries(_TABLE, {carrier: None})
        log.info("a carrier goes on", carrier=carrier)
