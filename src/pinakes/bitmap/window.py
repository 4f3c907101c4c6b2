"""Windows: the few documents that must hold the page asked for.

A window is a run of consecutive ranks in the total order (missing last, value, id, source). Codes
are monotone, so whoever sorts the window's documents by their real values and skips the ranks
before the page has the page exactly; the bitmaps never need to know a real value.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.runs import Position, Runs
from pinakes.bitmap.source import TermSource
from pinakes.bitmap.terms import NULLABLE
from pinakes.query.gallery_query import SortField, SortOrder

SPARE = 8
"""Windows are up to so many documents longer than the page, at either end. A row read for nothing takes some 6 µs,
halving what is left about as long."""

WHOLE = 64
"""So few hits are a window as they are: their order's bitmaps may not even be in memory."""


@dataclass(frozen=True, slots=True)
class Window:
    """`docs` are the hits of ranks `first` and following, in the direction asked for."""

    docs: BitMap
    first: int


class Windows:
    """The windows of one answer: `hits` in one order."""

    def __init__(
        self,
        source: TermSource,
        hits: BitMap,
        field: SortField,
        order: SortOrder,
        *,
        spare: int | None = None,
        whole: int | None = None,
    ) -> None:
        """`spare` and `whole` instead of `SPARE` and `WHOLE`, for tests and measurements."""
        self._whole = WHOLE if whole is None else whole
        self._runs = Runs(source, SPARE if spare is None else spare, self._whole)
        self._source = source
        self._hits = hits
        self._field = field
        self._descending = order == "desc"
        self._valued = len(hits)
        if field in NULLABLE:
            self._valued -= hits.intersection_cardinality(source.bitmap(terms.null(field)))

    def around(self, ranks: range) -> Window:
        """The window of `ranks`; empty where there are no such ranks."""
        total, valued = len(self._hits), self._valued
        start, stop = min(max(ranks.start, 0), total), min(ranks.stop, total)
        if start >= stop:
            return Window(BitMap(), start)
        if total <= max(self._whole, stop - start + self._runs.spare):
            return Window(self._hits, 0)
        if start >= valued:
            return self._run_missing(range(start - valued, stop - valued))
        found = self._run(self._field, self._hits, valued, range(start, min(stop, valued)))
        if stop > valued:
            return Window(found.docs | self._run_missing(range(stop - valued)).docs, found.first)
        return found

    def bracket(self, place: Position) -> range:
        """The ranks that may stand on either side of `place`: all before come before it, all after come after."""
        if place.key is None:
            base, total = self._valued, len(self._hits) - self._valued
            found = self._runs.bracket("key", self._missing(), total, place)
        else:
            base, total = 0, self._valued
            found = self._runs.bracket(self._field, self._hits, total, place)
        if self._descending:
            found = range(total - found.stop, total - found.start)
        return range(base + found.start, base + found.stop)

    def _missing(self) -> BitMap:
        """The hits without a value: they come last, in the order of their keys."""
        return self._hits & self._source.bitmap(terms.null(self._field))

    def _run_missing(self, ranks: range) -> Window:
        docs = self._missing()
        found = self._run("key", docs, len(docs), ranks)
        return Window(found.docs, found.first + self._valued)

    def _run(self, field: terms.OrderField, docs: BitMap, total: int, ranks: range) -> Window:
        """The window of one ladder, with ranks counted in the direction asked for."""
        if not self._descending:
            return Window(*self._runs.around(field, docs, total, ranks))
        run, under = self._runs.around(field, docs, total, range(total - ranks.stop, total - ranks.start))
        return Window(run, total - under - len(run))
