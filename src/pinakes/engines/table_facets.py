"""Facets from the tables (engine `base`) and from the read model (engine `matview`).

Exact where all hits and their taggings can be counted within `count-budget-ms`. Where not, the hits on
some pages of the table are counted, always the same ones, about `SAMPLE_ROWS` rows: the answer is
`sampled`, its total a lower bound, its counts those of the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from asyncpg import Record

from pinakes.engines.base import NAME as BASE
from pinakes.engines.base_plan import words_decide
from pinakes.engines.counting import fetch_within
from pinakes.engines.facets import Facet, FacetAnswer
from pinakes.engines.matview import NAME as MATVIEW
from pinakes.engines.overlap import branches
from pinakes.query.aspect import FacetsAsked
from pinakes.query.formula import Formula, Nothing
from pinakes.settings import Settings
from pinakes.store.compiler import VIEW_COLUMNS, Compiler, table_columns
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load
from pinakes.store.vocabulary import cardinalities
from pinakes.view.reading import hold, max_staleness_s, require_young

SAMPLE_ROWS = 20_000
"""Rows looked at where counting everything takes too long: some 100 ms, words included."""

_SQL = load("facets", "pinakes.engines.sql")

_Printed: TypeAlias = Callable[[Compiler, str], tuple[str, str]]
"""(values, sample) -> the statements of the hits and of their taggings."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows of the statement, and whether they are of all hits. No rows: not even the sample could be counted."""

    rows: list[Record]
    whole: bool


class BaseFacets:
    """Counts in the tables."""

    name = BASE

    def __init__(self, settings: Settings) -> None:
        self._budget_ms = settings.count_budget_ms

    async def facets(
        self, connection: Connection, formula: Formula, asked: FacetsAsked, *, at_any_age: bool = True
    ) -> FacetAnswer:
        """The facets among the hits of `formula`; the tables are as old as the snapshot."""
        as_of: datetime = await connection.fetchval("SELECT now()")
        parts = branches(formula)
        if not parts:
            return _answer(_Counted([], whole=True), BASE, as_of)

        def printed(compiler: Compiler, sample: str) -> tuple[str, str]:
            hits, taggings = [], []
            for source, narrowed in parts:
                condition = compiler.condition(narrowed, table_columns(source))
                found = for_source(_SQL["hits_of_source"], source).replace("{sample}", sample)
                hits.append(found.replace("{condition}", condition))
                taggings.append(for_source(_SQL["taggings_of_source"], source))
            return "\nUNION ALL\n".join(hits), "\nUNION ALL\n".join(taggings)

        scan = not all(words_decide(narrowed) for _, narrowed in parts)
        return _answer(await _count(connection, printed, asked, self._budget_ms, scan=scan), BASE, as_of)


class MatviewFacets:
    """Counts in the read model."""

    name = MATVIEW

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def facets(
        self, connection: Connection, formula: Formula, asked: FacetsAsked, *, at_any_age: bool = True
    ) -> FacetAnswer:
        """The facets among the hits of `formula`.

        Raises:
            ReadModelNotReady: there is none, or not `at_any_age` and it is older than allowed.
        """
        state = await hold(connection)
        if not at_any_age:
            require_young(state.age_s, max_staleness_s(self._settings, state))
        if isinstance(formula, Nothing):
            return _answer(_Counted([], whole=True), MATVIEW, state.at, state.epoch)

        def printed(compiler: Compiler, sample: str) -> tuple[str, str]:
            hits = _SQL["hits_of_read_model"].replace("{sample}", sample)
            hits = hits.replace("{condition}", compiler.condition(formula, VIEW_COLUMNS))
            return hits, _SQL["taggings_of_read_model"]

        counted = await _count(connection, printed, asked, self._settings.count_budget_ms, scan=True)
        return _answer(counted, MATVIEW, state.at, state.epoch)


async def _count(
    connection: Connection, printed: _Printed, asked: FacetsAsked, budget_ms: int, *, scan: bool
) -> _Counted:
    """All hits within the budget, else those on a sample of the pages within the same time again."""
    rows = await _fetch(connection, printed, "", asked, budget_ms, scan=scan)
    if rows is not None:
        return _Counted(rows, whole=True)
    size = sum((await cardinalities(connection, set())).rows.values())
    percent = min(100.0, 100.0 * SAMPLE_ROWS / max(size, 1))
    sample = _SQL["sample"].replace("{percent}", f"{percent:.6f}")
    return _Counted(await _fetch(connection, printed, sample, asked, budget_ms, scan=True) or [], whole=False)


async def _fetch(
    connection: Connection, printed: _Printed, sample: str, asked: FacetsAsked, budget_ms: int, *, scan: bool
) -> list[Record] | None:
    compiler = Compiler()
    hits, taggings = printed(compiler, sample)
    sql = _SQL["facets"].replace("{hits}", hits).replace("{taggings}", taggings)
    sql = sql.replace("{category}", compiler.bind(asked.category, "text"))
    sql = sql.replace("{limit}", compiler.bind(asked.limit, "bigint"))
    return await fetch_within(connection, sql, compiler, budget_ms, scan=scan)


def _answer(counted: _Counted, engine: str, as_of: datetime, epoch: int | None = None) -> FacetAnswer:
    rows = counted.rows
    total = rows[0]["total"] if rows else 0
    return FacetAnswer(
        tuple(Facet(row["id"], row["name"], row["category"], row["items"]) for row in rows if row["id"] is not None),
        "exact" if counted.whole else "sampled",
        total,
        "exact" if counted.whole else "lower_bound",
        total,
        engine,
        as_of,
        epoch,
    )
