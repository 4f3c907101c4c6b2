"""Work: what serving one request took in bitmaps.

Kept for every request; it costs a list entry a bitmap, some ten nanoseconds each.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_RUNGS = {"<": "steps", "@": "bands", "#": "slices", "~": "slices"}


@dataclass(slots=True)
class Work:
    """The terms whose bitmaps were used, as often as they were, and what of them had to be fetched.

    `loaded` came in `segments` pieces and `rounds` round trips. `operands` are the documents of each
    term of the formula, where somebody asked for them.
    """

    visited: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    segments: int = 0
    rounds: int = 0
    operands: dict[str, int] = field(default_factory=dict)

    def visits(self) -> dict[str, int]:
        """How many bitmaps of each kind were used: operands, and steps, bands and slices of order fields."""
        return dict(Counter(map(kind, self.visited)))


def kind(term: str) -> str:
    """`operands`, or the rung of a ladder `term` is."""
    if ":" in term:
        return "operands"
    return _RUNGS.get(term.rstrip("0123456789")[-1:], "operands")
