"""The engines of one process, by name; `auto` is whichever of them is the quickest that is ready."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, get_args

from pinakes.engines.auto import AutoEngine
from pinakes.engines.base import BaseEngine
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_overlap import IndexOverlap
from pinakes.engines.matview import MatviewEngine
from pinakes.engines.overlap import Overlap, TableOverlap
from pinakes.index.reader import IndexReader
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page
from pinakes.settings import Settings
from pinakes.store.pool import Connection

EngineName: TypeAlias = Literal["auto", "index", "matview", "base"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)


class Engine(Protocol):
    """Answers gallery queries in the snapshot it is given."""

    async def answer(self, connection: Connection, query: GalleryQuery, formula: Formula) -> Page:
        """The page `query` asks for, `formula` being its meaning."""
        ...


class Engines:
    """One of each, sharing what is worth sharing."""

    def __init__(self, codec: CursorCodec, settings: Settings) -> None:
        base = BaseEngine(codec, settings.count_budget_ms)
        matview = MatviewEngine(codec, settings)
        self.index = IndexEngine(codec, settings, IndexReader(settings.index_memory_bytes()))
        self.overlap: Overlap = IndexOverlap(self.index, settings, TableOverlap())
        self._named: dict[EngineName, Engine] = {
            "auto": AutoEngine([self.index, matview], base),
            "index": self.index,
            "matview": matview,
            "base": base,
        }

    def named(self, name: EngineName) -> Engine:
        """The engine called `name`."""
        return self._named[name]
