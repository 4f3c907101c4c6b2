"""Chance without state: a random number is a function of (seed, purpose, item, draw).

Nothing is drawn in sequence, so an item does not depend on the batch it is made in, and any
stretch of a gallery can be made alone. The function is SplitMix64's finalizer, which passes the
usual batteries of tests on counters; all of it is integer arithmetic modulo 2^64, the same on
every machine and with every version of NumPy.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_STREAM = 0xD1342543DE82EF95
_MASK = (1 << 64) - 1


class Purpose(IntEnum):
    """What a number decides; each its own stream, so no two decisions are tied by accident."""

    SOURCE = 1
    SCENE = 2
    TAG_COUNT = 3
    TAGS = 4
    CREATOR = 5
    PRIVATE = 6
    SCORED = 7
    QUALITY_LOW = 8
    QUALITY_HIGH = 9
    ROUNDED = 10
    TYPE = 11
    BURST = 12
    JITTER = 13
    EDITED = 14
    EDIT_DELAY = 15
    WORDING = 16
    MODEL = 17
    PROMPTED = 18


def mix(words: Words) -> Words:
    """SplitMix64's finalizer, in place."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def numbers(seed: int, purpose: Purpose, items: Words) -> Words:
    """64 random bits for each item."""
    start = (seed * _STREAM + int(purpose) * 0x2545F4914F6CDD1D + 1) & _MASK
    key = mix(np.array([start], np.uint64))
    return mix(mix(items * np.uint64(_GOLDEN) + key))


def more(words: Words, draw: Words) -> Words:
    """64 more bits for each of `words` and the number of a draw from it."""
    return mix(words + (draw + np.uint64(1)) * np.uint64(_GOLDEN))


def unit(words: Words) -> NDArray[np.float64]:
    """Numbers in [0, 1), multiples of 2^-53."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(words: Words, limit: int) -> NDArray[np.int64]:
    """Numbers in [0, limit), for limits below 2^31."""
    return (((words >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def hits(words: Words, share: float) -> NDArray[np.bool_]:
    """True for this share of them."""
    return (words >> np.uint64(32)) < np.uint64(round(share * 2**32))
