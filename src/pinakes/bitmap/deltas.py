"""Deltas: what changed about terms, epoch by epoch.

Law: deltas of one term joined in order and applied once equal each applied in order, and applying
one again changes nothing. So a delta already folded into the segments does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyroaring import BitMap


@dataclass(slots=True)
class Delta:
    """Documents that gained a term and documents that lost it; disjoint."""

    added: BitMap = field(default_factory=BitMap)
    removed: BitMap = field(default_factory=BitMap)

    def then(self, later: Delta) -> None:
        """Become this delta followed by `later`."""
        self.added -= later.removed
        self.added |= later.added
        self.removed -= later.added
        self.removed |= later.removed

    def apply(self, bitmap: BitMap) -> None:
        """Bring `bitmap` up to date, in place; touches only the containers concerned."""
        bitmap.difference_update(self.removed)
        bitmap.update(self.added)

    def take_back(self, bitmap: BitMap) -> None:
        """Undo `apply`, in place. Only of a delta that said exactly what changed."""
        bitmap.difference_update(self.added)
        bitmap.update(self.removed)


class DeltaSet:
    """The deltas of one epoch, or of several joined, by term."""

    def __init__(self) -> None:
        self.terms: dict[str, Delta] = {}

    def change(self, doc: int, before: Iterable[str], after: Iterable[str]) -> None:
        """`doc` had the terms `before` and has `after` now; none means it did or does not exist."""
        had, has = set(before), set(after)
        for term in had - has:
            lost = self._of(term)
            lost.added.discard(doc)
            lost.removed.add(doc)
        for term in has - had:
            gained = self._of(term)
            gained.removed.discard(doc)
            gained.added.add(doc)

    def then(self, term: str, later: Delta) -> None:
        """Join a later delta of `term`."""
        self._of(term).then(later)

    def _of(self, term: str) -> Delta:
        found = self.terms.get(term)
        if found is None:
            found = self.terms[term] = Delta()
        return found
