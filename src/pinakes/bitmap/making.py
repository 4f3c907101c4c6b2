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
_SMALL = 1_000
_CONTAINER = 1 << 16


def from_sorted(docs: npt.NDArray[np.uint32]) -> BitMap:
    """The set of `docs`, which ascend without repetition."""
    if len(docs) < _SMALL:
        return BitMap(docs)
    keys = docs >> np.uint32(16)
    starts = np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1, [len(docs)]))
    low = docs.astype("<u2")
    bodies = [_body(low[start:stop]) for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
    head = np.empty((len(bodies), 2), "<u2")
    head[:, 0] = keys[starts[:-1]]
    head[:, 1] = np.diff(starts) - 1
    sizes = np.asarray([len(body) for body in bodies])
    offsets = (8 + 8 * len(bodies) + np.cumsum(sizes) - sizes).astype("<u4")
    front = np.asarray([_COOKIE, len(bodies)], "<u4").tobytes()
    return BitMap.deserialize(b"".join((front, head.tobytes(), offsets.tobytes(), *bodies)))


def _body(low: npt.NDArray[np.uint16]) -> bytes:
    if len(low) <= _ARRAY_LIMIT:
        return low.tobytes()
    bits = np.zeros(_CONTAINER, np.uint8)
    bits[low] = 1
    return np.packbits(bits, bitorder="little").tobytes()
