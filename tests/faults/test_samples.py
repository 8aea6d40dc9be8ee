"""What is said of a long run: whether it is flat, and its plot."""

from xml.etree import ElementTree

import pytest

from tests.faults.samples import Sample, growth, plot

FLAT = [Sample(float(second), 100.0, 0.01, 50 << 20, "cut" if second == 30 else "") for second in range(200)]


def memory(sample: Sample) -> float:
    return sample.resident_bytes


def test_a_flat_run_has_not_grown_and_one_that_grows_all_the_time_has():
    assert growth(FLAT, memory) == 0
    growing = [Sample(float(second), 100.0, 0.01, (100 + second) << 20) for second in range(200)]
    assert growth(growing, memory) == pytest.approx((289.5 / 129.5) - 1)


def test_what_grows_at_its_beginning_only_is_flat():
    filling = [Sample(float(second), 100.0, 0.01, min(20, second) << 20) for second in range(200)]
    assert growth(filling, memory) == 0


def test_the_plot_has_a_line_for_each_figure_and_for_each_fault():
    svg = ElementTree.fromstring(plot(FLAT, "a run"))
    name = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f"{name}polyline")) == 3
    assert len(svg.findall(f"{name}line")) == 3  # the one fault in each of the three panels
    assert "a run" in [text.text for text in svg.findall(f"{name}text")]
