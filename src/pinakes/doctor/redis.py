"""Checks of Redis: version and policy, memory, whether it takes writes, and whether somebody publishes clocks."""

from __future__ import annotations

from time import perf_counter

from pinakes.cache.clocks import Clocks
from pinakes.cache.link import CacheFailure, Link
from pinakes.cache.report import advice, info_of
from pinakes.doctor.finding import Finding
from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.view.epoch import read_epoch

PATIENCE_MS = 1000
SLOW_MS = 5.0
BEHIND_MS = 5000
BROKER_DB = 0


async def redis(connection: Connection, settings: Settings) -> list[Finding]:
    """A Redis the cache can use, and clocks that are published."""
    address = settings.redis_address()
    if address is None or settings.cache_strategy == "off":
        said = "There is no result cache: every answer is computed."
        return [Finding("redis", "note", said, "`pinakes advise` says whether one would help.")]
    link = Link(address, limit_ms=PATIENCE_MS)
    try:
        return [*await _server(link, settings), *await _clocks(link, connection, settings)]
    except CacheFailure as failure:
        said = f"Redis does not do what the cache needs: {failure}"
        fix = "Start it, or set redis-url; until then every answer is computed (DEGRADED)."
        return [Finding("redis", "problem", said, fix)]
    finally:
        await link.close()


async def _server(link: Link, settings: Settings) -> list[Finding]:
    info = info_of(await link.call("INFO"))
    found = [Finding("redis", "warning", f"{line.partition(':')[0]}.", _fix(line)) for line in advice(info)]
    if info.get("rdb_last_bgsave_status") == "err":
        fix = "Free its disk; a cache needs no snapshots: CONFIG SET save ''."
        found.append(Finding("redis", "problem", "Redis cannot save its snapshot and may refuse writes.", fix))
    if info.get("role") == "slave":
        fix = "Give redis-url the primary's address."
        found.append(Finding("redis", "problem", "This Redis is a replica: it takes no writes.", fix))
    database = settings.redis_db if settings.redis_url is None else link.address.db
    if database == BROKER_DB and settings.celery_broker_url is None:
        said = "Cache and Celery share Redis database 0: clearing one takes the other's data."
        found.append(Finding("redis", "note", said, "Put the cache into another: redis-db 1."))
    began = perf_counter()
    for _ in range(10):
        await link.call("PING")
    each = (perf_counter() - began) * 100
    if each > SLOW_MS:
        said = f"Redis takes {each:.1f} ms to answer."
        found.append(
            Finding("redis", "warning", said, "Run it nearby; a slow Redis costs every answer it is asked for.")
        )
    return found


def _fix(line: str) -> str:
    """What `line` says after its colon, as a sentence."""
    told = line.partition(": ")[2] or "Upgrade Redis"
    return f"{told[0].upper()}{told[1:]}."


async def _clocks(link: Link, connection: Connection, settings: Settings) -> list[Finding]:
    if settings.cache_strategy == "ttl":
        return []
    epoch = await read_epoch(connection)
    reading = await Clocks(link, str(epoch.incarnation)).read(())
    if reading is None:
        said = "No clocks are published: stored answers are not given."
    else:
        heading = reading.heading
        lag_ms, behind = heading.now_ms - heading.at_ms, epoch.epoch - heading.head
        if lag_ms <= max(BEHIND_MS, settings.cache_budget_ms):
            return []
        said = f"The clocks were confirmed {lag_ms / 1000:.0f} s ago and are {max(behind, 0)} epochs behind."
    fix = "Web server processes publish: start one, or see /readyz and GET /api/v1/stats/cache for what stops it."
    return [Finding("publisher", "warning", said, fix)]
