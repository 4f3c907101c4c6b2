"""Where bitmaps come from: the one thing evaluation asks of the outside.

Evaluation is synchronous and touches memory only. A source that lacks a bitmap raises
`TermsMissing` with the names; the caller loads them and evaluates again from the start. A warm
worker therefore pays nothing for the possibility of a cold one, and no bitmap can change under a
running evaluation.

A bitmap handed out belongs to the source: read it, never change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pyroaring import BitMap

from pinakes.bitmap.codes import SortCode
from pinakes.bitmap.terms import OrderField


class TermsMissing(Exception):
    """These terms must be loaded before the evaluation can go on."""

    def __init__(self, terms: Iterable[str]) -> None:
        self.terms = frozenset(terms)
        super().__init__(", ".join(sorted(self.terms)))


class TermSource(Protocol):
    """Bitmaps by term name, and the code of each order field."""

    def bitmap(self, term: str) -> BitMap:
        """The live documents with `term`; empty when there are none. May raise `TermsMissing`."""

    def require(self, terms: Iterable[str]) -> None:
        """Raise one `TermsMissing` for all of `terms` that are not in memory."""

    def code(self, field: OrderField) -> SortCode:
        """The code of `field`. May raise `TermsMissing` with the field's `code:` name."""

    def filling(self, field: OrderField) -> tuple[int, ...]:
        """Roughly how many documents each band holds. A guess: it steers the search and never its answer."""

    def patience(self, field: OrderField) -> int:
        """So many documents too many may be looked at rather than ask for more terms of `field`."""

    def strained(self, field: OrderField) -> None:
        """That `patience` was made use of."""


class MemorySource:
    """A source that holds everything: for tests, and for checking an index against its rows."""

    def __init__(self, bitmaps: dict[str, BitMap], codes: dict[OrderField, SortCode]) -> None:
        self.bitmaps = bitmaps
        self.codes = codes
        self._none = BitMap()

    def bitmap(self, term: str) -> BitMap:
        """The documents with `term`."""
        return self.bitmaps.get(term, self._none)

    def require(self, terms: Iterable[str]) -> None:
        """Everything is here."""

    def code(self, field: OrderField) -> SortCode:
        """The code of `field`."""
        return self.codes[field]

    def filling(self, field: OrderField) -> tuple[int, ...]:
        """As the code was cut."""
        return self.codes[field].filling

    def patience(self, field: OrderField) -> int:
        """None: all terms are here."""
        return 0

    def strained(self, field: OrderField) -> None:
        """Never."""
