from pathlib import Path

import pytest

from loadtest.compare import compare_reports
from loadtest.errors import CannotRun
from loadtest.results import RunReport, write_report
from loadtest.versus import differences_of, ratios_of, table_of
from tests.loadtest.reports import make_report


def with_figures(**figures: float) -> RunReport:
    return make_report(figures=figures)


def test_a_ratio_is_of_the_second_to_the_first():
    assert ratios_of(with_figures(rate=100.0), with_figures(rate=150.0)) == {"rate": 1.5}


def test_what_only_one_has_has_no_ratio_nor_what_grew_from_nothing():
    first, second = with_figures(rate=1.0, lost=0.0, refused=0.0), with_figures(lost=3.0, refused=0.0)
    assert ratios_of(first, second) == {"refused": 1.0}


def test_the_table_has_both_figures_and_the_ratio_and_leaves_out_what_is_0_in_both():
    lines = list(table_of(with_figures(rate=2000.0, lost=0.0), with_figures(rate=1000.0, lost=0.0)))
    assert len(lines) == 2
    assert lines[1].split() == ["rate", "2,000", "1,000", "0.50"]


def test_what_makes_two_reports_hard_to_compare_is_named():
    first = make_report()
    assert differences_of(first, first) == []
    assert differences_of(first, make_report(seed=2, plan={"arrivals": "constant:9"}, config={}, interrupted=True)) == [
        "seed: 1 and 2", "plan.arrivals: constant:50 and constant:9", "the gateway's config", "B was interrupted",
    ]  # fmt: skip


def test_required_ratios_decide_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, rate in (("a", 100.0), ("b", 95.0)):
        write_report(with_figures(rate=rate), tmp_path / name)
    paths = [tmp_path / "a", tmp_path / "b"]
    assert compare_reports(paths, "rate>=0.9") == 0
    assert compare_reports(paths, "rate>=0.99") == 1
    assert "not kept   rate>=0.99" in capsys.readouterr().out
    assert compare_reports(paths, "final_p99<=2") == 1, "a ratio that is not known is not kept"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_reports_come_in_twos(tmp_path: Path, count: int):
    with pytest.raises(CannotRun, match="must be two"):
        compare_reports([tmp_path] * count, "")
