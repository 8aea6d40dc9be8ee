"""Every message ends: what waited past its validity expires, what waited past its receipt deadline stays unknown.

What is in memory and moving sees its own time. This looks through what is at rest, on disk, every few seconds.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import structlog

from gateway.delivery import outcomes
from gateway.delivery.carriers import Carrier
from gateway.delivery.endings import Endings
from gateway.delivery.queries import Queries
from gateway.delivery.reactions import Reactions
from gateway.delivery.shared import Shared
from gateway.message import MessageId, Milliseconds, PartStatus, Record, Status
from gateway.store.api import StoreError

AT_ONCE: Final = 500
STRETCH: Final = 10_000
_AWAITING: Final = frozenset({PartStatus.SUBMITTED, PartStatus.IN_DOUBT})

log = structlog.get_logger(__name__)


class Sweeps:
    """Looks for messages whose time is up."""

    def __init__(
        self,
        shared: Shared,
        carriers: Mapping[str, Carrier],
        reactions: Reactions,
        endings: Endings,
        queries: Queries,
    ) -> None:
        self._shared = shared
        self._queries = queries
        self._reactions = reactions
        self._carriers = carriers
        self._endings = endings
        soonest = min(
            min(carrier.settings.receipt_deadline_seconds, carrier.settings.receipt_overdue_seconds)
            for carrier in carriers.values()
        )
        self._soonest_overdue = round(soonest * 1000)
        self._looked_until = MessageId(-1)  # for overdue receipts
        self._counting: Counter[str] = Counter()
        self.overdue: Mapping[str, int] = dict.fromkeys(carriers, 0)  # messages whose receipt is, by carrier

    async def sweep(self) -> None:
        """One look at everything. What the store cannot do now is done next time."""
        for carrier in self._carriers.values():
            carrier.expire_waiting()
        try:
            await self._expire()
            await self._give_up_waiting()
        except StoreError as error:
            log.warning("could not look for messages whose time is up", error=str(error))

    async def _expire(self) -> None:
        while True:
            now = self._shared.clock()
            with self._shared.live.reading() as reading:
                stored = await self._shared.store.expired(now=now, limit=AT_ONCE)
                ends = [
                    self._endings.end(reading, record, Status.EXPIRED, at=now, reason="validity ended")
                    for record in stored
                ]
            commits = [commit for commit in ends if commit is not None]
            if len(stored) < AT_ONCE or not commits:
                return
            await commits[-1]

    async def _give_up_waiting(self) -> None:
        """Of messages accepted lately no receipt can be overdue; of the others each is asked.

        A stretch of them each time, and the next from there on: there may be many whose own deadline is far.
        """
        for _ in range(STRETCH // AT_ONCE):
            if not await self._look_on():
                return

    async def _look_on(self) -> bool:
        """Look at the next few, and say whether there are more."""
        now = self._shared.clock()
        before = now - self._soonest_overdue
        live = self._shared.live
        with live.reading() as reading:
            found = await self._shared.store.overdue(accepted_before=before, after=self._looked_until, limit=AT_ONCE)
            for stored in found:
                record = live.get(stored.id)
                self._count(record or stored, now)
                if record is None and self._is_overdue(stored, now):
                    record = reading.adopt(stored)
                if record is None or not self._is_overdue(record, now) or self._reactions.overdue(record, at=now):
                    continue
                if outcomes.give_up_waiting(record, at=now):
                    self._endings.carrier_of(record).keep(record)
        there_are_more = len(found) == AT_ONCE
        self._looked_until = found[-1].id if there_are_more else MessageId(-1)
        if not there_are_more:  # all were looked at, once
            self.overdue = {name: self._counting[name] for name in self._carriers}
            self._counting.clear()
        return there_are_more

    def _count(self, record: Record, now: Milliseconds) -> None:
        """Count a message at the carrier whose receipt for it is overdue, if one's is, and ask what became of it."""
        for part in record.state.parts:
            if part.status is PartStatus.SUBMITTED:
                last = part.attempts[-1]
                carrier = self._carriers.get(last.carrier)
                if carrier is not None and now >= last.at + carrier.settings.receipt_overdue_seconds * 1000:
                    self._counting[last.carrier] += 1
                    self._queries.ask(record, now=now)
                    return

    def _is_overdue(self, record: Record, now: Milliseconds) -> bool:
        """Whether every part that awaits a receipt, or an answer that never came, has waited long enough."""
        waiting = [part for part in record.state.parts if part.status in _AWAITING]
        for part in waiting:
            last = part.attempts[-1]
            carrier = self._carriers.get(last.carrier)
            deadline = carrier.settings.receipt_deadline_seconds if carrier is not None else 0.0
            if now < last.at + deadline * 1000:
                return False
        return bool(waiting)
