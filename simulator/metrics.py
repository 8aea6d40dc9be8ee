"""The counts as Prometheus reads them, made when asked for: the path of a message knows nothing of it."""

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class _Counts(Collector):
    def __init__(self, counts: dict[str, Any]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Give each metric with its present values."""
        counts = self._counts
        pdus = CounterMetricFamily("simulator_pdus", "PDUs that went over", labels=("direction", "command", "status"))
        for direction, commands in counts["pdus"].items():
            for command, statuses in commands.items():
                for status, count in statuses.items():
                    pdus.add_metric((direction, command, status), count)
        yield pdus
        yield _family("simulator_deliveries", "Receipts and inbound messages first sent", "kind", counts["deliveries"])
        yield _family("simulator_delivery_results", "What clients made of them", "result", counts["delivery_results"])
        yield GaugeMetricFamily("simulator_deliveries_open", "Not yet taken by a client", counts["deliveries_open"])
        yield GaugeMetricFamily(
            "simulator_deliveries_waiting", "Due, no bind to take them", counts["deliveries_waiting"]
        )
        binds = GaugeMetricFamily("simulator_binds", "Binds of an account", labels=("system_id",))
        for system_id, count in counts["binds"].items():
            binds.add_metric((system_id,), count)
        yield binds
        yield GaugeMetricFamily("simulator_journal_entries", "Entries in the journal", counts["journal"]["entries"])
        yield CounterMetricFamily("simulator_journal_dropped", "Entries it has dropped", counts["journal"]["dropped"])


def _family(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


def render_metrics(counts: dict[str, Any]) -> bytes:
    """Return counts, as `Smsc.counts` gives them, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counts(counts))
    return generate_latest(registry)
