"""Peer `rum` where PostgreSQL has the extension: Debian's version 15 with postgresql-15-rum. Skips loudly elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bench.test_bench_measure import PLAN, _measure
from pinakes.embedded import EmbeddedServers, postgres
from pinakes.settings import Settings, load_settings
from pinakes.store.migrate import migrate

VERSION = "15"
BINARIES = Path(f"/usr/lib/postgresql/{VERSION}/bin")
EXTENSION = Path(f"/usr/share/postgresql/{VERSION}/extension/rum.control")


@pytest_asyncio.fixture
async def with_rum(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    """Settings on a migrated database of that PostgreSQL."""
    if not EXTENSION.exists() or not (BINARIES / "postgres").exists():
        pytest.skip(f"SKIPPED FOR LACK OF RUM: it is expected in {EXTENSION}")
    monkeypatch.setattr(postgres, "BINARIES", BINARIES)
    monkeypatch.setattr(postgres, "MAJOR", VERSION, raising=False)
    monkeypatch.setattr(postgres, "_LOCALE", ("--encoding=UTF8", "--no-locale"))  # the builtin locale came with 17
    async with await EmbeddedServers.start(short_tmp / "postgres-rum") as servers:
        await migrate(servers.database_url)
        yield load_settings(database_url=servers.database_url, redis_url=servers.redis_url)


async def test_rum_takes_part_and_is_right(with_rum: Settings, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, engines=("index",), peers=("matview", "rum"), cold=1)
    results = await _measure(with_rum, tmp_path, plan)
    found = {one["name"]: one for one in results["scales"][0]["contestants"]}
    assert results["scales"][0]["skipped"] == []
    assert (found["rum"]["asked"], found["rum"]["late"], found["rum"]["wrong"]) == (40, 0, 0)
    assert found["rum"]["prepared"]["bytes"] > found["matview+count"]["prepared"]["bytes"]
