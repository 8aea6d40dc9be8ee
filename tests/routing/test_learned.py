"""Ports learned from receipts: kept for a while, and no more than so many."""

from gateway.numbers import Network
from gateway.routing.learned import LearnedPorts

DAY = 86_400_000
ONE, TWO, THREE = "+8613800138001", "+8613800138002", "+8613800138003"


def test_a_port_is_kept_for_its_time_and_not_longer():
    ports = LearnedPorts(limit=10, keep_milliseconds=120 * DAY)
    ports.learn(ONE, Network.CUCC, at=0)
    ports.learn(TWO, Network.CTCC, at=DAY)
    assert ports.expire(now=120 * DAY - 1) == []
    assert ports.expire(now=120 * DAY) == [ONE]
    assert (ports.get(ONE), ports.get(TWO)) == (None, Network.CTCC)


def test_what_is_learned_again_is_kept_anew():
    ports = LearnedPorts(limit=10, keep_milliseconds=10)
    ports.learn(ONE, Network.CUCC, at=0)
    ports.learn(ONE, Network.CBN, at=5)
    assert ports.expire(now=10) == []
    assert ports.get(ONE) is Network.CBN
    assert ports.expire(now=15) == [ONE]


def test_past_the_limit_the_oldest_go():
    ports = LearnedPorts(limit=2, keep_milliseconds=10)
    ports.learn(ONE, Network.CUCC, at=0)
    ports.learn(TWO, Network.CUCC, at=1)
    ports.learn(ONE, Network.CUCC, at=2)
    assert ports.learn(THREE, Network.CUCC, at=3) == [TWO]
    assert [*ports.items()] == [(ONE, Network.CUCC, 2), (THREE, Network.CUCC, 3)]
