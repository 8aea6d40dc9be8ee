"""Sessions under any schedule, chunking and damage: nothing raises, nothing is lost, nothing is reported twice."""

import contextlib
import gc
import random
import tracemalloc

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import (
    DeliverSm,
    EnquireLink,
    Event,
    GenericNack,
    Pdu,
    QuerySm,
    Role,
    SubmitSm,
    SubmitSmResp,
    WindowFull,
    encode,
)
from tests.smpp.schedules import SETTINGS, bound_session, check_end, run_schedule


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


def hostile(chance: random.Random) -> bytes:
    """A read's worth of anything: requests nobody answers, answers to nothing, keep-alives, damage."""
    pdus = [
        Pdu(0, chance.randrange(1, 1 << 31), SubmitSm(short_message=chance.randbytes(100))),
        Pdu(0, chance.randrange(1, 1 << 31), SubmitSmResp(message_id="x" * 64)),
        Pdu(8, chance.randrange(1, 1 << 31), GenericNack()),
        Pdu(0, chance.randrange(1, 1 << 31), EnquireLink()),
        Pdu(0, chance.randrange(1, 1 << 31), QuerySm(message_id="y" * 64)),
    ]
    octets = b"".join(encode(pdu) for pdu in pdus)
    length, command = (24).to_bytes(4, "big"), chance.choice([0x04, 0x05, 0x21, 0x1234, 0x8000_0004])
    return octets + length + command.to_bytes(4, "big") + chance.randbytes(16)


def test_a_flood_of_anything_leaves_no_memory_behind():
    chance = random.Random(1)
    settings = msgspec.structs.replace(SETTINGS, max_owed_responses=50, max_late_requests=50)
    session = bound_session(Role.SMSC, settings)
    now = 0.0

    def flood(reads: int) -> int:
        nonlocal now
        for _ in range(reads):
            now += 1.0
            session.receive_data(hostile(chance), now=now)
            with contextlib.suppress(WindowFull):
                session.send(DeliverSm(short_message=chance.randbytes(100)), now=now)
            session.handle_timer(now=now)
            session.data_to_send()
        assert not session.is_over
        gc.collect()  # an error and the frame that it was raised in hold each other
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = flood(300)  # everything that has a limit is at it
        assert flood(900) - before < 10_000
    finally:
        tracemalloc.stop()


def test_the_schedules_do_something():
    assert sum(run_schedule(random.Random(seed)) for seed in range(100)) > 500
