"""Engine `auto`: the quickest engine that can answer now, and the reason where it is not the quickest.

Engines that read the read model are asked in their order; one that is not ready (the read model is
missing, being exchanged, or older than `max-staleness-seconds`) is passed over. Engine `base` reads
the tables themselves and can always answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from pinakes.engines.base import BaseEngine
from pinakes.errors import ReadModelNotReady
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page
from pinakes.store.pool import Connection


class ReadModelEngine(Protocol):
    """An engine that answers from the read model, or says that it cannot."""

    name: str

    async def answer(
        self, connection: Connection, query: GalleryQuery, formula: Formula, *, at_any_age: bool = True
    ) -> Page:
        """The page, or ReadModelNotReady."""
        ...


class AutoEngine:
    """Answers gallery queries by whichever engine is ready."""

    name = "auto"

    def __init__(self, quick: Sequence[ReadModelEngine], base: BaseEngine) -> None:
        self._quick = quick
        self._base = base

    async def answer(self, connection: Connection, query: GalleryQuery, formula: Formula) -> Page:
        """The page `query` asks for; `engine` says who answered, `warnings` why not a quicker one.

        Raises:
            InvalidCursor: the cursor is not ours or belongs to another query.
        """
        passed: list[str] = []
        for engine in self._quick:
            try:
                page = await engine.answer(connection, query, formula, at_any_age=False)
            except ReadModelNotReady as reason:
                passed.append(f"engine {engine.name} was passed over: {reason.detail}")
            else:
                return dataclasses.replace(page, warnings=(*page.warnings, *passed))
        page = await self._base.answer(connection, query, formula)
        return dataclasses.replace(page, warnings=(*page.warnings, *passed))
