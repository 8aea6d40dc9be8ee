import pytest

from simulator.distributions import LogNormal, Uniform, drawing


def test_a_number_is_the_delay_itself() -> None:
    assert drawing(0.3)(0.99) == 0.3


def test_a_uniform_delay_runs_from_low_to_high() -> None:
    assert [drawing(Uniform(1.0, 3.0))(chance) for chance in (0.0, 0.5)] == [1.0, 2.0]


def test_half_of_log_normal_delays_are_below_the_median() -> None:
    delay = LogNormal(median=0.2, sigma=0.5, longest=1.0)

    assert drawing(delay)(0.5) == pytest.approx(0.2)
    assert drawing(delay)(0.1) < 0.2 < drawing(delay)(0.9)


def test_a_log_normal_delay_has_an_end_at_both_sides() -> None:
    delay = LogNormal(median=0.2, sigma=5.0, longest=1.0)

    assert drawing(delay)(0.0) == 0.0
    assert drawing(delay)(1 - 2**-32) == 1.0
