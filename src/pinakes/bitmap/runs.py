"""Runs: a few consecutive ranks of many documents, found without sorting any.

A run holds the ranks asked for and at either end up to `spare` documents more. It is longer only where
a field cannot tell more of them apart: documents of one code, unless that code is pure, whose ties are
told apart by (id, source) like everything without a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.ladder import Ladder, split, split_place
from pinakes.bitmap.source import TermSource
from pinakes.bitmap.terms import BANDS, FINE, SLICES, Key, OrderField


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an order: the value's key and the tie-breaking key. An item need not stand there."""

    key: Key | None
    tie: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Finds runs with the bitmaps of `source`. Ranks ascend with the code."""

    source: TermSource
    spare: int

    def around(self, field: OrderField, docs: BitMap, total: int, ranks: range) -> tuple[BitMap, int]:
        """A run that holds `ranks`, of the `total` documents in `docs` with a value, and how many lie under it."""
        if len(docs) - len(ranks) <= self.spare and total == len(docs):
            return docs, 0
        ladder = Ladder(self.source, field, docs, total)
        number = ladder.band_of_rank(ranks.start)
        base = under = ladder.under(number)
        parts: list[BitMap] = []
        while base < ranks.stop and number < BANDS:
            inside = ladder.in_band(number)
            if inside:
                wanted = range(max(ranks.start - base, 0), min(ranks.stop - base, len(inside)))
                run, skipped = self._in_band(field, inside, wanted, number)
                under += skipped if not parts else 0
                parts.append(run)
            base += len(inside)
            number += 1
        return (parts[0] if len(parts) == 1 else BitMap.union(*parts)), under

    def _in_band(self, field: OrderField, docs: BitMap, ranks: range, number: int) -> tuple[BitMap, int]:
        # Only a crowded band can be one value's; asking the code of every band would load it for nothing.
        filling = self.source.filling(field)
        crowded = filling[number] * BANDS > sum(filling)
        if len(docs) - len(ranks) > self.spare and field != "key" and crowded and self.source.code(field).sole(number):
            return self.around("key", docs, len(docs), ranks)
        return self._narrow(field, docs, ranks, prefix=number, bit=SLICES + FINE)

    def _narrow(self, field: OrderField, docs: BitMap, ranks: range, *, prefix: int, bit: int) -> tuple[BitMap, int]:
        """`around` for documents whose codes begin with `prefix` and differ below `bit` only.

        The last `FINE` bits are those of the place inside the code.
        """
        under = 0
        while len(docs) - len(ranks) > self.spare and bit:
            if bit == SLICES + FINE:
                self.source.require(terms.slice_(field, each) for each in range(SLICES))
            if bit == FINE:
                code = self.source.code(field)
                if field != "key" and code.pure(prefix):
                    run, skipped = self.around("key", docs, len(docs), ranks)
                    return run, under + skipped
                if not code.fine:
                    break
                self.source.require(terms.fine(field, each) for each in range(FINE))
            bit -= 1
            mask = self.source.bitmap(terms.slice_(field, bit - FINE) if bit >= FINE else terms.fine(field, bit))
            low, high = (prefix << 1, prefix << 1 | 1) if bit >= FINE else (prefix, prefix)
            zeros = docs - mask
            if ranks.start >= len(zeros):
                under += len(zeros)
                ranks = range(ranks.start - len(zeros), ranks.stop - len(zeros))
                docs, prefix = docs & mask, high
            elif ranks.stop <= len(zeros):
                docs, prefix = zeros, low
            else:
                upper, _ = self._narrow(field, docs & mask, range(ranks.stop - len(zeros)), prefix=high, bit=bit)
                lower, skipped = self._narrow(field, zeros, range(ranks.start, len(zeros)), prefix=low, bit=bit)
                return lower | upper, under + skipped
        return docs, under

    def bracket(self, field: OrderField, docs: BitMap, total: int, place: Position) -> range:
        """Ranks of the documents that only their real values can place: those below sort before `place`."""
        key = place.tie if field == "key" else place.key
        assert key is not None
        code = self.source.code(field)
        at = code(key)
        ladder = Ladder(self.source, field, docs, total)
        first, equal = ladder.under(at >> SLICES), ladder.in_band(at >> SLICES)
        if len(equal) <= self.spare or not code.sole(at >> SLICES):
            lower, equal = split(self.source, field, equal, at)
            first += len(lower)
        if len(equal) > self.spare and code.fine and not code.pure(at):
            lower, equal = split_place(self.source, field, equal, code.place(key))
            first += len(lower)
        if len(equal) > self.spare and field != "key" and code.pure(at):
            inner = self.bracket("key", equal, len(equal), place)
            return range(first + inner.start, first + inner.stop)
        return range(first, first + len(equal))
