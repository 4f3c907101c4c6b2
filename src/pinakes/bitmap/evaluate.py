"""Evaluation: a formula as the set of documents it is true of.

Two leaves cannot be decided by bitmaps alone: a phrase (its words may stand apart) and the edge
buckets of a range. So the answer is a pair of bounds, `certain` ⊆ truth ⊆
`possible`; where both are the same object the answer is exact, and otherwise only the documents
between them need to be looked at. The bounds of Not swap, those of And and Or are taken side by side.

Every operand is evaluated *within* what the operands before it left over: And takes the smallest
first and Nots last, so the work follows the smallest set and not the whole gallery. Or unites its
parts first where that is cheaper than cutting each down.

A formula of a thousand leaves takes seconds where documents are many, so the work is done in steps: after every
`STEP` containers (65,536 documents in one bitmap; about a microsecond each, as much as an operation takes besides)
`evaluating` gives way. Small formulas are a single step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.ladder import less
from pinakes.bitmap.source import TermSource
from pinakes.bitmap.terms import NULLABLE
from pinakes.query.formula import And, Everything, Formula, Not, Nothing, Or, Phrase, Range, Tagged, Term, leaves


@dataclass(frozen=True, slots=True)
class Bounds:
    """Documents the formula is certainly true of, and those it may be true of. May alias the source's bitmaps."""

    certain: BitMap
    possible: BitMap

    @property
    def exact(self) -> bool:
        """Whether nothing is left to look at."""
        return self.certain is self.possible

    def doubtful(self) -> BitMap:
        """The documents only their rows can decide."""
        return BitMap() if self.exact else self.possible - self.certain


T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
"""Work that gives way after each step and then returns a T."""

STEP = 5_000
"""Containers worked through in one step: some five milliseconds."""

UNITED = 16
"""Operands united in one operation."""

_COMPARED = 24
"""Operations that comparing codes with one bound takes: up to 15 bands, a step and 8 slices."""


def evaluate(formula: Formula, source: TermSource) -> Bounds:
    """The documents `formula` is true of."""
    return at_once(evaluating(formula, source))


def evaluating(formula: Formula, source: TermSource) -> Steps[Bounds]:
    """The same in steps. Between two of them nothing that `source` handed out may change."""
    source.require(leaf_terms(formula))
    return (yield from _Evaluation(source).of(formula, None))


