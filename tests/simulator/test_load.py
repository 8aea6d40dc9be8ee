import pytest

from simulator.load import Backlog, Curve, Meter
from simulator.scenario import Point


def test_a_meter_counts_what_came_in_the_last_second() -> None:
    meter = Meter()

    assert [meter.count(now=10.05 + tenth / 10) for tenth in range(10)] == list(range(1, 11))
    assert meter.count(now=11.05) == 10  # the one of ten seconds is no longer among them
    assert meter.count(now=12.95) == 1


def test_a_meter_that_slept_for_long_begins_again() -> None:
    meter = Meter()
    meter.count(now=0.0)

    assert meter.count(now=1_000_000.0) == 1


@pytest.mark.parametrize(
    ("per_second", "latency_seconds", "refused"),
    [(0, 0.1, 0.0), (100, 0.1, 0.0), (150, 0.6, 0.25), (200, 1.1, 0.5), (9999, 1.1, 0.5)],
)
def test_between_two_points_a_curve_is_a_straight_line(
    per_second: float, latency_seconds: float, refused: float
) -> None:
    curve = Curve(
        [
            Point(segments_per_second=100, latency_seconds=0.1),
            Point(segments_per_second=200, latency_seconds=1.1, refused=0.5),
        ]
    )

    assert curve.at(per_second) == pytest.approx((latency_seconds, refused))


def test_what_waits_leaves_one_after_the_other_and_a_full_backlog_takes_no_more() -> None:
    backlog = Backlog(10, 3)

    assert [backlog.wait(now=1.0) for _ in range(4)] == [
        pytest.approx(0.1),
        pytest.approx(0.2),
        pytest.approx(0.3),
        None,
    ]
    assert backlog.wait(now=1.1) == pytest.approx(0.3)
    assert backlog.wait(now=9.0) == pytest.approx(0.1)
