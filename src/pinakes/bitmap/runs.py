"""Runs: a few consecutive ranks of many documents, found without sorting any.

A run holds the ranks asked for and at either end up to `spare` documents more. It is longer only where
a field cannot tell more of them apart: documents of one code, unless that code is pure, whose ties are
told apart by (id, source) like everything without a value; and where the source would rather have
documents looked at than load the terms that tell them apart (`TermSource.patience`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

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
    """Finds runs with the bitmaps of `source`. Ranks ascend with the code.

    `whole`: so few documents are a run as they are.
    """

    source: TermSource
    spare: int
    whole: int

    def around(self, field: OrderField, docs: BitMap, total: int, ranks: range) -> tuple[BitMap, int]:
        """A run that holds `ranks`, of the `total` documents in `docs` with a value, and how many lie under it."""
        if total == len(docs) and (total <= self.whole or self._few(field, total - len(ranks))):
            return docs, 0
        ladder = Ladder(self.source, field, docs, total)
        number = ladder.band_of_rank(ranks.start)
        # A few documents stand in many bands: all at once, as each may have to be loaded.
        following = len(ranks) * BANDS // total
        self.source.require(terms.band(field, each) for each in range(number, min(number + following + 1, BANDS)))
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
        # Only a crowded band can be one value's; asking the code of every band would load it for nothing. A value
        # with a band of its own has two of the 192 that seen values are cut into, so more than twice the average.
        filling = self.source.filling(field)
        crowded = filling[number] * BANDS > 2 * sum(filling)
        apart = field == "key" or not crowded or self._few(field, len(docs) - len(ranks))
        if not apart and self.source.code(field).sole(number):
            return self.around("key", docs, len(docs), ranks)
        return self._narrow(field, docs, ranks, prefix=number, bit=SLICES + FINE)

    def _narrow(self, field: OrderField, docs: BitMap, ranks: range, *, prefix: int, bit: int) -> tuple[BitMap, int]:
        """`around` for documents whose codes begin with `prefix` and differ below `bit` only.

        The last `FINE` bits are those of the place inside the code.
        """
        under, required = 0, bit
        while bit and not self._few(field, len(docs) - len(ranks)):
            if bit == FINE:
                code = self.source.code(field)
                if field != "key" and code.pure(prefix):
                    run, skipped = self.around("key", docs, len(docs), ranks)
                    return run, under + skipped
                if not code.fine:
                    break
            if bit == required:
                required = self._require_bits(field, bit, len(docs), len(ranks))
            bit -= 1
            mask = self.source.bitmap(_slice(field, bit))
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

    def _few(self, field: OrderField, excess: int) -> bool:
        """Whether `excess` documents more than the page may be looked at."""
        if excess <= self.spare:
            return True
        if excess > self.source.patience(field):
            return False
        self.source.strained(field)
        return True

    def _require_bits(self, field: OrderField, bit: int, held: int, wanted: int) -> int:
        """Asks at once for the slices below `bit` that bring `held` documents down to few; the lowest of them."""
        enough = wanted + max(self.spare, self.source.patience(field), 1)
        lowest = max(bit - max(ceil(log2(held / enough)), 1), FINE if bit > FINE else 0)
        self.source.require(_slice(field, each) for each in range(lowest, bit))
        return lowest

    def bracket(self, field: OrderField, docs: BitMap, total: int, place: Position) -> range:
        """Ranks of the documents that only their real values can place: those below sort before `place`."""
        key = place.tie if field == "key" else place.key
        assert key is not None
        code = self.source.code(field)
        at = code(key)
        ladder = Ladder(self.source, field, docs, total)
        first, equal = ladder.under(at >> SLICES), ladder.in_band(at >> SLICES)
        if self.spare < len(equal) and self._few(field, len(equal)):
            return range(first, first + len(equal))
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


def _slice(field: OrderField, bit: int) -> str:
    """The slice of a bit of code and place together."""
    return terms.slice_(field, bit - FINE) if bit >= FINE else terms.fine(field, bit)
