"""A report as one HTML file that needs nothing else: figures, audit, plots, and on what it was measured."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.errors import CannotRun
from loadtest.plots import draw_plots
from loadtest.results import RunReport

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1, h2 { font-weight: 600 } h2 { margin-top: 2.5rem; font-size: 1.15rem }
table { border-collapse: collapse } td, th { padding: .2rem 1.2rem .2rem 0; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums } tr + tr td { border-top: 1px solid #eee }
.bad { color: #b00020; font-weight: 600 } .good { color: #1b7a34 } code, pre { font-size: .87em } pre { overflow: auto }
svg { max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { body { background: #fff } }
"""


def render_page(report: RunReport) -> str:
    """Return the page."""
    kept = all(each.kept for each in report.judgements)
    verdict = '<span class="good">kept</span>' if kept else '<span class="bad">not kept</span>'
    interrupted = ' <span class="bad">interrupted before its end</span>' if report.interrupted else ""
    sections = [
        f"<h1>Load, {escape(report.started_at)}</h1>",
        f"<p><code>{escape(report.command)}</code></p><p>What was required: {verdict}{interrupted}</p>",
        _section("Required", _judgements(report)),
        _section("Latency", _latencies(report)),
        *(_section(title, svg) for title, svg in draw_plots(report)),
        _section("Every message", _table(_counts(report.account))),
        _section("On the wire", _table(_counts(report.wire)) if report.wire else "<p>No journal was there.</p>"),
        _section("Errors", _table(report.errors.items())) if report.errors else "",
        _section("Processes", _processes(report)),
        _section("Measured on", _table(_circumstances(report))),
        _section("Config of the gateway", f"<pre>{escape(_json(report.config))}</pre>") if report.config else "",
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>Load {escape(report.started_at)}</title><style>{_STYLE}</style>"
        f"<body>{''.join(sections)}</body></html>\n"
    )


def write_page(report: RunReport, directory: Path) -> Path:
    """Write the page beside the report's JSON, and return where. Raises CannotRun."""
    path = directory / "report.html"
    try:
        path.write_text(render_page(report), encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"--report {directory}: cannot be written: {error}") from error
    return path


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>{content}"


def _judgements(report: RunReport) -> str:
    rows = "".join(
        f"<tr><td>{escape(each.text)}</td>{_number('not measured' if each.value is None else each.value)}"
        f'<td class="{"good" if each.kept else "bad"}">{"kept" if each.kept else "not kept"}</td></tr>'
        for each in report.judgements
    )
    return f"<table>{rows}</table>"


def _latencies(report: RunReport) -> str:
    names = ("p50", "p99", "p999", "longest", "mean")
    head = "".join(f"<th>{name}, ms</th>" for name in names)
    rows = "".join(
        f"<tr><td>{escape(stage.replace('_', ' '))}</td>{_number(found.count)}"
        + "".join(_number(round(getattr(found, name) * 1000, 2)) for name in names)
        + "</tr>"
        for stage, found in report.stages.items()
        if found.count
    )
    return f"<table><tr><th></th><th>of</th>{head}</tr>{rows}</table>"


def _processes(report: RunReport) -> str:
    rows = []
    for process, used in report.usage.items():
        each = report.figures.get(f"{process}_microseconds", 0)
        cores = ", ".join(map(str, report.cores[process]))
        peak = used.peak_resident_bytes / 2**20
        rows.append(
            (process, f"{used.cpu_seconds:.2f} CPU s, {each:.0f} µs a message; at most {peak:.0f} MiB; cores {cores}")
        )
    return _table(rows)


def _circumstances(report: RunReport) -> list[tuple[str, object]]:
    return [
        ("machine", report.machine),
        ("versions", report.versions),
        ("seed", str(report.seed)),
        *report.plan.items(),
    ]


def _counts(counts: msgspec.Struct | None) -> Iterable[tuple[str, object]]:
    assert counts is not None, "looked at by whoever asks"
    return [(name.replace("_", " "), value) for name, value in msgspec.structs.asdict(counts).items()]


def _table(rows: Iterable[tuple[str, object]]) -> str:
    return f"<table>{''.join(f'<tr><td>{escape(name)}</td>{_number(value)}</tr>' for name, value in rows)}</table>"


def _number(value: object) -> str:
    if isinstance(value, int | float):
        return f'<td class="n">{value:,.6g}</td>' if isinstance(value, float) else f'<td class="n">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
