"""The engines of one process, by name; `auto` is whichever of them is the quickest that is ready."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, cast, get_args

from pinakes.engines.auto import AutoEngine, AutoFacets
from pinakes.engines.base import BaseEngine
from pinakes.engines.facets import FacetCounter
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_facets import IndexFacets
from pinakes.engines.index_overlap import IndexOverlap
from pinakes.engines.index_quick import QuickIndex
from pinakes.engines.insights import (
    AutoInsights,
    BaseInsights,
    IndexInsights,
    Insights,
    Known,
    MatviewInsights,
)
from pinakes.engines.matview import MatviewEngine
from pinakes.engines.overlap import Overlap, TableOverlap
from pinakes.engines.related import asked_for, related, shown
from pinakes.engines.table_facets import BaseFacets, MatviewFacets
from pinakes.engines.trace import Trace
from pinakes.errors import ReadModelNotReady
from pinakes.index.reader import IndexReader
from pinakes.query.aspect import (
    AroundAsked,
    Aspect,
    FacetsAsked,
    HistogramAsked,
    Insight,
    PageWithFacets,
    RelatedAsked,
)
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery, visible_to
from pinakes.query.item import Page
from pinakes.settings import Settings
from pinakes.store.pool import Connection

EngineName: TypeAlias = Literal["auto", "index", "matview", "base"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)


class Engine(Protocol):
    """Answers gallery queries in the snapshot it is given."""

    async def answer(
        self, connection: Connection, query: GalleryQuery, formula: Formula, *, trace: Trace | None = None
    ) -> Page:
        """The page `query` asks for, `formula` being its meaning; `trace` is told what it took."""
        ...


class Engines:
    """One of each, sharing what is worth sharing."""

    def __init__(self, codec: CursorCodec, settings: Settings) -> None:
        base = BaseEngine(codec, settings.count_budget_ms)
        matview = MatviewEngine(codec, settings)
        self.index = IndexEngine(codec, settings, IndexReader(settings.index_memory_bytes()))
        self.quick = QuickIndex(self.index, settings)
        tables, bitmaps = TableOverlap(), IndexOverlap(self.index, settings, None)
        self.overlap: Overlap = IndexOverlap(self.index, settings, tables)
        self._overlaps: dict[EngineName, tuple[tuple[EngineName, Overlap], ...]] = {
            "auto": (("index", bitmaps), ("base", tables)),
            "index": (("index", bitmaps),),
            "matview": (("base", tables),),
            "base": (("base", tables),),
        }
        self._named: dict[EngineName, Engine] = {
            "auto": AutoEngine([self.index, matview], base),
            "index": self.index,
            "matview": matview,
            "base": base,
        }
        counters = IndexFacets(self.index, settings), MatviewFacets(settings), BaseFacets(settings)
        self._facets: dict[EngineName, FacetCounter] = {
            "auto": AutoFacets(counters[:2], counters[2]),
            "index": counters[0],
            "matview": counters[1],
            "base": counters[2],
        }

        insights = IndexInsights(self.index, settings), MatviewInsights(settings), BaseInsights()
        self._insights: dict[EngineName, Insights] = {
            "auto": AutoInsights(insights[:2], insights[2]),
            "index": insights[0],
            "matview": insights[1],
            "base": insights[2],
        }

    async def answer(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        aspect: Aspect | None,
        *,
        name: EngineName,
        trace: Trace,
    ) -> Page | Insight:
        """What the engine called `name` says: the page, or the `aspect` wanted. `trace` is told what it took.

        Raises: as the engine does.
        """
        match aspect:
            case None:
                return await self.named(name).answer(connection, query, formula, trace=trace)
            case FacetsAsked():
                found = await self.facets(name).facets(connection, formula, aspect)
                trace.mark("facets")
                return found.insight()
            case PageWithFacets(asked):
                page = await self.named(name).answer(connection, query, formula, trace=trace)
                try:
                    found = await self._facets[cast("EngineName", page.engine)].facets(connection, formula, asked)
                except ReadModelNotReady:
                    if name != "auto":
                        raise
                    # Both by one engine, so that they are of one state.
                    return await self.answer(connection, query, formula, aspect, name="base", trace=trace)
                trace.mark("facets")
                return dataclasses.replace(page, facets=found.insight().said)
            case HistogramAsked(field):
                spread = await self.insights(name).histogram(connection, formula, aspect)
                trace.mark("histogram")
                return _insight(spread, spread.what.said(field))
            case AroundAsked():
                beside = await self.insights(name).around(connection, query, formula, aspect)
                trace.mark("around")
                return _insight(beside, beside.what.said())
            case RelatedAsked(limit):
                nearest = await self._related(connection, query, formula, limit, name)
                trace.mark("related")
                return nearest

    async def _related(
        self, connection: Connection, query: GalleryQuery, formula: Formula, limit: int, name: EngineName
    ) -> Insight:
        as_of: datetime = await connection.fetchval("SELECT now()")
        besides, seen = asked_for(formula), visible_to(query.viewer)
        *quick, last = self._overlaps[name]
        for engine, overlap in quick:
            try:
                found = await related(connection, overlap, formula, seen, limit, besides=besides)
            except ReadModelNotReady:
                continue
            state = await self.index.reader.state(connection)
            return Insight(said=await shown(connection, found), engine=engine, as_of=state.at, epoch=state.epoch)
        engine, overlap = last
        found = await related(connection, overlap, formula, seen, limit, besides=besides)
        return Insight(said=await shown(connection, found), engine=engine, as_of=as_of)

    def insights(self, name: EngineName) -> Insights:
        """What answers about histograms and neighbours for the engine called `name`."""
        return self._insights[name]

    def facets(self, name: EngineName) -> FacetCounter:
        """What counts facets for the engine called `name`."""
        return self._facets[name]

    def named(self, name: EngineName) -> Engine:
        """The engine called `name`."""
        return self._named[name]


def _insight(known: Known[Any], said: dict[str, Any]) -> Insight:
    return Insight(said=said, engine=known.engine, as_of=known.as_of, epoch=known.epoch, warnings=known.warnings)
