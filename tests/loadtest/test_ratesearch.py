import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.ratesearch import RateSearch, growth, try_out
from loadtest.results import Sample
from tests.loadtest.reports import make_account, make_report


def search(
    limit: float, *, low: float = 500, high: float = 50_000, precision: float = 0.05
) -> tuple[RateSearch, list[float]]:
    """Search where everything up to `limit` is kept up. Returns it with the rates that it tried."""
    made, tried = RateSearch(low=low, high=high, precision=precision), []
    while made.rate is not None:
        tried.append(made.rate)
        made.tell(made.rate <= limit)
    return made, tried


@given(st.floats(500, 40_000), st.floats(0.01, 0.5))
def test_it_ends_within_its_precision_below_the_limit(limit: float, precision: float):
    made, tried = search(limit, precision=precision)
    assert made.best is not None
    assert made.best <= limit <= made.best * (1 + precision) * (1 + 1e-9)
    assert len(tried) < 20


def test_it_doubles_until_a_rate_is_not_kept_up():
    assert search(3_000)[1][:4] == [500, 1000, 2000, 4000]


def test_it_tries_no_more_than_the_highest_and_ends_there():
    made, tried = search(1e9, high=3_000)
    assert (made.best, tried[-1]) == (3_000, 3_000)


def test_where_not_even_the_lowest_is_kept_up_there_is_no_best():
    made, tried = search(100)
    assert (made.best, tried) == (None, [500])


def waiting(*counts: int) -> list[Sample]:
    [sample, *_] = make_report().samples
    return [msgspec.structs.replace(sample, at=float(n), planned=count, ended=0) for n, count in enumerate(counts)]


def test_growth_is_of_what_waits_a_second_in_the_second_half():
    assert growth(waiting(0, 900, 900, 900, 10, 110, 210, 310, 410), 8.0) == pytest.approx(100)
    assert growth(waiting(0, 50, 100, 150, 200, 200, 200, 200, 200), 8.0) == pytest.approx(0)
    assert growth(waiting(5, 9), 8.0) == 0


def test_a_rate_is_kept_up_where_all_is_accounted_for_within_bounds_and_nothing_grows():
    trial = try_out(make_report(), 50, accept_bound=0.1, final_bound=0.1)
    assert (trial.why, trial.rate) == ("", 50)


def test_each_reason_against_a_rate_is_named():
    growing = waiting(*range(0, 900, 100))
    report = make_report(make_account(lost=1), samples=growing, sending_seconds=8.0)
    why = try_out(report, 50, accept_bound=0.01, final_bound=0.02).why
    for reason in (
        "not kept: lost=0",
        "accept p99 50 ms is above 10 ms",
        "final p99 50 ms is above 20 ms",
        "grows by 100",
    ):
        assert reason in why


def test_some_requests_more_at_the_end_are_no_queue():
    samples = waiting(0, 0, 0, 0, 0, 100, 200, 300, 400)
    for batch, grows in ((100, False), (50, True)):
        report = make_report(plan={"batch": batch}, samples=samples, sending_seconds=8.0)
        assert ("grows" in try_out(report, 1000, accept_bound=1, final_bound=1).why) is grows


def test_a_run_in_which_nothing_was_accepted_was_not_kept_up():
    assert try_out(make_report(figures={}), 50, accept_bound=1, final_bound=1).why
