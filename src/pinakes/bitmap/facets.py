"""Facets: the most frequent tags among the hits, with exact counts.

Few hits: the caller counts their tags and takes the `most` frequent. Many hits: `top_tags`
intersects tag after tag, those a sample finds frequent first, then by falling item count, which
bounds what a tag can still reach. It stops, proven complete, when the k-th count is no smaller
than the next bound; or, when the work allowed is used up, with counts that are exact and a list
that the sample vouches for: `kind` says which.

Ties order by tag number, so the same hits always give the same list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappush, heapreplace, nsmallest
from itertools import islice
from typing import Literal, TypeAlias

from pyroaring import BitMap

from pinakes.bitmap.evaluate import Steps
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


def most(counted: Mapping[int, int], limit: int, allowed: frozenset[int] | None = None) -> Facets:
    """Facets from the counts of all tags; `allowed` restricts them, say to one category."""
    # Of some thousand tags a few dozen are wanted: only these become objects.
    ranked = nsmallest(limit, ((-n, tag) for tag, n in counted.items() if allowed is None or tag in allowed))
    return Facets(tuple(TagCount(tag, -n) for n, tag in ranked), "exact")


def top_tags(  # noqa: C901 (one loop with its ways out)
    source: TermSource,
    hits: BitMap,
    ranked: Iterable[TagCount],
    limit: int,
    *,
    hints: Iterable[TagCount] = (),
    rest: int = 0,
    budget: int = BUDGET,
    batch: int = 32,
) -> Steps[Facets]:
    """Facets by intersection, a batch a step.

    `ranked` is every tag with its item count or more, falling; `hints` are tried first.

    A tag that is in neither has `rest` items at most. No more of `ranked` is read than is needed. Bitmaps are
    asked for `batch` at a time, so a cold source loads them in few round trips.
    """
    best: list[tuple[int, int]] = []
    work = 0

    def enough(bound: int) -> bool:
        return len(best) == limit and best[0][0] >= bound

    # A tag with as many items as the k-th count could still tie and win by its smaller number, so
    # only a strictly smaller bound ends the search.
    for hinted, chunk in _chunks(hints, ranked, batch):
        if not hinted and enough(chunk[0].count + 1):
            return Facets(_result(best), "exact", work)
        if work >= budget:
            return Facets(_result(best), "sampled", work)
        if work:
            yield
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
    return Facets(_result(best), "exact" if not rest or enough(rest + 1) else "sampled", work)


def _chunks(hints: Iterable[TagCount], ranked: Iterable[TagCount], batch: int) -> Iterator[tuple[bool, list[TagCount]]]:
    """The tags to try, a batch at a time, each once; and whether they are hints."""
    first = {each.tag: each for each in hints}
    hinted = iter(first.values())
    while chunk := list(islice(hinted, batch)):
        yield True, chunk
    rest = (each for each in ranked if each.tag not in first)
    while chunk := list(islice(rest, batch)):
        yield False, chunk


def _result(best: list[tuple[int, int]]) -> tuple[TagCount, ...]:
    return tuple(TagCount(-tag, count) for count, tag in sorted(best, reverse=True))
