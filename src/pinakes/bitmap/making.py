"""Making large bitmaps from sorted arrays, container by container.

Adding members one by one takes several nanoseconds each; here the serialized form is written with
array operations and read back, which is five to ten times quicker for dense sets. Format: the
portable roaring serialization without runs (cookie, count, key and cardinality of each container,
offsets, containers; up to 4,096 members as 16-bit numbers, more as 65,536 bits).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

_COOKIE = 12_346
_ARRAY_LIMIT = 4_096
_SMALL = 100
_CONTAINER = 1 << 16


def from_sorted(docs: npt.NDArray[np.uint32]) -> BitMap:
    """The set of `docs`, which ascend without repetition."""
    if len(docs) < _SMALL:
        return BitMap(docs.tolist())
    keys = docs >> np.uint32(16)
    starts = np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1, [len(docs)]))
    low = docs.astype("<u2")
    counts = np.diff(starts)
    head = np.empty((len(counts), 2), "<u2")
    head[:, 0] = keys[starts[:-1]]
    head[:, 1] = counts - 1
    sizes = np.where(counts > _ARRAY_LIMIT, _CONTAINER // 8, 2 * counts)
    offsets = (8 + 8 * len(counts) + np.cumsum(sizes) - sizes).astype("<u4")
    front = np.asarray([_COOKIE, len(counts)], "<u4").tobytes()
    if int(counts.max()) <= _ARRAY_LIMIT:
        bodies = [low.tobytes()]
    else:
        edges = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        bodies = [_body(low[start:stop]) for start, stop in edges]
    return BitMap.deserialize(b"".join((front, head.tobytes(), offsets.tobytes(), *bodies)))


def _body(low: npt.NDArray[np.uint16]) -> bytes:
    if len(low) <= _ARRAY_LIMIT:
        return low.tobytes()
    bits = np.zeros(_CONTAINER, np.uint8)
    bits[low] = 1
    return np.packbits(bits, bitorder="little").tobytes()
