"""`pinakes cache`: what the result cache does, emptying it, and filling it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from pinakes.cache import stats
from pinakes.cache.core import ResultCache
from pinakes.cache.link import CacheFailure, Link
from pinakes.cache.options import Options
from pinakes.cache.reader import query_of
from pinakes.cache.report import report, require_fit_redis
from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.errors import CacheUnusable
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool

_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
_TRUST_S = 5.0
_ANSWER_MS = 1000


@click.group()
def command() -> None:
    """Look at the result cache, empty it, fill it."""


@command.command("stats")
@_json
@connection_options
def _stats(settings: Settings, as_json: bool) -> None:
    """Hits, misses and staleness overall and by kind of question; entries, memory, clocks, publisher lag."""

    async def body() -> None:
        async with _open(settings) as (_, cache):
            told = await report(cache)
        if as_json:
            click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        else:
            _show(told)

    run_async(body())


@command.command("clear")
@connection_options
def _clear(settings: Settings) -> None:
    """Give no stored answer any more. What is stored stays in memory until its time or Redis' limit is reached."""

    async def body() -> None:
        async with _open(settings) as (_, cache):
            try:
                await cache.forget(("*",))
            except CacheFailure as failure:
                raise CacheUnusable(f"Redis did not take it: {failure}") from failure
            await asyncio.sleep(cache.options.lag_ms / 1000)
        click.echo("Nothing stored so far is given any more.")

    run_async(body())


@command.command("warm")
@click.option("--most", default=100, show_default=True, help="How many of the most asked public questions.")
@connection_options
def _warm(settings: Settings, most: int) -> None:
    """Answer the most asked public questions, so that they are there when somebody asks."""

    async def body() -> None:
        async with _open(settings) as (service, cache):
            asked = [query for text in await stats.most_asked(cache.link, most) if (query := query_of(text))]
            found: dict[str, int] = {}
            for query in asked:
                answer = await service.answer(query)
                found[answer.source] = found.get(answer.source, 0) + 1
        computed = found.get("miss", 0)
        click.echo(
            f"{len(asked)} questions: {computed} computed, {len(asked) - computed} were there or could not be kept."
        )

    run_async(body())


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[ContentService, ResultCache]]:
    """A service on the same cache that the servers use.

    Raises:
        CacheUnusable: there is none, or it does not do what it is asked; says why.
    """
    async with connected(settings, on_status=status) as found:
        address = found.redis_address()
        if address is None or found.cache_strategy == "off":
            raise CacheUnusable("There is no cache: cache-strategy is off or no Redis is configured.")
        await require_fit_redis(found)
        await _require_answer(address)
        pool = await open_pool(found, max_size=2)
        cache = ResultCache(address, found.database_url, Options.of(found))
        try:
            await require_head(pool)
            await cache.start()
            await _trusted(cache)
            yield ContentService(pool, found, cache), cache
        finally:
            await cache.stop()
            await pool.close()


async def _require_answer(address: str) -> None:
    link = Link(address, limit_ms=_ANSWER_MS)
    try:
        await link.call("PING")
    except CacheFailure as failure:
        raise CacheUnusable(f"The cache cannot be used: {failure}") from failure
    finally:
        await link.close()


async def _trusted(cache: ResultCache) -> None:
    """Waits a moment for clocks to be trusted; without a worker they never are, and the figures say so."""
    deadline = asyncio.get_running_loop().time() + _TRUST_S
    while not (cache.mirror.trusted() or cache.link.breaker.open):
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(cache.options.poll_ms / 1000)


def _show(told: dict[str, Any]) -> None:
    console = Console()
    trouble = told["redis_error"] or told["publisher_error"]
    console.print(f"strategy {told['strategy']}, {told['state']}" + (f": {trouble}" if trouble else ""))
    table = Table("questions", "hits", "stale", "misses", "degraded", "bypassed", "hit rate")
    for name, row in {"all": told, **told["by_kind"]}.items():
        rate = "-" if row["hit_rate"] is None else f"{row['hit_rate']:.1%}"
        cells = (row.get(event, 0) for event in ("hits", "stale", "miss", "degraded", "bypass"))
        table.add_row(name, *(f"{cell:,}" for cell in cells), rate)
    console.print(table)
    console.print(
        f"{_plain(told['entries'])} entries, {_plain(told['bytes'])} of {_plain(told['max_bytes'])} bytes in Redis, "
        f"{_plain(told['evictions'])} evicted, policy {told['eviction_policy']}; {_plain(told['clocks'])} clocks, "
        f"published {_plain(told['publisher_lag_ms'])} ms ago"
    )
    for line in told["advice"]:
        console.print(line)


def _plain(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
