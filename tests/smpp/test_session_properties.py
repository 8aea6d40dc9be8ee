"""Sessions under any schedule, chunking and damage: nothing raises, nothing is lost, nothing is reported twice."""

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import EnquireLink, Event, Pdu, Role, encode
from tests.smpp.schedules import bound_session, check_end, run_schedule


@given(st.data())
def test_any_chunking_gives_the_same_events(pdus: st.SearchStrategy[Pdu], data: st.DataObject):
    stream = b"".join(encode(pdu) for pdu in data.draw(st.lists(pdus, max_size=12)))
    whole, chunked = bound_session(Role.SMSC), bound_session(Role.SMSC)
    expected = whole.receive_data(stream, now=1.0)
    events: list[Event] = []
    while stream:
        size = data.draw(st.integers(1, 200))
        events += chunked.receive_data(stream[:size], now=1.0)
        stream = stream[size:]
    assert repr(events) == repr(expected)  # errors compare by identity
    assert chunked.data_to_send() == whole.data_to_send()
    assert chunked.state is whole.state


@given(st.data(), st.sampled_from(Role))
def test_no_damage_raises_out_of_a_session(pdus: st.SearchStrategy[Pdu], data: st.DataObject, role: Role):
    session = bound_session(role)
    for _ in range(3):
        session.send(EnquireLink(), now=0.0)
    stream = bytearray(b"".join(encode(pdu) for pdu in data.draw(st.lists(pdus, min_size=1, max_size=6))))
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        if not stream:
            return
    events: list[Event] = []
    step = data.draw(st.integers(1, len(stream)))
    for at in range(0, len(stream), step):
        events += session.receive_data(bytes(stream[at : at + step]), now=1.0)
    check_end(events)


@given(st.randoms(use_true_random=False))
def test_every_request_ends_in_exactly_one_way(chance: random.Random):
    run_schedule(chance)


def test_the_schedules_do_something():
    assert sum(run_schedule(random.Random(seed)) for seed in range(100)) > 500
