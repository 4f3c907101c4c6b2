"""Patience: how many rows too many a process would rather look at than load bitmaps for.

A process that has just begun would load slices and codes for its first page of an order, as many bytes
as there are documents and more, to spare PostgreSQL some hundred rows. So it looks at the rows, and
the next page in that order may look at a quarter of it: each page loads two slices more, none waits for
all of them, and after three or four they are there. All rows looked at instead are fewer than 1.4 `MOST`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pinakes.bitmap.terms import OrderField

MOST = 300
"""Rows that the first page in an order may look at, besides its own; a row takes as long as loading 4 to 10 kB."""

DOCS_A_ROW = 5_000
"""In small galleries slices are soon loaded: one row for so many documents."""


class Patience:
    """The patience of a process with each order."""

    def __init__(self, most: int | None = None) -> None:
        """`most`: to begin with, instead of what the size of the gallery gives."""
        self._given = most
        self._most = most or 0
        self._left: dict[OrderField, int] = {}

    def renew(self, docs: int) -> None:
        """Nothing is loaded yet of an index of `docs` documents."""
        self._most = min(MOST, docs // DOCS_A_ROW) if self._given is None else self._given
        self._left = {}

    def with_order(self, field: OrderField) -> int:
        """So many rows too many a page in the order of `field` may look at now."""
        return self._left.get(field, self._most)

    def strain(self, fields: Iterable[OrderField]) -> None:
        """A page made use of it with these orders."""
        for field in fields:
            self._left[field] = self.with_order(field) // 4
