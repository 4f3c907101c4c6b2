"""Peer `junction`: EXISTS on the junction table for each tag, one limited branch a source.

Its covering indexes are there already, (tag_id, content_id) and (content_id, tag_id); what it adds is
the order of scores with missing ones last, which the plain btree does not serve downwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinakes.bench.draw import Ask
from pinakes.bench.peers.printer import Lexemes, Printer
from pinakes.bench.peers.sql_peer import Hydrate, SqlPeer, Statement, limit, order_by
from pinakes.bench.peers.union import require_tables
from pinakes.query.formula import Formula, Nothing, Term, assume
from pinakes.query.sources import SOURCES, Source
from pinakes.store.content import hydrate
from pinakes.store.pool import Connection


class _Exists(Lexemes):
    """Tags by lookups in the junction table of one source."""

    def __init__(self, source: Source) -> None:
        self._table = source.tags_table

    def all_of(self, printer: Printer, tags: list[int]) -> str:
        """One EXISTS a tag, so that the planner may drive by the rarest."""
        return " AND ".join(self._one(f"= {printer.bind(tag, 'integer')}") for tag in tags)

    def any_of(self, printer: Printer, tags: list[int]) -> str:
        """One EXISTS for all."""
        return self.all_of(printer, tags) if len(tags) == 1 else self._one(f"= ANY ({printer.bind(tags, 'integer[]')})")

    def _one(self, test: str) -> str:
        return f"EXISTS (SELECT 1 FROM {self._table} AS t WHERE t.content_id = c.id AND t.tag_id {test})"


class JunctionPeer(SqlPeer):
    """The normalized design, well indexed."""

    name = "junction"
    what = "EXISTS on the junction table, covering indexes, one limited branch a source"
    indexes: Sequence[tuple[str, str]] = tuple(
        (
            f"bench_{source.name}_quality",
            f"CREATE INDEX bench_{source.name}_quality ON {source.table} (quality_score DESC NULLS LAST, id DESC)",
        )
        for source in SOURCES
    )

    @property
    def hydrate(self) -> Hydrate:
        """From the base tables."""
        return hydrate

    async def available(self, connection: Connection) -> None:
        """Needs the base tables."""
        await require_tables(connection)

    def page(self, ask: Ask) -> Statement:
        """Every branch brings as many rows as the page may need of it."""
        query = ask.query
        way = query.sort_order.upper()
        need = query.page * query.page_size
        printers: list[Printer] = []
        branches = []
        for source, formula in _branches(ask.formula):
            printer = _shared(Printer(_Exists(source)), printers)
            branches.append(
                f"(SELECT {source.code}::smallint AS source_type, c.id, c.{query.sort_field} FROM {source.table} AS c"
                f" WHERE {printer.condition(formula)}"
                f" ORDER BY c.{query.sort_field} {way} NULLS LAST, c.id {way} LIMIT {int(need)})"
            )
        if not branches:
            return "SELECT NULL::smallint AS source, NULL::bigint AS id WHERE false", []
        sql = (
            f"SELECT c.source_type AS source, c.id FROM ({' UNION ALL '.join(branches)}) AS c"
            f" ORDER BY {order_by(query)} {limit(query)}"
        )
        return sql, printers[0].values

    def count(self, ask: Ask) -> Statement:
        """Branch by branch."""
        printers: list[Printer] = []
        counts = []
        for source, formula in _branches(ask.formula):
            printer = _shared(Printer(_Exists(source)), printers)
            counts.append(f"(SELECT count(*) FROM {source.table} AS c WHERE {printer.condition(formula)})")
        return f"SELECT {' + '.join(counts) or '0::bigint'}", printers[0].values if printers else []


def _branches(formula: Formula) -> list[tuple[Source, Formula]]:
    """The formula as seen from each source's table, without those it cannot be true of."""
    found: list[tuple[Source, Formula]] = []
    for source in SOURCES:
        known = {str(Term("source", other.code)): other is source for other in SOURCES}
        special = assume(formula, known)
        if not isinstance(special, Nothing):
            found.append((source, special))
    return found


def _shared(printer: Printer, printers: list[Printer]) -> Printer:
    """`printer` with the values of the statement's others."""
    if printers:
        printer.values = printers[0].values
    printers.append(printer)
    return printer
