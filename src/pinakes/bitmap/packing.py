"""Packing: small sets of documents as the gaps between them, a byte or two each.

    \\x01, then each document minus the one before (the first as it is) as LEB128: seven bits a byte,
    lowest first, the highest bit set on all bytes of a number but its last

A tag on one document in a thousand takes two bytes a document in a roaring bitmap and eight more
for each 65,536 documents it spans; as gaps, 1.9 and nothing. Unpacking costs some ten nanoseconds a
document, so sets of more than `LIMIT` stay roaring. The portable roaring format begins with 0x3a or
0x3b, so the first byte tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

MARK = b"\x01"

LIMIT = 4_096
"""Larger sets are not packed."""

_FEW = 32
_WIDEST = 5

Bytes = npt.NDArray[np.uint8]


def gap_bytes(gaps: npt.NDArray[np.uint32]) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The numbers one after the other as LEB128, and where each ends."""
    width = np.ones(len(gaps), np.uint8)
    for bits in range(7, 7 * _WIDEST, 7):
        wider = gaps >= np.uint32(1 << bits)
        if not wider.any():
            break
        width += wider
    ends = np.cumsum(width, dtype=np.int64)
    starts = ends - width
    found = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    found[starts] = (gaps & np.uint32(0x7F)) | (width > 1).astype(np.uint32) << 7
    for place in range(1, int(width.max(initial=1))):
        wide = np.flatnonzero(width > place)
        rest = gaps[wide] >> np.uint32(7 * place) & np.uint32(0x7F)
        found[starts[wide] + place] = rest | (width[wide] > place + 1).astype(np.uint32) << 7
    return found, ends


def pack(docs: npt.NDArray[np.uint32]) -> bytes:
    """The ascending `docs` as bytes."""
    return MARK + gap_bytes(np.diff(docs, prepend=np.uint32(0)))[0].tobytes()


def unpack(parts: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """The documents in packed sets, one after the other."""
    if sum(map(len, parts)) <= _FEW:
        return np.asarray([doc for packed in parts for doc in _few(packed)], np.uint32)
    found = np.frombuffer(b"".join(packed[1:] for packed in parts), np.uint8)
    ends = np.flatnonzero(found < 0x80)
    starts = np.concatenate((np.zeros(1, ends.dtype), ends[:-1] + 1))
    width = ends - starts
    gaps = (found[starts] & np.uint8(0x7F)).astype(np.uint32)
    for place in range(1, int(width.max()) + 1):
        wide = np.flatnonzero(width >= place)
        gaps[wide] |= (found[starts[wide] + place] & np.uint8(0x7F)).astype(np.uint32) << np.uint32(7 * place)
    docs = np.cumsum(gaps, dtype=np.uint32)
    if len(parts) > 1:
        # Each part begins anew, so what the sum had reached before it is taken off again; modulo 2^32.
        begins = np.searchsorted(starts, np.cumsum([0, *(len(packed) - 1 for packed in parts[:-1])]))
        reached = np.concatenate((np.zeros(1, np.uint32), docs[begins[1:] - 1]))
        docs -= np.repeat(reached, np.diff(begins, append=len(docs)))
    return docs


def _few(packed: bytes) -> Iterator[int]:
    """The same for a few bytes, where array operations cost more than they save."""
    doc = gap = shift = 0
    for byte in packed[1:]:
        gap |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        doc += gap
        yield doc
        gap = shift = 0
