"""Peer `rum`: the pre-joined relation with a RUM index, which keeps the time of creation beside each tag.

RUM gives rows that carry a tag by distance of their time from a moment, so the newest with a tag need
no sort. It knows no ties beyond the time, so all rows as near as the last one wanted are taken and
ordered by the full key. Other sort fields and the count use it as an inverted index.
Needs the extension `rum` (Debian: postgresql-15-rum); it is created when it may be.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncpg.exceptions import PostgresError

from pinakes.bench.contestant import Unavailable
from pinakes.bench.draw import Ask
from pinakes.bench.peers.matview import MatviewPeer, TagArray
from pinakes.bench.peers.printer import Printer
from pinakes.bench.peers.sql_peer import Statement, limit, order_by
from pinakes.query.formula import And, Formula, Term
from pinakes.store.pool import Connection
from pinakes.view.definition import NAME

# The distance from infinity is infinite for every row; items made outside these are not in order.
_FAR_AFTER, _FAR_BEFORE = "'2100-01-01Z'::timestamptz", "'1900-01-01Z'::timestamptz"


class RumPeer(MatviewPeer):
    """GIN's successor that knows an order."""

    name = "rum"
    what = "pre-joined view, RUM on tags with time of creation, count(*)"
    indexes: Sequence[tuple[str, str]] = (
        *MatviewPeer.indexes,
        (
            "bench_unified_rum",
            f"CREATE INDEX bench_unified_rum ON {NAME} USING rum"
            " (tags rum_anyarray_addon_ops, created_at rum_timestamptz_ops) WITH (attach = created_at, to = tags)",
        ),
    )

    async def available(self, connection: Connection) -> None:
        """Needs the extension."""
        there = "SELECT count(*) FROM pg_available_extensions WHERE name = 'rum'"
        if not await connection.fetchval(there):
            raise Unavailable("this PostgreSQL has no extension rum")
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS rum")
        except PostgresError as error:
            raise Unavailable(f"the extension rum cannot be created: {error}") from error

    def page(self, ask: Ask) -> Statement:
        """By distance where the index can say it, else as any view."""
        query = ask.query
        if query.sort_field != "created_at" or not _needs_a_tag(ask.formula):
            return super().page(ask)
        printer = Printer(TagArray())
        distance = f"c.created_at <=| {_FAR_AFTER}" if query.sort_order == "desc" else f"c.created_at |=> {_FAR_BEFORE}"
        need = query.page * query.page_size
        near = (
            f"SELECT c.source_type, c.id, c.created_at FROM {NAME} AS c WHERE {printer.condition(ask.formula)}"
            f" ORDER BY {distance} FETCH FIRST {int(need)} ROWS WITH TIES"
        )
        sql = f"SELECT c.source_type AS source, c.id FROM ({near}) AS c ORDER BY {order_by(query)} {limit(query)}"
        return sql, printer.values


def _needs_a_tag(formula: Formula) -> bool:
    parts = formula.parts if isinstance(formula, And) else (formula,)
    return any(isinstance(part, Term) and part.field == "tag" for part in parts)
