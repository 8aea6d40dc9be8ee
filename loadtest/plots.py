"""The plots of a report, each an SVG to stand in a page: nothing is fetched, and none needs a script."""

import io
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from loadtest.results import RunReport, Sample

SIZE_INCHES: Final = (9.0, 3.2)
COLOURS: Final = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5")
MEBIBYTE: Final = 2**20

Draw = Callable[[RunReport, Any], None]


def draw_plots(report: RunReport) -> list[tuple[str, str]]:
    """Return the title and the SVG of each plot that the report has something for."""
    plots = [(title, _render(title, draw, report)) for title, draw in _PLOTS if len(report.samples) > 1]
    return [*plots, *((title, _render(title, draw, report)) for title, draw in _TOTALS if _measured(report))]


def _render(title: str, draw: Draw, report: RunReport) -> str:
    # Text stays text, which can be searched; the salt keeps names apart within a page, and alike from page to page.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "axes.prop_cycle": cycler(color=COLOURS)}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        draw(report, axes)
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue().partition("<svg")[2].join(("<svg", ""))


def _rates(report: RunReport, axes: Any) -> None:
    for name in ("planned", "accepted", "ended"):
        rates = [
            (getattr(after, name) - getattr(before, name)) / max(0.001, after.at - before.at)
            for before, after in pairwise(report.samples)
        ]
        axes.plot(_times(report.samples)[1:], rates, label=name)
    _name(axes, "seconds", "messages a second")


def _latencies(report: RunReport, axes: Any) -> None:
    for name in ("accept_p50", "accept_p99", "final_p50", "final_p99"):
        values = [getattr(sample, name) * 1000 or float("nan") for sample in report.samples]
        axes.plot(_times(report.samples), values, label=name.replace("_", " "))
    axes.set_yscale("log")
    _name(axes, "seconds", "ms, of each interval")


def _open(report: RunReport, axes: Any) -> None:
    waiting = [sample.accepted - min(sample.accepted, sample.ended) for sample in report.samples]
    axes.plot(_times(report.samples), waiting, label="accepted, not final")
    axes.plot(_times(report.samples), [sample.open_requests for sample in report.samples], label="requests open")
    axes.set_ylim(bottom=0)
    _name(axes, "seconds", "at once")


def _cores(report: RunReport, axes: Any) -> None:
    for process in report.usage:
        seen = [
            (sample.at, sample.processes[process].cores) for sample in report.samples if process in sample.processes
        ]
        axes.plot(*zip(*seen, strict=True), label=process)
    axes.set_ylim(bottom=0)
    _name(axes, "seconds", "cores kept busy")


def _memory(report: RunReport, axes: Any) -> None:
    for process in report.usage:
        seen = [
            (sample.at, sample.processes[process].resident_bytes / MEBIBYTE)
            for sample in report.samples
            if process in sample.processes
        ]
        axes.plot(*zip(*seen, strict=True), label=process)
    axes.set_ylim(bottom=0)
    _name(axes, "seconds", "MiB resident")


def _curve(report: RunReport, axes: Any) -> None:
    """Draw percentiles so that each further nine takes as much room."""
    for stage in _measured(report):
        points = [(1 / (1 - share / 100), value * 1000) for share, value in report.stages[stage].curve if share < 100]
        axes.plot(*zip(*points, strict=True), label=stage.replace("_", " "), marker=".")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [50, 90, 99, 99.9, 99.99, 99.999]
    axes.set_xticks([1 / (1 - share / 100) for share in ticks], [f"{share:g} %" for share in ticks])
    axes.minorticks_off()
    _name(axes, "of all messages, of all requests for late and accept", "ms")


def _stages(report: RunReport, axes: Any) -> None:
    stages = _measured(report)
    for offset, name in ((-0.2, "p99"), (0.2, "p50")):
        values = [getattr(report.stages[stage], name) * 1000 for stage in stages]
        axes.barh([n + offset for n in range(len(stages))], values, height=0.38, label=name)
    axes.set_yticks(range(len(stages)), [stage.replace("_", " ") for stage in stages])
    axes.invert_yaxis()
    _name(axes, "ms from when it was due", "")


def _measured(report: RunReport) -> list[str]:
    return [stage for stage, latencies in report.stages.items() if latencies.count]


def _times(samples: Sequence[Sample]) -> list[float]:
    return [sample.at for sample in samples]


def _name(axes: Any, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)


_PLOTS: Final[Sequence[tuple[str, Draw]]] = (
    ("Throughput", _rates),
    ("Latency over time", _latencies),
    ("Waiting", _open),
    ("CPU", _cores),
    ("Memory", _memory),
)
_TOTALS: Final[Sequence[tuple[str, Draw]]] = (("Percentiles", _curve), ("Stages", _stages))
