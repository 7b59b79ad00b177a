"""Seasonal forecasts for short series, with nothing but the standard library."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, pstdev

__version__ = "0.3.0"


class Forecast:
    """Expected values with a band of one standard deviation."""

    def __init__(self, values: Sequence[float], spread: float) -> None:
        self.values = [round(value, 1) for value in values]
        self.spread = round(spread, 1)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{number}</td><td>{value:.1f}</td><td>{value - self.spread:.1f} – {value + self.spread:.1f}</td></tr>"
            for number, value in enumerate(self.values, 1)
        )
        return f"<table><thead><tr><th>Step</th><th>Expected</th><th>Likely range</th></tr></thead><tbody>{rows}</tbody></table>"

    def __repr__(self) -> str:
        return f"Forecast({self.values}, spread={self.spread})"


def seasonal(history: Sequence[float], season: int, steps: int) -> Forecast:
    """Forecast *steps* values after *history*: the mean of each place in the *season*, moved by the trend.

    Raises
    ------
    ValueError
        If *history* is shorter than two seasons.
    """
    if len(history) < 2 * season:
        raise ValueError(f"two seasons of {season} values are needed, {len(history)} values were given")
    seasons = [history[i : i + season] for i in range(0, len(history) - season + 1, season)]
    trend = (mean(seasons[-1]) - mean(seasons[0])) / max(len(seasons) - 1, 1)
    last = seasons[-1]
    values = [last[i % season] + trend * (1 + i // season) for i in range(steps)]
    residuals = [b - a - trend for first, second in pairwise(seasons) for a, b in zip(first, second, strict=True)]
    return Forecast(values, pstdev(residuals) if len(residuals) > 1 else 0.0)
