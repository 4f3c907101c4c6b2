"""Histograms: how the hits of a query spread over one of their values, in buckets of equal width.

Buckets go from the least to the greatest value among the hits; each includes its lower edge, the
last one its upper edge too. Counts are exact. Hits without a value are told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from pinakes.engines.overlap import SQL, hits
from pinakes.query.formula import Formula
from pinakes.store.compiler import Compiler
from pinakes.store.keyset import KINDS
from pinakes.store.pool import Connection

HistogramField: TypeAlias = Literal["created_at", "quality_score"]
HISTOGRAM_FIELDS: tuple[HistogramField, ...] = get_args(HistogramField)
MAX_BUCKETS = 500
DEFAULT_BUCKETS = 20

Value: TypeAlias = datetime | float
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`count` hits from `low` until before `high`."""

    low: Value
    high: Value
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """`total` hits: those in the buckets, and `missing` without a value."""

    buckets: tuple[Bucket, ...]
    missing: int
    total: int


async def histogram(connection: Connection, formula: Formula, field: HistogramField, buckets: int) -> Histogram:
    """The hits of `formula` in at most `buckets` buckets; fewer where values are too close to tell apart."""
    compiler = Compiler()
    sql = SQL["extent"].replace("{hits}", hits(compiler, formula, field))
    extent = await connection.fetchrow(sql, *compiler.values)
    assert extent is not None
    missing = extent["hits"] - extent["valued"]
    if not extent["valued"]:
        return Histogram((), missing, extent["hits"])
    edges = _edges(extent["least"], extent["greatest"], buckets)
    compiler = Compiler()
    sql = SQL["buckets"].replace("{hits}", hits(compiler, formula, field)).replace("{kind}", KINDS[field])
    sql = sql.replace("{edges}", compiler.bind(edges[:-1], f"{KINDS[field]}[]"))
    counted = {row["bucket"]: row["items"] for row in await connection.fetch(sql, *compiler.values)}
    spans = pairwise(edges)
    return Histogram(
        tuple(Bucket(low, high, counted.get(place, 0)) for place, (low, high) in enumerate(spans, 1)),
        missing,
        extent["hits"],
    )


def _edges(least: Value, greatest: Value, buckets: int) -> list[Value]:
    """Rising edges from `least` to `greatest`; of one value only, that value twice."""
    if isinstance(least, datetime) and isinstance(greatest, datetime):
        first, span = (least - _EPOCH) // _MICROSECOND, (greatest - least) // _MICROSECOND
        steps = sorted({first + span * step // buckets for step in range(buckets + 1)})
        moments: list[Value] = [_EPOCH + step * _MICROSECOND for step in steps]
        return moments if len(moments) > 1 else [least, greatest]
    assert isinstance(least, float)
    assert isinstance(greatest, float)
    # The parts are weighed one by one: the difference of two large numbers may not be finite.
    shares = (step / buckets for step in range(1, buckets))
    inner = {least * (1 - share) + greatest * share for share in shares}
    rising: list[Value] = [least, *sorted(edge for edge in inner if least < edge < greatest), greatest]
    return rising
