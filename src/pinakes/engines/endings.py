"""Endings: every name and alias of a tag from each of its words on, sorted, so that one beginning is one stretch.

A typed text begins exactly the endings from itself until the last text that begins with it: two binary
searches. 140,000 tags have some 350,000 endings, 60 MB here. A change of a few tags is kept beside
the sorted whole until there are `OVERLAY` of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.int64]

OVERLAY = 2000
"""Tags changed since the whole was sorted; with more, it is sorted again."""

FIRST = 8192
"""Endings of the most used tags that stand for all where nothing is typed yet; no tag has more than eight."""

# Beyond every character that stands in a word.
_LAST = "\U0010ffff"


class Endings:
    """`texts` ascend; `tags` and `aliases`, empty for a tag's own name, say whose each is."""

    def __init__(self, texts: Sequence[str], tags: Numbers, aliases: Sequence[str]) -> None:
        self._texts = texts
        self._tags = tags
        self._aliases = aliases
        self._live = np.ones(len(texts), bool)
        self._weights = np.zeros(len(texts), np.int64)
        self._numbers, self._which = np.unique(tags, return_inverse=True)
        self._first = np.arange(min(len(texts), FIRST))
        self._changed: dict[int, list[tuple[str, str]]] = {}
        self._counted = (np.empty(0, np.int64), np.empty(0, np.int64))

    @property
    def overgrown(self) -> bool:
        """Whether it is time to sort the whole again."""
        return len(self._changed) > OVERLAY

    def change(self, tags: Mapping[int, list[tuple[str, str]]]) -> None:
        """These tags have these endings (ending, alias) now, and no others."""
        for tag, endings in tags.items():
            if tag not in self._changed:
                self._live[self._tags == tag] = False
            self._changed[tag] = endings

    def weigh(self, tags: Numbers, counts: Numbers) -> None:
        """How many items each of `tags`, ascending, is on; any other is on none."""
        self._counted = (tags, counts)
        self._weights = self._weights_of(self._numbers)[self._which]
        if len(self._texts) > FIRST:
            self._first = np.argpartition(-self._weights, FIRST)[:FIRST]

    def begun(self, beginnings: Collection[str]) -> Begun:
        """Whatever begins with one of these; of what begins with nothing at all, the most used."""
        if "" in beginnings:
            places = self._first
        else:
            spans = [span for begun in beginnings if (span := self._span(begun))]
            places = np.concatenate([np.empty(0, np.int64), *(np.arange(each.start, each.stop) for each in spans)])
        places = places[self._live[places]]
        beside = [
            (tag, alias)
            for tag, endings in self._changed.items()
            for ending, alias in endings
            if any(ending.startswith(begun) for begun in beginnings)
        ]
        added = np.array([tag for tag, _ in beside], np.int64)
        return Begun(
            np.concatenate([self._tags[places], added]),
            np.concatenate([self._weights[places], self._weights_of(added)]),
            lambda place: self._aliases[places[place]] if place < len(places) else beside[place - len(places)][1],
        )

    def reach(self, text: str) -> int:
        """How many of its letters some ending begins with."""
        low, high = 0, len(self._texts)
        if any(ending.startswith(text[:1]) for endings in self._changed.values() for ending, _ in endings):
            return len(text)
        for length in range(1, len(text) + 1):
            low = bisect_left(self._texts, text[:length], low, high)
            high = bisect_left(self._texts, text[:length] + _LAST, low, high)
            if low == high:
                return length - 1
        return len(text)

    def _span(self, begun: str) -> range:
        low = bisect_left(self._texts, begun)
        if low == len(self._texts) or not self._texts[low].startswith(begun):
            return range(0)
        return range(low, bisect_left(self._texts, begun + _LAST, low))

    def _weights_of(self, tags: Numbers) -> Numbers:
        known, counts = self._counted
        if not len(known):
            return np.zeros(len(tags), np.int64)
        place = np.minimum(np.searchsorted(known, tags), len(known) - 1)
        return np.where(known[place] == tags, counts[place], 0)


class Begun:
    """Tags with a name that was begun, by the weight they had when they were counted last."""

    def __init__(self, tags: Numbers, weights: Numbers, alias_at: Callable[[int], str]) -> None:
        self.tags = tags
        self._weights = weights
        self._alias_at = alias_at

    def alias(self, tag: int) -> str:
        """The first alias of `tag` that was begun; empty where its own name was."""
        return min(map(self._alias_at, np.flatnonzero(self.tags == tag).tolist()), default="")

    def stretches(self, size: int, without: Collection[int] = ()) -> Iterator[list[tuple[int, int]]]:
        """(tag, weight), the heaviest first, `size` at a time and then twice as many; none of `without`."""
        seen = set(without)
        for order in self._orders(4 * size + len(seen)):
            chunk: list[tuple[int, int]] = []
            for tag, weight in zip(self.tags[order].tolist(), self._weights[order].tolist(), strict=True):
                if tag in seen:
                    continue
                seen.add(tag)
                chunk.append((tag, weight))
                if len(chunk) == size:
                    yield chunk
                    chunk, size = [], 2 * size
            if chunk:
                yield chunk

    def _orders(self, some: int) -> Iterator[Numbers]:
        """Places by falling weight: some of the heaviest, then all."""
        if some < len(self.tags):
            heaviest = np.argpartition(-self._weights, some)[:some]
            yield heaviest[np.lexsort((self.tags[heaviest], -self._weights[heaviest]))]
        yield np.lexsort((self.tags, -self._weights))
