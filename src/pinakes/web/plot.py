"""Plots: series over time as the points of a small drawing, with round numbers at its edges. Pure.

The drawing is 600 by 170 with room at the left and below for figures; moments without a value leave a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, log10

WIDTH, HEIGHT = 600, 170
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 24

Series = Sequence[tuple[datetime, float | None]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: `lines` are stretches without a gap as points of a polyline, `last` its latest value in words."""

    name: str
    place: int
    lines: tuple[str, ...]
    areas: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    last: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves with the marks of both axes: (place, words)."""

    title: str
    curves: tuple[Curve, ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]

    @property
    def empty(self) -> bool:
        """Whether nothing happened."""
        return not any(curve.lines or curve.dots for curve in self.curves)


def plot(
    title: str,
    since: datetime,
    until: datetime,
    series: Sequence[tuple[str, Series]],
    words: Callable[[float], str],
    *,
    step_s: float,
    most: float | None = None,
) -> Plot:
    """The plot of `series` from 0 to their greatest value, or to `most`; `words` says a value."""
    known = [value for _, points in series for _, value in points if value is not None]
    top = most if most is not None else _round_up(max(known, default=0.0))
    span = max((until - since).total_seconds(), 1.0)

    def across(moment: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (moment - since).total_seconds() / span

    def high(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / top, 1.0)

    curves = []
    for place, (name, points) in enumerate(series):
        stretches = _stretches([(across(m), high(v), m) for m, v in points if v is not None], step_s)
        values = [value for _, value in points if value is not None]
        curves.append(
            Curve(
                name,
                place % 5,
                tuple(_points(part) for part in stretches if len(part) > 1),
                tuple(_area(part) for part in stretches if len(part) > 1),
                tuple(part[0] for part in stretches if len(part) == 1),
                words(values[-1]) if values else "–",
            )
        )
    rows = tuple((high(top * part), words(top * part)) for part in (0.0, 0.5, 1.0))
    form = "%H:%M" if span <= 90_000 else "%d %b"

    def column(part: float) -> tuple[float, str]:
        moment = since + timedelta(seconds=span * part)
        return LEFT + (WIDTH - LEFT - RIGHT) * part, moment.strftime(form)

    columns = tuple(column(k / 4) for k in range(5))
    return Plot(title, tuple(curves), rows, columns)


def _stretches(points: list[tuple[float, float, datetime]], step_s: float) -> list[list[tuple[float, float]]]:
    """Cut where more than two and a half steps are missing."""
    parts: list[list[tuple[float, float]]] = []
    before: datetime | None = None
    for x, y, moment in points:
        if before is None or (moment - before).total_seconds() > 2.5 * step_s:
            parts.append([])
        parts[-1].append((x, y))
        before = moment
    return parts


def _points(part: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in part)


def _area(part: list[tuple[float, float]]) -> str:
    floor_y = HEIGHT - BOTTOM
    return f"{part[0][0]:.1f},{floor_y} {_points(part)} {part[-1][0]:.1f},{floor_y}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 …, at any scale."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** floor(log10(value))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= value or ceil(value / scale) <= step)
