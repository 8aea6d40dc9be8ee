"""What is made of the figures of a backlog, and a small one as a whole."""

import math
from io import StringIO

import pytest
from rich.console import Console

from loadtest import backlog
from loadtest.answers import buckets
from loadtest.backlog import FIGURES, REQUIRED, BacklogSettings, Figures
from loadtest.files import shipped
from loadtest.requirements import parse_requirements

METRICS = b"""# TYPE gateway_queue_seconds histogram
gateway_queue_seconds_bucket{le="0.01",priority="high"} 90.0
gateway_queue_seconds_bucket{le="0.05",priority="high"} 99.0
gateway_queue_seconds_bucket{le="+Inf",priority="high"} 100.0
gateway_queue_seconds_bucket{le="0.01",priority="low"} 1.0
gateway_queue_seconds_count{priority="high"} 100.0
"""


def test_the_buckets_of_one_label_are_read():
    assert buckets(METRICS, "gateway_queue_seconds", 'priority="high"') == {0.01: 90.0, 0.05: 99.0, math.inf: 100.0}
    assert buckets(METRICS, "gateway_queue_seconds", 'priority="normal"') == {}


@pytest.mark.parametrize(("share", "bound"), [(0.5, 0.01), (0.90, 0.01), (0.91, 0.05), (0.99, 0.05), (0.995, math.inf)])
def test_the_bound_that_a_share_keeps_is_the_smallest_that_does(share: float, bound: float):
    found = buckets(METRICS, "gateway_queue_seconds", 'priority="high"')
    assert backlog._bound_of(found, share) == bound
    assert backlog._bound_of({}, share) == math.inf


def test_every_figure_can_be_required():
    figures = Figures(
        queued=1,
        queue_p99=0.05,
        lag_p99=0.01,
        waits=[0.01],
        codes_lost=0,
        resident_bytes=2**20,
        start_seconds=1.0,
        queued_after=1,
    )
    assert set(figures.by_name) == set(FIGURES)
    assert all(each.keeps(figures.by_name) for each in parse_requirements(REQUIRED, FIGURES))


async def test_a_small_backlog_is_filled_overtaken_and_found_again():
    console = Console(file=StringIO(), width=200)
    settings = BacklogSettings(
        config=shipped("demo.toml"),
        messages=2_000,
        throughput=100,
        codes=5,
        codes_a_second=50.0,
        seed=3,
        requirements=parse_requirements("codes_lost=0,memory_mb<400", FIGURES),
    )
    code = await backlog.measure(settings, console)
    said = console.file.getvalue()
    assert code == 0, said
    assert "codes      5 at 50 a second; lost 0" in said
    assert "memory     at most" in said
