"""The cache's check: strategies compared fairly, waits counted rightly, faults that always end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from pinakes.bench.cache_delay import Waits
from pinakes.bench.cache_profiles import strategies
from pinakes.cache.key import Kind
from pinakes.cache.link import Link
from pinakes.cli.cache_faults import Faults
from pinakes.settings import Settings


@pytest.mark.parametrize("kind", ["tagged", "creator", "search", "feed"])
def test_no_strategy_of_the_comparison_gives_anything_older_than_the_budget(settings: Settings, kind: Kind) -> None:
    found = strategies(settings)
    assert found.keys() == {"ttl", "hybrid", "event"}
    for options in found.values():
        assert not options.by_time(kind) or options.ttl_of(kind) * 1000 <= settings.cache_budget_ms
    assert found["hybrid"].by_time("feed")
    assert not found["hybrid"].by_time("tagged")


def test_waits_are_told_apart_by_where_the_breaker_stood() -> None:
    told = Waits(closed=[0.1] * 98 + [45.0, 5.0], opened=[0.2], control=[0.3]).as_dict()
    assert told["reads"] == 101
    assert told["slowed"] == 1
    assert told["closed"]["max_ms"] == 45.0
    assert told["open"] == {"p50_ms": 0.2, "p99_ms": 0.2, "max_ms": 0.2}


@pytest.mark.parametrize("name", ["frozen", "full", "read-only"])
async def test_a_fault_ends_also_when_the_check_ends_in_the_middle_of_it(settings: Settings, name: str) -> None:
    faults = Faults(settings, settings.data_dir)
    link = Link(settings.redis_url or "", limit_ms=5000)
    try:
        before = await link.call("CONFIG", "GET", "maxmemory*")
        begun = asyncio.ensure_future(faults.all()[name]())
        # Cancelled wherever it is; what matters is how it leaves the server.
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(begun), 0.3)
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        assert await link.call("SET", "after", 1) == b"OK"
        assert sorted(await link.call("CONFIG", "GET", "maxmemory*")) == sorted(before)
    finally:
        await link.close()
