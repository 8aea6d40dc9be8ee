from collections import Counter
from pathlib import Path

import pytest

from gateway.numbers import Kind, NumberPlan, normalise
from loadtest.numbers import PREFIXES, SHARES, make_numbers, mask

PLAN = NumberPlan.parse((Path(__file__).parents[2] / "config" / "number_plan.csv").read_text(encoding="utf-8"))


def test_numbers_are_the_same_for_a_seed_and_others_for_another():
    assert make_numbers(500, seed=7) == make_numbers(500, seed=7)
    assert not set(make_numbers(500, seed=7)) & set(make_numbers(500, seed=8))


def test_no_number_comes_twice():
    assert len(set(make_numbers(20_000, seed=1))) == 20_000


def test_every_number_is_a_subscribers_on_the_network_that_its_prefix_says():
    for network, prefixes in PREFIXES.items():
        for prefix in prefixes:
            entry = PLAN.lookup(normalise(prefix + "12345678"))
            assert (entry.network, entry.kind) == (network, Kind.MOBILE), prefix


def test_all_four_networks_get_about_their_share():
    networks = Counter(PLAN.lookup(normalise(number)).network.value for number in make_numbers(10_000, seed=3))
    assert set(networks) == set(SHARES)
    for network, share in SHARES.items():
        assert networks[network] / 10_000 == pytest.approx(share, abs=0.02)


def test_no_number_asks_the_simulator_for_something_special():
    assert not [number for number in make_numbers(50_000, seed=2) if number[-4:] < "0100"]


@pytest.mark.parametrize(
    ("spelling", "masked"),
    [
        ("13812345678", "138****5678"),
        ("+8613812345678", "138****5678"),
        ("138-1234-5678", "138****5678"),
        ("1381726354", "138****54"),
        ("1440123456789", "144****6789"),
        ("010-65321234", "010****1234"),
        ("1234567", "****"),
        ("", "****"),
    ],
)
def test_a_number_is_masked_however_it_is_spelt(spelling, masked):
    assert mask(spelling) == masked
