"""Small charts as SVG, with nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

__version__ = "1.1.0"

_WIDTH, _HEIGHT, _MARGIN = 640, 280, 44
_STYLE = "font-family:system-ui,sans-serif;font-size:12px"


class Chart:
    """A chart that notebooks show."""

    def __init__(self, title: str, marks: str, ticks: str) -> None:
        self.title = title
        self._marks = marks
        self._ticks = ticks

    def _repr_svg_(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
            f'aria-label="{escape(self.title, quote=True)}"><rect width="100%" height="100%" fill="#ffffff"/>'
            f'<g style="{_STYLE}"><text x="{_MARGIN}" y="22" font-weight="600" font-size="14" fill="#1f2937">{escape(self.title)}</text>'
            f"{self._ticks}{self._marks}</g></svg>"
        )

    def __repr__(self) -> str:
        return f"<Chart {self.title!r}>"


def _scale(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.08 or 1.0
    return low - room, high + room


def _grid(low: float, high: float, unit: str) -> str:
    lines = []
    for step in range(5):
        value = low + (high - low) * step / 4
        y = _y(value, low, high)
        lines.append(f'<line x1="{_MARGIN}" x2="{_WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        lines.append(f'<text x="{_MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#6b7280">{value:.0f}{escape(unit)}</text>')
    return "".join(lines)


def _y(value: float, low: float, high: float) -> float:
    return _HEIGHT - 34 - (value - low) / (high - low) * (_HEIGHT - 34 - 38)


def line(series: Mapping[str, Sequence[float]], labels: Sequence[str], title: str = "", unit: str = "") -> Chart:
    """Return a line chart of one or more *series* over *labels*."""
    colours = ("#0f766e", "#b45309", "#4338ca", "#be123c")
    low, high = _scale(min(map(min, series.values())), max(map(max, series.values())))
    step = (_WIDTH - _MARGIN - 30) / max(len(labels) - 1, 1)
    marks = []
    for number, (name, values) in enumerate(series.items()):
        colour = colours[number % len(colours)]
        points = " ".join(f"{_MARGIN + 6 + i * step:.1f},{_y(v, low, high):.1f}" for i, v in enumerate(values))
        marks.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"/>')
        marks.append(f'<text x="{_WIDTH - 14 - number * 130}" y="22" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    ticks = "".join(
        f'<text x="{_MARGIN + 6 + i * step:.1f}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#6b7280">{escape(label)}</text>'
        for i, label in enumerate(labels)
    )
    return Chart(title, "".join(marks), _grid(low, high, unit) + ticks)


def bars(values: Mapping[str, float], title: str = "", unit: str = "") -> Chart:
    """Return a bar chart of *values* by name."""
    low, high = 0.0, max(values.values()) * 1.08
    slot = (_WIDTH - _MARGIN - 20) / len(values)
    marks = []
    for number, (name, value) in enumerate(values.items()):
        x, y = _MARGIN + 8 + number * slot, _y(value, low, high)
        marks.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{slot * 0.7:.1f}" height="{_HEIGHT - 34 - y:.1f}" rx="3" fill="#0f766e"/>')
        marks.append(f'<text x="{x + slot * 0.35:.1f}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#6b7280">{escape(name)}</text>')
    return Chart(title, "".join(marks), _grid(low, high, unit))
