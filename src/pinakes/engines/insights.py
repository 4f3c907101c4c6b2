"""Insights besides facets, by engine: how hits spread over a field, and where an item stands among them.

Engine `index` answers from bitmaps and a few rows, `base` and `matview` read all hits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pinakes.engines import index_around, index_histogram
from pinakes.engines.around import Neighbours, around, in_read_model
from pinakes.engines.auto import first_ready
from pinakes.engines.histogram import Histogram, histogram
from pinakes.engines.index import IndexEngine
from pinakes.engines.overlap import read_model_hits
from pinakes.index.reader import State
from pinakes.query.aspect import AroundAsked, HistogramAsked
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.view.epoch import Epoch
from pinakes.view.reading import followed_staleness_s, hold, max_staleness_s, require_young

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """What was asked, who answered, and the state that is of."""

    what: T
    engine: str
    as_of: datetime
    epoch: int | None = None
    warnings: tuple[str, ...] = ()


class Insights(Protocol):
    """Answers in the snapshot it is given.

    Both raise ReadModelNotReady where the read model is needed and not there, or not `at_any_age` and too
    old; `around` raises NotFound where the viewer may not see the item, or the search does not find it.
    """

    name: str

    async def histogram(
        self, connection: Connection, formula: Formula, asked: HistogramAsked, *, at_any_age: bool = True
    ) -> Known[Histogram]:
        """How the hits of `formula` spread."""
        ...

    async def around(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        asked: AroundAsked,
        *,
        at_any_age: bool = True,
    ) -> Known[Neighbours]:
        """The neighbours of an item in the order of `query`, `formula` being its meaning."""
        ...


class BaseInsights:
    """Answers from the tables."""

    name = "base"

    async def histogram(
        self, connection: Connection, formula: Formula, asked: HistogramAsked, *, at_any_age: bool = True
    ) -> Known[Histogram]:
        """How the hits of `formula` spread."""
        found = await histogram(connection, formula, asked.field, asked.buckets)
        return Known(found, self.name, await connection.fetchval("SELECT now()"))

    async def around(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        asked: AroundAsked,
        *,
        at_any_age: bool = True,
    ) -> Known[Neighbours]:
        """The neighbours of an item."""
        found = await around(connection, query, formula, SOURCE_BY_CODE[asked.source], asked.id)
        return Known(found, self.name, await connection.fetchval("SELECT now()"))


class MatviewInsights:
    """Answers from the read model."""

    name = "matview"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def histogram(
        self, connection: Connection, formula: Formula, asked: HistogramAsked, *, at_any_age: bool = True
    ) -> Known[Histogram]:
        """How the hits of `formula` spread."""
        state = await self._state(connection, at_any_age=at_any_age)
        found = await histogram(connection, formula, asked.field, asked.buckets, read_model_hits)
        return Known(found, self.name, state.at, state.epoch)

    async def around(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        asked: AroundAsked,
        *,
        at_any_age: bool = True,
    ) -> Known[Neighbours]:
        """The neighbours of an item."""
        state = await self._state(connection, at_any_age=at_any_age)
        found = await in_read_model(connection, query, formula, SOURCE_BY_CODE[asked.source], asked.id)
        return Known(found, self.name, state.at, state.epoch)

    async def _state(self, connection: Connection, *, at_any_age: bool) -> Epoch:
        state = await hold(connection)
        if not at_any_age:
            require_young(state.age_s, max_staleness_s(self._settings, state))
        return state


class IndexInsights:
    """Answers from the bitmap index."""

    name = "index"

    def __init__(self, engine: IndexEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    async def histogram(
        self, connection: Connection, formula: Formula, asked: HistogramAsked, *, at_any_age: bool = True
    ) -> Known[Histogram]:
        """How the hits of `formula` spread."""
        state = await self._state(connection, at_any_age=at_any_age)
        found = await index_histogram.histogram(
            self._engine, connection, state, formula, asked.field, buckets=asked.buckets
        )
        return Known(found, self.name, state.at, state.epoch)

    async def around(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        asked: AroundAsked,
        *,
        at_any_age: bool = True,
    ) -> Known[Neighbours]:
        """The neighbours of an item."""
        state = await self._state(connection, at_any_age=at_any_age)
        source = SOURCE_BY_CODE[asked.source]
        found = await index_around.around(
            self._engine, connection, state, query, formula, source=source, item_id=asked.id
        )
        return Known(found, self.name, state.at, state.epoch)

    async def _state(self, connection: Connection, *, at_any_age: bool) -> State:
        state = await self._engine.reader.state(connection)
        if not at_any_age:
            require_young(state.age_s, followed_staleness_s(self._settings))
        return state


class AutoInsights:
    """Answers by whichever engine is ready."""

    name = "auto"

    def __init__(self, quick: tuple[Insights, ...], base: Insights) -> None:
        self._quick = quick
        self._base = base

    async def histogram(
        self, connection: Connection, formula: Formula, asked: HistogramAsked, *, at_any_age: bool = True
    ) -> Known[Histogram]:
        """How the hits of `formula` spread."""
        found, passed = await first_ready(
            self._quick, lambda each: each.histogram(connection, formula, asked, at_any_age=False)
        )
        return _warned(found or await self._base.histogram(connection, formula, asked), passed)

    async def around(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        asked: AroundAsked,
        *,
        at_any_age: bool = True,
    ) -> Known[Neighbours]:
        """The neighbours of an item."""
        found, passed = await first_ready(
            self._quick, lambda each: each.around(connection, query, formula, asked, at_any_age=False)
        )
        return _warned(found or await self._base.around(connection, query, formula, asked), passed)


def _warned(known: Known[T], passed: tuple[str, ...]) -> Known[T]:
    return Known(known.what, known.engine, known.as_of, known.epoch, (*known.warnings, *passed))
