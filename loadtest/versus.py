"""Two reports side by side: each figure of both, and how many times the first the second is."""

from collections.abc import Iterator, Mapping

from loadtest.results import FIGURES, RunReport


def ratios_of(first: RunReport, second: RunReport) -> dict[str, float]:
    """Return second over first for each figure that both have; none where the first is 0 and the second is not."""
    ratios = {}
    for name in FIGURES:
        before, after = first.figures.get(name), second.figures.get(name)
        if before is None or after is None:
            continue
        if before:
            ratios[name] = after / before
        elif not after:
            ratios[name] = 1.0
    return ratios


def differences_of(first: RunReport, second: RunReport) -> list[str]:
    """Return what makes the two hard to compare: they should differ in one thing only."""
    looked_at: dict[str, tuple[object, object]] = {
        "machine": (first.machine, second.machine),
        "versions": (first.versions, second.versions),
        "mode": (first.mode, second.mode),
        "cores": (dict(first.cores), dict(second.cores)),
        "seed": (first.seed, second.seed),
        **_plan(first.plan, second.plan),
    }
    lines = [f"{name}: {before} and {after}" for name, (before, after) in looked_at.items() if before != after]
    if first.config != second.config:
        lines.append("the gateway's config")
    return lines + [f"{name} was interrupted" for name, each in (("A", first), ("B", second)) if each.interrupted]


def table_of(first: RunReport, second: RunReport) -> Iterator[str]:
    """Return the comparison, a line each."""
    ratios = ratios_of(first, second)
    yield f"{'':28}{'A':>14}{'B':>14}{'B / A':>9}"
    for name in FIGURES:
        before, after = first.figures.get(name), second.figures.get(name)
        if (before is None and after is None) or (not before and not after):
            continue
        ratio = f"{ratios[name]:.2f}" if name in ratios else "-"
        yield f"{name:28}{_shown(before):>14}{_shown(after):>14}{ratio:>9}"


def _plan(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    return {f"plan.{name}": (first.get(name), second.get(name)) for name in sorted({*first, *second})}


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.5g}" if value < 1000 else f"{value:,.0f}"
