"""Histograms from the bitmap index: every hit is counted, few are looked at.

The least and the greatest value stand in the windows of the first and the last rank. Between them, each
edge is a key: hits with a smaller code lie below it for certain, and of those with its own code, some
dozens, the rows are asked. So the work follows the number of edges and not the number of hits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.evaluate import Steps
from pinakes.bitmap.ladder import Ladder, split
from pinakes.bitmap.terms import NULLABLE, SLICES, sort_key
from pinakes.bitmap.window import Windows
from pinakes.engines.histogram import Bucket, Histogram, Value, edges_between
from pinakes.engines.index import IndexEngine
from pinakes.engines.overlap import SQL
from pinakes.errors import ReadModelNotReady
from pinakes.index.reader import RequestSource, State
from pinakes.query.aspect import HistogramField
from pinakes.query.formula import Formula
from pinakes.store.pool import Connection

MOST_IN_DOUBT = 50_000
"""More hits than this in the codes of all edges together are another engine's work."""

AT_ONCE = 20
"""Edges found in one step."""


@dataclass(frozen=True, slots=True)
class _Edge:
    """`under` hits lie below an edge for certain; of `doubtful` only the rows tell."""

    under: int
    doubtful: BitMap


async def histogram(
    engine: IndexEngine,
    connection: Connection,
    state: State,
    formula: Formula,
    field: HistogramField,
    *,
    buckets: int,
) -> Histogram:
    """The hits of `formula` in at most `buckets` buckets, as of `state`.

    Raises:
        ReadModelNotReady: too many documents are in doubt.
    """
    reader = engine.reader
    hits = await engine.hits(connection, state, formula)
    valued, ends = await reader.run(connection, state, lambda source: _ends(source, hits, field))
    missing = len(hits) - valued
    if not valued:
        return Histogram((), missing, len(hits))
    extent = await connection.fetchrow(SQL["extent_of_documents"].replace("{field}", field), list(ends))
    assert extent is not None
    edges = edges_between(extent["least"], extent["greatest"], buckets)
    inner = edges[1:-1]
    found = await reader.run_in_steps(connection, state, lambda source: _under(source, hits, valued, field, inner))
    under = [0, *await _settled(connection, field, inner, found), valued]
    counts = (after - before for before, after in pairwise(under))
    spans = pairwise(edges)
    return Histogram(
        tuple(Bucket(low, high, count) for (low, high), count in zip(spans, counts, strict=True)), missing, len(hits)
    )


def _ends(source: RequestSource, hits: BitMap, field: HistogramField) -> tuple[int, BitMap]:
    """How many hits have a value, and a few that have the least and the greatest of them."""
    valued = len(hits)
    if field in NULLABLE:
        valued -= hits.intersection_cardinality(source.bitmap(terms.null(field)))
    if not valued:
        return 0, BitMap()
    windows = Windows(source, hits, field, "asc")
    return valued, windows.around(range(1)).docs | windows.around(range(valued - 1, valued)).docs


def _under(
    source: RequestSource, hits: BitMap, valued: int, field: HistogramField, inner: list[Value]
) -> Steps[list[_Edge]]:
    """For each edge, the hits below it."""
    code = source.code(field)
    ladder = Ladder(source, field, hits, valued)
    found = []
    for number, edge in enumerate(inner, start=1):
        if number % AT_ONCE == 0:
            yield
        key = sort_key(edge)
        assert key is not None
        at = code(key)
        lower, same = split(source, field, ladder.in_band(at >> SLICES), at)
        found.append(_Edge(ladder.under(at >> SLICES) + len(lower), BitMap() if code.starts_at(key) else same))
    return found


async def _settled(connection: Connection, field: HistogramField, inner: list[Value], found: list[_Edge]) -> list[int]:
    """How many hits lie below each edge."""
    doubtful = BitMap.union(*(edge.doubtful for edge in found)) if found else BitMap()
    if len(doubtful) > MOST_IN_DOUBT:
        raise ReadModelNotReady(f"{len(doubtful)} documents would have to be looked at one by one.")
    values = {}
    if doubtful:
        rows = await connection.fetch(SQL["values_of_documents"].replace("{field}", field), list(doubtful))
        values = {row["doc"]: row["key"] for row in rows}
    return [
        edge.under + sum(values[doc] < value for doc in edge.doubtful) for value, edge in zip(inner, found, strict=True)
    ]
