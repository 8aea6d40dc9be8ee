"""Of each record in memory there is one copy, and none that is older than what was written."""

from gateway.delivery.live import Live
from gateway.message import Part, PartStatus, Record, Status
from gateway.store.matching import copy_of
from tests.delivery.samples import a_record

W, S, D, U, OK, F, X = PartStatus


def a_record_of(status: Status, *parts: PartStatus) -> Record:
    record = a_record(status, parts=len(parts))
    for n, part in enumerate(parts):
        record.set_part(n, Part(part))
    return record


def test_what_was_added_is_there_until_it_is_dropped():
    live, record = Live(), a_record()
    assert record.id not in live
    live.add(record)
    assert record.id in live
    assert live.get(record.id) is record
    assert len(live) == 1
    live.drop(record)
    assert live.get(record.id) is None


def test_a_copy_from_disk_gives_way_to_the_one_in_memory():
    live, record = Live(), a_record()
    live.add(record)
    with live.reading() as reading:
        assert not reading.is_fresh(record.id)
        assert reading.adopt(copy_of(record)) is record


def test_a_copy_from_disk_is_brought_to_memory_where_there_is_none():
    live, stored = Live(), a_record()
    with live.reading() as reading:
        assert reading.is_fresh(stored.id)
        assert reading.adopt(stored) is stored
        assert reading.adopt(copy_of(stored)) is stored
    assert live.get(stored.id) is stored


def test_a_copy_that_was_read_while_the_record_left_the_memory_may_be_old():
    live, record = Live(), a_record()
    live.add(record)
    with live.reading() as before, live.reading() as also_before:
        live.drop(record)
        with live.reading() as after:
            assert after.is_fresh(record.id)
            for reading in (before, also_before):
                assert not reading.is_fresh(record.id)
                assert reading.adopt(copy_of(record)) is None
    assert record.id not in live
    with live.reading() as later:
        assert later.is_fresh(record.id)


def test_a_record_becomes_final_once():
    live, record = Live(), a_record()
    live.add(record)
    assert [live.finish(record) for _ in range(3)] == [True, False, False]
    live.drop(record)
    assert live.finish(record)


def test_a_number_is_under_way_while_any_part_to_it_is_not_answered():
    live = Live()
    live.add(a_record_of(Status.SUBMITTED, U))
    assert not live.is_under_way("+8613800138000")
    sending = a_record_of(Status.SENDING, U, S)
    live.add(sending)
    assert live.is_under_way("+8613800138000")
    assert not live.is_under_way("+8613900139000")
    live.drop(sending)
    assert not live.is_under_way("+8613800138000")


def test_only_what_is_at_rest_may_make_room():
    moving = [
        a_record_of(Status.SENDING, S),
        a_record_of(Status.SENDING, U, W),
        a_record_of(Status.IN_DOUBT, D, W),
        a_record_of(Status.FAILED, F, S),
    ]
    at_rest = [
        a_record_of(Status.SUBMITTED, U, OK),
        a_record_of(Status.IN_DOUBT, D),
        a_record_of(Status.FAILED, F, W),
        a_record_of(Status.DELIVERED, OK),
    ]
    live = Live()
    for record in (*moving, *at_rest):
        live.add(record)
        live.drop_if_at_rest(record)
    assert [record.id in live for record in (*moving, *at_rest)] == [True] * 4 + [False] * 4
