"""How the gateway is: /healthz, /readyz, /metrics, GET /v1/carriers."""

import msgspec

from gateway.http.answers import format_time
from gateway.http.calls import Answer, Call, answer
from gateway.http.operations import BindView, CarrierView, Metrics, Operations
from gateway.store.api import Store


class StatusPages:
    """Answers about the gateway itself."""

    def __init__(self, operations: Operations, store: Store, metrics: Metrics) -> None:
        self._operations = operations
        self._store = store
        self._metrics = metrics
        self._stopping = False

    def stop_accepting(self) -> None:
        """Not ready from now on, so that whoever balances load looks elsewhere."""
        self._stopping = True

    async def healthz(self, call: Call) -> Answer:
        """The process is alive: its loop runs this."""
        return answer(call, {"status": "ok"})

    async def readyz(self, call: Call) -> Answer:
        """Whether messages can be taken (200) or not (503). Binds are shown; they need not be up."""
        writable = self._store.failure is None
        ready = writable and not self._stopping and self._operations.ready()
        binds = [
            {"name": bind.name, "state": bind.state}
            for carrier in self._operations.carriers()
            for bind in carrier.binds
        ]
        page = {"ready": ready, "store": "ok" if writable else "unavailable", "binds": binds}
        return answer(call, page, 200 if ready else 503)

    async def metrics(self, _: Call) -> Answer:
        """Everything that is counted, for Prometheus."""
        body, content_type = self._metrics.render()
        return Answer(200, body, content_type)

    async def carriers(self, call: Call) -> Answer:
        """Every carrier with its binds."""
        return answer(call, {"carriers": [carrier_page(carrier) for carrier in self._operations.carriers()]})


def carrier_page(carrier: CarrierView) -> dict[str, object]:
    """A carrier as the API shows it."""
    return {**msgspec.structs.asdict(carrier), "binds": [_bind(bind) for bind in carrier.binds]}


def _bind(bind: BindView) -> dict[str, object]:
    return {**msgspec.structs.asdict(bind), "since": format_time(bind.since), "error": bind.error or None}
