"""When index files are built: beside the traffic, one after the other, as soon as what they are about has come to rest.

The order that keeps receipts findable: from the moment `announced_through` rises, the writer notes every new attempt of
the messages through it as a straggler; the batch that was cut before is awaited; only then are rows read for the index.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from gateway.message import MessageId
from gateway.store.api import StoreError
from gateway.store.building import Builder, lower_priority
from gateway.store.files import Catalog
from gateway.store.indexes import Indexes, Region
from gateway.store.settings import StoreSettings

P = ParamSpec("P")
T = TypeVar("T")


class Indexing:
    """Builds index files. Belongs to the loop; the work is done in a thread of its own."""

    def __init__(
        self,
        builder: Builder,
        settings: StoreSettings,
        catalog: Catalog,
        indexes: Indexes,
        *,
        last_id: MessageId,
        await_batch: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._indexes = indexes
        self._await_batch = await_batch
        self._builder = builder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-index", initializer=lower_priority)
        self._last_id = last_id  # the highest that was told of
        self._unindexed: int | None = None  # messages without an index; None: not counted yet
        self._task = asyncio.create_task(self._run(), name="store-index")
        self._task.add_done_callback(_complain)
        self.announced_through = indexes.through
        self.failure: StoreError | None = None  # why the last index could not be built

    def appended(self, count: int, *, last_id: MessageId) -> None:
        """So many messages were committed, the last of them with an id up to this."""
        self._last_id = last_id
        if self._unindexed is not None:
            self._unindexed += count

    async def stop(self) -> None:
        """Give up the index that is being built."""
        self._builder.stop()
        self._task.cancel()
        await asyncio.wait([self._task])
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._settings.index_check_seconds)
            try:
                while await self._build_next():
                    pass
                self.failure = None
            except (StoreError, OSError) as error:
                self.failure = error if isinstance(error, StoreError) else StoreError(str(error))

    async def _build_next(self) -> bool:
        """Build the next index if there is one to build."""
        holes = self._indexes.holes()
        region = holes[0] if holes else await self._next_region()
        if region is None:
            return False
        self.announced_through = max(self.announced_through, region.through)
        await self._await_batch()
        built = await self._ask(self._builder.build, self._catalog.files, region)
        self._indexes.add([built])
        if not holes and self._unindexed is not None:
            self._unindexed -= self._settings.index_messages
        return True

    async def _next_region(self) -> Region | None:
        """The next messages to index, if there are enough, and they are at rest or have waited too long for it."""
        files, through = self._catalog.files, self._indexes.through
        if self._unindexed is None:
            self._unindexed = 0
            counted = await self._ask(self._builder.count_between, files, through, self._last_id)
            self._unindexed += counted  # to those that came meanwhile
        wanted = self._settings.index_messages
        if self._unindexed < wanted:
            return None
        last = await self._ask(self._builder.nth_above, files, through, wanted)
        if last is None:
            self._unindexed = None  # a file was taken away
            return None
        region = Region(through, last)
        if self._unindexed < self._settings.index_tail_messages and await self._ask(self._builder.moves, files, region):
            return None
        return region

    async def _ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))


def _complain(task: asyncio.Task[None]) -> None:
    """Tell of a bug that ended the task; without it the store goes on, and scans what has no index."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        task.get_loop().call_exception_handler(
            {"message": "indexes are built no more", "exception": error, "task": task}
        )
