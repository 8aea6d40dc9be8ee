"""The domain's values: ids that only grow, and the status that parts add up to."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import (
    FINAL,
    ID_EPOCH_MILLISECONDS,
    Attempt,
    Entry,
    IdSource,
    Message,
    MessageId,
    Part,
    PartStatus,
    State,
    Status,
    first_id_at,
    new_record,
    status_of_parts,
    time_of_id,
)

NOW = 1_800_000_000_000
nodes = st.integers(0, 1023)
clocks = st.lists(st.integers(NOW - 5, NOW + 5), min_size=1, max_size=60)


@given(node=nodes, clock=clocks)
def test_ids_only_grow_whatever_the_clock_does(node: int, clock: list[int]):
    source = IdSource(node=node, last=MessageId(0))
    ids = [source.next(now) for now in clock]
    assert all(before < after for before, after in pairwise(ids))


@given(node=nodes, clock=clocks)
def test_every_id_carries_its_node(node: int, clock: list[int]):
    source = IdSource(node=node, last=MessageId(0))
    assert {source.next(now) >> 12 & 1023 for now in clock} == {node}


@given(node=nodes, now=st.integers(ID_EPOCH_MILLISECONDS, NOW))
def test_an_id_tells_its_time(node: int, now: int):
    made = IdSource(node=node, last=MessageId(0)).next(now)
    assert time_of_id(made) == now
    assert first_id_at(now) <= made < first_id_at(now + 1)


@given(node=nodes, last_node=nodes, now=st.integers(NOW - 2, NOW + 2))
def test_ids_go_on_behind_the_last_one_of_another_node(node: int, last_node: int, now: int):
    last = IdSource(node=last_node, last=MessageId(0)).next(NOW)
    following = IdSource(node=node, last=last).next(now)
    assert following > last
    assert following >> 12 & 1023 == node


@pytest.mark.parametrize("node", [0, 1, 1023])
def test_a_full_millisecond_borrows_from_the_next(node: int):
    source = IdSource(node=node, last=MessageId(0))
    ids = [source.next(NOW) for _ in range(4097)]
    assert [time_of_id(made) for made in (ids[0], ids[4095], ids[4096])] == [NOW, NOW, NOW + 1]
    assert len(set(ids)) == 4097
    assert source.next(NOW) > ids[-1]


def test_ids_fit_into_63_bits_until_2095():
    last_moment = ID_EPOCH_MILLISECONDS + (1 << 41) - 1
    assert IdSource(node=1023, last=MessageId(0)).next(last_moment) < 1 << 63


def test_a_time_before_the_epoch_of_ids_is_its_beginning():
    assert first_id_at(0) == 0


@pytest.mark.parametrize("node", [-1, 1024])
def test_a_node_out_of_range_is_refused(node: int):
    with pytest.raises(ValueError, match="0 to 1023"):
        IdSource(node=node, last=MessageId(0))


W, S, D, U, OK, F, X = (Part(status) for status in PartStatus)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([W], Status.QUEUED),
        ([W, W], Status.QUEUED),
        ([S], Status.SENDING),
        ([U, W], Status.SENDING),
        ([OK, W], Status.SENDING),
        ([U, S], Status.SENDING),
        ([U], Status.SUBMITTED),
        ([U, OK], Status.SUBMITTED),
        ([U, X], Status.SUBMITTED),
        ([D], Status.IN_DOUBT),
        ([D, W, S, U, OK, X], Status.IN_DOUBT),
        ([F, D, W, S, U, OK, X], Status.FAILED),
        ([X], Status.UNKNOWN),
        ([OK, X], Status.UNKNOWN),
        ([OK], Status.DELIVERED),
        ([OK, OK, OK], Status.DELIVERED),
    ],
)
def test_the_parts_say_what_the_message_is(parts: list[Part], status: Status):
    assert status_of_parts(parts) is status


@given(st.lists(st.sampled_from([W, S, D, U, OK, F, X]), min_size=1, max_size=8), st.randoms())
def test_the_order_of_the_parts_does_not_matter(parts: list[Part], random):
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert status_of_parts(parts) is status_of_parts(shuffled)


def a_message(**fields: object) -> Message:
    values = {"id": MessageId(7), "account": "demo", "to": "+8613800138000", "text": "水", "accepted_at": NOW}
    return Message(**(values | {"expires_at": NOW + 1} | fields))


def test_a_new_record_waits_with_all_its_parts():
    record = new_record(a_message(parts=3), Status.QUEUED, lane="a/normal")
    assert record.state == State(Status.QUEUED, [Part()] * 3, [Entry(NOW, Status.QUEUED)])
    assert (record.id, record.status, record.is_final, record.lane) == (7, Status.QUEUED, False, "a/normal")


def test_a_record_is_final_in_a_final_status_only():
    record = new_record(a_message(), Status.QUEUED, lane="")
    for status in Status:
        record.state.status = status
        assert record.is_final is (status in FINAL)


def test_two_records_do_not_share_their_parts():
    first, second = (new_record(a_message(parts=2), Status.QUEUED, lane="") for _ in range(2))
    first.set_part(1, Part(PartStatus.SENDING))
    assert second.state.parts == [Part(), Part()]


def test_values_go_through_json_arrays_unchanged():
    message = a_message(text="水\x00😀", carriers=("a", "b"), send_at=NOW)
    state = State(Status.SUBMITTED, [Part(PartStatus.SUBMITTED, (Attempt("a", "a-1", NOW, "id", 0),))], [])
    assert msgspec.json.decode(msgspec.json.encode(message), type=Message) == message
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state
