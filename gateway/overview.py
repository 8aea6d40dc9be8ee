"""The gateway at a glance: what its parts know, put together for GET /v1/status."""

import shutil
from collections.abc import Callable, Mapping

from gateway.delivery.delivery import Delivery
from gateway.http.answers import format_time
from gateway.http.overview import Overview
from gateway.message import Milliseconds, Priority, Status
from gateway.metrics import Metrics, Sample
from gateway.store.api import Store
from gateway.version import VERSION


class Glance:
    """Looks at the parts. Each look is a few sums over what is counted anyway."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        delivery: Delivery,
        store: Store,
        directory: str,
        ready: Callable[[], bool],
        waiting: Callable[[], Mapping[Status, int]],
        callbacks_waiting: Callable[[], list[Sample]],
        clock: Callable[[], Milliseconds],
    ) -> None:
        """`directory`: of the store. `waiting`: messages that are held, scheduled or in doubt, as last counted."""
        self._metrics = metrics
        self._delivery = delivery
        self._store = store
        self._directory = directory
        self._ready = ready
        self._waiting = waiting
        self._callbacks_waiting = callbacks_waiting
        self._clock = clock
        self._started = clock()

    def look(self) -> Overview:
        """How it is now."""
        now, metrics = self._clock(), self._metrics
        carriers = self._delivery.carriers.values()
        oldest = {p: [carrier.queues.oldest(p) for carrier in carriers] for p in Priority}
        return Overview(
            at=format_time(now),
            version=VERSION,
            ready=self._ready() and self._store.failure is None,
            uptime_seconds=(now - self._started) / 1000,
            accepted=sum(metrics.messages_accepted.by("account").values()),
            refused=metrics.messages_refused.by("reason"),
            submits=metrics.submits.by("outcome"),
            finished=metrics.messages_finished.by("status"),
            queued={p: sum(carrier.queues.waiting(p) for carrier in carriers) for p in Priority},
            oldest_queued_seconds={
                p: max((now - record.message.accepted_at) / 1000 for record in records if record)
                for p, records in oldest.items()
                if any(records)
            },
            waiting={str(status): count for status, count in self._waiting().items()},
            open=sum(self._store.open_messages.values()),
            receipts_overdue=sum(self._delivery.receipts_overdue.values()),
            callbacks_waiting=round(sum(count for _, count in self._callbacks_waiting())),
            disk_free_bytes=self._disk_free(),
        )

    def _disk_free(self) -> int | None:
        try:
            return shutil.disk_usage(self._directory).free
        except OSError:
            return None
