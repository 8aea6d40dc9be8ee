from collections import Counter
from itertools import islice

import pytest

from loadtest.numbers import PREFIXES, SHARES
from loadtest.phones import make_phones


def some(count: int, *, seed: int = 1, **shares: float) -> list[int]:
    return list(islice(make_phones(shares or SHARES, seed=seed), count))


def test_no_number_comes_twice():
    assert len(set(some(200_000))) == 200_000


def test_they_are_the_same_for_a_seed_and_others_for_another():
    assert some(500, seed=7) == some(500, seed=7)
    assert some(500, seed=7) != some(500, seed=8)


def test_each_network_has_its_share():
    counts = Counter(str(phone)[:3] in PREFIXES["cmcc"] for phone in some(10_000, cmcc=3, ctcc=1))
    assert counts[True] / 10_000 == pytest.approx(0.75, abs=0.02)


def test_they_are_numbers_of_their_networks_without_special_endings():
    known = {prefix for prefixes in PREFIXES.values() for prefix in prefixes}
    for phone in some(20_000):
        assert len(str(phone)) == 11
        assert str(phone)[:3] in known
        assert phone % 10_000 >= 100


def test_all_prefixes_of_a_network_occur():
    assert {str(phone)[:3] for phone in some(1_000, cmcc=1)} == set(PREFIXES["cmcc"])
