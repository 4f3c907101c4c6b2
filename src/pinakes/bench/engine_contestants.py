"""The engines of Pinakes as contestants, asked below HTTP and the cache, as `ContentService` asks them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pinakes.bench.contestant import Given, Kind, Prepared, Say, Unavailable
from pinakes.bench.draw import Ask
from pinakes.engines.choice import Engines
from pinakes.engines.trace import Trace
from pinakes.errors import ReadModelNotReady
from pinakes.query.cursor import CursorCodec
from pinakes.query.item import Page
from pinakes.settings import Settings
from pinakes.store.pool import Pool, direct, open_pool, snapshot

EngineName: TypeAlias = Literal["index", "matview", "base"]

WHAT: dict[str, str] = {
    "index": "term bitmaps in PostgreSQL tables, evaluated in the worker",
    "matview": "the pre-joined read model, planned by tag frequencies",
    "base": "the base tables, one planned branch a source",
}


class EngineContestant:
    """One engine with a pool of its own."""

    kind: Kind = "engine"

    def __init__(self, name: EngineName, settings: Settings, timeout_ms: int) -> None:
        """Totals are exact for all contestants, so counting has as long as the whole answer."""
        self.name: str = name
        self.what = WHAT[name]
        self._engine_name: EngineName = name
        self._settings = settings.model_copy(update={"count_budget_ms": timeout_ms})
        self._timeout_ms = timeout_ms
        self._pool: Pool | None = None
        self._engines = self._new()

    def _new(self) -> Engines:
        return Engines(CursorCodec("a secret of this measurement only"), self._settings)

    async def prepare(self, say: Say) -> Prepared:
        """Nothing of its own: the gallery brings the read model and the index."""
        await self._open()
        return Prepared()

    async def answer(self, ask: Ask) -> Given:
        """The engine's page."""
        pool = await self._open()
        trace = Trace()
        page = await self._quickly(pool, ask, trace) if self._engine_name == "index" else None
        if page is None:
            engine = self._engines.named(self._engine_name)
            async with snapshot(pool, self._timeout_ms) as connection:
                try:
                    page = await engine.answer(connection, ask.query, ask.formula, trace=trace)
                except ReadModelNotReady as reason:
                    raise Unavailable(reason.detail) from reason
        return Given(page.items, page.total_count, trace.stages)

    async def _quickly(self, pool: Pool, ask: Ask, trace: Trace) -> Page | None:
        """Out of memory and one statement, where that is possible; as the service tries first."""
        if self._engines.index.reader.incarnation is None:
            return None
        async with direct(pool) as connection:
            quick = await self._engines.quick.answer(
                connection, ask.query, ask.formula, timeout_s=self._timeout_ms / 1000, at_any_age=True, trace=trace
            )
        return None if quick is None else quick.page

    async def forget(self) -> None:
        """New sessions, an engine that knows nothing."""
        await self.close()
        self._engines = self._new()
        await self._open()

    async def close(self) -> None:
        """No sessions any more."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _open(self) -> Pool:
        if self._pool is None:
            self._pool = await open_pool(self._settings, max_size=1)
        return self._pool
