"""The numbers that Prometheus reads: they parse, they add up, and they cost little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import FAST_BUCKETS, SLOW_BUCKETS, Counter, Histogram, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Everything that /metrics shows, by name and labels."""
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, tuple(sorted(labels.items()))]


def test_what_is_shown_parses_also_when_nothing_has_happened():
    assert samples(Metrics())


def test_every_name_is_declared_once_and_begins_with_gateway():
    metrics = Metrics()
    names = [metric.name for metric in metrics._all]
    assert len(names) == len(set(names))
    assert all(name.startswith("gateway_") for name in names)


def test_a_counter_adds_up_by_its_labels():
    metrics = Metrics()
    metrics.submits.add(("cmcc-a", "accepted"))
    metrics.submits.add(("cmcc-a", "accepted"), 4)
    metrics.submits.add(("cmcc-a", "throttle"))
    assert metrics.submits.value(("cmcc-a", "accepted")) == 5
    assert metrics.submits.value(("nobody", "accepted")) == 0
    assert value(metrics, "gateway_submits_total", carrier="cmcc-a", outcome="accepted") == 5
    assert value(metrics, "gateway_submits_total", carrier="cmcc-a", outcome="throttle") == 1


@given(st.lists(st.floats(0, 100_000), max_size=50))
def test_the_buckets_of_a_histogram_are_cumulative_and_its_sum_and_count_are_right(observed: list[float]):
    metrics = Metrics()
    for seconds in observed:
        metrics.commit_seconds.observe(seconds)
        metrics.receipt_seconds.observe(seconds, ("cmcc-a",))
    shown = samples(metrics)
    for name, buckets, labels in (
        ("gateway_commit_seconds", FAST_BUCKETS, ()),
        ("gateway_receipt_seconds", SLOW_BUCKETS, (("carrier", "cmcc-a"),)),
    ):
        if not observed:
            assert (f"{name}_count", labels) not in shown
            continue
        assert shown[f"{name}_count", labels] == len(observed)
        assert shown[f"{name}_sum", labels] == pytest.approx(sum(observed))
        for bound in (*buckets, float("inf")):
            spelt = "+Inf" if bound == float("inf") else repr(bound)
            within = sum(seconds <= bound for seconds in observed)
            assert shown[f"{name}_bucket", tuple(sorted((*labels, ("le", spelt))))] == within


def test_a_value_on_a_bound_is_within_it():
    histogram = Histogram("h", "help", buckets=(1.0, 2.0))
    for seconds in (1.0, 1.5, 2.0, 2.1):
        histogram.observe(seconds)
    [family] = [histogram.collect()]
    assert [sample.value for sample in family.samples if sample.name == "h_bucket"] == [1, 3, 4]


def test_a_gauge_is_asked_when_it_is_shown():
    metrics, depth = Metrics(), [1]
    metrics.add_gauge("gateway_depth", "Depth.", ("priority",), lambda: [(("high",), depth[0])])
    assert value(metrics, "gateway_depth", priority="high") == 1
    depth[0] = 7
    assert value(metrics, "gateway_depth", priority="high") == 7


@pytest.mark.parametrize("odd", ['quo"te', "back\\slash", "new\nline", "水", "", " "])
def test_odd_label_values_come_through(odd: str):
    metrics = Metrics()
    metrics.messages_accepted.add((odd, "otp"))
    assert value(metrics, "gateway_messages_accepted_total", account=odd, category="otp") == 1


def test_an_answered_request_is_counted_and_an_accepting_one_measured():
    metrics = Metrics()
    metrics.observe_request("/v1/messages", 202, 0.003)
    metrics.observe_request("/v1/messages", 422, 0.001)
    metrics.observe_request("/healthz", 200, 0.001)
    shown = samples(metrics)
    counted = {labels: count for (name, labels), count in shown.items() if name == "gateway_http_requests_total"}
    assert sum(counted.values()) == 3


def test_the_process_shows_itself():
    names = {name for name, _ in samples(Metrics())}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= names


def test_two_gateways_in_one_process_count_for_themselves():
    first, second = Metrics(), Metrics()
    first.submits.add(("a", "accepted"))
    assert second.submits.value(("a", "accepted")) == 0
    assert ("gateway_submits_total", (("carrier", "a"), ("outcome", "accepted"))) not in samples(second)


def test_counts_are_whole_however_large():
    counter = Counter("c", "help", ())
    counter.add((), 10**15)
    counter.add(())
    assert counter.value(()) == 10**15 + 1
