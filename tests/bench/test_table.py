"""The table of the engine's figures names benchmarks that exist, and reckons right."""

from pathlib import Path
from typing import Any

from tests.bench.table import CALIBRATION, FILES, OUR_SOCKET, ROWS, THEIR_SOCKET, lines

ROOT = Path(__file__).parents[2]


def benchmark(median_us: float, least_us: float) -> dict[str, Any]:
    return {"stats": {"median": median_us / 1e6, "min": least_us / 1e6}}


def test_every_row_is_of_a_benchmark_that_is_there():
    source = "".join((ROOT / file).read_text(encoding="utf-8") for file in FILES)
    names = [name for row in ROWS for name in (row.ours, row.theirs) if name] + [CALIBRATION, OUR_SOCKET, THEIR_SOCKET]
    assert [name for name in names if f"def {name.partition('[')[0]}(" not in source] == []


def test_ratios_are_of_the_least_times_and_batches_count_each():
    figures = {row.ours: benchmark(4 * row.per, 2 * row.per) for row in ROWS}
    figures |= {row.theirs: benchmark(50, 30) for row in ROWS if row.theirs}
    figures[CALIBRATION] = benchmark(1.5, 0.5)
    socket = {"submits_per_second": [90_000, 120_000], "client_us": 8.0, "server_us": 4.0}
    figures |= {name: {"extra_info": socket} for name in (OUR_SOCKET, THEIR_SOCKET)}

    printed = lines(figures)
    assert f"| {ROWS[0].what} | 2 | 4.0, 2.0 | 50.0, 30.0 | 15 | 4.0 |" in printed
    assert f"| {ROWS[-1].what} | 10 | 4.0, 2.0 | none |  | 4.0 |" in printed
    assert any(
        "90,000, 120,000 submit_sm a second" in line and "125,000 a second where each" in line for line in printed
    )
