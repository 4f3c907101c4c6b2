"""`pinakes cache` and `pinakes check cache`, as somebody at a terminal has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from click.testing import CliRunner

from cache.site_workers import Site, open_site
from pinakes.cache import stats
from pinakes.cli.main import main
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import Settings


@pytest_asyncio.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with open_site(settings) as opened:
        yield opened


async def pinakes(monkeypatch: pytest.MonkeyPatch, settings: Settings, *words: str) -> str:
    """What a command prints; it runs in a thread, with an event loop of its own."""
    for name in ("database_url", "redis_url", "cursor_secret", "jwt_secret"):
        monkeypatch.setenv(f"PINAKES_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("PINAKES_CACHE_TIMEOUT_MS", "1000")
    monkeypatch.setattr("pinakes.cli.common.SIGNALS", ())
    result = await asyncio.to_thread(CliRunner().invoke, main, list(words), None, None, False)
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_stats_clear_and_warm(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await site.start_worker()
    await worker.trusted()
    query = GalleryQuery(tags_all=(3,))
    for _ in range(3):
        await worker.ask(query)
    await stats.collect(worker.cache.link, worker.cache.counters)

    told = orjson.loads(await pinakes(monkeypatch, site.settings, "cache", "stats", "--json"))
    assert (told["hits"], told["miss"], told["by_kind"]["tagged"]["hits"]) == (2, 1, 2)
    assert told["entries"] == 1
    assert "hit rate" in await pinakes(monkeypatch, site.settings, "cache", "stats")

    await pinakes(monkeypatch, site.settings, "cache", "clear")
    await worker.cache.mirror.look()
    assert (await worker.ask(query)).source == "miss"
    await pinakes(monkeypatch, site.settings, "cache", "clear")
    assert "1 questions: 1 computed" in await pinakes(monkeypatch, site.settings, "cache", "warm")
    assert "1 questions: 0 computed" in await pinakes(monkeypatch, site.settings, "cache", "warm")
