"""A site for the cache's tests: a gallery, somebody who applies epochs, and services with a cache each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from pinakes.cache.answer import Answer
from pinakes.cache.core import ResultCache
from pinakes.cache.options import Options
from pinakes.cache.reader import ANY, Freshness
from pinakes.query.gallery_query import GalleryQuery
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool, open_pool
from pinakes.view.applier import Applier
from pinakes.view.build import build

# Patient: tests share two cores with whatever else runs, and prove what is right, not what is quick.
PATIENT = Options(limit_ms=1000, window_ms=4000, lag_ms=250, poll_ms=10, publish_ms=10)


class CountingService(ContentService):
    """A service that counts how often its engine was asked."""

    def __init__(self, pool: Pool, settings: Settings, cache: ResultCache | None = None) -> None:
        self.computed = 0
        self.before_read: Callable[[], Any] | None = None
        self.after_read: Callable[[Any], Any] = self._unchanged
        super().__init__(pool, settings, cache)

    async def _read(self, query: GalleryQuery, *args: Any, **rest: Any) -> Any:
        self.computed += 1
        if self.before_read is not None:
            await self.before_read()
        return await self.after_read(await super()._read(query, *args, **rest))

    async def _unchanged(self, reading: Any) -> Any:
        return reading


@dataclass
class Worker:
    """One serving process, as far as the cache can tell."""

    service: CountingService
    cache: ResultCache
    pool: Pool

    async def ask(self, query: GalleryQuery, fresh: Freshness = ANY) -> Answer:
        return await self.service.answer(query, fresh)

    async def trusted(self) -> None:
        """Returns when this worker's mirror can be relied on."""
        deadline = asyncio.get_running_loop().time() + 20
        while not self.cache.mirror.trusted():
            assert asyncio.get_running_loop().time() < deadline, (
                self.cache.publisher and self.cache.publisher.last_error
            )
            await asyncio.sleep(0.005)

    async def seen(self, epoch: int) -> None:
        """Returns when this worker's mirror has seen `epoch`."""
        deadline = asyncio.get_running_loop().time() + 20
        while not (self.cache.mirror.trusted() and self.cache.mirror.newest >= epoch):
            assert asyncio.get_running_loop().time() < deadline, (
                self.cache.publisher and self.cache.publisher.last_error
            )
            await asyncio.sleep(0.005)


@dataclass
class Site:
    """The database, its applier, and any number of workers."""

    settings: Settings
    db: asyncpg.Connection[Any]
    workers: list[Worker] = field(default_factory=list)

    async def apply(self) -> int:
        """Everything waiting becomes visible; the epoch it is then."""
        applier = Applier()
        while True:
            done = await applier.apply(self.db)
            if done is None or done.drained:
                await self.db.execute("UPDATE epoch SET at = greatest(at, now())")
                return int(await self.db.fetchval("SELECT epoch FROM epoch"))

    async def write(self, sql: str, *values: Any) -> int:
        """A write and the epoch it is visible in, seen by every worker."""
        await self.db.execute(sql, *values)
        epoch = await self.apply()
        for worker in self.workers:
            await worker.seen(epoch)
        return epoch

    async def start_worker(self, options: Options = PATIENT, redis_url: str | None = None) -> Worker:
        cache = ResultCache(redis_url or self.settings.redis_url or "", self.settings.database_url, options)
        pool = await open_pool(self.settings)
        await cache.start()
        worker = Worker(CountingService(pool, self.settings, cache), cache, pool)
        self.workers.append(worker)
        return worker

    async def stop_worker(self, worker: Worker) -> None:
        self.workers.remove(worker)
        await worker.cache.stop()
        await worker.pool.close()


@asynccontextmanager
async def open_site(settings: Settings) -> AsyncIterator[Site]:
    """A site with a few users, tags and items, and its read model."""
    # The base tables tell what is so now, which makes "right" a plain comparison.
    settings = settings.model_copy(update={"engine": "base"})
    db = await asyncpg.connect(settings.database_url, server_settings={"timezone": "UTC"})
    site = Site(settings, db)
    try:
        await db.execute("INSERT INTO users (id, username) SELECT n, 'user ' || n FROM generate_series(1, 4) AS n")
        await db.execute("INSERT INTO tags (id, name) SELECT n, 'tag ' || n FROM generate_series(1, 6) AS n")
        for table, code in (("content_items", 1), ("content_items_auto", 2)):
            await db.execute(
                f"INSERT INTO {table} (id, title, creator_id, is_private) "
                "SELECT n, 'title ' || n, 1 + n % 4, n % 5 = 0 FROM generate_series(1, 20) AS n"
            )
            await db.execute("INSERT INTO content_tags SELECT $1, n, 1 + n % 5 FROM generate_series(1, 20) AS n", code)
            await db.execute(f"ALTER TABLE {table} ALTER COLUMN id RESTART WITH 1000")
        await build(db, "incremental")
        await site.apply()
        yield site
    finally:
        for worker in list(site.workers):
            with contextlib.suppress(Exception):
                await site.stop_worker(worker)
        await db.close()
