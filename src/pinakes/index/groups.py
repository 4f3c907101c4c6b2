"""From sorted (term, document) pairs to the bytes that are stored, all terms of a column at once.

A pair is one 64-bit number, the term's above the document's place in its segment. Most terms are
rare, and making a bitmap for each would cost more than everything else: their gaps are written by
array operations over the whole column and cut into pieces. Only terms on more than `packing.LIMIT`
documents, or on long runs of them, become bitmaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from pinakes.bitmap import packing, terms
from pinakes.bitmap.making import from_sorted
from pinakes.bitmap.segments import SEGMENT, SEGMENT_BITS, encode
from pinakes.bitmap.terms import OrderField

U64 = npt.NDArray[np.uint64]

TermBits: TypeAlias = tuple[str, int, bytes]
"""A term, how many documents of the segment have it, and which, encoded."""


def grouped(parts: Sequence[U64], base: int, name: Callable[[int], str]) -> Iterator[TermBits]:
    """The terms of pairs, which may repeat; `name` says what the term of a number is called."""
    pairs = np.concatenate(parts)
    if not len(pairs):
        return
    pairs.sort()
    first = np.empty(len(pairs), np.bool_)
    first[0] = True
    np.not_equal(pairs[1:], pairs[:-1], out=first[1:])
    if not first.all():
        pairs = pairs[first]
    numbers = (pairs >> np.uint64(SEGMENT_BITS)).astype(np.int64)
    docs = (pairs & np.uint64(SEGMENT - 1)).astype(np.uint32) + np.uint32(base)
    starts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
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


def whole(name: str, low: U64, base: int) -> TermBits:
    """One term with the documents at these places of the segment, in order."""
    return name, len(low), encode(from_sorted((low + np.uint64(base)).astype(np.uint32)))


def ladder(
    field: OrderField, codes: npt.NDArray[np.uint16], places: npt.NDArray[np.uint8], docs: npt.NDArray[np.uint32]
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
