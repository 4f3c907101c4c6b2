"""Endings: every name and alias of a tag from each of its words on, sorted, so that one beginning is one stretch.

A typed text begins exactly the endings from itself until the last text that begins with it: two binary
searches. 140,000 tags have some 350,000 endings, 60 MB here. Changes of a few tags are kept beside
the sorted whole, sorted too, until all are loaded anew: after `OVERLAY` of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from pinakes.engines.typo import one_error_away
from pinakes.store.sent import Numbers

OVERLAY = 2000
"""Tags changed since the whole was sorted; with more, it is sorted again."""

FIRST = 8192
"""Endings of the most used tags that stand for all where nothing is typed yet; no tag has more than eight."""

LARGE = 1000
"""Where more begin so, they are kept with their order: one letter has up to thirty thousand endings."""

_HEAVIEST = (100, 4000)

LAST = "\U0010ffff"
"""Beyond every character that stands in a word."""


class Endings:
    """`texts` ascend; `tags` and `aliases`, empty for a tag's own name, say whose each is."""

    def __init__(self, texts: Sequence[str], tags: Numbers, aliases: Sequence[str]) -> None:
        self._texts = texts
        self._tags = tags
        self._aliases = aliases
        self._live = np.ones(len(texts), bool)
        self._weights = np.zeros(len(texts), np.int64)
        self._numbers, self._which = np.unique(tags, return_inverse=True)
        self._by_tag = np.argsort(tags, kind="stable")
        self._first = np.arange(min(len(texts), FIRST))
        self._changed: set[int] = set()
        self._beside: list[tuple[str, int, str]] = []
        self._beside_texts: list[str] = []
        self._counted = (np.empty(0, np.int64), np.empty(0, np.int64))
        self._kept: dict[str | None, Begun] = {}

    @property
    def overgrown(self) -> bool:
        """Whether it is time to sort the whole again."""
        return len(self._changed) > OVERLAY

    def change(self, tags: Mapping[int, list[tuple[str, str]]]) -> None:
        """These tags have these endings (ending, alias) now, and no others."""
        for tag in tags.keys() - self._changed:
            low, high = np.searchsorted(self._tags, (tag, tag + 1), sorter=self._by_tag)
            self._live[self._by_tag[low:high]] = False
        self._changed |= tags.keys()
        others = [each for each in self._beside if each[1] not in tags]
        self._beside = sorted(others + [(text, tag, alias) for tag, own in tags.items() for text, alias in own])
        self._beside_texts = [text for text, _, _ in self._beside]
        self._kept = {}

    def weigh(self, tags: Numbers, counts: Numbers) -> None:
        """How many items each of `tags`, ascending, is on; any other is on none."""
        self._counted = (tags, counts)
        weights = self._weights_of(self._numbers)[self._which]
        if len(self._texts) > FIRST:
            self._first = np.argpartition(-weights, FIRST)[:FIRST]
        self._weights = weights
        self._kept = {}

    def heaviest(self, most: int) -> list[int]:
        """The tags that were on most items when they were counted last, those on most first."""
        tags, counts = self._counted
        found: list[int] = tags[np.argsort(-counts, kind="stable")[:most]].tolist()
        return found

    def begun(self, beginnings: Collection[str]) -> Begun:
        """Whatever begins with one of these; of what begins with nothing at all, the most used."""
        only = next(iter(beginnings)) if len(beginnings) == 1 else None
        if only in self._kept:
            return self._kept[only]
        found = self._begun(beginnings)
        if only is not None and len(found.tags) > LARGE:
            self._kept[only] = found
        return found

    def nearly(self, text: str) -> Begun:
        """Whatever begins with a text one error away from `text`."""
        # An error further on leaves a beginning that no name has.
        return self.begun(one_error_away(text, self.reach(text)))

    def _begun(self, beginnings: Collection[str]) -> Begun:
        if "" in beginnings:
            places = self._first
        else:
            spans = [span for begun in beginnings if (span := _span(self._texts, begun))]
            places = np.concatenate([np.empty(0, np.int64), *(np.arange(each.start, each.stop) for each in spans)])
        places = places[self._live[places]]
        beside = self._beside_begun(beginnings)
        added = np.array([tag for _, tag, _ in beside], np.int64)
        return Begun(
            np.concatenate([self._tags[places], added]),
            np.concatenate([self._weights[places], self._weights_of(added)]),
            lambda place: self._aliases[places[place]] if place < len(places) else beside[place - len(places)][2],
            everything="" in beginnings,
        )

    def reach(self, text: str) -> int:
        """How many of its letters some ending begins with."""
        return max(_reach(self._texts, text), _reach(self._beside_texts, text))

    def _beside_begun(self, beginnings: Collection[str]) -> list[tuple[str, int, str]]:
        places = {place for begun in beginnings for place in _span(self._beside_texts, begun)} if self._beside else ()
        return [self._beside[place] for place in sorted(places)]

    def _weights_of(self, tags: Numbers) -> Numbers:
        known, counts = self._counted
        if not len(known):
            return np.zeros(len(tags), np.int64)
        place = np.minimum(np.searchsorted(known, tags), len(known) - 1)
        return np.where(known[place] == tags, counts[place], 0)


