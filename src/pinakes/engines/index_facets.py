"""Facets from the bitmap index: the most frequent tags of a query's result, with exact counts.

Only what the viewer may see is counted, because visibility is part of the formula. Up to
`FORWARD_LIMIT` hits their tags are read from the rows; beyond that tags are intersected, at most
`BUDGET` of them, and where that was not enough to prove the list complete, `kind` is `sampled`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from random import Random

from pyroaring import BitMap

from pinakes.bitmap.evaluate import Steps
from pinakes.bitmap.facets import BUDGET, FORWARD_LIMIT, SAMPLE, Facets, TagCount, most, top_tags
from pinakes.engines.facets import Facet, FacetAnswer
from pinakes.engines.index import NAME, IndexEngine
from pinakes.index.reader import IndexReader, RequestSource, State
from pinakes.index.sizes import TagBounds
from pinakes.query.aspect import FacetsAsked
from pinakes.query.formula import Formula
from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.sent import counted
from pinakes.store.tags import by_number
from pinakes.view.reading import followed_staleness_s, require_young

SMALL_CATEGORY = 2000
GREATEST = 3000
"""Tags looked through for those of a category that is not small."""

_SQL = load("rows", "pinakes.index.sql")


class IndexFacets:
    """Counts in the bitmap index."""

    name = NAME

    def __init__(self, engine: IndexEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    async def facets(
        self, connection: Connection, formula: Formula, asked: FacetsAsked, *, at_any_age: bool = True
    ) -> FacetAnswer:
        """The facets among the hits of `formula`.

        Raises:
            ReadModelNotReady: there is no index for this snapshot, it is too old and not `at_any_age`,
                or too many documents are in doubt.
        """
        state = await self._engine.reader.state(connection)
        if not at_any_age:
            require_young(state.age_s, followed_staleness_s(self._settings))
        return await facets(self._engine, connection, formula, limit=asked.limit, category=asked.category, state=state)


async def facets(
    engine: IndexEngine,
    connection: Connection,
    formula: Formula,
    *,
    limit: int = 20,
    category: str | None = None,
    state: State | None = None,
) -> FacetAnswer:
    """The `limit` most frequent tags, of one category or of all. `connection` is in a snapshot.

    Raises:
        ReadModelNotReady: there is no index for this snapshot, or too many documents are in doubt.
    """
    reader = engine.reader
    state = state or await reader.state(connection)
    hits = await engine.hits(connection, state, formula)
    if len(hits) <= FORWARD_LIMIT:
        counts = await counts_of(connection, list(hits))
        allowed = None if category is None else await _in_category(connection, list(counts), category)
        found = most(counts, limit, allowed)
    else:
        found = await _by_intersection(reader, connection, state, hits, limit=limit, category=category)
    shown = await by_number(connection, [each.tag for each in found.counts])
    listed = tuple(
        Facet(each.tag, shown[each.tag].name, shown[each.tag].category, each.count)
        for each in found.counts
        if each.tag in shown
    )
    return FacetAnswer(listed, found.kind, len(hits), "exact", len(hits), NAME, state.at, state.epoch)


async def _by_intersection(
    reader: IndexReader,
    connection: Connection,
    state: State,
    hits: BitMap,
    *,
    limit: int,
    category: str | None,
) -> Facets:
    bounds = await reader.tag_bounds(connection, state)
    # Seeded, so that the same hits give the same list.
    chosen = Random(len(hits)).sample(range(len(hits)), SAMPLE)  # noqa: S311
    sampled = await counts_of(connection, [hits[place] for place in chosen])
    budget = max(BUDGET, 5 * limit)
    if category is None:
        likely, rest = most(sampled, 3 * limit), 0
        ranked: Callable[[], Iterable[TagCount]] = bounds.falling
    else:
        allowed = await _in_category(connection, list(sampled), category)
        likely = most(sampled, 3 * limit, allowed)
        listed, rest = await _of_category(connection, bounds, category)
        ranked = listed.__iter__
    hints = [TagCount(each.tag, bounds.of(each.tag)) for each in likely.counts]

    def work(source: RequestSource) -> Steps[Facets]:
        return top_tags(source, hits, ranked(), limit, hints=hints, rest=rest, budget=budget)

    return await reader.run_in_steps(connection, state, work)


async def _of_category(connection: Connection, bounds: TagBounds, category: str) -> tuple[list[TagCount], int]:
    """The tags of `category` by falling bound, and a bound of those left out.

    All of a small category, those among the greatest tags of a large one.
    """
    rows = await connection.fetch(_SQL["tags_of_category"], category, SMALL_CATEGORY + 1)
    if len(rows) <= SMALL_CATEGORY:
        found = [TagCount(row["id"], bounds.of(row["id"])) for row in rows]
        return sorted((each for each in found if each.count), key=lambda each: (-each.count, each.tag)), 0
    greatest = list(islice(bounds.falling(), GREATEST))
    allowed = await _in_category(connection, [each.tag for each in greatest], category)
    return [each for each in greatest if each.tag in allowed], greatest[-1].count if len(greatest) == GREATEST else 0


async def _in_category(connection: Connection, tags: list[int], category: str) -> frozenset[int]:
    return frozenset(row["id"] for row in await connection.fetch(_SQL["tags_in_category"], tags, category))


async def counts_of(connection: Connection, docs: list[int]) -> dict[int, int]:
    """How many of these documents carry each tag."""
    row = await connection.fetchrow(_SQL["tags_of"], docs) if docs else None
    return {} if row is None else counted(row["counts"], row["tags"])
