"""Peer `matview`: the pre-joined relation with a GIN index on tags, and count(*) for the total.

Reads the gallery's read model, whose indexes are those such a view would have; what it adds is the
order of scores with missing ones last. Unlike engine `matview` it leaves every choice to PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinakes.bench.draw import Ask
from pinakes.bench.peers.printer import Lexemes, Printer
from pinakes.bench.peers.sql_peer import Hydrate, SqlPeer, Statement, limit, order_by
from pinakes.store.pool import Connection
from pinakes.view.definition import NAME
from pinakes.view.reading import hydrate


class TagArray(Lexemes):
    """Tags by the array column."""

    def all_of(self, printer: Printer, tags: list[int]) -> str:
        """GIN intersects."""
        return f"c.tags @> {printer.bind(tags, 'integer[]')}"

    def any_of(self, printer: Printer, tags: list[int]) -> str:
        """GIN unites."""
        return f"c.tags && {printer.bind(tags, 'integer[]')}"


class MatviewPeer(SqlPeer):
    """The usual next step."""

    name = "matview+count"
    what = "pre-joined view, GIN on tags, count(*)"
    indexes: Sequence[tuple[str, str]] = (
        (
            "bench_unified_quality",
            f"CREATE INDEX bench_unified_quality ON {NAME} (quality_score DESC NULLS LAST, id DESC, source_type DESC)",
        ),
    )

    async def available(self, connection: Connection) -> None:
        """Always: the read model is there."""

    @property
    def hydrate(self) -> Hydrate:
        """From the view itself."""
        return hydrate

    def page(self, ask: Ask) -> Statement:
        """One select."""
        printer = Printer(TagArray())
        condition = printer.condition(ask.formula)
        sql = (
            f"SELECT c.source_type AS source, c.id FROM {NAME} AS c"
            f" WHERE {condition} ORDER BY {order_by(ask.query)} {limit(ask.query)}"
        )
        return sql, printer.values

    def count(self, ask: Ask) -> Statement:
        """One count."""
        printer = Printer(TagArray())
        return f"SELECT count(*) FROM {NAME} AS c WHERE {printer.condition(ask.formula)}", printer.values
