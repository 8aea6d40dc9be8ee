from hypothesis import given
from hypothesis import strategies as st

from simulator.agenda import TICK_SECONDS, Agenda


def test_what_is_due_comes_out_soonest_first_and_in_order_within_a_tick() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.add("late", due=2.0)
    agenda.add("soon", due=1.0)
    agenda.add("soon too", due=1.0)

    assert agenda.take(now=0.99) == []
    assert agenda.take(now=2.0) == ["soon", "soon too", "late"]
    assert (len(agenda), agenda.next_due) == (0, None)


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_nothing_comes_before_it_is_due_nor_a_tick_later(dues: list[float]) -> None:
    agenda: Agenda[float] = Agenda()
    for due in dues:
        agenda.add(due, due=due)

    taken = []
    while agenda.next_due is not None:
        now = agenda.next_due
        items = agenda.take(now=now)
        assert items
        assert all(due <= now + 1e-9 and now < due + TICK_SECONDS + 1e-9 for due in items)
        taken += items

    assert sorted(taken) == sorted(dues)


def test_a_cleared_agenda_has_nothing() -> None:
    agenda: Agenda[int] = Agenda()
    agenda.add(1, due=1.0)

    agenda.clear()

    assert (agenda.take(now=9.0), len(agenda)) == ([], 0)
