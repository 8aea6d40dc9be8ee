"""The last message from a number to a phone."""

from gateway.delivery.last_sent import LastSent
from gateway.message import MessageId


def test_the_last_one_wins_by_source_and_phone():
    last = LastSent()
    for source, phone, message_id in (("1", "+861", 1), ("1", "+861", 2), ("2", "+861", 3), ("1", "+862", 4)):
        last.note(source, phone, MessageId(message_id))
    assert [last.find("1", "+861"), last.find("2", "+861"), last.find("1", "+862"), last.find("2", "+862")] == [
        2,
        3,
        4,
        None,
    ]


def test_no_more_are_known_than_the_limit_and_always_the_newest_half():
    last = LastSent(limit=100)
    for n in range(1, 1_000):
        last.note("1", f"+86{n}", MessageId(n))
        assert len(last) <= 100
        assert all(last.find("1", f"+86{each}") == each for each in range(max(1, n - 49), n + 1))


def test_a_newer_message_is_found_though_an_older_generation_knows_another():
    last = LastSent(limit=4)
    last.note("1", "+861", MessageId(1))
    last.note("1", "+862", MessageId(2))
    last.note("1", "+861", MessageId(3))
    assert last.find("1", "+861") == 3
