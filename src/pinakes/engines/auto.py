"""Engine `auto`: the quickest engine that can answer now, and the reason where it is not the quickest.

Engines that read the read model are asked in their order; one that is not ready (the read model is
missing, being exchanged, or older than `max-staleness-seconds`) is passed over. Engine `base` reads
the tables themselves and can always answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from pinakes.engines.base import BaseEngine
from pinakes.engines.facets import FacetAnswer, FacetCounter
from pinakes.engines.trace import Trace
from pinakes.errors import ReadModelNotReady
from pinakes.query.aspect import FacetsAsked
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page
from pinakes.store.pool import Connection


class Named(Protocol):
    """What has a name to be passed over by."""

    name: str


T = TypeVar("T")
N = TypeVar("N", bound=Named)


class ReadModelEngine(Protocol):
    """An engine that answers from the read model, or says that it cannot."""

    name: str

    async def answer(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        *,
        at_any_age: bool = True,
        trace: Trace | None = None,
    ) -> Page:
        """The page, or ReadModelNotReady."""
        ...


async def first_ready(quick: Sequence[N], ask: Callable[[N], Awaitable[T]]) -> tuple[T | None, tuple[str, ...]]:
    """The answer of the first of `quick` that has one, and why those before it had none; None where nobody has."""
    passed: list[str] = []
    for engine in quick:
        try:
            return await ask(engine), tuple(passed)
        except ReadModelNotReady as reason:
            passed.append(f"engine {engine.name} was passed over: {reason.detail}")
    return None, tuple(passed)


class AutoEngine:
    """Answers gallery queries by whichever engine is ready."""

    name = "auto"

    def __init__(self, quick: Sequence[ReadModelEngine], base: BaseEngine) -> None:
        self._quick = quick
        self._base = base

    async def answer(
        self, connection: Connection, query: GalleryQuery, formula: Formula, *, trace: Trace | None = None
    ) -> Page:
        """The page `query` asks for; `engine` says who answered, `warnings` why not a quicker one.

        Raises:
            InvalidCursor: the cursor is not ours or belongs to another query.
        """
        page, passed = await first_ready(
            self._quick, lambda engine: engine.answer(connection, query, formula, at_any_age=False, trace=trace)
        )
        page = page or await self._base.answer(connection, query, formula, trace=trace)
        return dataclasses.replace(page, warnings=(*page.warnings, *passed))


class AutoFacets:
    """Counts facets by whichever engine is ready."""

    name = "auto"

    def __init__(self, quick: Sequence[FacetCounter], base: FacetCounter) -> None:
        self._quick = quick
        self._base = base

    async def facets(
        self, connection: Connection, formula: Formula, asked: FacetsAsked, *, at_any_age: bool = True
    ) -> FacetAnswer:
        """The facets among the hits of `formula`."""
        found, passed = await first_ready(
            self._quick, lambda counter: counter.facets(connection, formula, asked, at_any_age=False)
        )
        found = found or await self._base.facets(connection, formula, asked)
        return dataclasses.replace(found, warnings=(*found.warnings, *passed))
