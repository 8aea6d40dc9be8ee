"""The counts as Prometheus reads them, made when asked for: the path of a message knows nothing of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from simulator.live import RECENT_SECONDS, Waits

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


class _Counts(Collector):
    def __init__(self, counts: Mapping[str, dict[str, Any]], waits: Mapping[str, Mapping[str, Waits]]) -> None:
        self._counts = counts
        self._waits = waits

    def collect(self) -> Iterator[Metric]:
        """Give each metric with its present values."""
        pdus = CounterMetricFamily(
            "simulator_pdus", "PDUs that went over", labels=("smsc", "direction", "command", "status")
        )
        sent = _counter("simulator_deliveries", "Receipts and inbound messages first sent", "kind")
        results = _counter("simulator_delivery_results", "What clients made of them", "result")
        processed = _counter("simulator_processed", "Submits that became messages, answered or not")
        faults = _counter("simulator_faults", "Faults that submits have suffered", "fault")
        dropped = _counter("simulator_journal_dropped", "Entries that the journal has dropped")
        restarts = _counter("simulator_restarts", "How often it went down and came back")
        opened = _gauge("simulator_deliveries_open", "Not yet taken by a client")
        waiting = _gauge("simulator_deliveries_waiting", "Due, no bind to take them")
        entries = _gauge("simulator_journal_entries", "Entries in the journal")
        binds = _gauge("simulator_binds", "Binds of an account", "system_id")
        phase = _gauge("simulator_phase", "The phase of the timeline, from 1; 0 outside of any")
        listening = _gauge("simulator_listening", "Whether it lets clients in")
        connections = _gauge("simulator_connections", "Connections, bound or not")
        for smsc, counts in self._counts.items():
            for direction, commands in counts["pdus"].items():
                for command, statuses in commands.items():
                    for status, count in statuses.items():
                        pdus.add_metric((smsc, direction, command, status), count)
            _add_each(sent, smsc, counts["deliveries"])
            _add_each(results, smsc, counts["delivery_results"])
            _add_each(binds, smsc, counts["binds"])
            _add_each(faults, smsc, counts["faults"])
            listening.add_metric((smsc,), counts["listening"])
            connections.add_metric((smsc,), counts["connections"])
            processed.add_metric((smsc,), counts["processed"])
            dropped.add_metric((smsc,), counts["journal"]["dropped"])
            restarts.add_metric((smsc,), counts["restarts"])
            opened.add_metric((smsc,), counts["deliveries_open"])
            waiting.add_metric((smsc,), counts["deliveries_waiting"])
            entries.add_metric((smsc,), counts["journal"]["entries"])
            phase.add_metric((smsc,), counts["phase"])
        yield from (pdus, sent, results, processed, faults, dropped, restarts)
        yield from (opened, waiting, entries, binds, phase, listening, connections, self._recent())

    def _recent(self) -> GaugeMetricFamily:
        """How long answers took in the last seconds: what is cheap to say of every one of them."""
        seconds = _gauge(
            "simulator_recent_answer_seconds",
            f"How long answers of the last {RECENT_SECONDS:g} seconds took",
            "command",
            "quantile",
        )
        for smsc, waits in self._waits.items():
            for command, some in waits.items():
                if some.count:
                    for quantile, value in (("0.5", some.p50), ("0.9", some.p90), ("0.99", some.p99)):
                        seconds.add_metric((smsc, command, quantile), value)
        return seconds


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=("smsc", *labels))


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=("smsc", *labels))


def _add_each(family: CounterMetricFamily | GaugeMetricFamily, smsc: str, counts: Mapping[str, int]) -> None:
    for value, count in counts.items():
        family.add_metric((smsc, value), count)


def render_metrics(counts: Mapping[str, dict[str, Any]], waits: Mapping[str, Mapping[str, Waits]]) -> bytes:
    """Return the counts of each SMSC, as `Station.counts` gives them, and its waits, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counts(counts, waits))
    return generate_latest(registry)