def at_once(steps: Steps[T]) -> T:
    """What `steps` return, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found


def leaf_terms(formula: Formula) -> Iterator[str]:
    """The terms that evaluation is sure to need; ranges ask for theirs as they go."""
    if not isinstance(formula, Term | Phrase):
        yield terms.ALL
    counts: list[range] = []
    for leaf in leaves(formula):
        match leaf:
            case Term():
                yield terms.name(leaf)
            case Phrase(words):
                yield from (f"word:{word}" for word in words)
            case Tagged(low, high):
                counts.append(_counts(low, high))
    # Intervals of counts may lie over each other a thousand times; each count is asked for once.
    reached = 0
    for each in sorted(counts, key=lambda interval: interval.start):
        yield from map(terms.tagged, range(max(each.start, reached), each.stop))
        reached = max(reached, each.stop)


class _Evaluation:
    def __init__(self, source: TermSource) -> None:
        self._source = source
        self._spent = 0
        self._sizes: dict[int, int] = {}

    def of(self, formula: Formula, within: BitMap | None) -> Steps[Bounds]:  # noqa: C901 (one case a class)
        """`formula` among the documents of `within`; None is all of them."""
        if self._spent > STEP:
            self._spent = 0
            yield
        match formula:
            case Everything():
                return _exact(self._all() if within is None else within)
            case Nothing():
                return _exact(BitMap())
            case Term():
                found = self._source.bitmap(terms.name(formula))
                if within is not None:
                    self._spend(within)
                return _exact(found if within is None else within & found)
            case Phrase(words):
                names = [f"word:{word}" for word in dict.fromkeys(words)]
                candidates = yield from self._cut(names, within)
                return Bounds(BitMap(), candidates) if candidates else _exact(candidates)
            case Range():
                docs = self._all() if within is None else within
                self._spend(docs, 2 * _COMPARED)
                return self._range(formula, docs)
            case Tagged(low, high):
                docs = self._all() if within is None else within
                return (yield from self._tagged(low, high, docs))
            case Not(part):
                return (yield from self._without(_exact(self._all() if within is None else within), part))
            case And(parts):
                return (yield from self._and(parts, within))
            case Or(parts):
                return (yield from self._or(parts, within))

    def _spend(self, docs: BitMap, operations: int = 1) -> None:
        """Counts the containers of `operations` on `docs`."""
        count = len(docs)
        self._spent += operations * (1 + (min(count, 1 + (docs.max() >> 16)) if count else 0))

    def _all(self) -> BitMap:
        return self._source.bitmap(terms.ALL)

    def _cut(self, names: list[str], within: BitMap | None) -> Steps[BitMap]:
        """The documents with all of these terms."""
        operands = sorted(map(self._source.bitmap, names), key=len)
        found = operands[0] if within is None else within & operands[0]
        for operand in operands[1:]:
            if not found:
                break
            if self._spent > STEP:
                self._spent = 0
                yield
            self._spend(found)
            found = found & operand
        return found

    def _and(self, parts: tuple[Formula, ...], within: BitMap | None) -> Steps[Bounds]:
        left = None if within is None else _exact(within)
        wanted = sorted((part for part in parts if not isinstance(part, Not)), key=self._size)
        for each in wanted:
            if left is None:
                left = yield from self.of(each, None)
            else:
                left = self._narrowed(left, (yield from self.of(each, left.possible)))
            if not left.possible:
                return left
        if left is None:
            left = _exact(self._all())
        for part in parts:
            if isinstance(part, Not):
                left = yield from self._without(left, part.part)
        return left

    def _narrowed(self, left: Bounds, found: Bounds) -> Bounds:
        """`left` and `found`, which was evaluated within `left.possible`."""
        if left.exact:
            return found
        self._spend(left.certain)
        certain = left.certain & found.certain
        return _bounds(certain, found.possible)

    def _without(self, left: Bounds, part: Formula) -> Steps[Bounds]:
        """`left` and not `part`."""
        gone = yield from self.of(part, None if isinstance(part, Term) else left.possible)
        self._spend(left.possible, 1 if left.exact and gone.exact else 2)
        possible = left.possible - gone.certain
        if left.exact and gone.exact:
            return _exact(possible)
        return _bounds(left.certain - gone.possible, possible)

    def _or(self, parts: tuple[Formula, ...], within: BitMap | None) -> Steps[Bounds]:
        """A thousand parts are united a few at a time, so no more than those few are held."""
        inside = within
        if within is not None and len(within) > sum(map(self._size, parts)):
            inside = None
        united: list[Bounds] = []
        for part in parts:
            if len(united) >= UNITED:
                united = [self._union(united)]
            united.append((yield from self.of(part, inside)))
        found = self._union(united)
        return found if inside is within or within is None else _bounds_within(found, within)

    def _union(self, found: list[Bounds]) -> Bounds:
        for each in found:
            self._spend(each.possible, 1 if each.exact else 2)
        return _union(found)

    def _range(self, asked: Range, docs: BitMap) -> Bounds:
        """Codes strictly inside the interval are certain; those of its two ends are as the code can tell."""
        field, code = asked.field, self._source.code(asked.field)
        low = terms.sort_key(asked.low) if asked.low is not None else None
        high = terms.sort_key(asked.high) if asked.high is not None else None
        if low is not None and high is not None and low > high:  # type: ignore[operator]
            return _exact(BitMap())
        possible = self._valued(field, docs)
        certain = possible
        if high is not None:
            at = code(high)
            certain = less(self._source, field, possible, at)
            whole = not asked.open_high and code.ends_with(high)
            none = asked.open_high and code.starts_at(high)
            possible = certain if none else less(self._source, field, possible, at + 1)
            certain = possible if whole else certain
        if low is not None:
            at = code(low)
            under = less(self._source, field, possible, at)
            possible = possible - under
            if code.starts_at(low):
                certain = possible if certain is possible else certain - under
            else:
                certain = certain - less(self._source, field, certain, at + 1)
        return _bounds(certain, possible)

    def _tagged(self, low: int, high: int | None, docs: BitMap) -> Steps[Bounds]:
        names = counted(low, high)
        self._source.require(names)
        found = BitMap()
        for start in range(0, len(names), UNITED):
            some = [bitmap for bitmap in map(self._source.bitmap, names[start : start + UNITED]) if bitmap]
            self._spent += UNITED
            for bitmap in some:
                self._spend(bitmap)
            found = BitMap.union(found, *some) if some else found
            if self._spent > STEP:
                self._spent = 0
                yield
        return _exact(docs - found if _is_open(high) else docs & found)

    def _valued(self, field: terms.OrderField, docs: BitMap) -> BitMap:
        return docs - self._source.bitmap(terms.null(field)) if field in NULLABLE else docs

    def _size(self, formula: Formula) -> int:
        """An upper bound of the documents `formula` is true of: what And sorts by. Counted once for each node."""
        known = self._sizes.get(id(formula))
        if known is None:
            known = self._sizes[id(formula)] = self._counted_size(formula)
        return known

    def _counted_size(self, formula: Formula) -> int:
        match formula:
            case Term():
                return len(self._source.bitmap(terms.name(formula)))
            case Phrase(words):
                return min(len(self._source.bitmap(f"word:{word}")) for word in words)
            case And(parts):
                return min(map(self._size, parts))
            case Or(parts):
                return sum(map(self._size, parts))
            case Nothing():
                return 0
            case _:
                return len(self._all())


def counted(low: int, high: int | None) -> list[str]:
    """The terms of numbers of tags from `low` to `high`; without an upper end, of those below `low` instead."""
    return list(map(terms.tagged, _counts(low, high)))


def _counts(low: int, high: int | None) -> range:
    if high is None or _is_open(high):
        return range(min(low, terms.MAX_TAGS + 1))
    return range(low, high + 1)


def _is_open(high: int | None) -> bool:
    return high is None or high >= terms.MAX_TAGS


def _exact(docs: BitMap) -> Bounds:
    return Bounds(docs, docs)


def _bounds(certain: BitMap, possible: BitMap) -> Bounds:
    """Bounds, exact where they meet."""
    return _exact(possible) if len(certain) == len(possible) else Bounds(certain, possible)


def _bounds_within(found: Bounds, within: BitMap) -> Bounds:
    possible = within & found.possible
    return _exact(possible) if found.exact else _bounds(within & found.certain, possible)


def _union(found: list[Bounds]) -> Bounds:
    possible = BitMap.union(*(each.possible for each in found))
    if all(each.exact for each in found):
        return _exact(possible)
    return _bounds(BitMap.union(*(each.certain for each in found)), possible)
