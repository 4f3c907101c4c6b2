"""Histogram: how long something took, in cells that grow by a fixed factor.

Cell 0 holds everything up to 10 µs, cell k what took up to 10 µs * 2^(k/8), the last one (160 s) also
whatever took longer. So a quantile read from the cells is at most 9 % too high, whatever the
distribution; 193 counters, 1.5 kB, and adding one value is a logarithm and an addition (0.3 µs).
Histograms add up: over processes, over minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log2
from typing import Any

SMALLEST_S = 1e-5
PER_OCTAVE = 8
LAST = 192


class Histogram:
    """Durations in seconds. `seconds` is their sum, `slowest` the longest, both exact."""

    __slots__ = ("cells", "seconds", "slowest")

    def __init__(self) -> None:
        self.cells = [0] * (LAST + 1)
        self.seconds = 0.0
        self.slowest = 0.0

    def add(self, seconds: float) -> None:
        """One more value."""
        cell = cell_of(seconds)
        self.cells[cell] += 1
        self.seconds += seconds
        if seconds > self.slowest:  # noqa: PLR1730 - max() takes twice as long, and this is the hot path
            self.slowest = seconds

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.cells)

    @property
    def mean(self) -> float | None:
        """The mean in seconds, exact; None of nothing."""
        count = self.count
        return self.seconds / count if count else None

    def quantile(self, share: float) -> float | None:
        """Seconds that `share` (0 to 1) of the values do not exceed, at most 9 % too high; None of nothing."""
        count = self.count
        if not count:
            return None
        rank, passed = share * count, 0
        for cell, number in enumerate(self.cells):
            passed += number
            if number and passed >= rank:
                return min(upper_s(cell), self.slowest) if cell < LAST else self.slowest
        return self.slowest

    def within(self, seconds: float) -> int:
        """How many values are at most `seconds`, which is taken up to the end of its cell."""
        return sum(self.cells[: cell_of(seconds) + 1])

    def merge(self, other: Histogram) -> Histogram:
        """Takes the values of `other` as well; itself."""
        for cell, number in enumerate(other.cells):
            if number:
                self.cells[cell] += number
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        return self

    def sparse(self) -> tuple[list[int], list[int]]:
        """The cells that hold something, and how much: as they are stored."""
        filled = [cell for cell, number in enumerate(self.cells) if number]
        return filled, [self.cells[cell] for cell in filled]

    def as_dict(self) -> dict[str, Any]:
        """What people ask of it, in seconds."""
        quantiles = {f"p{round(100 * share)}_s": self.quantile(share) for share in (0.5, 0.95, 0.99)}
        return {"count": self.count, "mean_s": self.mean, **quantiles, "max_s": self.slowest}


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """All of them together."""
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def cell_of(seconds: float) -> int:
    """The cell that holds `seconds`."""
    if seconds <= SMALLEST_S:
        return 0
    # What lies within a rounding error of an edge belongs below it.
    cell = int(log2(seconds / SMALLEST_S) * PER_OCTAVE - 1e-9) + 1
    return min(LAST, cell)


def upper_s(cell: int) -> float:
    """The longest duration `cell` holds, in seconds."""
    return float(SMALLEST_S * 2 ** (cell / PER_OCTAVE))
