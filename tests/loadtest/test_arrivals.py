import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.arrivals import Stretch, make_arrivals, parse_shape
from loadtest.errors import CannotRun


def moments(text: str, *, seconds: float = 10.0, seed: int = 1, together: int = 1) -> list[float]:
    return list(make_arrivals(parse_shape(text, seconds=seconds), seed=seed, together=together))


def between(times: list[float], start: float, end: float) -> int:
    return sum(start <= time < end for time in times)


def test_a_constant_rate_has_arrivals_at_even_distances_from_the_start_on():
    assert moments("constant:4", seconds=1.0) == pytest.approx([0.0, 0.25, 0.5, 0.75])


def test_messages_that_arrive_together_keep_the_rate():
    assert moments("constant:400", seconds=1.0, together=100) == pytest.approx([0.0, 0.25, 0.5, 0.75])


def test_poisson_gaps_are_as_long_on_average_and_vary_as_much_as_they_are_long():
    times = moments("poisson:1000")
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(times) == pytest.approx(10_000, rel=0.05)
    assert statistics.pstdev(gaps) == pytest.approx(statistics.fmean(gaps), rel=0.05)


def test_random_arrivals_are_the_same_for_a_seed_and_others_for_another():
    assert moments("poisson:100", seed=3) == moments("poisson:100", seed=3)
    assert moments("poisson:100", seed=3) != moments("poisson:100", seed=4)


def test_a_ramp_has_in_each_half_what_its_mean_rate_there_makes():
    times = moments("ramp:100,300")
    assert between(times, 0, 5) == pytest.approx(750, abs=1)
    assert between(times, 5, 10) == pytest.approx(1_250, abs=1)


def test_a_ramp_may_go_down():
    times = moments("ramp:300,100")
    assert between(times, 0, 5) == pytest.approx(1_250, abs=1)


def test_steps_share_the_time():
    times = moments("steps:10,20,40", seconds=30.0)
    assert [between(times, start, start + 10) for start in (0, 10, 20)] == [100, 200, 400]


def test_a_spike_begins_when_it_is_told_to_and_ends():
    times = moments("spike:10,1000,4,1")
    assert [between(times, 0, 4), between(times, 4, 5), between(times, 5, 10)] == [40, 1000, 50]


@given(
    st.floats(0.5, 50), st.floats(0.5, 500), st.floats(0.5, 500), st.integers(1, 20), st.booleans(), st.integers(0, 99)
)
def test_arrivals_come_in_order_and_within_the_time(
    seconds: float, low: float, high: float, together: int, poisson: bool, seed: int
):
    text = f"poisson:{low}" if poisson else f"ramp:{low},{high}"
    times = moments(text, seconds=seconds, seed=seed, together=together)
    assert times == sorted(times)
    assert all(0 <= time <= seconds * (1 + 1e-9) for time in times)


def test_a_stretch_is_over_when_all_of_its_arrivals_are_there():
    for stretch in (Stretch(8.0, 10.0, 30.0), Stretch(8.0, 30.0, 10.0), Stretch(8.0, 7.0, 7.0)):
        assert stretch.moment(stretch.arrivals) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sawtooth:5", "must be one of constant:RATE"),
        ("constant", "must be one of"),
        ("constant:fast", "must be like constant:RATE"),
        ("ramp:1", "must be like ramp:FROM,TO"),
        ("constant:0", "rates must be more than 0"),
        ("constant:nan", "rates must be more than 0"),
        ("steps:5,2000000", "at most 1e\\+06"),
        ("spike:1,2,9,2", "within its 10 seconds"),
    ],
)
def test_a_plan_that_cannot_be_is_named_with_the_rule(text: str, complaint: str):
    with pytest.raises(CannotRun, match=complaint):
        parse_shape(text, seconds=10.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 86_401.0, float("nan")])
def test_the_time_has_a_limit(seconds: float):
    with pytest.raises(CannotRun, match="--seconds"):
        parse_shape("constant:1", seconds=seconds)
