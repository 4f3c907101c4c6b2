"""The frequency laws: how often the tag of a rank is used, how busy users are, how a gallery grows.

**Tags.** The share of all taggings that fall on the tag of rank r is

    f(r) = C · r^-0.415 · (1 + r/54.4)^-0.699 · (1 + r/2591)^-1.297 · (1 + r/6806)^1.027,   ln C = -3.770

a Zipf law that steepens twice: exponent 0.6 over ranks 1-100, 0.9 over 10-1,000, 1.3 over
100-10,000. It was fitted by least squares, in log-log at 600 ranks spaced evenly in ln r, to the
140,782 tag counts of a large image board (297,161,992 taggings); the breaks are the best of a grid.
Root mean square error of ln f: 0.101 over ranks 1-10, 0.051 to 100, 0.028 to 1,000, 0.016 to
10,000, 0.027 to 100,000, 0.048 beyond; never more than 0.20. Its sum over all ranks is 0.9994.
A vocabulary of V tags uses the first V ranks, scaled so that their sum is the mean number of tags.

**Users.** The user of rank r makes items in proportion to (r + 2.7)^-1.1, among the users there are
by then: 10 + 2 · n^0.6 when the gallery has n items (1,330 at 50,000; 31,700 at 10 million).

**Growth.** Item i is made at START + PERIOD · log2'(1 + i/1000), where log2' is log2 made of straight
pieces: the gallery doubles every PERIOD and grows evenly in between. 50,000 items span three years,
10 million seven. So where a gallery ends follows from its size alone, never from the clock, and
the first items of a large gallery are the items of a small one.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

LN_C = -3.77040611
SLOPE = 0.41486596
BREAKS = ((54.39164963, 0.69901293), (2590.67856499, 1.2971113), (6805.87325652, -1.02740521))

MAX_USERS = 100_000
USER_EXPONENT = 1.1
USER_OFFSET = 2.7
FIRST_USERS = 10

START = datetime(2017, 3, 1, tzinfo=UTC)
PERIOD = timedelta(days=196)
FIRST_ITEMS = 1000


def tag_share(rank: NDArray[np.float64]) -> NDArray[np.float64]:
    """f(rank): the share of all taggings on the tag of this rank, the first rank being 1."""
    log = LN_C - SLOPE * np.log(rank)
    for place, slope in BREAKS:
        log -= slope * np.log1p(rank / place)
    return np.asarray(np.exp(log))


def tag_shares(size: int) -> NDArray[np.float64]:
    """The shares of the first `size` ranks, scaled to the sum 1."""
    shares = tag_share(np.arange(1, size + 1, dtype=np.float64))
    return np.asarray(shares / shares.sum())


def user_weights() -> NDArray[np.uint64]:
    """Cumulative weights of all users by rank, as integers below 2^31: sums of them are exact."""
    rank = np.arange(1, MAX_USERS + 1, dtype=np.float64)
    return np.cumsum(np.rint(1e8 * (rank + USER_OFFSET) ** -USER_EXPONENT).astype(np.uint64))


def user_arrivals() -> NDArray[np.int64]:
    """The item with which each user joins: `searchsorted` of item i, from the right, counts the users by then."""
    number = np.arange(MAX_USERS, dtype=np.float64)
    return np.ceil((np.maximum(number - FIRST_USERS + 1, 0) / 2) ** (1 / 0.6)).astype(np.int64)


def users_at(items: int) -> int:
    """How many users a gallery of `items` items has."""
    return min(MAX_USERS, FIRST_USERS + math.floor(2 * math.pow(items, 0.6)))


def made_at(place: NDArray[np.float64]) -> NDArray[np.int64]:
    """Microseconds after START at which the gallery reaches each size `place`.

    Only operations that IEEE 754 rounds in one way, so every machine agrees to the microsecond.
    """
    fraction, exponent = np.frexp(1 + place / FIRST_ITEMS)
    doublings = (exponent - 1) + (2 * fraction - 1)
    return np.asarray(np.floor(doublings * (PERIOD / timedelta(microseconds=1))), np.int64)
