"""The clock bound: the newest epoch that can have changed the answer to a formula.

Every epoch clocks, for each row it changed, all terms of the row as it was and as it became, as far as that
was public. Of a version that was private it clocks the *owner*, `owner:42`, and nothing else: clocks are shared,
and would tell everybody what a private row has. The *clock* of a term is the newest epoch that clocked it.
`bound` reads a formula over these numbers:

    bound(term)      = its clock
    bound(phrase)    = min over the terms of its words
    bound(And)       = min over its parts
    bound(Or)        = max over its parts
    bound(Nothing)   = 0
    bound(anything else: Everything, Not, Range) = the newest epoch

and `seen_bound` adds the viewer, whose own private rows a formula can match: the max of bound(F) and the clock
of `owner:viewer`. Without a viewer it is bound(F).

**Law.** Let every row that matches F be public or the viewer's own, as it is when visibility is a part of F. If
seen_bound(F) ≤ E, the rows matching F are at the newest epoch what they were at E: the same rows with the same
columns. So every page, order and total of F computed at E is still right.

**Proof.** Suppose a row that matches F before or after its change was changed at epoch e > E; let v be the version
that matches. If v is private it is the viewer's own, so e clocked `owner:viewer`, and seen_bound(F) ≥ e. If v is
public, e clocked all its terms, and bound(F) ≥ e by induction over F:

* term: v has it, so its clock is ≥ e; phrase: v has every word, so each clock and their min is ≥ e;
* And: every part is true of v, so every part's bound is ≥ e, and so is their min;
* Or: some part is true of v, that part's bound is ≥ e, and the max is no less;
* Nothing is true of no v; for all others the newest epoch is ≥ e.

That contradicts seen_bound(F) ≤ E < e. ∎

**What a bound tells.** Visibility is a part of F: `vis:public`, or an Or of it and `creator:viewer`. So bound(F) is at
most the clocks of these, which only public versions move, whatever "the newest epoch" of another part says. A private
row of others therefore moves no bound of F at all.

The law needs an answer that is a function of the matching rows alone, computed from the state at
epoch E exactly. What else an answer shows (names) has a clock of its own, and an answer computed
while changes were waiting for their epoch is bound by the newest epoch: `Question.bound` in
`pinakes.cache.key` puts these together. Clocks may be overestimated freely (a lost clock reads as
the floor), since the law only uses that they are not too small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pinakes.query.formula import And, Formula, Nothing, Or, Phrase, Term, owned

Clock: TypeAlias = Callable[[str], int]
"""The text of a term -> the newest epoch that touched it."""


def bound(formula: Formula, clock: Clock, newest: int) -> int:
    """The newest epoch that can have changed the rows matching `formula`."""
    match formula:
        case Term():
            return clock(str(formula))
        case Phrase(words):
            return min(clock(str(Term("word", word))) for word in words)
        case And(parts):
            return min(bound(part, clock, newest) for part in parts)
        case Or(parts):
            return max(bound(part, clock, newest) for part in parts)
        case Nothing():
            return 0
        case _:
            return newest


def seen_bound(formula: Formula, viewer: int | None, clock: Clock, newest: int) -> int:
    """The newest epoch that can have changed what `viewer` sees of the rows matching `formula`.

    `viewer` is None where no private row can match.
    """
    shared = bound(formula, clock, newest)
    return shared if viewer is None else max(shared, clock(owned(viewer)))


def terms(formula: Formula) -> frozenset[str]:
    """The texts of all terms whose clocks `bound` reads for `formula`."""
    match formula:
        case Term():
            return frozenset((str(formula),))
        case Phrase(words):
            return frozenset(str(Term("word", word)) for word in words)
        case And(parts) | Or(parts):
            return frozenset().union(*map(terms, parts))
        case _:
            return frozenset()
