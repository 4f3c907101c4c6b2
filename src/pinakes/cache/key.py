"""Questions: what makes two requests the same answer, byte for byte.

The canonical text of a question names everything its answer depends on besides the data: the
format of the body, the incarnation of the database, the namespace (a digest of the settings that
show in an answer: cursor secret, count budget), the scope, the formula, order, page or cursor, page
size, engine, the text of `q`, the aspect where it is not the page alone, and the warnings about its
names. Its blake2b digest is the key; the text itself is stored with the entry and compared on every
read, so not even a collision can serve one question's answer to another.

Scope is `public` where the answer is the same for everybody and `viewer:N` where it can differ for
N. The formula already holds the viewer's own term, so equal texts mean equal answers even without
the scope; it is there for the eye, for statistics, and as a second lock on the same door.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from pinakes.cache import bound as rule
from pinakes.query.aspect import Aspect
from pinakes.query.formula import And, Formula, Or, Phrase, Term, leaves, owned
from pinakes.query.gallery_query import GalleryQuery, visible_to

BODY_FORMAT = 3
"""Raised whenever the bytes of a body change for the same page."""

NAMES = "names"
"""The clock of everything shown but not asked for: names of tags and users, aliases."""

BARRIER = "__barrier__"
"""The clock of writes whose author waited: no answer from before them is served any more."""

PRIVATE = "vis:private"
"""The clock of rows that became private. What happens to a private row otherwise is its owner's clock."""

EVERYTHING = "*"
"""The clock of changes nobody listed; every term counts it as its own. `tag:*` is that of all tags."""

Kind: TypeAlias = Literal["tagged", "creator", "search", "feed"]
"""What a question is about: some tag; else some creator; else some word; else a feed any write can touch."""


@dataclass(frozen=True)
class Question:
    """One cacheable question. `formula` is its meaning, `text` everything its bytes depend on.

    `public_text`: the query as it may be counted, where nobody's identity is part of it. `wide`: the answer
    also depends on items the formula is not true of. `owner`: whose private items the answer may show or count.
    """

    formula: Formula
    kind: Kind
    public: bool
    text: str
    public_text: str | None = None
    wide: bool = False
    owner: int | None = None

    @cached_property
    def key(self) -> bytes:
        """The digest of `text`: the entry's name."""
        return hashlib.blake2b(self.text.encode(), digest_size=20).hexdigest().encode()

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """The clocks this question's bound reads."""
        own = set() if self.owner is None else {owned(self.owner)}
        return tuple(sorted(rule.terms(self._rests_on) | {NAMES, PRIVATE} | own))

    @property
    def _rests_on(self) -> Formula:
        """What items must be like to change the answer: for a wide one, visible."""
        return visible_to(self.owner) if self.wide else self.formula

    @cached_property
    def named(self) -> frozenset[str]:
        """Every term the question names, wanted or not, with its wildcards: what it can be forgotten by."""
        terms = (str(leaf) for leaf in leaves(self.formula) if isinstance(leaf, Term))
        return frozenset((EVERYTHING, *(wild for term in terms for wild in wildcards(term))))

    def bound(self, clock: rule.Clock, newest: int, *, exact: bool, clocked: bool) -> int:
        """The newest epoch that can have changed the answer.

        `exact`: the answer was computed from the very state of its epoch. `clocked`: changes of
        content count; without it only what must never wait for a time limit does: names, writes
        somebody waited for, what became private (so it leaves every feed), and the viewer's own private items.
        """
        if not exact:
            return newest
        if not clocked:
            return max(clock(NAMES), clock(BARRIER), clock(PRIVATE), self.own_clock(clock))
        return max(clock(NAMES), rule.seen_bound(self._rests_on, self.owner, clock, newest))

    def own_clock(self, clock: rule.Clock) -> int:
        """The newest epoch that touched a private item the answer may show; 0 where it can show none."""
        return 0 if self.owner is None else clock(owned(self.owner))


def ask(
    query: GalleryQuery,
    formula: Formula,
    *,
    engine: str,
    warnings: tuple[str, ...],
    namespace: str,
    incarnation: str,
    aspect: Aspect | None = None,
) -> Question:
    """The question `query` asks, `formula` being its meaning; of its page where there is no `aspect`."""
    wide = aspect is not None and aspect.wide
    public = query.viewer is None or (not wide and Term("creator", query.viewer) not in set(leaves(formula)))
    owner = None if public else query.viewer
    place = f"page:{query.page}" if query.cursor is None else f"cursor:{query.cursor}"
    lines = (
        f"body:{BODY_FORMAT}",
        f"incarnation:{incarnation}",
        f"namespace:{namespace}",
        f"scope:{'public' if public else f'viewer:{query.viewer}'}",
        f"engine:{engine}",
        f"formula:{formula}",
        f"order:{query.sort_field} {query.sort_order}",
        f"{place}",
        f"size:{query.page_size}",
        f"query:{query.q!r}",
        *(() if query.fields is None else (f"fields:{' '.join(query.fields)}",)),
        *(() if aspect is None else (f"aspect:{aspect!r}",)),
        *(f"warning:{warning!r}" for warning in warnings),
    )
    return Question(formula, "feed" if wide else _kind(formula), public, "\n".join(lines), wide=wide, owner=owner)


def wildcards(term: str) -> tuple[str, ...]:
    """The members of the clocks that count for `term`: itself, all of its field, everything."""
    field, colon, _ = term.partition(":")
    return (term, f"{field}:*", EVERYTHING) if colon else (term, EVERYTHING)


def namespace_of(*settings: object) -> str:
    """A digest of the settings that show in an answer; secrets do not leave it."""
    return hashlib.blake2b(repr(settings).encode(), digest_size=8).hexdigest()


_KINDS: tuple[Kind, ...] = ("tagged", "creator", "search", "feed")
_SELECTS: dict[str, int] = {"tag": 0, "creator": 1, "word": 2}


def _kind(formula: Formula) -> Kind:
    """The most selective thing every matching row must have; `feed` if there is none.

    The creator term that visibility adds stands in an alternative to `vis:public`, so it makes no
    feed a creator's.
    """
    return _KINDS[_rank(formula)]


def _rank(formula: Formula) -> int:
    """Index into `_KINDS`: a row must have all parts of an And, but only one of an Or."""
    match formula:
        case Term(field, _):
            return _SELECTS.get(field, 3)
        case Phrase():
            return _SELECTS["word"]
        case And(parts):
            return min(map(_rank, parts))
        case Or(parts):
            return max(map(_rank, parts))
        case _:
            return 3
