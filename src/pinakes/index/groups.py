"""From (term, document) pairs to the bytes that are stored, all terms of a column at once.

Pairs are two columns of numbers, in the order of documents. Each chunk is brought together by term where
it fits the processor's cache, with a radix sort, which keeps that order; the runs of documents this leaves are
then put one behind the other. Most terms are
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
Lengths = npt.NDArray[np.intp]

TermBits: TypeAlias = tuple[str, int, bytes]
"""A term, how many documents of the segment have it, and which, encoded."""

_HALF = 16


@dataclass(slots=True)
class Pairs:
    """Collects pairs, a chunk of documents at a time; as runs of documents with one term."""

    _numbers: list[U32] = field(default_factory=list)
    _lengths: list[Lengths] = field(default_factory=list)
    _docs: list[U32] = field(default_factory=list)

    def add(self, numbers: U32, docs: U32) -> None:
        """More pairs, of later documents than those before; documents ascend, and pairs may repeat."""
        if not len(numbers):
            return
        order = _by_number(numbers)
        numbers, docs = numbers[order], docs[order]
        fresh = np.concatenate(([True], numbers[1:] != numbers[:-1]))
        kept = fresh.copy()
        kept[1:] |= docs[1:] != docs[:-1]
        if not kept.all():
            numbers, docs, fresh = numbers[kept], docs[kept], fresh[kept]
        starts = np.flatnonzero(fresh)
        self._numbers.append(numbers[starts])
        self._lengths.append(np.diff(starts, append=len(docs)))
        self._docs.append(docs)

    def joined(self) -> tuple[U32, Lengths, U32]:
        """The numbers of all terms, ascending; how many documents each has; all documents, term by term."""
        if not self._docs:
            return np.empty(0, np.uint32), np.empty(0, np.intp), np.empty(0, np.uint32)
        numbers, lengths = np.concatenate(self._numbers), np.concatenate(self._lengths)
        docs = np.concatenate(self._docs)
        order = _by_number(numbers)
        starts = (np.cumsum(lengths) - lengths)[order]
        numbers, lengths = numbers[order], lengths[order]
        places = np.arange(len(docs))
        places += np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        first = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        return numbers[first], np.add.reduceat(lengths, first), docs[places]


def grouped(pairs: Pairs, name: Callable[[int], str]) -> Iterator[TermBits]:
    """The terms of pairs; `name` says what the term of a number is called."""
    numbers, counts, docs = pairs.joined()
    if not len(docs):
        return
    starts = np.cumsum(counts) - counts
    gaps = np.diff(docs, prepend=np.uint32(0))
    gaps[starts] = docs[starts]
    runs = np.add.reduceat(gaps != 1, starts)
    small = (counts <= packing.LIMIT) & (4 * runs >= counts)
    written, ends = packing.gap_bytes(gaps[np.repeat(small, counts)])
    stops = ends[np.cumsum(counts[small]) - 1] if len(ends) else ends
    packed = written.tobytes()
    at, place = 0, iter(stops.tolist())
    for number, start, count, is_small in zip(
        numbers.tolist(), starts.tolist(), counts.tolist(), small.tolist(), strict=True
    ):
        if is_small:
            stop = next(place)
            yield name(number), count, packing.MARK + packed[at:stop]
            at = stop
        else:
            yield name(number), count, encode(from_sorted(docs[start : start + count]))


def of_column(numbers: U32, docs: U32, name: Callable[[int], str]) -> Iterator[TermBits]:
    """The terms of a column that has one number for each document."""
    pairs = Pairs()
    pairs.add(numbers, docs)
    return grouped(pairs, name)


def _by_number(numbers: U32) -> Lengths:
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
