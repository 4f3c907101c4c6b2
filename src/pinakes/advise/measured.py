"""Facts from what the installation measured, and from its sizes now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pinakes.advise.advice import Report, advise
from pinakes.advise.facts import Facts, Latency
from pinakes.figures.histogram import Histogram, merged
from pinakes.figures.history import HITS, History, Sizes, read_history
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, translate_errors
from pinakes.store.queries import load
from pinakes.view.status import Status, read_status

HOURS = 24.0
_DAY_S = 86_400
_SQL = load("now", "pinakes.advise.sql")


async def advise_measured(pool: Pool, settings: Settings, hours: float = HOURS) -> Report:
    """What the rules say about the last `hours`.

    Raises:
        StoreError: the database cannot be asked.
    """
    async with pool.acquire() as connection:
        return advise(await read_facts(connection, settings, hours))


async def read_facts(connection: Connection, settings: Settings, hours: float = HOURS) -> Facts:
    """The facts of the last `hours`.

    Raises:
        StoreError: the database cannot be asked.
    """
    until = datetime.now(UTC) + timedelta(minutes=1)
    history = await read_history(connection, until - timedelta(hours=hours), until, step_s=3600)
    return Facts(source="measured", hours=hours, **of_history(history), **await of_now(connection, settings))


def of_history(history: History) -> dict[str, Any]:
    """What was asked in a span, as fields of `Facts`."""
    return {
        "growth_per_day": _growth(history.sizes),
        "reads": history.reads,
        "writes": history.writes,
        "repetition": history.repetition,
        "hit_rate": history.hit_rate,
        **latencies({name: history.total(name) for name in history.series}),
    }


def latencies(series: Mapping[str, Histogram]) -> dict[str, Any]:
    """How long things took, as fields of `Facts`."""
    engines = {
        name.partition(":")[2]: latency
        for name, histogram in series.items()
        if name.startswith("engine:") and name != "engine:failed" and (latency := Latency.of(histogram))
    }
    failed = series.get("engine:failed", Histogram())
    return {
        # A page that could not be computed is an answer as well, and one of the slow ones.
        "answers": Latency.of(merged([failed, *(h for name, h in series.items() if name.startswith("answer:"))])),
        "engines": engines,
        "hits": Latency.of(merged(series[name] for name in HITS if name in series)),
        "failed": failed.count,
    }


async def of_now(connection: Connection, settings: Settings) -> dict[str, Any]:
    """Sizes and what is switched on, as fields of `Facts`.

    Raises:
        StoreError: the database cannot be asked.
    """
    with translate_errors():
        status = await read_status(connection, settings)
        sizes = await connection.fetchrow(_SQL["sizes"])
    assert sizes is not None
    projection = status.projection
    refreshed = projection is not None and projection.of == "refresh"
    return {
        "items": sizes["items"],
        "taggings": sizes["taggings"],
        "base_bytes": status.base_bytes,
        "view_bytes": status.view_bytes,
        "index_bytes": sizes["index_bytes"],
        "cache": settings.cache_strategy if settings.redis_address() is not None else "off",
        "policy": status.policy,
        "index": sizes["index_live"],
        "refresh_s": _refresh(status),
        "refresh_s_at_10x": projection.seconds_at_10x if projection is not None and refreshed else None,
        "refresh_every_s": _every(settings, status),
        "cache_bytes": settings.redis_max_memory_bytes(),
        "process_bytes": settings.cache_process_bytes,
        "index_memory_bytes": settings.index_memory_bytes(),
        "processes": sizes["processes"] or settings.workers,
    }


def _growth(sizes: list[Sizes]) -> float | None:
    """Items more a day, from an hour of sizes or longer."""
    if len(sizes) < 2:
        return None
    first, last = sizes[0], sizes[-1]
    seconds = (last.at - first.at).total_seconds()
    return (last.items - first.items) / seconds * _DAY_S if seconds >= 3600 else None


def _refresh(status: Status) -> float | None:
    return next((one.seconds for one in status.refreshes if one.kind == "refresh"), None)


def _every(settings: Settings, status: Status) -> float | None:
    every = {"periodic": settings.refresh_interval_seconds, "event": settings.event_max_wait_seconds}
    return every.get(status.policy or "")
