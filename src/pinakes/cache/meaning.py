"""Meanings: what queries were understood as, remembered for as long as that is right.

A query names tags; which of them exist for the viewer is known to the database alone. Asking it
every time would cost every hit a connection, so what it said is kept with the stamp of the snapshot
it was said in and judged by clocks like an answer: `vocabulary` (a tag came or went), `names` (a tag
was renamed), and for each tag understood its own clock (an item the viewer may see carries it, or
none does any more). A name that might have meant a tag seen on private items only, whose clock nobody
here knows, is bound by the newest epoch.

Bounded by number: `SIZE` meanings of some 2 kB.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from pinakes.cache.judge import KnownClocks
from pinakes.cache.key import NAMES, Question
from pinakes.cache.stamp import Stamp
from pinakes.query.aspect import Aspect
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery

SIZE = 20_000
VOCABULARY = "vocabulary"


@dataclass(frozen=True, slots=True)
class Understood:
    """What a snapshot made of a query.

    `named`: it names tags or creators; `terms`: what they are; `unsure`: they may come to mean
    something else without any of those clocks telling.
    """

    formula: Formula
    warnings: tuple[str, ...]
    terms: tuple[str, ...]
    named: bool
    unsure: bool
    stamp: Stamp


@dataclass(slots=True)
class Meaning:
    """A question, and what it rests on."""

    question: Question
    incarnation: str
    understood: Understood
    learnt_ms: int
    version: int = -1

    def bound(self, clocks: KnownClocks) -> int:
        """The newest epoch that can have changed what the query means."""
        if self.understood.unsure or not self.understood.stamp.exact:
            return clocks.newest
        return max(clocks.clock(term) for term in (NAMES, VOCABULARY, *self.understood.terms))


class Meanings:
    """The most recently used meanings of this process, by query and aspect."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._known: OrderedDict[tuple[GalleryQuery, Aspect | None], Meaning] = OrderedDict()

    def get(self, query: GalleryQuery, aspect: Aspect | None = None) -> Meaning | None:
        """What `query` was understood as."""
        found = self._known.get((query, aspect))
        if found is not None:
            self._known.move_to_end((query, aspect))
        return found

    def put(self, query: GalleryQuery, meaning: Meaning, aspect: Aspect | None = None) -> None:
        """Remembers what `query` means."""
        self._known[query, aspect] = meaning
        self._known.move_to_end((query, aspect))
        if len(self._known) > self._size:
            self._known.popitem(last=False)