def _span(texts: Sequence[str], begun: str) -> range:
    """The places of the `texts` that begin so."""
    low = bisect_left(texts, begun)
    if low == len(texts) or not texts[low].startswith(begun):
        return range(0)  # most texts of a typing error
    return range(low, bisect_left(texts, begun + LAST, low))


def _reach(texts: Sequence[str], text: str) -> int:
    """How many letters of `text` one of `texts`, ascending, begins with."""
    low, high = 0, len(texts)
    for length in range(1, len(text) + 1):
        low = bisect_left(texts, text[:length], low, high)
        high = bisect_left(texts, text[:length] + LAST, low, high)
        if low == high:
            return length - 1
    return len(text)


class Begun:
    """Tags with a name that was begun, by the weight they had when they were counted last.

    `everything`: nothing was typed, so every tag is begun, and these are the most used.
    """

    def __init__(
        self, tags: Numbers, weights: Numbers, alias_at: Callable[[int], str], *, everything: bool = False
    ) -> None:
        self.everything = everything
        self.tags = tags
        self._weights = weights
        self._alias_at = alias_at
        self._levels: list[tuple[Numbers, Numbers]] = []

    def alias(self, tag: int) -> str:
        """The first alias of `tag` that was begun; empty where its own name was."""
        return min(map(self._alias_at, np.flatnonzero(self.tags == tag).tolist()), default="")

    def both(self, tags: Iterable[int]) -> list[int]:
        """Those of `tags` that were begun too."""
        wanted = np.fromiter(tags, np.int64)
        if not len(wanted) or not len(self.tags):
            return []
        # A byte a tag: 20 times as quick as a sorted search.
        begun = np.zeros(max(int(wanted.max()), int(self.tags.max())) + 1, bool)
        begun[self.tags] = True
        found: list[int] = wanted[begun[wanted]].tolist()
        return found

    def stretches(self, size: int, without: Collection[int] = ()) -> Iterator[list[tuple[int, int]]]:
        """(tag, weight), the heaviest first, `size` at a time and then twice as many; none of `without`."""
        left: list[tuple[int, int]] = []
        size = max(size, 1)
        for level in range(len(_HEAVIEST) + 1):
            tags, weights = self._ranked(level)
            at = 0
            # Of the last level, tens of thousands, hardly ever more than the beginning is asked for.
            while at < len(tags):
                until = at + size - len(left)
                some = zip(tags[at:until].tolist(), weights[at:until].tolist(), strict=True)
                left += [each for each in some if each[0] not in without]
                at = until
                if len(left) == size:
                    yield left
                    left, size = [], 2 * size
        if left:
            yield left

    def _ranked(self, level: int) -> tuple[Numbers, Numbers]:
        """The tags of a level and their weights, the heaviest first: some of the heaviest, more of them, all others."""
        while len(self._levels) <= level:
            self._levels.append(self._rank(len(self._levels)))
        return self._levels[level]

    def _rank(self, level: int) -> tuple[Numbers, Numbers]:
        places: Numbers | slice = slice(None)
        if level < len(_HEAVIEST) and _HEAVIEST[level] < len(self.tags):
            places = np.argpartition(-self._weights, _HEAVIEST[level])[: _HEAVIEST[level]]
        tags, weights = self.tags[places], self._weights[places]
        order = np.lexsort((tags, -weights))
        tags, weights = tags[order], weights[order]
        # All places of a tag have its weight, so they stand side by side.
        first = np.append(True, tags[1:] != tags[:-1]) if len(tags) else np.empty(0, bool)
        for earlier, _ in self._levels:
            first &= ~np.isin(tags, earlier)
        return tags[first], weights[first]
