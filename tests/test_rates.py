import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rates import Backoff, TokenBucket, delay_seconds


def test_a_full_bucket_gives_its_depth_at_once_and_then_its_rate():
    bucket = TokenBucket(10, depth=3, now=0.0)

    assert [bucket.take(1, now=0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.ready_in() == pytest.approx(0.1)
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
