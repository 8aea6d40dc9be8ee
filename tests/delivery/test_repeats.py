"""Which requests of a carrier are the same once more, by the time alone."""

import pytest

from gateway.delivery.repeats import MOST_ALIKE, MOST_REMEMBERED, PROMPT_SECONDS, Repeats

ONE, OTHER = "one connection", "another"


def a_memory(limit: int = MOST_REMEMBERED) -> Repeats[str]:
    return Repeats(settle_seconds=40.0, repeat_seconds=600.0, limit=limit)


def test_what_was_answered_in_time_on_a_living_connection_is_not_expected_again():
    repeats = a_memory()
    repeats.answered(repeats.came(7, ONE, "commit", now=0.0), now=0.01)
    assert repeats.find(7, now=0.02) is None
    assert repeats.find(7, now=30.0) is None


def test_while_the_first_waits_for_its_answer_another_is_another_until_the_carrier_may_have_given_up():
    repeats = a_memory()
    first = repeats.came(7, ONE, "commit", now=0.0)
    assert repeats.find(7, now=PROMPT_SECONDS - 0.01) is None
    assert repeats.find(7, now=PROMPT_SECONDS) is first
    assert first.commit == "commit"


def test_what_was_answered_late_may_come_again():
    repeats = a_memory()
    first = repeats.came(7, ONE, "commit", now=0.0)
    repeats.answered(first, now=PROMPT_SECONDS)
    assert repeats.find(7, now=3.0) is first
    assert repeats.find(8, now=3.0) is None


@pytest.mark.parametrize(("ended_at", "may_come_again"), [(0.5, True), (40.0, True), (40.02, False)])
def test_what_was_answered_shortly_before_its_connection_ended_may_come_again(ended_at: float, may_come_again: bool):
    repeats = a_memory()
    repeats.answered(repeats.came(7, ONE, "commit", now=0.0), now=0.01)
    repeats.ended(OTHER, now=0.1)
    assert repeats.find(7, now=0.2) is None
    repeats.ended(ONE, now=ended_at)
    assert (repeats.find(7, now=ended_at + 1) is not None) is may_come_again
    assert repeats.find(7, now=ended_at + 600) is None


def test_what_has_come_again_is_not_expected_a_third_time_unless_that_connection_ends_too():
    repeats = a_memory()
    first = repeats.came(7, ONE, "commit", now=0.0)
    repeats.ended(ONE, now=0.5)
    repeats.answered(first, now=0.6)
    assert repeats.find(7, now=1.0) is first
    repeats.came_again(first, OTHER, now=1.0)
    assert repeats.find(7, now=1.1) is None
    repeats.ended(OTHER, now=2.0)
    assert repeats.find(7, now=3.0) is first


@pytest.mark.parametrize("answered", [True, False])
def test_of_two_that_look_the_same_both_may_come_again_and_each_once(answered: bool):
    repeats = a_memory()
    both = [repeats.came(7, ONE, "commit", now=0.0), repeats.came(7, ONE, "commit", now=0.01)]
    if answered:
        for arrival in both:
            repeats.answered(arrival, now=0.02)
    repeats.ended(ONE, now=0.5)
    for _ in both:
        again = repeats.find(7, now=1.0)
        assert again is not None
        repeats.came_again(again, OTHER, now=1.0)
    assert repeats.find(7, now=1.1) is None


def test_of_two_that_look_the_same_one_that_was_refused_leaves_the_other():
    repeats = a_memory()
    first, second = repeats.came(7, ONE, "commit", now=0.0), repeats.came(7, ONE, "commit", now=0.01)
    repeats.ended(ONE, now=0.5)
    repeats.refused(7, second)
    assert repeats.find(7, now=1.0) is first
    repeats.refused(7, first)
    assert repeats.find(7, now=1.0) is None
    assert len(repeats) == 0


def test_a_start_expects_two_that_look_the_same_twice():
    repeats = a_memory()
    for _ in range(2):
        repeats.expect(7, now=0.0)
    for _ in range(2):
        again = repeats.find(7, now=1.0)
        assert again is not None
        repeats.came_again(again, ONE, now=1.0)
    assert repeats.find(7, now=1.1) is None


def test_of_those_that_look_the_same_only_so_many_are_remembered():
    repeats = a_memory()
    for n in range(100):
        repeats.answered(repeats.came(7, ONE, "commit", now=n / 1000), now=n / 1000)
    repeats.ended(ONE, now=1.0)
    count = 0
    while (again := repeats.find(7, now=2.0)) is not None:
        repeats.came_again(again, OTHER, now=2.0)
        count += 1
    assert count == MOST_ALIKE


def test_what_was_refused_comes_as_if_for_the_first_time():
    repeats = a_memory()
    first = repeats.came(7, ONE, "commit", now=0.0)
    repeats.ended(ONE, now=0.5)
    repeats.refused(7, first)
    assert repeats.find(7, now=1.0) is None


def test_what_a_start_expects_comes_once():
    repeats = a_memory()
    repeats.expect(7, now=0.0)
    first = repeats.find(7, now=599.0)
    assert first is not None
    repeats.came_again(first, ONE, now=599.0)
    assert repeats.find(7, now=599.1) is None


def test_no_more_are_remembered_than_the_limit_and_the_oldest_go_first():
    repeats = a_memory(limit=3)
    for fingerprint in range(5):
        repeats.expect(fingerprint, now=0.0)
    assert [repeats.find(fingerprint, now=1.0) is not None for fingerprint in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_what_will_not_come_again_is_forgotten_as_others_come():
    repeats = a_memory()
    for n in range(1_000):
        repeats.answered(repeats.came(n, ONE, "commit", now=float(n)), now=n + 0.01)
    assert len(repeats) <= 42
