"""In which order carriers are tried."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.numbers import Network
from gateway.routing.quality import QualityBook
from gateway.routing.strategies import by_price, by_quality, by_weight

NOW = 29_000_000 * 60_000
NUMBERS = [f"+86138{n:08}" for n in range(10_000)]


def a_book(**carriers: tuple[int, int, float]) -> QualityBook:
    """Carriers by (delivered, failed, seconds)."""
    book = QualityBook(minutes=10, least_receipts=50)
    for name, (delivered, failed, seconds) in carriers.items():
        for n in range(delivered + failed):
            book.note(name, "cmcc", delivered=n < delivered, seconds=seconds, now=NOW)
    return book


def ranked(book: QualityBook, *carriers: str, number: str = NUMBERS[0]) -> list[str]:
    return by_quality(carriers, book, Network.CMCC, number, now=NOW)


def test_of_many_neighbouring_numbers_each_carrier_gets_its_share() -> None:
    first = Counter(by_weight(["a", "b", "c"], [70, 20, 10], number)[0] for number in NUMBERS)

    assert abs(first["a"] - 7_000) < 200
    assert abs(first["b"] - 2_000) < 200
    assert abs(first["c"] - 1_000) < 150


def test_when_a_carrier_goes_only_its_numbers_go_elsewhere_by_the_weights_of_the_others() -> None:
    moved: Counter[str] = Counter()
    for number in NUMBERS:
        all_three = by_weight(["a", "b", "c"], [50, 30, 20], number)
        two = by_weight(["b", "c"], [30, 20], number)
        assert [carrier for carrier in all_three if carrier != "a"] == two
        if all_three[0] == "a":
            moved[two[0]] += 1

    assert abs(moved["b"] / moved.total() - 0.6) < 0.03


def test_a_carrier_of_no_weight_is_the_last_resort() -> None:
    assert all(by_weight(["a", "b"], [0, 1], number) == ["b", "a"] for number in NUMBERS[:100])


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=6), st.sampled_from(NUMBERS))
def test_every_carrier_is_ranked_once_and_always_in_the_same_way(weights: list[int], number: str) -> None:
    names = [f"carrier-{n}" for n in range(len(weights))]

    order = by_weight(names, weights, number)

    assert sorted(order) == names
    assert by_weight(names, weights, number) == order


def test_the_cheapest_is_first_and_the_list_decides_between_equals() -> None:
    assert by_price(["a", "b", "c"], [0.04, 0.03, 0.03]) == ["b", "c", "a"]


def test_who_delivers_more_is_first() -> None:
    assert ranked(a_book(a=(90, 10, 2.0), b=(97, 3, 2.0)), "a", "b") == ["b", "a"]


def test_a_difference_of_less_than_a_percent_leaves_the_list_as_it_is() -> None:
    assert ranked(a_book(a=(993, 7, 2.0), b=(994, 6, 2.0)), "a", "b") == ["a", "b"]


def test_of_equally_good_ones_the_much_quicker_is_first() -> None:
    assert ranked(a_book(a=(99, 1, 30.0), b=(99, 1, 3.0)), "a", "b") == ["b", "a"]
    assert ranked(a_book(a=(99, 1, 3.4), b=(99, 1, 3.0)), "a", "b") == ["a", "b"]


def test_without_enough_receipts_the_list_decides() -> None:
    assert ranked(a_book(a=(0, 49, 2.0)), "a", "b") == ["a", "b"]


def test_one_that_is_not_known_stands_between_the_good_and_the_bad() -> None:
    book = a_book(bad=(50, 50, 2.0), good=(100, 0, 2.0))

    assert ranked(book, "bad", "new", "good") == ["good", "new", "bad"]


def test_a_few_numbers_go_first_by_one_that_is_not_known() -> None:
    book = a_book(good=(100, 0, 2.0))

    tried = sum(ranked(book, "good", "new", number=number)[0] == "new" for number in NUMBERS)

    assert 150 < tried < 250
