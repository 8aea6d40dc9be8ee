"""A limit for each source number."""

import pytest

from gateway.delivery import sources
from gateway.delivery.sources import SourceLimits


def test_a_source_waits_for_the_time_of_what_left_from_it_and_others_do_not():
    limits = SourceLimits(10)
    assert limits.free_at("106901") == 0.0
    limits.spend("106901", 5, now=100.0)
    assert limits.free_at("106901") == pytest.approx(100.5)
    assert limits.free_at("106902") <= 100.0


def test_parts_of_one_message_that_leave_at_once_are_waited_out_together():
    limits = SourceLimits(10)
    for _ in range(3):
        limits.spend("106901", 1, now=100.0)
    assert limits.free_at("106901") == pytest.approx(100.3)


def test_without_a_limit_nothing_waits():
    limits = SourceLimits(0)
    limits.spend("106901", 1_000, now=100.0)
    assert limits.free_at("106901") == 0.0


def test_sources_at_rest_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "MOST_KNOWN", 100)
    limits = SourceLimits(1)
    for n in range(1_000):
        limits.spend(f"1069{n}", 1, now=float(n))
    assert len(limits._free_at) <= 101
    assert limits.free_at("1069999") == 1_000.0
