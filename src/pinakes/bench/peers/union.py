"""Peer `union`: UNION ALL of the content tables, users joined, tags gathered into arrays, as galleries begin.

The friendly form: tags filter by a semijoin with the junction table instead of arrays built for every
row, and the arrays are gathered for the page's rows only.
"""

from __future__ import annotations

from pinakes.bench.contestant import Unavailable
from pinakes.bench.draw import Ask
from pinakes.bench.peers.printer import Lexemes, Printer
from pinakes.bench.peers.sql_peer import Hydrate, SqlPeer, Statement, limit, order_by
from pinakes.query.sources import SOURCES
from pinakes.store.content import hydrate
from pinakes.store.pool import Connection

_COLUMNS = "id, title, prompt, content_type, creator_id, is_private, quality_score, created_at, updated_at"
_EVERYTHING = " UNION ALL ".join(
    f"SELECT {source.code}::smallint AS source_type, {_COLUMNS} FROM {source.table}" for source in SOURCES
)


class _Semijoin(Lexemes):
    """Tags by the junction table of all sources."""

    def all_of(self, printer: Printer, tags: list[int]) -> str:
        """Grouped, as the books say."""
        placeholder = printer.bind(tags, "integer[]")
        return (
            "(c.source_type, c.id) IN (SELECT t.source_type, t.content_id FROM content_tags AS t"
            f" WHERE t.tag_id = ANY ({placeholder}) GROUP BY 1, 2 HAVING count(*) = {len(tags)})"
        )

    def any_of(self, printer: Printer, tags: list[int]) -> str:
        """A plain semijoin."""
        placeholder = printer.bind(tags, "integer[]")
        return (
            "(c.source_type, c.id) IN (SELECT t.source_type, t.content_id FROM content_tags AS t"
            f" WHERE t.tag_id = ANY ({placeholder}))"
        )


class UnionPeer(SqlPeer):
    """As galleries begin."""

    name = "union"
    what = "UNION ALL of the tables, joins, arrays for the page"

    @property
    def hydrate(self) -> Hydrate:
        """From the base tables."""
        return hydrate

    async def available(self, connection: Connection) -> None:
        """Needs the base tables."""
        await require_tables(connection)

    def page(self, ask: Ask) -> Statement:
        """Sorted after the union."""
        printer = Printer(_Semijoin())
        condition = printer.condition(ask.formula)
        sql = (
            f"SELECT c.source_type AS source, c.id FROM ({_EVERYTHING}) AS c JOIN users ON users.id = c.creator_id"
            f" WHERE {condition} ORDER BY {order_by(ask.query)} {limit(ask.query)}"
        )
        return sql, printer.values

    def count(self, ask: Ask) -> Statement:
        """The same without the join, which removes nothing."""
        printer = Printer(_Semijoin())
        return f"SELECT count(*) FROM ({_EVERYTHING}) AS c WHERE {printer.condition(ask.formula)}", printer.values


async def require_tables(connection: Connection) -> None:
    """Raises Unavailable where only the read model is filled."""
    for source in SOURCES:
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {source.table})"):
            return
    raise Unavailable("the tables of content are empty: this gallery has a read model only")
