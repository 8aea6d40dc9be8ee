"""How fast a carrier is sent to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.pace import CLIMB_SECONDS, Pace


def takes(pace: Pace, segments: int, *, now: float, is_otp: bool = False) -> bool:
    """Let a part leave if it may."""
    if pace.ready_in(now=now, takes_kept=is_otp):
        return False
    pace.spend(segments)
    return True


def sent_in(pace: Pace, start: float, end: float, *, step: float = 0.001) -> int:
    """How many segments may leave when there is always one that wants to."""
    count = 0
    for n in range(round((end - start) / step)):
        while takes(pace, 1, now=start + n * step):
            count += 1
    return count


def test_it_sends_at_the_configured_rate():
    pace = Pace(200, otp_share=0.0, now=0.0)
    assert sent_in(pace, 0.0, 5.0) == pytest.approx(1_000, abs=3)


def test_a_complaint_halves_the_rate_which_is_back_in_time():
    pace = Pace(200, otp_share=0.0, now=0.0)
    assert pace.throttled(sent_at=0.0, now=0.0)
    assert sent_in(pace, 0.0, 1.0) == pytest.approx(100, rel=0.1)
    assert not pace.throttled(sent_at=-0.5, now=1.0)
    sent_in(pace, 1.0, CLIMB_SECONDS)
    assert sent_in(pace, CLIMB_SECONDS, CLIMB_SECONDS + 1.0) == pytest.approx(200, abs=3)
    assert pace.rate(now=CLIMB_SECONDS) == 200


def test_it_settles_near_what_a_carrier_takes_that_takes_less_than_was_agreed():
    """The carrier counts a second at a time, and complains of all that is more than 50."""
    pace, taken, complaints = Pace(1_000, otp_share=0.0, now=0.0), [0] * 60, 0
    for tick in range(60_000):
        now = tick / 1_000
        while takes(pace, 1, now=now):
            if taken[tick // 1_000] < 50:
                taken[tick // 1_000] += 1
            else:
                complaints += 1
                pace.throttled(sent_at=now, now=now)
    assert min(taken[10:]) >= 25, taken
    assert sum(taken[10:]) >= 50 * 50 * 0.85
    assert complaints < 60_000 * 0.05, complaints


@given(
    st.integers(1, 5_000),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 8), st.booleans(), st.booleans()), min_size=1, max_size=200),
)
def test_no_second_sees_more_than_the_rate_the_depth_and_one_message(rate, otp_share, steps):
    pace, now, sent = Pace(rate, otp_share=otp_share, now=0.0), 0.0, []
    for wait, segments, complains, is_otp in steps:
        now += wait
        if takes(pace, segments, now=now, is_otp=is_otp):
            sent.append((now, segments))
        if complains:
            pace.throttled(sent_at=now, now=now)
    allowed = rate + max(2.0 + rate * 0.003, rate * 0.01) + 8
    for start, _ in sent:
        assert sum(segments for at, segments in sent if start <= at < start + 1.0) <= allowed


@pytest.mark.parametrize("rate", [1, 10, 200, 5_000])
def test_a_one_time_password_finds_a_token_whatever_the_others_have_taken(rate: int):
    pace = Pace(rate, otp_share=0.2, now=0.0)
    for n in range(1_000):
        now = n / 100
        while takes(pace, 1, now=now):
            pass
        if n % 100 == 99:  # a password a second
            assert takes(pace, 1, now=now, is_otp=True)


def test_while_there_are_no_passwords_the_others_get_the_whole_rate():
    pace = Pace(200, otp_share=0.5, now=0.0)
    assert sent_in(pace, 0.0, 5.0) == pytest.approx(1_000, abs=3)


def test_passwords_get_the_whole_rate_too():
    pace = Pace(200, otp_share=0.1, now=0.0)
    sent = 0
    for n in range(1_000):
        sent += takes(pace, 1, now=n / 1_000, is_otp=True)
    assert sent == pytest.approx(200, abs=4)
