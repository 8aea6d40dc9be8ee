"""What is counted, and what is not counted twice when a write fails."""

import pytest

from gateway.message import Entry, Message, MessageId, Record, Status, new_record
from gateway.store import tallies
from gateway.store.api import BatchTally
from gateway.store.tallies import BatchFile, Changes, Tallies, batch_tally

FILE = MessageId(1)


def a_record(batch: str = "march", parts: int = 2) -> Record:
    message = Message(
        id=MessageId(1), account="demo", to="+86", text="T", accepted_at=1, expires_at=9, batch=batch, parts=parts
    )
    return new_record(message, Status.QUEUED, lane="a/normal")


def enter(record: Record, status: Status) -> None:
    record.state.status = status
    record.state.timeline.append(Entry(2, status))


def changes_of(counts: Tallies, *records: Record) -> Changes:
    changes = counts.changes_of([records], {})
    assert changes is not None
    return changes


def test_a_message_moves_from_one_count_to_the_next():
    counts, record = Tallies(), a_record()
    first = changes_of(counts, record)
    assert first.counts == {("demo", "march", "queued"): (1, 2), ("demo", "", "open"): (1, 0)}
    counts.confirm(first)
    assert (counts.open, counts.open_total) == ({"demo": 1}, 1)
    enter(record, Status.FAILED)
    second = changes_of(counts, record)
    assert second.counts == {
        ("demo", "march", "queued"): (-1, -2),
        ("demo", "march", "failed"): (1, 2),
        ("demo", "", "open"): (-1, 0),
    }
    counts.confirm(second)
    enter(record, Status.DELIVERED)
    third = changes_of(counts, record)
    assert ("demo", "", "open") not in third.counts
    counts.confirm(third)
    assert counts.open_total == 0
    assert counts.changes_of([[record]], {}) is None


def test_what_could_not_be_written_is_counted_with_the_next_write():
    counts, record = Tallies(), a_record()
    changes_of(counts, record)  # and that write fails
    enter(record, Status.CANCELLED)
    again = changes_of(counts, record)
    assert again.counts == {("demo", "march", "cancelled"): (1, 2)}
    counts.confirm(again)
    assert counts.open.get("demo", 0) == 0


def test_what_changes_after_the_cut_is_counted_with_the_next():
    counts, record = Tallies(), a_record()
    cut = changes_of(counts, record)
    enter(record, Status.SENDING)
    counts.confirm(cut)
    assert changes_of(counts, record).counts == {
        ("demo", "march", "queued"): (-1, -2),
        ("demo", "march", "sending"): (1, 2),
    }


def test_without_a_batch_only_what_is_open_is_counted():
    counts, record = Tallies(), a_record(batch="")
    first = changes_of(counts, record)
    assert first.counts == {("demo", "", "open"): (1, 0)}
    counts.confirm(first)
    enter(record, Status.SENDING)
    assert changes_of(counts, record).counts == {}


def test_a_batch_is_told_to_control_db_once_for_each_file(monkeypatch: pytest.MonkeyPatch):
    counts = Tallies()
    changes = changes_of(counts, a_record(), a_record("may"))
    files = counts.new_files(FILE, changes)
    assert files == [BatchFile("demo", "march", FILE), BatchFile("demo", "may", FILE)]
    counts.saved(files)
    assert counts.new_files(FILE, changes) == []
    assert len(counts.new_files(MessageId(2), changes)) == 2
    counts.forget_but(MessageId(2))
    assert len(counts.new_files(FILE, changes)) == 2


def test_what_is_known_of_batches_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tallies, "_KNOWN_BATCHES", 10)
    counts = Tallies()
    for n in range(100):
        counts.saved([BatchFile("demo", f"b{n}", FILE)])
        assert len(counts._known[FILE]) <= 10


def test_a_batch_is_the_sum_of_its_files():
    rows = [("queued", 5, 10), ("refused", 1, 0), ("queued", -5, -10), ("failed", 5, 10), ("refused", 2, 0)]
    assert batch_tally(rows) == BatchTally({Status.FAILED: 5}, refused=3, segments=10)
    assert batch_tally([]) is None
