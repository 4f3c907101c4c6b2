"""Facets: the most frequent tags among the hits, with exact counts.

Few hits: the caller reads their tags and `count_forward` counts them. Many hits: `top_tags`
intersects tag after tag, those a sample finds frequent first, then by falling item count, which
bounds what a tag can still reach. It stops, proven complete, when the k-th count is no smaller
than the next bound; or, when the work allowed is used up, with counts that are exact and a list
that the sample vouches for: `kind` says which.

Ties order by tag number, so the same hits always give the same list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappush, heapreplace
from typing import Literal, TypeAlias

from pyroaring import BitMap

from pinakes.bitmap.source import TermSource

FacetKind: TypeAlias = Literal["exact", "sampled"]

FORWARD_LIMIT = 2_000
"""Up to so many hits their tags are read and counted; beyond, tags are intersected."""

SAMPLE = 1_000
"""Hits whose tags are read to find the tags worth intersecting first."""

BUDGET = 256
"""Intersections allowed for one list of facets."""


@dataclass(frozen=True, slots=True)
class TagCount:
    """How many of the hits carry a tag."""

    tag: int
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The most frequent tags, most frequent first. `sampled`: a tag as frequent may be missing."""

    counts: tuple[TagCount, ...]
    kind: FacetKind
    intersected: int = 0


def count_forward(tag_lists: Iterable[Iterable[int]], limit: int, allowed: frozenset[int] | None = None) -> Facets:
    """Facets from the tags of every hit; `allowed` restricts them, say to one category."""
    counter: Counter[int] = Counter()
    for tags in tag_lists:
        counter.update(tags)
    counts = (TagCount(tag, n) for tag, n in counter.items() if allowed is None or tag in allowed)
    return Facets(tuple(sorted(counts, key=_rank)[:limit]), "exact")


def top_tags(
    source: TermSource,
    hits: BitMap,
    ranked: Sequence[TagCount],
    limit: int,
    *,
    hints: Iterable[int] = (),
    budget: int = BUDGET,
    batch: int = 32,
) -> Facets:
    """Facets by intersection. `ranked` is every tag with its item count or more, falling; `hints` come first.

    Bitmaps are asked for `batch` at a time, so a cold source loads them in few round trips.
    """
    bounds = {each.tag: each.count for each in ranked}
    first = [TagCount(tag, bounds[tag]) for tag in dict.fromkeys(hints) if tag in bounds]
    seen = {each.tag for each in first}
    best: list[tuple[int, int]] = []
    work = 0

    def enough(bound: int) -> bool:
        return len(best) == limit and best[0][0] >= bound

    # A tag with as many items as the k-th count could still tie and win by its smaller number, so
    # only a strictly smaller bound ends the search.
    for at, chunk in _chunks(first, ranked, seen, batch):
        if at >= len(first) and enough(chunk[0].count + 1):
            return Facets(_result(best), "exact", work)
        if work >= budget:
            return Facets(_result(best), "sampled", work)
        source.require(f"tag:{each.tag}" for each in chunk)
        for each in chunk:
            if enough(each.count + 1):
                continue
            work += 1
            count = hits.intersection_cardinality(source.bitmap(f"tag:{each.tag}"))
            entry = (count, -each.tag)
            if not count:
                continue
            if len(best) < limit:
                heappush(best, entry)
            elif entry > best[0]:
                heapreplace(best, entry)
    return Facets(_result(best), "exact", work)


def _chunks(
    first: list[TagCount], ranked: Sequence[TagCount], seen: set[int], batch: int
) -> Iterator[tuple[int, list[TagCount]]]:
    """The tags to try, a batch at a time, each with how many came before."""
    for start in range(0, len(first), batch):
        yield start, first[start : start + batch]
    at, chunk = len(first), []
    for each in ranked:
        if each.tag in seen:
            continue
        chunk.append(each)
        if len(chunk) == batch:
            yield at, chunk
            at, chunk = at + batch, []
    if chunk:
        yield at, chunk


def _result(best: list[tuple[int, int]]) -> tuple[TagCount, ...]:
    return tuple(TagCount(-tag, count) for count, tag in sorted(best, reverse=True))


def _rank(each: TagCount) -> tuple[int, int]:
    return (-each.count, each.tag)
