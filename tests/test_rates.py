import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rates import Backoff, TokenBucket, YieldingRate, delay_seconds


def test_a_full_bucket_gives_its_depth_at_once_and_then_its_rate():
    bucket = TokenBucket(10, depth=3, now=0.0)

    assert [bucket.take(1, now=0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.ready_in(now=0.0) == pytest.approx(0.1)
    assert not bucket.take(1, now=0.09)
    assert bucket.take(1, now=0.11)


def test_a_long_message_overdraws_and_is_waited_out():
    bucket = TokenBucket(10, depth=1, now=0.0)

    assert bucket.take(5, now=0.0)
    assert not bucket.take(1, now=0.49)
    assert bucket.take(1, now=0.51)


def test_a_clock_that_goes_back_gives_nothing_and_breaks_nothing():
    bucket = TokenBucket(10, depth=1, now=5.0)
    assert bucket.take(1, now=5.0)
    assert not bucket.take(1, now=4.0)
    assert bucket.take(1, now=5.2)


@given(
    st.floats(0.5, 1000),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 8)), max_size=60),
)
def test_never_more_than_rate_times_time_plus_depth_and_one_message(rate, depth, steps):
    bucket = TokenBucket(rate, depth=depth, now=0.0)
    now, taken, largest = 0.0, 0, 0
    for wait, count in steps:
        now += wait
        if bucket.take(count, now=now):
            taken += count
            largest = max(largest, count)
        assert taken <= rate * now + depth + largest + 1e-6


@pytest.mark.parametrize(("rate", "depth"), [(0, 1), (1, 0), (-1, 1)])
def test_a_bucket_that_could_never_give_is_refused(rate, depth):
    with pytest.raises(ValueError, match="above 0"):
        TokenBucket(rate, depth=depth, now=0.0)


def test_backoff_doubles_to_its_longest_with_up_to_half_taken_off():
    steady = Backoff(first_seconds=1, longest_seconds=5, random=lambda: 0.0)
    assert [steady.next() for _ in range(5)] == [1, 2, 4, 5, 5]
    steady.reset()
    assert steady.next() == 1

    lucky = Backoff(first_seconds=1, longest_seconds=5, random=lambda: 1.0)
    assert lucky.next() == 0.5


def test_the_delay_stays_finite_after_very_many_failures():
    assert delay_seconds(10_000, first_seconds=0.5, longest_seconds=60) == 60


def test_a_bucket_that_is_slowed_keeps_what_it_has_up_to_its_new_depth():
    bucket = TokenBucket(100, depth=10, now=0.0)
    bucket.change_rate(10, depth=2, now=0.0)
    assert [bucket.take(1, now=0.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(1, now=0.09)
    assert bucket.take(1, now=0.11)


def test_a_bucket_counts_the_time_before_a_change_at_the_old_rate():
    bucket = TokenBucket(1, depth=10, now=0.0)
    assert bucket.take(10, now=0.0)
    bucket.change_rate(1000, depth=10, now=5.0)
    assert [bucket.take(1, now=5.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_rate_is_halved_at_a_complaint_and_climbs_back_in_a_straight_line():
    rate = YieldingRate(100, floor=1, climb_seconds=10, settle_seconds=1)
    assert rate.rate(now=0.0) == 100
    assert rate.cut(sent_at=4.9, now=5.0)
    assert [rate.rate(now=now) for now in (5.0, 6.0, 7.5, 10.0, 99.0)] == [50, 60, 75, 100, 100]


def test_complaints_about_what_left_before_or_just_after_the_last_cut_are_the_same_complaint():
    rate = YieldingRate(100, floor=1, climb_seconds=10, settle_seconds=1)
    assert rate.cut(sent_at=0.0, now=1.0)
    assert not any(rate.cut(sent_at=0.5 + n / 100, now=1.0 + n / 100) for n in range(150))
    assert rate.rate(now=2.0) == 60
    assert rate.cut(sent_at=2.0, now=2.0)
    assert rate.rate(now=2.0) == 30


def test_a_rate_yields_down_to_its_floor_and_no_further():
    rate = YieldingRate(100, floor=3, climb_seconds=1e9, settle_seconds=0)
    for n in range(20):
        rate.cut(sent_at=float(n), now=float(n))
    assert rate.rate(now=20.0) == pytest.approx(3)
    assert YieldingRate(2, floor=3, climb_seconds=1, settle_seconds=0).rate(now=0.0) == 2


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), max_size=30))
def test_a_rate_is_never_above_its_ceiling_nor_below_its_floor(steps):
    rate, now = YieldingRate(50, floor=2, climb_seconds=7, settle_seconds=0.5), 0.0
    for wait, age in steps:
        now += wait
        rate.cut(sent_at=now - age, now=now)
        assert 2 <= rate.rate(now=now) <= 50
