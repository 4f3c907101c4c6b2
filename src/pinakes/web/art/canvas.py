"""Canvas: a list of SVG elements, 400 by 300, and the seeded chance everything on it is placed with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random

WIDTH, HEIGHT = 400, 300

Point = tuple[float, float]


def n(value: float) -> str:
    """A coordinate, as short as it looks the same."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


class Canvas:
    """What has been drawn so far, back to front."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.defs: list[str] = []
        self.drawn: list[str] = []

    def add(self, element: str) -> None:
        """An element as it stands."""
        self.drawn.append(element)

    def gradient(
        self, name: str, stops: Sequence[tuple[float, str]], *, radial: bool = False, down: bool = True
    ) -> str:
        """A gradient; what to fill with it."""
        inner = "".join(f'<stop offset="{n(at * 100)}%" stop-color="{color}"/>' for at, color in stops)
        if radial:
            self.defs.append(f'<radialGradient id="{name}">{inner}</radialGradient>')
        else:
            ends = 'x1="0" y1="0" x2="0" y2="1"' if down else 'x1="0" y1="0" x2="1" y2="0.4"'
            self.defs.append(f'<linearGradient id="{name}" {ends}>{inner}</linearGradient>')
        return f"url(#{name})"

    def glow(self, name: str, color: str, strength: float = 0.8) -> str:
        """A light that fades into nothing; what to fill with it."""
        self.defs.append(
            f'<radialGradient id="{name}"><stop offset="0" stop-color="{color}" stop-opacity="{strength}"/>'
            f'<stop offset="1" stop-color="{color}" stop-opacity="0"/></radialGradient>'
        )
        return f"url(#{name})"

    def rect(self, x: float, y: float, width: float, height: float, fill: str, more: str = "") -> None:
        """A rectangle."""
        self.add(f'<rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" fill="{fill}"{_more(more)}/>')

    def circle(self, x: float, y: float, radius: float, fill: str, more: str = "") -> None:
        """A circle."""
        self.add(f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}" fill="{fill}"{_more(more)}/>')

    def ellipse(self, x: float, y: float, across: float, high: float, fill: str, more: str = "") -> None:
        """An ellipse."""
        self.add(f'<ellipse cx="{n(x)}" cy="{n(y)}" rx="{n(across)}" ry="{n(high)}" fill="{fill}"{_more(more)}/>')

    def shape(self, points: Iterable[Point], fill: str, more: str = "") -> None:
        """A polygon."""
        path = " ".join(f"{n(x)},{n(y)}" for x, y in points)
        self.add(f'<polygon points="{path}" fill="{fill}"{_more(more)}/>')

    def path(self, d: str, fill: str, more: str = "") -> None:
        """A path."""
        self.add(f'<path d="{d}" fill="{fill}"{_more(more)}/>')

    def ridge(self, level: float, height: float, step: float, fill: str, *, rough: float = 0.5) -> list[Point]:
        """Land from a line of hills down to the lower edge; soft hills for a low `rough`, peaks for a high one."""
        waves = [(self.chance.uniform(0.4, 1) * height / k, self.chance.uniform(0, 6.3), k) for k in (1, 2.3, 4.1)]
        line: list[Point] = []
        x = -step
        while x <= WIDTH + step:
            y = level - sum(a * math.sin(p + k * x / WIDTH * 5) for a, p, k in waves) * (1 - rough)
            y -= self.chance.uniform(-1, 1) * height * rough
            line.append((x, y))
            x += step
        if rough > 0.25:
            self.shape([(-step, HEIGHT + 9), *line, (WIDTH + step, HEIGHT + 9)], fill)
        else:
            self.path(f"M-9,{HEIGHT + 9} L{smooth(line)} L{WIDTH + 9},{HEIGHT + 9}Z", fill)
        return line


def smooth(points: Sequence[Point]) -> str:
    """A soft line through the middles of `points`, to follow an L or M in a path."""
    parts = [f"{n(points[0][0])},{n(points[0][1])}"]
    for (x, y), (after_x, after_y) in pairwise(points[1:]):
        parts.append(f"Q{n(x)},{n(y)} {n((x + after_x) / 2)},{n((y + after_y) / 2)}")
    return " ".join(parts)


def _more(more: str) -> str:
    return f" {more}" if more else ""
