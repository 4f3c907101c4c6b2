"""One process of a stampede: asks one question many times at once when told to, and reports.

    python stampede.py SETTINGS_JSON ASKERS ENGINE_SECONDS

Prints `ready`, waits for a line, then asks; the engine counts itself in Redis under `engine`.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

import orjson

from cache.site_workers import CountingService, Worker
from pinakes.cache.core import ResultCache
from pinakes.cache.link import Link
from pinakes.cache.options import Options
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import load_settings
from pinakes.store.pool import open_pool

QUERY = GalleryQuery(tags_all=(3,))


async def main(told: str, askers: int, seconds: float) -> None:
    settings = load_settings(**orjson.loads(told), engine="base")
    cache = ResultCache(settings.redis_url or "", settings.database_url, Options(limit_ms=2000, window_ms=5000))
    pool = await open_pool(settings)
    service = CountingService(pool, settings, cache)
    counter = Link(settings.redis_url or "", limit_ms=2000)

    async def engine_runs() -> None:
        await counter.call("INCR", "engine")
        await asyncio.sleep(seconds)

    service.before_read = engine_runs
    await cache.start()
    await Worker(service, cache, pool).trusted()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    answers = await asyncio.gather(*(service.answer(QUERY) for _ in range(askers)))
    bodies = {answer.entry.constant for answer in answers}
    sys.stdout.write(orjson.dumps([Counter(a.source for a in answers), len(bodies)]).decode() + "\n")
    sys.stdout.flush()
    await cache.stop()
    await counter.close()
    await pool.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
