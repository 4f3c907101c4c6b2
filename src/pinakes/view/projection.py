"""How long a refresh will take at another size: a line through the refreshes there were.

A whole refresh reads, sorts and compares every row, so its time grows with the rows a little more
than in proportion (sorting, and caches outgrown). A line is a floor for sizes far beyond those
measured, and `Fit` says what it rests on. Pure; a few hundred points at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fit:
    """seconds = `fixed_s` + `per_item_s` · items, by least squares over `points` refreshes."""

    fixed_s: float
    per_item_s: float
    points: int
    smallest: int
    largest: int

    def at(self, items: int) -> float:
        """Projected seconds at `items`."""
        return self.fixed_s + self.per_item_s * items

    def __str__(self) -> str:
        sizes = f"{self.largest:,}" if self.smallest == self.largest else f"{self.smallest:,} to {self.largest:,}"
        return (
            f"{self.fixed_s:.3f} s + {self.per_item_s * 1e6:.2f} µs an item, "
            f"from {self.points} refreshes of {sizes} items"
        )


def fit(points: Sequence[tuple[int, float]]) -> Fit | None:
    """The line through (items, seconds); in proportion where sizes hardly differ. None without points."""
    measured = [(items, seconds) for items, seconds in points if items > 0]
    if not measured:
        return None
    sizes = [items for items, _ in measured]
    mean_x = sum(sizes) / len(measured)
    mean_y = sum(seconds for _, seconds in measured) / len(measured)
    spread = sum((items - mean_x) ** 2 for items in sizes)
    slope, fixed = mean_y / mean_x, 0.0
    if max(sizes) > 1.5 * min(sizes):
        least = sum((items - mean_x) * (seconds - mean_y) for items, seconds in measured) / spread
        if least > 0 and mean_y - least * mean_x >= 0:
            slope, fixed = least, mean_y - least * mean_x
    return Fit(fixed, slope, len(measured), min(sizes), max(sizes))
