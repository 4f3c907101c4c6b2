"""Evaluation: a formula as the set of documents it is true of.

Two leaves cannot be decided by bitmaps alone: a phrase (its words may stand apart) and the edge
buckets of a range. So the answer is a pair of bounds, `certain` ⊆ truth ⊆
`possible`; where both are the same object the answer is exact, and otherwise only the documents
between them need to be looked at. The bounds of Not swap, those of And and Or are taken side by side.

Every operand is evaluated *within* what the operands before it left over: And takes the smallest
first and Nots last, so the work follows the smallest set and not the whole gallery. Or unites its
parts first where that is cheaper than cutting each down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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


def evaluate(formula: Formula, source: TermSource) -> Bounds:
    """The documents `formula` is true of."""
    source.require(leaf_terms(formula))
    return _Evaluation(source).of(formula, None)


def leaf_terms(formula: Formula) -> Iterator[str]:
    """The terms that evaluation is sure to need; ranges ask for theirs as they go."""
    if not isinstance(formula, Term | Phrase):
        yield terms.ALL
    for leaf in leaves(formula):
        match leaf:
            case Term():
                yield terms.name(leaf)
            case Phrase(words):
                yield from (f"word:{word}" for word in words)
            case Tagged(low, high):
                yield from counted(low, high)


class _Evaluation:
    def __init__(self, source: TermSource) -> None:
        self._source = source

    def of(self, formula: Formula, within: BitMap | None) -> Bounds:
        """`formula` among the documents of `within`; None is all of them."""
        match formula:
            case Everything():
                return _exact(self._all() if within is None else within)
            case Nothing():
                return _exact(BitMap())
            case Term():
                found = self._source.bitmap(terms.name(formula))
                return _exact(found if within is None else within & found)
            case Phrase(words):
                candidates = self._cut([f"word:{word}" for word in dict.fromkeys(words)], within)
                return Bounds(BitMap(), candidates) if candidates else _exact(candidates)
            case Range():
                return self._range(formula, self._all() if within is None else within)
            case Tagged(low, high):
                return self._tagged(low, high, self._all() if within is None else within)
            case Not(part):
                return self._without(_exact(self._all() if within is None else within), part)
            case And(parts):
                return self._and(parts, within)
            case Or(parts):
                return self._or(parts, within)

    def _all(self) -> BitMap:
        return self._source.bitmap(terms.ALL)

    def _cut(self, names: list[str], within: BitMap | None) -> BitMap:
        """The documents with all of these terms."""
        operands = sorted(map(self._source.bitmap, names), key=len)
        found = operands[0] if within is None else within & operands[0]
        for operand in operands[1:]:
            found = found & operand
        return found

    def _and(self, parts: tuple[Formula, ...], within: BitMap | None) -> Bounds:
        left = None if within is None else _exact(within)
        wanted = sorted((part for part in parts if not isinstance(part, Not)), key=self._size)
        for each in wanted:
            left = self.of(each, None) if left is None else self._narrowed(left, self.of(each, left.possible))
            if not left.possible:
                return left
        if left is None:
            left = _exact(self._all())
        for part in parts:
            if isinstance(part, Not):
                left = self._without(left, part.part)
        return left

    def _narrowed(self, left: Bounds, found: Bounds) -> Bounds:
        """`left` and `found`, which was evaluated within `left.possible`."""
        if left.exact:
            return found
        certain = left.certain & found.certain
        return _bounds(certain, found.possible)

    def _without(self, left: Bounds, part: Formula) -> Bounds:
        """`left` and not `part`."""
        gone = self.of(part, None if isinstance(part, Term) else left.possible)
        possible = left.possible - gone.certain
        if left.exact and gone.exact:
            return _exact(possible)
        return _bounds(left.certain - gone.possible, possible)

    def _or(self, parts: tuple[Formula, ...], within: BitMap | None) -> Bounds:
        if within is None or len(within) > sum(map(self._size, parts)):
            found = _union([self.of(part, None) for part in parts])
            return found if within is None else _bounds_within(found, within)
        return _union([self.of(part, within) for part in parts])

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

    def _tagged(self, low: int, high: int | None, docs: BitMap) -> Bounds:
        names = counted(low, high)
        self._source.require(names)
        found = BitMap.union(*map(self._source.bitmap, names)) if names else BitMap()
        return _exact(docs - found if _is_open(high) else docs & found)

    def _valued(self, field: terms.OrderField, docs: BitMap) -> BitMap:
        return docs - self._source.bitmap(terms.null(field)) if field in NULLABLE else docs

    def _size(self, formula: Formula) -> int:
        """An upper bound of the documents `formula` is true of: what And sorts by."""
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
    if _is_open(high):
        return [terms.tagged(count) for count in range(min(low, terms.MAX_TAGS + 1))]
    assert high is not None
    return [terms.tagged(count) for count in range(low, high + 1)]


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
