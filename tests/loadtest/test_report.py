import pytest

from loadtest.audit import Findings
from loadtest.processes import Usage
from loadtest.report import FIGURES, Measurement, figures_of, findings_line, lines_of, percentile, spent

NOTHING = Findings(**dict.fromkeys(Findings.__struct_fields__, 0))
USED = Usage(cpu_seconds=1.0, resident_bytes=80 * 2**20, peak_resident_bytes=100 * 2**20)
MEASURED = Measurement(
    messages=20_000,
    parts=21_000,
    accepted=20_000,
    refused=0,
    retried=0,
    accept_seconds=1.0,
    total_seconds=1.6,
    latencies=[0.010, 0.020, 0.030, 0.040],
    gateway=USED,
    simulator=USED,
    load=USED,
)


def test_the_rate_is_of_accepted_messages_from_the_first_request_to_the_last_final_one():
    assert figures_of(MEASURED, NOTHING)["rate"] == 12_500


def test_every_figure_that_can_be_required_is_measured():
    assert set(figures_of(MEASURED, NOTHING)) == set(FIGURES)


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.25, 1.0), (0.26, 2.0), (0.50, 2.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0)]
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, value: float):
    assert percentile([1.0, 2.0, 3.0, 4.0], share) == value
    assert percentile([], share) == 0.0


def test_the_report_gives_rate_latency_and_what_each_process_used():
    text = "\n".join(lines_of(MEASURED, figures_of(MEASURED, NOTHING)))
    assert "12,500 messages a second end to end: 20,000 messages (21,000 parts) in 1.60 s" in text
    assert "p50 20.0 ms, p99 40.0 ms" in text
    assert "gateway    1.00 CPU seconds, 50 microseconds a message; memory 80 MiB, at most 100" in text


def test_the_audit_names_what_is_wrong_and_only_that():
    wrong = Findings(**dict.fromkeys(Findings.__struct_fields__, 0) | {"lost": 2, "repeated_parts": 1_000})
    assert findings_line(wrong, refused=3) == "audit      3 refused, 2 lost, 1,000 repeated parts"
    assert "exactly once" in findings_line(NOTHING, refused=0)


def test_what_was_spent_is_the_difference_and_memory_as_at_the_end():
    before = Usage(cpu_seconds=0.4, resident_bytes=1, peak_resident_bytes=2)
    assert spent(before, USED) == Usage(
        cpu_seconds=pytest.approx(0.6), resident_bytes=80 * 2**20, peak_resident_bytes=100 * 2**20
    )
