"""What a number costs a message: `make bench`."""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.numbers import Network, NumberPlan, normalise

PLAN_FILE = Path(__file__).parents[2] / "config" / "number_plan.csv"

pytestmark = pytest.mark.bench


@pytest.mark.parametrize("raw", ["13812345678", "+8613812345678", "138 1234 5678"])
def test_normalise_and_look_up(benchmark: BenchmarkFixture, raw: str):
    plan = NumberPlan.parse(PLAN_FILE.read_text(encoding="utf-8"))
    entry = benchmark(lambda: plan.lookup(normalise(raw)))
    assert entry.network is Network.CMCC
