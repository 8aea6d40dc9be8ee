import pytest

from loadtest.recording import Recorder


def recorder(*seconds: float) -> Recorder:
    made = Recorder()
    for each in seconds:
        made.record(each)
    return made


def test_percentiles_are_those_of_all_values_to_three_digits():
    found = recorder(*(n / 1000 for n in range(1, 1001))).latencies()
    assert found.count == 1000
    assert [found.p50, found.p99, found.longest] == pytest.approx([0.5, 0.99, 1.0], rel=0.001)
    assert found.mean == pytest.approx(0.5005, rel=0.001)


def test_what_is_settled_counts_once_and_an_interval_has_its_own_percentiles():
    made = recorder(0.010, 0.020)
    assert made.settle() == (0.010, 0.020)
    made.record(1.0)
    assert made.settle() == (1.0, 1.0)
    assert made.settle() == (0.0, 0.0)
    assert made.latencies().count == 3


@pytest.mark.parametrize(("seconds", "counted"), [(-1.0, 1e-6), (0.0, 1e-6), (1e9, 3600.0)])
def test_what_is_out_of_range_counts_as_its_end(seconds: float, counted: float):
    assert recorder(seconds).latencies().longest == pytest.approx(counted, rel=0.001)


def test_the_curve_rises_and_ends_with_the_longest():
    found = recorder(*(n / 1000 for n in (5, 1, 9, 3, 7, 2))).latencies()
    values = [value for _, value in found.curve]
    assert values == sorted(values)
    assert found.curve[-1] == (100, found.longest)


def test_nothing_recorded_is_all_zeros():
    found = recorder().latencies()
    assert (found.count, found.mean, found.p99, found.longest) == (0, 0.0, 0.0, 0.0)
