"""Codes: the values of an order field in 16 bits, so that sorting becomes bitmap algebra.

    code    0 … BELOW-1          linear below the smallest value seen when the code was cut
            BELOW … ABOVE-1      the values seen, cut into buckets of equal frequency
            ABOVE … 65535        linear above the largest, with room for a quarter of the whole span

Law: code is monotone, v ≤ w gives code(v) ≤ code(w). Everything else is only speed: new largest
values, the normal case for dates, still spread over many codes; a value so frequent that it fills
several buckets gets one of its own, and such a *pure* code holds equal values only, so that ties
can be told apart by (id, source) alone. Codes never change between two builds of an index.

Ten million values put two hundred into a code, fifty million a thousand. So large galleries are also
told the *place* of a value inside its code, 8 bits, linear between the cuts on either side: 256
places in each code, 12 million in all. Places are monotone within a code; beyond both ends they are 0.

A code has at most 49,152 cuts: half a megabyte for numbers, a few for titles.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from pinakes.bitmap.terms import BAND_WIDTH, BANDS, PREFIX, SLICES, Key

Keys: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float64] | Sequence[int] | Sequence[float] | Sequence[str]

TOP = 65_535
BELOW = 4_096
ABOVE = BELOW + 49_152
_SPREAD = ABOVE - BELOW
_LAST_PLACE = 255
_NUMBER_BYTES = 8
_DEFAULT_STRIDE: dict[type, float] = {int: 60_000_000.0, float: 1 / 1024, str: float(1 << 32)}


class _Scale(NamedTuple):
    """A line inside one code: bytes all its texts share, where it begins, and places a unit."""

    skip: int
    low: float
    factor: float


@dataclass(frozen=True, slots=True)
class SortCode:
    """The code function of one order field.

    `cuts` are the first keys of the buckets, ascending, without repetition, and `numbers` their
    codes; `high` is the largest key seen; `stride` the width of a code beyond both ends, in the
    unit of `_number`. `filling` says how many documents each band held when the code was cut. `fine`:
    documents also have terms for their place inside the code.
    """

    cuts: tuple[Key, ...] = ()
    numbers: tuple[int, ...] = ()
    high: Key | None = None
    stride: float = 1.0
    filling: tuple[int, ...] = field(default=(0,) * BANDS, compare=False)
    fine: bool = False

    def __call__(self, key: Key) -> int:
        """The code of `key`."""
        if self.high is None:
            return ABOVE
        if key > self.high:  # type: ignore[operator]
            return ABOVE + self._beyond(_number(key) - _number(self.high), TOP - ABOVE)
        if key < self.cuts[0]:  # type: ignore[operator]
            return BELOW - 1 - self._beyond(_number(self.cuts[0]) - _number(key), BELOW - 1)
        return self.numbers[bisect_right(self.cuts, key) - 1]

    def place(self, key: Key) -> int:
        """The place of `key` inside its code; 0 unless the code is `fine`."""
        if not self.fine or not self._within(key):
            return 0
        number = bisect_right(self.cuts, key) - 1
        scale = self._scale(number)
        share = (_number(key, scale.skip) - scale.low) * scale.factor
        return min(int(share), _LAST_PLACE)

    def many(self, keys: Keys) -> npt.NDArray[np.uint16]:
        """The codes of many keys of the field's kind: what calling it on each would give."""
        return self.spelt(keys)[0]

    def spelt(self, keys: Keys) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """The codes of many keys of the field's kind, and their places inside the codes."""
        if not isinstance(keys, np.ndarray):
            return self.spelt_titles([cast("str", key).encode() for key in keys])
        places = np.zeros(len(keys), np.uint8)
        if self.high is None:
            return np.full(len(keys), ABOVE, np.uint16), places
        cuts = np.asarray(self.cuts, keys.dtype)
        numbers = np.maximum(np.searchsorted(cuts, keys, side="right") - 1, 0)
        codes = np.asarray(self.numbers)[numbers]
        over, under = keys > np.asarray(self.high, keys.dtype), keys < cuts[0]
        with np.errstate(over="ignore"):
            codes[over] = ABOVE + self._beyond_many(_apart(keys[over], np.asarray(self.high, keys.dtype)), TOP - ABOVE)
            codes[under] = BELOW - 1 - self._beyond_many(_apart(cuts[0], keys[under]), BELOW - 1)
        if self.fine:
            places = self._places(numbers, keys.astype(np.float64), ~(over | under))
        return codes.astype(np.uint16), places

    def spelt_titles(self, titles: Sequence[bytes]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """The same of titles given as UTF-8, of any length, by their first `PREFIX` characters.

        ASCII titles are compared as bytes of fixed width. Their order is that of code points, and a cut
        with other letters stands clearly above or below within as many bytes.
        """
        if self.high is None:
            return np.full(len(titles), ABOVE, np.uint16), np.zeros(len(titles), np.uint8)
        keys = np.asarray(titles, f"S{PREFIX}")
        spelt = cast("Sequence[str]", self.cuts)
        cuts = np.asarray([cut.encode() for cut in spelt], f"S{PREFIX}")
        numbers = np.searchsorted(cuts, keys, side="right") - 1
        # A cut just above a key ends in NUL, which bytes of fixed width cannot hold: such a pair looks equal.
        just_above = np.asarray([cut.endswith("\0") for cut in spelt])
        numbers -= just_above[numbers] & (cuts[numbers] == keys)
        outside = (numbers < 0) | (keys > np.asarray(cast("str", self.high).encode(), f"S{PREFIX}"))
        numbers = np.maximum(numbers, 0)
        codes, places = np.asarray(self.numbers, np.uint16)[numbers], np.zeros(len(keys), np.uint8)
        if self.fine:
            skips = np.minimum(np.asarray([scale.skip for scale in self._scales()])[numbers], PREFIX)
            spaced = np.zeros((len(keys), PREFIX + _NUMBER_BYTES), np.uint8)
            spaced[:, :PREFIX] = keys.view(np.uint8).reshape(len(keys), PREFIX)
            following = np.take_along_axis(spaced, skips[:, None] + np.arange(_NUMBER_BYTES), axis=1)
            places = self._places(numbers, following.copy().view(">u8")[:, 0].astype(np.float64), ~outside)
        apart = np.flatnonzero(outside)
        if not b"".join(titles).isascii():
            apart = np.union1d(apart, np.flatnonzero([not title.isascii() for title in titles]))
        for each in apart.tolist():
            # Four bytes a character hold the prefix, whatever letters it has.
            title = titles[each][: 4 * PREFIX].decode(errors="ignore")[:PREFIX]
            codes[each], places[each] = self(title), self.place(title)
        return codes, places

    def _places(
        self, numbers: npt.NDArray[np.int64], keys: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.uint8]:
        scales = self._scales()
        low, factor = np.asarray([scale.low for scale in scales]), np.asarray([scale.factor for scale in scales])
        start = low[numbers]
        shares = (np.where(inside, keys, start) - start) * factor[numbers]
        return np.asarray(np.minimum(shares, _LAST_PLACE), np.uint8)

    def _scales(self) -> list[_Scale]:
        return [self._scale(number) for number in range(len(self.cuts))]

    def _scale(self, number: int) -> _Scale:
        """How keys from cut `number` to the next are measured."""
        low = self.cuts[number]
        high = self.cuts[number + 1] if number + 1 < len(self.cuts) else self.high
        assert high is not None
        skip = 0
        if isinstance(low, str):
            one, other = low.encode("utf-8", "surrogatepass"), cast("str", high).encode("utf-8", "surrogatepass")
            skip = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
        start, width = float(_number(low, skip)), float(_number(high, skip)) - float(_number(low, skip))
        factor = (_LAST_PLACE + 1) / width if width > 0 else 0.0
        return _Scale(skip, start, factor if math.isfinite(factor) else 0.0)

    def starts_at(self, key: Key) -> bool:
        """Whether `key` is the smallest of those with its code."""
        return self._within(key) and self.cuts[bisect_right(self.cuts, key) - 1] == key

    def ends_with(self, key: Key) -> bool:
        """Whether `key` is the largest of those with its code."""
        if not self._within(key) or not _whole(key):
            return False
        after = bisect_right(self.cuts, key)
        return key == self.high if after == len(self.cuts) else self.cuts[after] == successor(key)

    def pure(self, code: int) -> bool:
        """Whether all keys with `code` are equal."""
        place = bisect_left(self.numbers, code)
        return place < len(self.numbers) and self.numbers[place] == code and self.ends_with(self.cuts[place])

    def sole(self, band: int) -> bool:
        """Whether all keys of `band` are equal: it holds a single code, and that one is pure."""
        first, end = band << SLICES, (band + 1) << SLICES
        if first < BELOW or end > ABOVE:
            return False
        place = bisect_left(self.numbers, first)
        return bisect_left(self.numbers, end) == place + 1 and self.pure(self.numbers[place])

    def _within(self, key: Key) -> bool:
        return self.high is not None and self.cuts[0] <= key <= self.high  # type: ignore[operator]

    def _beyond(self, distance: float, room: int) -> int:
        return int(min(float(room), distance / self.stride))

    def _beyond_many(self, distance: npt.NDArray[np.generic], room: int) -> npt.NDArray[np.int64]:
        scaled: npt.NDArray[np.float64] = distance.astype(np.float64) / self.stride
        return np.minimum(scaled, float(room)).astype(np.int64)


def _apart(greater: npt.NDArray[Any], less: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`greater` - `less`; whole numbers may be further apart than a signed number of 64 bits can say."""
    if greater.dtype == np.int64:
        return cast("npt.NDArray[Any]", greater.astype(np.uint64) - less.astype(np.uint64))
    return cast("npt.NDArray[Any]", greater - less)


def cut_code(ordered: Keys, *, fine: bool = False) -> SortCode:
    """The code fitted to keys in ascending order: all of them, or a fair sample."""
    total = len(ordered)
    if not total:
        return SortCode(fine=fine)
    cuts: list[Key] = []
    numbers: list[int] = []
    latest: Key | None = None
    since = 0
    for place in range(min(total, _SPREAD)):
        key = _plain(ordered[place * total // min(total, _SPREAD)])
        if key == latest:
            continue
        number = place * _SPREAD // min(total, _SPREAD)
        if latest is not None:
            _close(cuts, numbers, successor(latest) != key and number - since > 1, BELOW + number)
        cuts.append(key)
        numbers.append(BELOW + number)
        latest, since = key, number
    _close(cuts, numbers, False, ABOVE)
    high = _plain(ordered[-1])
    width = (_number(high) - _number(cuts[0])) / _SPREAD
    stride = width if width > 0 and math.isfinite(width) else _DEFAULT_STRIDE[type(high)]
    return SortCode(tuple(cuts), tuple(numbers), high, stride, fine=fine)


def _close(cuts: list[Key], numbers: list[int], apart: bool, end: int) -> None:
    """End the latest bucket, whose codes run up to `end`: a frequent value gets a code, or a band, of its own."""
    if end - numbers[-1] >= 2 * BAND_WIDTH:
        numbers[-1] = -(-numbers[-1] // BAND_WIDTH) * BAND_WIDTH
    if apart:
        cuts.append(successor(cuts[-1]))
        numbers.append(end - 1)


def fill(code: SortCode, codes: npt.NDArray[np.uint16]) -> SortCode:
    """`code` knowing how a gallery with these codes fills its bands."""
    counts = np.bincount(codes >> SLICES, minlength=BANDS)
    return replace(code, filling=tuple(int(count) for count in counts))


def successor(key: Key) -> Key:
    """The smallest key above `key`."""
    if isinstance(key, str):
        return key + "\0"
    return math.nextafter(key, math.inf) if isinstance(key, float) else key + 1


def _whole(key: Key) -> bool:
    """Whether `key` stands for one value only: a title cut off stands for many."""
    return not isinstance(key, str) or len(key) < PREFIX


def _number(key: Key, skip: int = 0) -> float | int:
    """`key` on a line: itself, or eight bytes of a text, after `skip`, as one number."""
    if not isinstance(key, str):
        return key
    told = key.encode("utf-8", "surrogatepass")[skip : skip + _NUMBER_BYTES]
    return int.from_bytes(told.ljust(_NUMBER_BYTES, b"\0"), "big")


def _plain(value: object) -> Key:
    """`value` without numpy around it."""
    plain = value.item() if isinstance(value, np.generic) else value
    assert isinstance(plain, (int, float, str))
    return plain
