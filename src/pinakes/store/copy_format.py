"""Rows as COPY wants them in binary: integers, for taggings and their counts; the texts are in `copy_text`.

Binary for integers because all rows have the same width, so numpy lays out a hundred thousand in a
millisecond.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_CHUNK = 1 << 20


def integers(*columns: NDArray[np.integer[Any]]) -> bytes:
    """Binary COPY of columns of integers, each as wide as its type: smallint, integer, bigint.

    A row is the number of its fields, then each field after its length, all big-endian.
    """
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for place, column in enumerate(columns):
        layout += [(f"bytes{place}", ">i4"), (f"value{place}", f">i{column.itemsize}")]
    data = np.empty(len(columns[0]), layout)
    data["fields"] = len(columns)
    for place, column in enumerate(columns):
        data[f"bytes{place}"] = column.itemsize
        data[f"value{place}"] = column
    return _HEADER + data.tobytes() + _TRAILER


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    """`data` in pieces the driver can send without holding up the event loop."""
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
