from simulator.throttle import Throttle


def test_no_limit_admits_everything() -> None:
    throttle = Throttle(0.0, 1.0)

    assert all(throttle.admits(now=0.0) for _ in range(1000))


def test_a_burst_passes_and_then_only_the_rate() -> None:
    throttle = Throttle(10.0, 0.5)

    assert [throttle.admits(now=0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [throttle.admits(now=0.2) for _ in range(3)] == [True, True, False]


def test_a_pause_saves_up_no_more_than_the_burst() -> None:
    throttle = Throttle(10.0, 0.5)
    throttle.admits(now=0.0)

    assert [throttle.admits(now=100.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_slow_rate_still_admits_one_at_a_time() -> None:
    throttle = Throttle(0.5, 1.0)

    assert [throttle.admits(now=now) for now in (0.0, 1.0, 2.0)] == [True, False, True]
