import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.errors import CannotRun
from loadtest.page import render_page, write_page
from loadtest.plots import draw_plots
from tests.loadtest.reports import make_account, make_report


def test_the_page_fetches_nothing():
    page = render_page(make_report())
    outside = re.findall(r'(?:src|href)="(?!#)([^"]*)"|url\((?!#)', page)
    assert not outside
    assert "<script" not in page
    assert "@import" not in page


def test_it_has_a_plot_of_everything_that_was_sampled_and_each_is_well_formed():
    plots = draw_plots(make_report())
    assert [title for title, _ in plots] == [
        "Throughput", "Latency over time", "Waiting", "CPU", "Memory", "Percentiles", "Stages",
    ]  # fmt: skip
    for _, svg in plots:
        assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_a_plot_is_the_same_for_the_same_report():
    assert draw_plots(make_report(samples=[])) == draw_plots(make_report(samples=[]))


def test_a_run_too_short_for_a_sample_has_no_plot_over_time():
    assert [title for title, _ in draw_plots(make_report(samples=[]))] == ["Percentiles", "Stages"]
    assert draw_plots(make_report(samples=[], stages={})) == []


def test_the_page_names_what_was_kept_and_what_was_not():
    page = render_page(make_report(required="rate>1000", samples=[]))
    assert re.search(r"<td>rate&gt;1000</td>.*?not kept", page)
    assert re.search(r"<td>lost=0</td>.*?kept", page)


def test_it_says_on_what_and_how_it_was_measured():
    page = render_page(make_report(samples=[]))
    for said in ("python -m loadtest http", "a machine", "constant:50", "127.0.0.1:1", "cores 0, 1"):
        assert said in page


def test_what_comes_from_outside_is_escaped():
    page = render_page(make_report(errors={"<script>alert(1)</script>": 1}, command="x <y>", samples=[]))
    assert "<script" not in page
    assert "x &lt;y&gt;" in page


def test_without_a_journal_it_says_so():
    assert "No journal was there." in render_page(make_report(make_account(), wire=None, samples=[]))


def test_a_directory_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(CannotRun, match="cannot be written"):
        write_page(make_report(), tmp_path / "nowhere")
