"""What of a message's timeline was told, when the timeline goes on before the disk has answered."""

from gateway.message import Entry, Message, MessageId, Record, Status, new_record
from gateway.store.events import EventLog

EVERYTHING = {"demo": frozenset(Status)}
FINALS = {"demo": frozenset({Status.DELIVERED, Status.FAILED})}


def a_record() -> Record:
    message = Message(id=MessageId(1), account="demo", to="+86", text="T", accepted_at=1, expires_at=9)
    return new_record(message, Status.QUEUED, lane="a/normal")


def enter(record: Record, status: Status) -> None:
    record.state.status = status
    record.state.timeline.append(Entry(2, status))


def told(log: EventLog, record: Record) -> list[str]:
    news = log.news_of([[record]], [])
    if news is None:
        return []
    news.confirm()
    return [row[3] for row in news.rows]


def test_an_end_that_takes_the_place_of_an_entry_on_its_way_to_disk_is_told():
    log = EventLog()
    log.want(EVERYTHING)
    record = a_record()
    enter(record, Status.SENDING)
    news = log.news_of([[record]], [])
    assert news is not None
    record.state.timeline.pop()  # it never left,
    enter(record, Status.FAILED)  # and never will
    news.confirm()
    assert told(log, record) == ["failed"]
    assert told(log, record) == []


def test_what_came_after_the_cut_is_told_with_the_next():
    log = EventLog()
    log.want(FINALS)
    record = a_record()
    enter(record, Status.FAILED)
    news = log.news_of([[record]], [])
    assert news is not None
    enter(record, Status.DELIVERED)
    news.confirm()
    assert told(log, record) == ["delivered"]


def test_what_could_not_be_written_is_told_with_the_next():
    log = EventLog()
    log.want(FINALS)
    record = a_record()
    enter(record, Status.FAILED)
    assert log.news_of([[record]], []) is not None  # and that batch fails
    enter(record, Status.DELIVERED)
    assert told(log, record) == ["failed", "delivered"]
