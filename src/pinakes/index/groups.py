"""From (term, document) pairs to the bytes that are stored, all terms of a column at once.

Pairs are two columns of numbers, in the order of documents. Numbering them by term with a radix sort, which
keeps that order, takes half as long as sorting the pairs themselves. Most terms are
rare, and making a bitmap for each would cost more than everything else: their gaps are written by
array operations over the whole column and cut into pieces. Only terms on more than `packing.LIMIT`
documents, or on long runs of them, become bitmaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from pinakes.bitmap import packing, terms
from pinakes.bitmap.making import from_sorted
from pinakes.bitmap.segments import encode
from pinakes.bitmap.terms import OrderField

U32 = npt.NDArray[np.uint32]

TermBits: TypeAlias = tuple[str, int, bytes]
"""A term, how many documents of the segment have it, and which, encoded."""

_HALF = 16


@dataclass(slots=True)
class Pairs:
    """Collects pairs, a chunk of documents at a time."""

    _numbers: list[U32] = field(default_factory=list)
    _docs: list[U32] = field(default_factory=list)

    def add(self, numbers: U32, docs: U32) -> None:
        """More pairs, of later documents than those before."""
        self._numbers.append(numbers)
        self._docs.append(docs)

    def joined(self) -> tuple[U32, U32]:
        """All of them."""
        return np.concatenate(self._numbers), np.concatenate(self._docs)


def grouped(numbers: U32, docs: U32, name: Callable[[int], str]) -> Iterator[TermBits]:
    """The terms of pairs; their documents ascend, and pairs may repeat. `name`: what the term of a number is called."""
    if not len(numbers):
        return
    order = _by_number(numbers)
    numbers, docs = numbers[order], docs[order]
    del order
    fresh = np.empty(len(numbers), np.bool_)
    fresh[0] = True
    np.not_equal(numbers[1:], numbers[:-1], out=fresh[1:])
    different = docs[1:] != docs[:-1]
    different |= fresh[1:]
    if not different.all():
        kept = np.concatenate(([True], different))
        numbers, docs, fresh = numbers[kept], docs[kept], fresh[kept]
    starts = np.flatnonzero(fresh)
    counts = np.diff(starts, append=len(docs))
    gaps = np.diff(docs, prepend=np.uint32(0))
    gaps[starts] = docs[starts]
    runs = np.add.reduceat(gaps != 1, starts)
    small = (counts <= packing.LIMIT) & (4 * runs >= counts)
    written, ends = packing.gap_bytes(gaps[np.repeat(small, counts)])
    stops = ends[np.cumsum(counts[small]) - 1] if len(ends) else ends
    packed = written.tobytes()
    at, place = 0, iter(stops.tolist())
    for number, start, count, is_small in zip(
        numbers[starts].tolist(), starts.tolist(), counts.tolist(), small.tolist(), strict=True
    ):
        if is_small:
            stop = next(place)
            yield name(number), count, packing.MARK + packed[at:stop]
            at = stop
        else:
            yield name(number), count, encode(from_sorted(docs[start : start + count]))


def _by_number(numbers: U32) -> npt.NDArray[np.intp]:
    """The order that brings equal numbers together and leaves them in their order; numpy sorts 16 bits by radix."""
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    if int(numbers.max()) >> _HALF:
        order = order[np.argsort((numbers >> np.uint32(_HALF)).astype(np.uint16)[order], kind="stable")]
    return order


def whole(name: str, docs: U32) -> TermBits:
    """One term with these documents, in order."""
    return name, len(docs), encode(from_sorted(docs))


def ladder(
    field: OrderField, codes: npt.NDArray[np.uint16], places: npt.NDArray[np.uint8], docs: U32
) -> Iterator[TermBits]:
    """The steps, bands and slices of documents with these codes and places inside them."""
    for name, bits, numbers in ((terms.slice_, terms.SLICES, codes), (terms.fine, terms.FINE, places)):
        for bit in range(bits):
            chosen = docs[numbers >> bit & 1 == 1]
            if len(chosen):
                yield name(field, bit), len(chosen), encode(from_sorted(chosen))
    bands = (codes >> terms.SLICES).astype(np.uint8)
    order = np.argsort(bands, kind="stable")
    edges = np.searchsorted(bands[order], np.arange(terms.BANDS + 1))
    under = BitMap()
    for number in range(terms.BANDS):
        if number and number % terms.BANDS_A_STEP == 0 and under:
            yield terms.step(field, number // terms.BANDS_A_STEP), len(under), encode(under.copy())
        chosen = docs[order[edges[number] : edges[number + 1]]]
        if len(chosen):
            inside = from_sorted(chosen)
            under |= inside
            yield terms.band(field, number), len(inside), encode(inside)
