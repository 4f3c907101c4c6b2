"""The cache's report: what it did, what it holds, whether it can be trusted.

What it did are Pinakes' own counters, of all processes. What Redis holds only Redis knows: entries,
memory and evictions are asked of it, and are None where it does not answer or does not tell.
"""

from __future__ import annotations

from typing import Any

from pinakes.cache import stats
from pinakes.cache.core import ResultCache
from pinakes.cache.link import CacheFailure, Link
from pinakes.errors import UnfitRedis
from pinakes.settings import Settings


async def report(cache: ResultCache) -> dict[str, Any]:
    """Everything worth knowing about the cache, as `GET /api/v1/stats/cache` shows it."""
    try:
        await stats.collect(cache.link, cache.counters)
        totals = await stats.read(cache.link)
        keys = int(await cache.link.call("DBSIZE"))
        info = info_of(await cache.link.call("INFO"))
        clocks: int | None = await cache.clocks.size()
    except CacheFailure:
        totals, keys, info, clocks = cache.counters.snapshot(), None, {}, None
    return {
        "strategy": cache.options.strategy,
        **health(cache),
        **stats.summary(totals),
        "entries": None if keys is None else max(keys - _CONTROL_KEYS, 0),
        "bytes": _number(info, "used_memory"),
        "max_bytes": _number(info, "maxmemory"),
        "eviction_policy": info.get("maxmemory_policy"),
        "evictions": _number(info, "evicted_keys"),
        "clocks": clocks,
        "advice": advice(info),
        "process": {
            "entries": len(cache.l1),
            "bytes": cache.l1.bytes,
            "evictions": cache.l1.evictions,
        },
    }


def health(cache: ResultCache) -> dict[str, Any]:
    """Whether the cache is in use now, and if not, why."""
    mirror, breaker, publisher = cache.mirror, cache.link.breaker, cache.publisher
    heading = mirror.heading
    trusted = mirror.trusted() or (cache.options.strategy == "ttl" and mirror.current())
    return {
        "state": "ok" if trusted else "degraded",
        "redis": "unreachable" if breaker.open else "ok",
        "redis_error": breaker.last_error or None if breaker.open else None,
        "breaker_opened": breaker.opened,
        "epoch": heading.head if heading is not None else None,
        "publisher_lag_ms": max(mirror.latest_ms() - heading.at_ms, 0)
        if heading is not None and heading.at_ms
        else None,
        "publisher_error": (publisher.last_error or None) if publisher is not None else None,
        "window_ms": cache.options.window_ms,
    }


OLDEST = (6, 2)
"""The first Redis with every command the cache needs."""


def advice(info: dict[str, str]) -> list[str]:
    """What is wrong with how Redis is set up; `info` is what it says of itself."""
    told: list[str] = []
    if info.get("maxmemory") == "0":
        told.append("Redis has no memory limit: set its maxmemory, 256mb is plenty for most")
    elif info.get("maxmemory_policy") == "noeviction":
        told.append("Redis refuses writes when it is full: set its maxmemory-policy to allkeys-lru")
    if _version(info) < OLDEST:
        told.append("Redis is older than 6.2, and lacks commands the cache needs")
    return told


async def check(cache: ResultCache) -> list[str]:
    """The advice for the cache's Redis; none where it does not answer.

    Raises:
        UnfitRedis: it is too old.
    """
    try:
        info = info_of(await cache.link.call("INFO"))
    except CacheFailure:
        return []
    _require_fit(info)
    return advice(info)


async def require_fit_redis(settings: Settings) -> None:
    """Returns where the cache can use the Redis of these settings, where there is none, and where it does not answer.

    Raises:
        UnfitRedis: it is too old.
    """
    address = settings.redis_address()
    if address is None or settings.cache_strategy == "off":
        return
    link = Link(address, limit_ms=1000)
    try:
        _require_fit(info_of(await link.call("INFO")))
    except CacheFailure:
        return
    finally:
        await link.close()


def _require_fit(info: dict[str, str]) -> None:
    if _version(info) < OLDEST:
        raise UnfitRedis(f"This is Redis {info['redis_version']}; {'.'.join(map(str, OLDEST))} or newer is needed.")


def _version(info: dict[str, str]) -> tuple[int, ...]:
    numbers = info.get("redis_version", "").split(".")[:2]
    return tuple(map(int, numbers)) if all(number.isdecimal() for number in numbers) else (99,)


def info_of(reply: bytes) -> dict[str, str]:
    """The reply to INFO, by name."""
    lines = (line.partition(":") for line in reply.decode().splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def _number(info: dict[str, str], name: str) -> int | None:
    value = info.get(name, "")
    return int(value) if value.isdecimal() else None


_CONTROL_KEYS = 4
"""Clocks, incarnation, statistics, questions asked."""
