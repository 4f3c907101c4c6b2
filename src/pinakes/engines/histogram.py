"""Histograms: how the hits of a query spread over one of their values, in buckets of equal width.

Buckets go from the least to the greatest value among the hits; each includes its lower edge, the
last one its upper edge too. Counts are exact. Hits without a value are told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

from pinakes.engines.overlap import SQL, Hits, hits
from pinakes.query.aspect import HistogramField
from pinakes.query.formula import Formula
from pinakes.store.compiler import Compiler
from pinakes.store.keyset import KINDS
from pinakes.store.pool import Connection

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

    def said(self, field: HistogramField) -> dict[str, Any]:
        """As an answer shows it."""
        return {
            "field": field,
            "buckets": [{"from": each.low, "to": each.high, "count": each.count} for each in self.buckets],
            "missing": self.missing,
            "total_count": self.total,
        }


async def histogram(
    connection: Connection, formula: Formula, field: HistogramField, buckets: int, hits: Hits = hits
) -> Histogram:
    """The hits of `formula` in at most `buckets` buckets; fewer where values are too close to tell apart.

    `hits` says where they are looked for.
    """
    compiler = Compiler()
    sql = SQL["extent"].replace("{hits}", hits(compiler, formula, field))
    extent = await connection.fetchrow(sql, *compiler.values)
    assert extent is not None
    missing = extent["hits"] - extent["valued"]
    if not extent["valued"]:
        return Histogram((), missing, extent["hits"])
    edges = edges_between(extent["least"], extent["greatest"], buckets)
    compiler = Compiler()
    sql = SQL["buckets"].replace("{hits}", hits(compiler, formula, field)).replace("{kind}", KINDS[field])
    sql = sql.replace("{edges}", compiler.bind(edges[:-1], f"{KINDS[field]}[]"))
    counted = {row["bucket"]: row["items"] for row in await connection.fetch(sql, *compiler.values)}
    return Histogram(
        tuple(Bucket(low, high, counted.get(place, 0)) for place, (low, high) in enumerate(pairwise(edges), 1)),
        missing,
        extent["hits"],
    )


def edges_between(least: Value, greatest: Value, buckets: int) -> list[Value]:
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
