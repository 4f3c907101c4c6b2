"""Meanings: what queries were understood as, remembered for as long as that is right.

A query names tags; which of them exist for the viewer is known to the database alone. Asking it
every time would cost every hit a connection, so what it said is kept with the stamp of the snapshot
it was said in and judged by clocks like an answer: `vocabulary` (a tag came or went), `names` (a tag
was renamed), and for each tag understood its own clock and that of the viewer's private items (an item the
viewer may see carries it, or none does any more). A name that might have meant a tag seen on private items
only, whose clock nobody here knows, is bound by the newest epoch.

Bounded by bytes: `MEMORY`, some 9,000 meanings of common questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pinakes.cache.key import NAMES, Question
from pinakes.cache.stamp import Stamp
from pinakes.query.formula import Formula

MEMORY = 32 * 2**20
VOCABULARY = "vocabulary"


@dataclass(frozen=True, slots=True)
class Understood:
    """What a snapshot made of a query.

    `named`: it names tags or creators; `terms`: what they are, and whose private items may have them;
    `unsure`: they may come to mean something else without any of those clocks telling.
    """

    formula: Formula
    warnings: tuple[str, ...]
    terms: tuple[str, ...]
    named: bool
    unsure: bool
    stamp: Stamp

    def bound(self, clocks: TermClocks) -> int:
        """The newest epoch that can have changed what the query means."""
        if not self.named:
            return 0
        if self.unsure or not self.stamp.exact:
            return clocks.newest
        return max(clocks.clock(term) for term in (NAMES, VOCABULARY, *self.terms))


class TermClocks(Protocol):
    """Epochs that touched terms, as far as somebody has followed them."""

    @property
    def newest(self) -> int:
        """The newest epoch followed."""

    def clock(self, term: str) -> int:
        """The newest epoch that can have touched `term`."""


@dataclass(slots=True)
class Meaning:
    """A question, and what it rests on."""

    question: Question
    incarnation: str
    understood: Understood
    learnt_ms: int
    version: int = -1

    def bound(self, clocks: TermClocks) -> int:
        """The newest epoch that can have changed what the query means."""
        return self.understood.bound(clocks)
