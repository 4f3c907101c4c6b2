"""Segments: a term's bitmap cut every 2^20 documents, as bytes.

A segment keeps the documents' full numbers, so putting a term together is a union of disjoint
sets. A segment is at most 131 kB (a scattered term with half of all documents) and usually far
below; small ones are stored as gaps (`packing`); an empty one is not stored at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from pyroaring import BitMap

from pinakes.bitmap import packing
from pinakes.bitmap.making import from_sorted

SEGMENT_BITS = 20
SEGMENT = 1 << SEGMENT_BITS


def segment_of(doc: int) -> int:
    """The segment `doc` falls into."""
    return doc >> SEGMENT_BITS


def cut(bitmap: BitMap) -> Iterator[tuple[int, BitMap]]:
    """The segments of `bitmap` that are not empty, in order."""
    if not bitmap:
        return
    first, last = segment_of(bitmap.min()), segment_of(bitmap.max())
    if first == last:
        yield first, bitmap
        return
    for number in range(first, last + 1):
        part = bitmap & BitMap(range(number << SEGMENT_BITS, (number + 1) << SEGMENT_BITS))
        if part:
            yield number, part


def encode(segment: BitMap) -> bytes:
    """`segment` as bytes: gaps or a roaring bitmap with its runs compressed, whichever is shorter."""
    segment.run_optimize()
    bits = segment.serialize()
    if len(segment) > packing.LIMIT:
        return bits
    packed = packing.pack(np.asarray(segment.to_array(), np.uint32))
    return packed if len(packed) < len(bits) else bits


def decode(bits: bytes) -> BitMap:
    """The segment in `bits`."""
    return from_sorted(packing.unpack([bits])) if bits[:1] == packing.MARK else BitMap.deserialize(bits)


def assemble(parts: Iterable[bytes]) -> BitMap:
    """The whole bitmap of a term from its segments, in order."""
    packed: list[bytes] = []
    whole = BitMap()
    for bits in parts:
        if bits[:1] == packing.MARK:
            packed.append(bits)
        else:
            whole |= BitMap.deserialize(bits)
    if packed:
        # All at once: array operations cost some fifty microseconds however little they work on.
        small = from_sorted(packing.unpack(packed))
        whole = whole | small if whole else small
    return whole


def size_of(bitmap: BitMap) -> int:
    """About how many bytes `bitmap` takes in memory."""
    facts = bitmap.get_statistics()
    held = facts["n_bytes_array_containers"] + facts["n_bytes_run_containers"] + facts["n_bytes_bitset_containers"]
    return int(held) + 48 * int(facts["n_containers"]) + 200
