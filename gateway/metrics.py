"""Every counter, gauge and histogram of the gateway, declared in one place.

The hot path only adds to plain dicts and lists (a tenth of a microsecond each); Prometheus text is made of them when it
is asked for. Labels are bounded by the configuration: accounts, carriers, binds and closed sets; never a number.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

Labels = tuple[str, ...]
Sample = tuple[Labels, float]

# Seconds. Wide enough for a commit (a millisecond) and a receipt (hours).
FAST_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0)


class Counter:
    """Counts by labels."""

    def __init__(self, name: str, help_text: str, labels: Labels) -> None:
        self.name = name
        self._help = help_text
        self._labels = labels
        self._counts: dict[Labels, int] = {}

    def add(self, labels: Labels, count: int = 1) -> None:
        counts = self._counts
        counts[labels] = counts.get(labels, 0) + count

    def value(self, labels: Labels) -> int:
        return self._counts.get(labels, 0)

    def by(self, label: str) -> dict[str, int]:
        """The sums by one of the labels, over all others."""
        place = self._labels.index(label)
        sums: dict[str, int] = {}
        for labels, count in self._counts.items():
            sums[labels[place]] = sums.get(labels[place], 0) + count
        return sums

    def collect(self) -> Metric:
        family = CounterMetricFamily(self.name, self._help, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        return family


class Series:
    """The durations with one set of labels: how many in each bucket, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class Histogram:
    """Durations in seconds, by labels."""

    def __init__(self, name: str, help_text: str, labels: Labels = (), buckets: Sequence[float] = FAST_BUCKETS) -> None:
        self.name = name
        self._help = help_text
        self._labels = labels
        self._bounds = tuple(buckets)
        self._series: dict[Labels, Series] = {}

    def series(self, labels: Labels = ()) -> Series:
        """Those with these labels: to be kept, where many are observed."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Series(self._bounds)
        return series

    def observe(self, seconds: float, labels: Labels = ()) -> None:
        self.series(labels).observe(seconds)

    def collect(self) -> Metric:
        family = HistogramMetricFamily(self.name, self._help, labels=self._labels)
        for labels, series in list(self._series.items()):
            running = 0
            buckets = []
            for bound, count in zip((*self._bounds, float("inf")), series.counts, strict=True):
                running += count
                buckets.append(("+Inf" if bound == float("inf") else repr(bound), running))
            family.add_metric(labels, buckets, series.total)
        return family


class Gauge:
    """A value that is asked for when it is shown, not kept up to date."""

    def __init__(self, name: str, help_text: str, labels: Labels, source: Callable[[], Iterable[Sample]]) -> None:
        self.name = name
        self._help = help_text
        self._labels = labels
        self._source = source

    def collect(self) -> Metric:
        family = GaugeMetricFamily(self.name, self._help, labels=self._labels)
        for labels, value in self._source():
            family.add_metric(labels, value)
        return family


class CountedElsewhere(Gauge):
    """A count that its owner keeps, and that is asked for when it is shown."""

    def collect(self) -> Metric:
        family = CounterMetricFamily(self.name, self._help, labels=self._labels)
        for labels, value in self._source():
            family.add_metric(labels, value)
        return family


class Metrics(Collector):
    """All of them. Gauges are added by the app, which knows where their values live."""

    def __init__(self) -> None:
        self._all: list[Counter | Histogram | Gauge] = []
        self.messages_accepted = self._counter(
            "gateway_messages_accepted", "Messages accepted: on disk.", "account", "category"
        )
        self.messages_refused = self._counter(
            "gateway_messages_refused", "Messages refused at acceptance.", "account", "category", "reason"
        )
        self.messages_tagged = self._counter(
            "gateway_messages_tagged", "Messages in which something was noticed.", "account", "tag"
        )
        self.caps_full = self._counter("gateway_caps_full", "Messages refused by a frequency cap, by its rule.", "rule")
        self.submits = self._counter("gateway_submits", "Parts handed to carriers, by outcome.", "carrier", "outcome")
        self.messages_finished = self._counter(
            "gateway_messages_finished",
            "Messages that reached a final state.",
            "carrier",
            "network",
            "category",
            "status",
        )
        self.messages_moved = self._counter(
            "gateway_messages_moved", "Messages that left a carrier's queue for another's.", "carrier", "reason"
        )
        self.receipts = self._counter("gateway_receipts", "Delivery receipts.", "carrier", "status", "matched")
        self.receipt_errors = self._counter(
            "gateway_receipt_errors", "Receipts of what was not delivered, by the table's codes.", "carrier", "code"
        )
        self.callbacks = self._counter(
            "gateway_callbacks", "Events called back, by what became of each try.", "account", "outcome"
        )
        self.opt_outs = self._counter("gateway_opt_outs", "Subscribers who opted out, and were not yet.", "account")
        self.inbound = self._counter("gateway_inbound", "Messages from subscribers: on disk.", "account")
        self.http_requests = self._counter("gateway_http_requests", "HTTP requests.", "route", "status")
        self.accept_seconds = self._histogram(
            "gateway_accept_seconds", "From a whole submit request to its answer, its messages on disk."
        )
        self.queue_seconds = self._histogram(
            "gateway_queue_seconds", "From acceptance to the first part handed over.", "priority", buckets=SLOW_BUCKETS
        )
        self.submit_response_seconds = self._histogram(
            "gateway_submit_response_seconds", "From submit_sm to its response.", "carrier"
        )
        self.receipt_seconds = self._histogram(
            "gateway_receipt_seconds", "From submit_sm to its final receipt.", "carrier", buckets=SLOW_BUCKETS
        )
        self.delivery_seconds = self._histogram(
            "gateway_delivery_seconds", "From acceptance to delivered.", "category", buckets=SLOW_BUCKETS
        )
        self.commit_seconds = self._histogram("gateway_commit_seconds", "From the cut of a batch to its fsync.")
        self.event_loop_lag_seconds = self._histogram(
            "gateway_event_loop_lag_seconds", "How late a timer of the event loop fires."
        )
        self.registry = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.registry.register(self)

    def add_gauge(self, name: str, help_text: str, labels: Labels, source: Callable[[], Iterable[Sample]]) -> None:
        """Show a value that lives elsewhere."""
        self._all.append(Gauge(name, help_text, labels, source))

    def add_counter(self, name: str, help_text: str, labels: Labels, source: Callable[[], Iterable[Sample]]) -> None:
        """Show a count that is kept elsewhere."""
        self._all.append(CountedElsewhere(name, help_text, labels, source))

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """One HTTP request was answered."""
        self.http_requests.add((route, str(status)))
        if route == "POST /v1/messages" and status in {200, 202}:
            self.accept_seconds.observe(seconds)

    def render(self) -> tuple[bytes, str]:
        """The Prometheus text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def collect(self) -> Iterator[Metric]:
        for metric in self._all:
            yield metric.collect()

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        counter = Counter(name, help_text, labels)
        self._all.append(counter)
        return counter

    def _histogram(self, name: str, help_text: str, *labels: str, buckets: Sequence[float] = FAST_BUCKETS) -> Histogram:
        histogram = Histogram(name, help_text, labels, buckets)
        self._all.append(histogram)
        return histogram
