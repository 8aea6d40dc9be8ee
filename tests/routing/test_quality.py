"""How well carriers deliver: counted by the minute, known once there is enough, forgotten when it is old."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.numbers import Network
from gateway.routing.quality import Quality, QualityBook

MINUTE = 60_000
START = 29_000_000 * MINUTE


def a_book() -> QualityBook:
    return QualityBook(minutes=5, least_receipts=4)


def fill(book: QualityBook, *outcomes: bool, carrier: str = "a", seconds: float = 2.0, now: int = START) -> None:
    for delivered in outcomes:
        book.note(carrier, "cmcc", delivered=delivered, seconds=seconds, now=now)


def test_the_share_that_was_delivered_and_how_long_that_took() -> None:
    book = a_book()
    fill(book, True, True, seconds=2.0)
    fill(book, True, seconds=5.0)
    fill(book, False, seconds=900.0)

    assert book.of("a", Network.CMCC, now=START) == Quality(4, 0.75, 3.0)


def test_too_few_receipts_say_nothing() -> None:
    book = a_book()
    fill(book, True, True, True)

    assert book.of("a", Network.CMCC, now=START) is None


def test_networks_and_carriers_are_counted_apart() -> None:
    book = a_book()
    fill(book, *[True] * 4)

    assert book.of("a", Network.CUCC, now=START) is None
    assert book.of("b", Network.CMCC, now=START) is None


def test_what_is_old_is_forgotten_minute_by_minute() -> None:
    book = a_book()
    fill(book, *[False] * 4)
    fill(book, *[True] * 4, now=START + 3 * MINUTE)

    assert book.of("a", Network.CMCC, now=START + 5 * MINUTE - 1).delivered == 0.5
    assert book.of("a", Network.CMCC, now=START + 5 * MINUTE).delivered == 1.0
    assert book.of("a", Network.CMCC, now=START + 8 * MINUTE) is None


def test_a_clock_that_is_put_back_does_not_keep_the_old_for_long() -> None:
    book = a_book()
    fill(book, *[False] * 4, now=START + 100 * MINUTE)
    fill(book, *[True] * 4, now=START)

    assert book.of("a", Network.CMCC, now=START).delivered == 1.0


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.floats(0, 100)), max_size=60))
def test_it_says_what_counting_all_of_the_last_minutes_says(receipts: list[tuple[int, bool, float]]) -> None:
    book = QualityBook(minutes=5, least_receipts=1)
    receipts.sort(key=lambda receipt: receipt[0])
    for minute, delivered, seconds in receipts:
        book.note("a", "cmcc", delivered=delivered, seconds=seconds, now=START + minute * MINUTE)
    last = receipts[-1][0] if receipts else 0
    recent = [receipt for receipt in receipts if receipt[0] > last - 5]

    found = book.of("a", Network.CMCC, now=START + last * MINUTE)

    if not recent:
        assert found is None
        return
    good = [seconds for _, delivered, seconds in recent if delivered]
    assert found is not None
    assert found.receipts == len(recent)
    assert found.delivered == len(good) / len(recent)
    assert abs(found.seconds - (sum(good) / len(good) if good else 0.0)) < 1e-6
