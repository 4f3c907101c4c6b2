"""What `array_send` sends: many values as one, which costs the process a hundredth of as many rows.

An array begins with its dimensions, flags, the type of its values, their number and the lower bound, four
bytes each; then for every value its size and itself. One without values has no dimension and ends after the type.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.int64]

_HEADER, _EMPTY = 5, 3
"""Words of four bytes before the first value, and in an array without values."""


def numbers(sent: bytes | None, size: int) -> Numbers:
    """The values of one array, of `size` bytes each."""
    if sent is None:
        return np.empty(0, np.int64)
    values = np.frombuffer(sent, np.dtype([("size", ">i4"), ("value", f">i{size}")]), offset=4 * _HEADER)
    return values["value"].astype(np.int64)


def integers(sent: bytes, counts: Numbers) -> npt.NDArray[np.uint32]:
    """The values of arrays of `integer` one after the other, of which each has so many; none is below 0."""
    parts = np.frombuffer(sent, ">u4")
    sizes = np.where(counts, _HEADER + 2 * counts, _EMPTY)
    first = np.cumsum(sizes) - sizes + _HEADER + 1
    place = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return parts[np.repeat(first, counts) + 2 * place].astype(np.uint32)


def counted(counts: bytes | None, sent: bytes | None) -> dict[int, int]:
    """Each value of such arrays, and how often it is there; `counts` as `int4send` sends them."""
    if counts is None or sent is None:
        return {}
    values, times = np.unique(integers(sent, np.frombuffer(counts, ">i4").astype(np.int64)), return_counts=True)
    return dict(zip(values.tolist(), times.tolist(), strict=True))
