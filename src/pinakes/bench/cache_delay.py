"""What readers wait for Redis when it is frozen, killed, refusing or full: the bound is 50 ms, once.

Readers ask questions of their own, one after the other, through one cache; of every read is taken what
it waited beyond the database, which is the read's time less that of computing and, as any miss
needs it, of understanding the question. Reads that began while the breaker was open should wait for
nothing at all, not even that. The control asks past the cache, so what it "waits" is the noise of the
machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from pinakes.bench.cache_gallery import TAGS, create, first_items
from pinakes.cache.core import ResultCache
from pinakes.cache.meaning import Understood
from pinakes.cache.options import Options
from pinakes.cache.reader import ANY, Freshness, Reading
from pinakes.query.gallery_query import GalleryQuery
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import open_pool

BOUND_MS = 50.0
READERS = 8
PAUSE_S = 0.005
STEADY_S = 2.0
_PAST = Freshness(use_cache=False)

_computing: ContextVar[list[float] | None] = ContextVar("computing", default=None)
_breaker_open: ContextVar[bool] = ContextVar("breaker_open", default=False)

Fault = Callable[[], Awaitable[None]]


class _Timed(ContentService):
    """Notes how long the database took, for whoever asked: computing, and understanding where that is needed."""

    async def _understand(self, *args: Any, **named: Any) -> Understood:
        began = time.perf_counter()
        try:
            return await super()._understand(*args, **named)
        finally:
            spent = _computing.get()
            if spent is not None and not _breaker_open.get():
                spent.append(time.perf_counter() - began)

    async def _read(self, *args: Any, **named: Any) -> Reading:
        began = time.perf_counter()
        try:
            return await super()._read(*args, **named)
        finally:
            spent = _computing.get()
            if spent is not None:
                spent.append(time.perf_counter() - began)


@dataclass(slots=True)
class Waits:
    """What reads waited beyond the engine, in milliseconds, by where the breaker stood when they began."""

    closed: list[float] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    failed: int = 0
    breaker_opened: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As figures. `slowed`: reads that waited over 10 ms while the breaker was closed."""
        return {
            "reads": len(self.closed) + len(self.opened),
            "failed": self.failed,
            "breaker_opened": self.breaker_opened,
            "slowed": sum(wait > 10 for wait in self.closed),
            "closed": _percentiles(self.closed),
            "open": _percentiles(self.opened),
            "control": _percentiles(self.control),
        }


def _percentiles(waits: list[float]) -> dict[str, float] | None:
    if not waits:
        return None
    ranked = sorted(waits)
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(ranked[min(int(share * len(ranked)), len(ranked) - 1)], 2) for name, share in shares.items()}


async def delays(settings: Settings, faults: Mapping[str, Fault], say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of each fault, and of no fault."""
    chosen = settings.model_copy(update={"engine": "base"})
    pool = await open_pool(chosen)
    cache = ResultCache(chosen.redis_address() or "", chosen.database_url, Options.of(chosen))
    service = _Timed(pool, chosen, cache)
    told: dict[str, Any] = {"bound_ms": BOUND_MS}
    try:
        await create(pool, first_items())
        await cache.start()
        for name, fault in {"none": _nothing, **faults}.items():
            await _trusted(cache)
            waits = await _under(service, cache, fault)
            told[name] = waits.as_dict()
            say(f"{name}: {told[name]}")
    finally:
        await cache.stop()
        await pool.close()
    return told


async def _nothing() -> None:
    await asyncio.sleep(1.0)


async def _trusted(cache: ResultCache) -> None:
    deadline = time.monotonic() + 30
    while not cache.mirror.trusted() and time.monotonic() < deadline:  # noqa: ASYNC110 - it follows by polling too
        await asyncio.sleep(0.05)


async def _under(service: ContentService, cache: ResultCache, fault: Fault) -> Waits:
    waits, before = Waits(), cache.link.breaker.opened
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as readers:
        for number in range(READERS):
            readers.create_task(_read(service, cache, number, waits, stop))
        await asyncio.sleep(STEADY_S)
        await fault()
        await asyncio.sleep(STEADY_S)
        stop.set()
    waits.breaker_opened = cache.link.breaker.opened - before
    return waits


async def _read(service: ContentService, cache: ResultCache, number: int, waits: Waits, stop: asyncio.Event) -> None:
    tags = sorted(TAGS)
    place = number
    while not stop.is_set():
        # Of its own, so that nobody waits for another's computation; some in the process, some only in Redis.
        query = GalleryQuery(tags_all=(tags[place % len(tags)],), page_size=10 + number)
        place += READERS
        for freshness, into in (
            (ANY, waits.opened if cache.link.breaker.open else waits.closed),
            (_PAST, waits.control),
        ):
            spent: list[float] = []
            _computing.set(spent)
            _breaker_open.set(cache.link.breaker.open)
            began = time.perf_counter()
            await service.answer(query, freshness)
            into.append(max(time.perf_counter() - began - sum(spent), 0.0) * 1000)
        await asyncio.sleep(PAUSE_S)
