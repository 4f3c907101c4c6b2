"""Judging an entry: is this still the answer?

* Nothing the answer depends on changed after its epoch: the clock bound of `pinakes.cache.bound`.
* Nobody asked, after it was computed, to forget a term its question names.

And it must have been computed after the clocks it is judged by were begun. Whether those clocks can
be trusted at all is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pinakes.cache.entry import Entry
from pinakes.cache.key import BARRIER, Question


class KnownClocks(Protocol):
    """Clocks at some moment: the mirror, or a reading of Redis."""

    @property
    def newest(self) -> int:
        """The newest epoch published."""

    @property
    def born_ms(self) -> int:
        """When the clocks were begun."""

    @property
    def forgotten(self) -> Mapping[str, int]:
        """Term -> when it was last to be forgotten."""

    @property
    def last_forgotten(self) -> int:
        """The newest of these times."""

    def clock(self, term: str) -> int:
        """The newest epoch that touched `term`."""


def still_right(entry: Entry, question: Question, clocks: KnownClocks, *, clocked: bool) -> bool:
    """Whether `entry` is still the answer to `question`; see `Question.bound` for `clocked`."""
    if entry.created_ms < clocks.born_ms or forgotten(entry, question, clocks):
        return False
    return question.bound(clocks.clock, clocks.newest, exact=entry.exact, clocked=clocked) <= entry.epoch


def may_serve_stale(entry: Entry, question: Question, clocks: KnownClocks) -> bool:
    """Whether an answer right a moment ago may be given: nobody was promised more or asked to forget it.

    A write of a private item that is waited for raises no barrier, which everybody would notice. It need not:
    nobody but its owner sees it, and they are never given what is older than their last private write.
    """
    return (
        entry.created_ms >= clocks.born_ms
        and max(clocks.clock(BARRIER), question.own_clock(clocks.clock)) <= entry.epoch
        and not forgotten(entry, question, clocks)
    )


def forgotten(entry: Entry, question: Question, clocks: KnownClocks) -> bool:
    """Whether somebody asked to forget `entry` since it was computed."""
    if clocks.last_forgotten < entry.created_ms:
        return False
    return any(clocks.forgotten.get(term, 0) >= entry.created_ms for term in question.named)
