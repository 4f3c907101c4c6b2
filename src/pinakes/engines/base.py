"""Engine `base`: answers from the tables themselves, with no read model and no index of our own.

Tag normalization plus query rewrite. Every source asked for is a branch with its own plan
(`base_plan`); each branch is ordered and limited before the merge, a source not asked for is not
touched. Driven branches give page and exact total in one statement. Walked branches give the page
at once and count apart, within `count-budget-ms`; a count that runs out of it is reported as a
lower bound. Good to about a million items; beyond, dense counts outgrow the budget.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pinakes.engines import base_sql
from pinakes.engines.base_plan import choose, required_words, tags_of, words_decide
from pinakes.engines.base_sql import Branch
from pinakes.engines.counting import count_within
from pinakes.engines.selection import Selection, finish
from pinakes.engines.trace import Trace
from pinakes.query.cursor import Cursor, CursorCodec
from pinakes.query.formula import Formula, Nothing, Term, assume
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page, TotalKind
from pinakes.query.sources import SOURCES, Source
from pinakes.store.compiler import Compiler, all_words
from pinakes.store.keyset import Walk
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load
from pinakes.store.vocabulary import cardinalities

NAME = "base"


class BaseEngine:
    """Answers gallery queries from the base tables."""

    name = NAME

    def __init__(self, codec: CursorCodec, count_budget_ms: int) -> None:
        self._codec = codec
        self._count_budget_ms = count_budget_ms

    async def answer(
        self, connection: Connection, query: GalleryQuery, formula: Formula, *, trace: Trace | None = None
    ) -> Page:
        """The page `query` asks for, `formula` being its meaning. `connection` is in a snapshot.

        Raises:
            InvalidCursor: the cursor is not ours or belongs to another query.
        """
        trace = trace or Trace()
        cursor = self._codec.decode(query.cursor, formula, query.sort_field, query.sort_order) if query.cursor else None
        as_of: datetime = await connection.fetchval("SELECT now()")
        branches = await self._branches(connection, query, formula)
        trace.facts["plan"] = _told(branches)
        trace.mark("plan")
        selection = await self._select(connection, query, cursor, branches, trace)
        backward = cursor is not None and cursor.side == "before"
        page = await finish(
            connection, query, formula, selection, self._codec, backward=backward, engine=NAME, as_of=as_of
        )
        trace.mark("page")
        return page

    async def explain(self, connection: Connection, query: GalleryQuery, formula: Formula) -> dict[str, Any]:
        """The rule chosen for each source, and what it is driven by."""
        return _told(await self._branches(connection, query, formula))

    async def _branches(self, connection: Connection, query: GalleryQuery, formula: Formula) -> list[Branch]:
        """A plan for every source the formula can be true of."""
        special = {source: _for_source(formula, source) for source in SOURCES}
        asked = [source for source in SOURCES if not isinstance(special[source], Nothing)]
        if not asked:
            return []
        counts = await cardinalities(connection, tags_of(formula))
        need = _need(query)
        branches = []
        for source in asked:
            share = await _words_share(connection, source, special[source], counts.size(source.code))
            branches.append(Branch(source, choose(special[source], source.code, counts, need, share)))
        return branches

    async def _select(
        self,
        connection: Connection,
        query: GalleryQuery,
        cursor: Cursor | None,
        branches: list[Branch],
        trace: Trace,
    ) -> Selection:
        """The keys of the page, and the total."""
        if not branches:
            return Selection([], False, False, 0, "exact")
        walk = Walk.of(query.sort_field, query.sort_order, cursor)
        if all(branch.plan.rule != "walk_order" for branch in branches):
            found = await self._driven(connection, query, walk, branches)
            trace.mark("select")
            return found
        compiler = Compiler()
        sql = base_sql.walked(compiler, branches, walk, _need(query), _offset(query))
        rows = await connection.fetch(sql, *compiler.values)
        keys = [(row["source"], row["id"], row["key"]) for row in rows]
        other_side = await self._beyond(connection, walk, branches) if cursor is not None else query.page > 1
        trace.mark("select")
        if cursor is None and (keys or query.page == 1) and len(keys) <= query.page_size:
            return Selection(keys, False, other_side, _offset(query) + len(keys), "exact")
        total, kind = await self._count(connection, branches, at_least=_offset(query) + len(keys) if keys else 0)
        trace.mark("count")
        return Selection(keys, len(keys) > query.page_size, other_side, total, kind)

    async def _driven(
        self, connection: Connection, query: GalleryQuery, walk: Walk, branches: list[Branch]
    ) -> Selection:
        """Page, total and the look to the other side from one pass over all hits."""
        compiler = Compiler()
        sql = base_sql.driven(compiler, branches, walk, query.page_size + 1, _offset(query))
        rows = await connection.fetch(sql, *compiler.values)
        keys = [(row["source"], row["id"], row["key"]) for row in rows if row["id"] is not None]
        total, beyond = rows[0]["total"], rows[0]["beyond"]
        other_side = beyond if walk.start is not None else query.page > 1
        return Selection(keys, len(keys) > query.page_size, other_side, total, "exact")

    async def _beyond(self, connection: Connection, walk: Walk, branches: list[Branch]) -> bool:
        """Whether anything lies on the other side of the cursor."""
        compiler = Compiler()
        sql = base_sql.walked(compiler, branches, walk.opposite(), 1, 0)
        return bool(await connection.fetch(sql, *compiler.values))

    async def _count(self, connection: Connection, branches: list[Branch], at_least: int) -> tuple[int, TotalKind]:
        """The exact total if it can be had within the budget, else what the page has shown."""
        compiler = Compiler()
        counts = " + ".join(f"({base_sql.count(compiler, branch)})" for branch in branches)
        # Cutting a text into words costs 20 µs, reading the words index for a dense word 1 µs a row; the
        # planner thinks that rows found by index are cut again (28 ms instead of 770 for 69,000 items).
        scan = not all(words_decide(branch.plan.formula) for branch in branches)
        return await count_within(connection, f"SELECT {counts}", compiler, self._count_budget_ms, at_least, scan=scan)


def _told(branches: list[Branch]) -> dict[str, Any]:
    """The rule for each source, and the tags that drive it."""
    return {b.source.name: {"rule": b.plan.rule, "driver": list(b.plan.driver)} for b in branches}


def _need(query: GalleryQuery) -> int:
    """How many rows of the order a page needs: what lies before it, itself, and one more to look ahead."""
    return _offset(query) + query.page_size + 1


def _offset(query: GalleryQuery) -> int:
    return 0 if query.cursor else (query.page - 1) * query.page_size


def _for_source(formula: Formula, source: Source) -> Formula:
    """`formula` as seen from one source's table."""
    return assume(formula, {str(Term("source", other.code)): other is source for other in SOURCES})


async def _words_share(connection: Connection, source: Source, formula: Formula, size: int) -> float | None:
    """The share of items PostgreSQL expects to have the required words, from its statistics."""
    wanted = required_words(formula)
    if not wanted:
        return None
    sql = for_source(load("base")["expect_words"], source)
    plan = await connection.fetchval(sql, all_words(wanted))
    return float(plan[0]["Plan"]["Plan Rows"]) / size
