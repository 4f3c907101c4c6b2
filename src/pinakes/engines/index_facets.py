"""Facets from the bitmap index: the most frequent tags of a query's result, with exact counts.

Only what the viewer may see is counted, because visibility is part of the formula. Up to
`FORWARD_LIMIT` hits their tags are read from the rows; beyond that tags are intersected, at most
`BUDGET` of them, and where that was not enough to prove the list complete, `kind` is `sampled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from pyroaring import BitMap

from pinakes.bitmap.facets import (
    FORWARD_LIMIT,
    SAMPLE,
    FacetKind,
    Facets,
    count_forward,
    top_tags,
)
from pinakes.engines.index import IndexEngine
from pinakes.index.reader import IndexReader, State
from pinakes.query.formula import Formula
from pinakes.store.pool import Connection
from pinakes.store.queries import load

_SQL = load("rows", "pinakes.index.sql")


@dataclass(frozen=True, slots=True)
class Facet:
    """A tag and how many of the hits carry it."""

    id: int
    name: str
    category: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetAnswer:
    """The most frequent tags, most frequent first; `total_count` is the number of hits."""

    facets: tuple[Facet, ...]
    kind: FacetKind
    total_count: int
    epoch: int


async def facets(
    engine: IndexEngine, connection: Connection, formula: Formula, *, limit: int = 20, category: str | None = None
) -> FacetAnswer:
    """The `limit` most frequent tags, of one category or of all. `connection` is in a snapshot.

    Raises:
        ReadModelNotReady: there is no index for this snapshot, or too many documents are in doubt.
    """
    reader = engine.reader
    state = await reader.state(connection)
    hits = await engine.hits(connection, state, formula)
    allowed = await _allowed(connection, category)
    if len(hits) <= FORWARD_LIMIT:
        found = count_forward(await _tags_of(connection, list(hits)), limit, allowed)
    else:
        found = await _by_intersection(reader, connection, state, hits, limit=limit, allowed=allowed)
    shown = {row["id"]: row for row in await connection.fetch(_SQL["tags_shown"], [each.tag for each in found.counts])}
    listed = tuple(
        Facet(each.tag, shown[each.tag]["name"], shown[each.tag]["category"], each.count)
        for each in found.counts
        if each.tag in shown
    )
    return FacetAnswer(listed, found.kind, len(hits), state.epoch)


async def _by_intersection(
    reader: IndexReader,
    connection: Connection,
    state: State,
    hits: BitMap,
    *,
    limit: int,
    allowed: frozenset[int] | None,
) -> Facets:
    ranked = await reader.tag_bounds(connection, state)
    if allowed is not None:
        ranked = [each for each in ranked if each.tag in allowed]
    # Seeded, so that the same hits give the same list.
    chosen = Random(len(hits)).sample(range(len(hits)), SAMPLE)  # noqa: S311
    sampled = count_forward(await _tags_of(connection, [hits[place] for place in chosen]), 3 * limit, allowed)
    hints = [each.tag for each in sampled.counts]

    return await reader.run(connection, state, lambda source: top_tags(source, hits, ranked, limit, hints=hints))


async def _tags_of(connection: Connection, docs: list[int]) -> list[list[int]]:
    return [row["tags"] for row in await connection.fetch(_SQL["tags_of"], docs)] if docs else []


async def _allowed(connection: Connection, category: str | None) -> frozenset[int] | None:
    if category is None:
        return None
    return frozenset(row["id"] for row in await connection.fetch(_SQL["tags_of_category"], category))
