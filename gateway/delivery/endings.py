"""The end of messages that wait: past their validity, or cancelled. What moves ends by what its carrier says."""

from collections.abc import Mapping

from gateway.delivery import outcomes
from gateway.delivery.carriers import Carrier
from gateway.delivery.live import Reading
from gateway.message import Milliseconds, Record, Status, carrier_of_lane
from gateway.store.api import Commit
from gateway.store.matching import NOT_YET_SENT


class Endings:
    """Ends them, whether they wait in memory or on disk."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self._carriers = carriers

    def end(self, reading: Reading, stored: Record, status: Status, *, at: Milliseconds, reason: str) -> Commit | None:
        """End one that was just read, unless it has begun to move since."""
        waited_on_disk = reading.is_fresh(stored.id) and stored.status is Status.QUEUED
        record = reading.adopt(stored)
        if record is None or record.status not in NOT_YET_SENT:
            return None
        outcomes.end(record, status, at=at, reason=reason)
        carrier = self.carrier_of(record)
        if waited_on_disk:
            carrier.queues.settle_on_disk(record.lane)
        return carrier.keep(record)

    def carrier_of(self, record: Record) -> Carrier:
        """The carrier that a record waits for, is with, or would go to; of carriers that are gone, any stands in."""
        waits_for = self._carriers.get(carrier_of_lane(record.lane))
        if waits_for is not None:
            return waits_for
        for part in record.state.parts:
            if part.attempts and part.attempts[-1].carrier in self._carriers:
                return self._carriers[part.attempts[-1].carrier]
        for name in record.message.carriers:
            if name in self._carriers:
                return self._carriers[name]
        return next(iter(self._carriers.values()))
