"""Touched: the newest epoch at which a tag, a creator (or their private items), or a name changed, as far as followed.

What a name in a query means stays right as long as no tag came, went or was renamed and none of the
terms it stands for was touched. The process follows epochs anyway, so it can tell by itself, without
asking anybody, whether something it looked up earlier is still so.

Bounded: beyond `SIZE` terms everything is forgotten, and counts as touched now.
"""

from __future__ import annotations

from collections.abc import Iterable

SIZE = 200_000
EVERYTHING = "*"


class Touched:
    """Clocks of terms, in epochs of one incarnation."""

    def __init__(self) -> None:
        self.newest = 0
        self._floor = 0
        self._clocks: dict[str, int] = {}

    def reset(self, epoch: int) -> None:
        """Nothing is known about what happened up to `epoch`."""
        self._clocks.clear()
        self._floor = self.newest = epoch

    def note(self, epoch: int, terms: Iterable[str]) -> None:
        """`epoch` touched these terms; `field:*` are all of a field, `*` is everything."""
        for term in terms:
            self._clocks[term] = max(epoch, self._clocks.get(term, 0))
        self.newest = max(self.newest, epoch)
        if len(self._clocks) > SIZE:
            self.reset(self.newest)

    def clock(self, term: str) -> int:
        """The newest epoch that can have touched `term`."""
        known = self._clocks
        of_field = known.get(f"{term.partition(':')[0]}:*", 0)
        return max(known.get(term, 0), of_field, known.get(EVERYTHING, 0), self._floor)
