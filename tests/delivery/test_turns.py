"""Whose turn it is."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.turns import Turns


def take(turns: Turns, *waits: bool) -> int | None:
    turn = turns.next(waits)
    if turn is not None:
        turns.taken(turn)
    return turn


def test_the_first_that_waits_goes_first_and_after_its_run_one_of_those_behind():
    turns = Turns(3)
    assert [take(turns, True, True) for _ in range(8)] == [0, 0, 0, 1, 0, 0, 0, 1]


def test_while_nothing_waits_behind_it_a_run_has_no_end():
    turns = Turns(2, 2)
    assert [take(turns, True, False, False) for _ in range(5)] == [0] * 5
    assert [take(turns, False, False, True) for _ in range(5)] == [2] * 5
    assert take(turns, False, False, False) is None


def test_a_run_begins_anew_when_it_was_interrupted():
    turns = Turns(2)
    for _ in range(20):  # never two in a row: those behind have no turn on its account
        assert take(turns, True, False) == 0
        assert take(turns, False, True) == 1
    assert [take(turns, True, True) for _ in range(3)] == [0, 0, 1]


def test_to_ask_changes_nothing():
    turns = Turns(1)
    assert [turns.next((True, True)) for _ in range(5)] == [0] * 5


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.booleans()), max_size=200))
def test_what_waits_all_the_time_has_its_turn_in_bounded_time(first_run, second_run, others):
    """The last of three waits always, the others now and then: it goes once in so many turns."""
    turns, since = Turns(first_run, second_run), 0
    for first, second in others:
        since = 0 if take(turns, first, second, True) == 2 else since + 1
        assert since <= (first_run + 1) * (second_run + 1)


def test_three_that_wait_always_share_as_the_runs_say():
    turns = Turns(20, 4)
    counts = Counter(take(turns, True, True, True) for _ in range(21_000))
    assert counts == {0: 20_000, 1: 800, 2: 200}
