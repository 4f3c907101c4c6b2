"""Engine `matview`: answers from the read model, pre-joined, with a GIN index on its tags.

One relation holds every source, so a query is one condition and one order. The rule is chosen as
for engine `base`, from the same maintained cardinalities summed over the sources: dense hits are
walked in the sort order and counted apart, few hits are collected once for page and total. The
answer is that of the read model's epoch, which `as_of` dates; how much older than the base tables
that is depends on the refresh policy.
"""

from __future__ import annotations

from pinakes.engines import matview_sql
from pinakes.engines.base_plan import BranchPlan, choose, required_words, tags_of
from pinakes.engines.base_sql import collected
from pinakes.engines.counting import count_within
from pinakes.engines.selection import Selection, finish
from pinakes.engines.trace import Trace
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import Formula, Nothing
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page, TotalKind
from pinakes.settings import Settings
from pinakes.store.compiler import Compiler, all_words
from pinakes.store.keyset import Walk
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.vocabulary import Cardinalities, cardinalities
from pinakes.view.reading import hold, hydrate, max_staleness_s, require_young

NAME = "matview"
_ALL = 0  # stands for all sources in cardinalities


class MatviewEngine:
    """Answers gallery queries from the read model."""

    name = NAME

    def __init__(self, codec: CursorCodec, settings: Settings) -> None:
        self._codec = codec
        self._settings = settings

    async def answer(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        *,
        at_any_age: bool = True,
        trace: Trace | None = None,
    ) -> Page:
        """The page `query` asks for, `formula` being its meaning. `connection` is in a snapshot.

        Raises:
            InvalidCursor: the cursor is not ours or belongs to another query.
            ReadModelNotReady: there is none, or not `at_any_age` and it is older than allowed.
        """
        trace = trace or Trace()
        cursor = self._codec.decode(query.cursor, formula, query.sort_field, query.sort_order) if query.cursor else None
        state = await hold(connection)
        if not at_any_age:
            require_young(state.age_s, max_staleness_s(self._settings, state))
        walk = Walk.of(query.sort_field, query.sort_order, cursor)
        plan = await self._plan(connection, query, formula)
        trace.facts["plan"] = {"rule": plan.rule, "driver": list(plan.driver)}
        trace.mark("plan")
        if plan.rule == "nothing":
            selection = Selection([], False, False, 0, "exact")
        elif plan.rule == "walk_order":
            selection = await self._walked(connection, query, walk, formula, trace)
        else:
            selection = await self._driven(connection, query, walk, formula)
            trace.mark("select")
        page = await finish(
            connection,
            query,
            formula,
            selection,
            self._codec,
            backward=cursor is not None and cursor.side == "before",
            engine=NAME,
            as_of=state.at,
            epoch=state.epoch,
            read=hydrate,
        )
        trace.mark("page")
        return page

    async def _plan(self, connection: Connection, query: GalleryQuery, formula: Formula) -> BranchPlan:
        if isinstance(formula, Nothing):
            return BranchPlan("nothing", formula)
        known = await cardinalities(connection, tags_of(formula))
        tags: dict[tuple[int, int], int] = {}
        for (_, tag), count in known.tags.items():
            tags[_ALL, tag] = tags.get((_ALL, tag), 0) + count
        counts = Cardinalities(tags, {_ALL: sum(known.rows.values())})
        share = None
        if wanted := required_words(formula):
            sql = load("reading", "pinakes.view.sql")["expect_words"]
            explained = await connection.fetchval(sql, all_words(wanted))
            share = float(explained[0]["Plan"]["Plan Rows"]) / counts.size(_ALL)
        return choose(formula, _ALL, counts, _offset(query) + query.page_size + 1, share)

    async def _driven(self, connection: Connection, query: GalleryQuery, walk: Walk, formula: Formula) -> Selection:
        """Page, total and the look to the other side from one pass over all hits."""
        compiler = Compiler()
        sql = collected(compiler, matview_sql.hits(compiler, walk, formula), walk, query.page_size + 1, _offset(query))
        rows = await connection.fetch(sql, *compiler.values)
        keys = [(row["source"], row["id"], row["key"]) for row in rows if row["id"] is not None]
        other_side = rows[0]["beyond"] if walk.start is not None else query.page > 1
        return Selection(keys, len(keys) > query.page_size, other_side, rows[0]["total"], "exact")

    async def _walked(
        self, connection: Connection, query: GalleryQuery, walk: Walk, formula: Formula, trace: Trace
    ) -> Selection:
        """The page from the sort order's index; the total apart, within its budget."""
        compiler = Compiler()
        sql = matview_sql.walked(compiler, walk, formula, query.page_size + 1, _offset(query))
        rows = await connection.fetch(sql, *compiler.values)
        keys = [(row["source"], row["id"], row["key"]) for row in rows]
        other_side = query.page > 1
        if walk.start is not None:
            compiler = Compiler()
            behind = matview_sql.walked(compiler, walk.opposite(), formula, 1, 0)
            other_side = bool(await connection.fetch(behind, *compiler.values))
        trace.mark("select")
        if walk.start is None and (keys or query.page == 1) and len(keys) <= query.page_size:
            return Selection(keys, False, other_side, _offset(query) + len(keys), "exact")
        total, kind = await self._count(connection, formula, at_least=_offset(query) + len(keys) if keys else 0)
        trace.mark("count")
        return Selection(keys, len(keys) > query.page_size, other_side, total, kind)

    async def _count(self, connection: Connection, formula: Formula, at_least: int) -> tuple[int, TotalKind]:
        """The exact total if it can be had within the budget, else what the page has shown."""
        compiler = Compiler()
        sql = matview_sql.count(compiler, formula)
        return await count_within(connection, sql, compiler, self._settings.count_budget_ms, at_least)


def _offset(query: GalleryQuery) -> int:
    return 0 if query.cursor else (query.page - 1) * query.page_size
