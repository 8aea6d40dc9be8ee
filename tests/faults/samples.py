"""What a long run looks like over time: its samples, whether they are flat, and a plot of them in SVG. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

_WIDTH: Final = 860
_PANEL_HEIGHT: Final = 150
_LEFT: Final = 80
_GAP: Final = 44
_POINTS: Final = 600


class Sample(msgspec.Struct, frozen=True):
    """How things were in one second."""

    at_seconds: float  # since the run began
    accepted_per_second: float
    slowest_seconds: float  # of the answers in it
    resident_bytes: int
    fault: str = ""  # what began in it


_PANELS: Final[Sequence[tuple[str, Callable[[Sample], float]]]] = (
    ("messages accepted a second", lambda sample: sample.accepted_per_second),
    ("slowest answer, ms", lambda sample: sample.slowest_seconds * 1_000),
    ("memory of the gateway, MiB", lambda sample: sample.resident_bytes / (1 << 20)),
)


def growth(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    """How much more the last tenth has than the second, of its mean: 0.05 is five per cent. Needs twenty samples."""
    tenth = len(samples) // 10
    assert tenth >= 2, "too few samples to compare tenths"
    second, last = samples[tenth : 2 * tenth], samples[-tenth:]
    return sum(map(value, last)) / sum(map(value, second)) - 1


def plot(samples: Sequence[Sample], title: str) -> str:
    """Return an SVG: a panel for each figure over the minutes, and a line for each fault."""
    height = _GAP + len(_PANELS) * (_PANEL_HEIGHT + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif"',
        ' font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/><text x="{_LEFT}" y="20">{title}</text>',
    ]
    for place, (name, value) in enumerate(_PANELS):
        lines += _panel(samples, name, value, top=_GAP + place * (_PANEL_HEIGHT + _GAP))
    return "\n".join([*lines, "</svg>\n"])


def _panel(samples: Sequence[Sample], name: str, value: Callable[[Sample], float], *, top: int) -> list[str]:
    end, width, bottom = samples[-1].at_seconds, _WIDTH - _LEFT - 20, top + _PANEL_HEIGHT
    most = max(map(value, samples)) or 1.0

    def x(at_seconds: float) -> float:
        return _LEFT + width * at_seconds / end

    every = max(1, len(samples) // _POINTS)
    groups = [samples[first : first + every] for first in range(0, len(samples), every)]
    points = " ".join(
        f"{x(group[0].at_seconds):.1f},{bottom - _PANEL_HEIGHT * max(map(value, group)) / most:.1f}" for group in groups
    )
    faults = [x(sample.at_seconds) for sample in samples if sample.fault]
    return [
        f'<text x="{_LEFT}" y="{top - 6}">{name}</text>',
        *(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}" stroke="#f3c0a0"/>' for at in faults),
        f'<rect x="{_LEFT}" y="{top}" width="{width}" height="{_PANEL_HEIGHT}" fill="none" stroke="#999"/>',
        f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>',
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{_WIDTH - 20}" y="{bottom + 14}" text-anchor="end">{end / 60:.1f} min</text>',
        f'<polyline points="{points}" fill="none" stroke="#1b6ca8"/>',
    ]
