"""Ladders: rank and place among the documents of an order field, by counting intersections.

An order field's terms form a ladder. *Steps* (code below k/16) give the count of everything under
a sixteenth in one operation, *bands* cut all codes into 256 parts, *slices* spell the last bits
inside a band. Finding rank r brackets it between two edges, guesses the next edge from how the
gallery fills its bands, counts from the nearest edge known, and repeats until one band is left. A
page at either end costs a band or two; one in the middle a step more, whatever its depth.

Ranks here ascend with the code.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.source import TermSource
from pinakes.bitmap.terms import BAND_WIDTH, BANDS, BANDS_A_STEP, FINE, SLICES, STEPS, OrderField

# Counting a step takes about as long as counting a fortieth of the gallery band by band.
_STEP_EFFORT = 1 / 40


class Ladder:
    """One order field over one set of hits. Short-lived: it remembers what it counted.

    `hits` may hold documents without a value; `total` says how many have one.
    """

    def __init__(self, source: TermSource, field: OrderField, hits: BitMap, total: int) -> None:
        self._source = source
        self._field = field
        self._hits = hits
        self._under: dict[int, int] = {0: 0, BANDS: total}
        self._fill, self._effort = _under(source.filling(field))
        self._step_effort = self._fill[-1] * _STEP_EFFORT

    def band_of_rank(self, rank: int) -> int:
        """The band that holds the hit of `rank`, 0 ≤ rank < total."""
        low, high = 0, BANDS
        guesses = 0
        while high - low > 1:
            # Hits may lie anywhere, so now and then the bracket is halved instead.
            guesses += 1
            edge = self._guess(low, high, rank) if guesses % 4 else _middle(low, high)
            if self.under(edge) <= rank:
                low = edge
            else:
                high = edge
        return low

    def under(self, edge: int) -> int:
        """How many hits lie in bands below `edge`."""
        known = self._under.get(edge)
        if known is None:
            known = self._under[edge] = self._count_under(edge)
        return known

    def in_band(self, number: int) -> BitMap:
        """The hits of one band."""
        inside = self._hits & self._source.bitmap(terms.band(self._field, number))
        self._under.setdefault(number + 1, self.under(number) + len(inside))
        return inside

    def _count_under(self, edge: int) -> int:
        """From the nearest known edge by bands, or from the nearest step where that is shorter."""
        known = min(self._under, key=lambda each: self._distance(each, edge))
        step = min(range(0, BANDS + 1, BANDS_A_STEP), key=lambda each: self._distance(each, edge))
        if step not in self._under and self._distance(step, edge) + self._step_effort < self._distance(known, edge):
            self._under[step] = self._count(terms.step(self._field, step // BANDS_A_STEP))
            return self.under(edge)
        names = [terms.band(self._field, number) for number in range(min(known, edge), max(known, edge))]
        self._source.require(names)
        between = sum(map(self._count, names))
        return self._under[known] + (between if known < edge else -between)

    def _distance(self, one: int, other: int) -> float:
        return abs(self._effort[one] - self._effort[other])

    def _count(self, term: str) -> int:
        return self._hits.intersection_cardinality(self._source.bitmap(term))

    def _guess(self, low: int, high: int, rank: int) -> int:
        """The edge where `rank` would stand if the hits filled the bands as the gallery does."""
        hits_low, hits_high = self.under(low), self.under(high)
        share = (rank + 0.5 - hits_low) / (hits_high - hits_low)
        filled = self._fill[high] - self._fill[low]
        if not filled:
            return (low + high) // 2
        wanted = self._fill[low] + share * filled
        place = bisect_left(self._fill, wanted, low + 1, high)
        # `place` is the edge above the rank, `place - 1` the one below; the nearer tells more.
        if place - 1 > low and wanted - self._fill[place - 1] < self._fill[place] - wanted:
            place -= 1
        return min(place, high - 1)


@lru_cache(maxsize=32)
def _under(filling: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """For each edge, the documents below it and the effort of counting them.

    An empty band costs a little too, and a crowded one no more than a step.
    """
    total = max(sum(filling), 1)
    efforts = (min(each, total * _STEP_EFFORT) + total / 2_000 for each in filling)
    return list(accumulate(filling, initial=0)), list(accumulate(efforts, initial=0.0))


def _middle(low: int, high: int) -> int:
    """An edge strictly between, at a step if there is one."""
    step = round((low + high) / 2 / BANDS_A_STEP) * BANDS_A_STEP
    return step if low < step < high else (low + high) // 2


def less(source: TermSource, field: OrderField, docs: BitMap, code: int) -> BitMap:
    """Those of `docs` whose code is below `code`. Documents without a value are in none."""
    number = code >> SLICES
    whole = min(number // BANDS_A_STEP, STEPS - 1)
    names = [terms.band(field, each) for each in range(whole * BANDS_A_STEP, number)]
    if whole:
        names.append(terms.step(field, whole))
    cut = [terms.band(field, number)] if number < BANDS and code % BAND_WIDTH else []
    source.require(names + cut)
    parts = [docs & source.bitmap(term) for term in names]
    parts += (split(source, field, docs & source.bitmap(term), code)[0] for term in cut)
    return BitMap.union(*parts) if parts else BitMap()


def split(source: TermSource, field: OrderField, docs: BitMap, code: int) -> tuple[BitMap, BitMap]:
    """`docs` of `code`'s band: those with a smaller code, and those with the same."""
    return _split(source, [terms.slice_(field, bit) for bit in range(SLICES)], docs, code)


def split_place(source: TermSource, field: OrderField, docs: BitMap, place: int) -> tuple[BitMap, BitMap]:
    """`docs` of one code: those at a smaller place inside it, and those at the same."""
    return _split(source, [terms.fine(field, bit) for bit in range(FINE)], docs, place)


def _split(source: TermSource, slices: list[str], docs: BitMap, number: int) -> tuple[BitMap, BitMap]:
    """By `slices`, the terms of a number's bits from the lowest on: those below `number`, and those at it."""
    lower: list[BitMap] = []
    if docs:
        source.require(slices)
    for bit in reversed(range(len(slices))):
        if not docs:
            break
        mask = source.bitmap(slices[bit])
        if number >> bit & 1:
            lower.append(docs - mask)
            docs = docs & mask
        else:
            docs = docs - mask
    return (BitMap.union(*lower) if lower else BitMap()), docs
