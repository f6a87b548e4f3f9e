"""How it went: the metric of an alert as a drawing, of any number of readings in a bounded number of columns. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo

from alerts.incident_file import Span

WIDTH, HEIGHT, LEFT, FOOT = 640.0, 220.0, 48.0, 28.0
COLUMNS = 290
TICKS = 6


class Curve:
    """Lowest and highest good value in each of so many columns of time."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._since, self._until = span.since.timestamp(), span.until.timestamp()
        self._low: dict[int, float] = {}
        self._high: dict[int, float] = {}

    def add(self, at: datetime, value: float | None) -> None:
        if value is None or not math.isfinite(value):
            return
        column = int((at.timestamp() - self._since) / (self._until - self._since) * COLUMNS)
        self._low[column] = min(value, self._low.get(column, value))
        self._high[column] = max(value, self._high.get(column, value))

    def svg(self, bounds: Mapping[str, float], unit: str, zone: tzinfo) -> str:
        """The curve with its bounds; "" where there is nothing to draw."""
        if not self._low:
            return ""
        values = [*self._low.values(), *self._high.values(), *bounds.values()]
        low, high = min(values), max(values)
        room = (high - low) * 0.05 or 1.0
        low, high = low - room, high + room

        def y(value: float) -> float:
            return round((HEIGHT - FOOT) * (1 - (value - low) / (high - low)), 1)

        step = (WIDTH - LEFT) / COLUMNS
        points = " ".join(
            f"{LEFT + (column + 0.5) * step:.1f},{y(value)}"
            for column in sorted(self._low)
            for value in dict.fromkeys((self._low[column], self._high[column]))
        )
        lines = "".join(
            f'<path d="M{LEFT:g} {y(bound)}H{WIDTH:g}" stroke="#c00" stroke-dasharray="4 3"/>'
            f'<text x="{WIDTH - 4:g}" y="{y(bound) - 3:g}" text-anchor="end" fill="#c00">{name}</text>'
            for name, bound in bounds.items()
        )
        marks = "".join(
            f'<text x="4" y="{y(value) + 4:g}" fill="#222">{_number(value)} {unit}</text>'
            for value in (low + room, high - room)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}"'
            f' height="{HEIGHT:g}" font-family="sans-serif" font-size="11" role="img">{lines}{marks}{self._clock(zone)}'
            f'<polyline points="{points}" fill="none" stroke="#036" stroke-width="1.5"/></svg>'
        )

    def _clock(self, zone: tzinfo) -> str:
        every = (self._until - self._since) / TICKS
        texts = []
        for number in range(TICKS):
            at = datetime.fromtimestamp(self._since + number * every, zone)
            x = LEFT + (WIDTH - LEFT) * number / TICKS
            texts.append(f'<text x="{x:.0f}" y="{HEIGHT - 8:g}" fill="#222">{at:%d/%m %H.%M}</text>')
        return "".join(texts)


def _number(value: float) -> str:
    return f"{value:.4g}".replace(".", ",")
