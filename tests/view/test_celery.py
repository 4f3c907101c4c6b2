"""Policy `event` through Celery: a real worker with beat, a real Redis, one refresh for a burst."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pinakes.settings import Settings, load_settings
from pinakes.store.pool import Connection, Pool
from pinakes.view.build import build
from pinakes.worker.celery_app import broker_url
from read_models import differences, seed

DEADLINE_S = 60
REFRESHES = "SELECT count(*) FROM view_refresh WHERE kind = 'refresh'"
INSERT = "INSERT INTO content_items (title, creator_id) VALUES ('new', 1)"


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **settings.environment()}


@asynccontextmanager
async def _celery(settings: Settings, folder: Path) -> AsyncIterator[None]:
    """`celery worker --beat` on this test's databases."""
    command = ["-m", "celery", "-A", "pinakes.worker.celery_app", "worker", "--beat", "--pool", "solo"]
    with (folder / "celery.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--schedule", str(folder / "beat"), "--loglevel", "info",
            env=_environment(settings), stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _announce(settings: Settings, times: int) -> int:
    """How many of `times` announcements sent a message."""
    code = f"from pinakes.worker.celery_app import announce; print(sum(announce() for _ in range({times})))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=_environment(settings), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return int(said)


async def _until(pool: Pool, sql: str, expected: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await pool.fetchval(sql) != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _burst(connection: Connection) -> None:
    for _ in range(1000):
        await connection.execute(INSERT)


@pytest.mark.parametrize("announced", [True, False], ids=["announced by the API", "written by psql"])
async def test_a_burst_makes_one_refresh(settings: Settings, pool: Pool, tmp_path: Path, announced: bool) -> None:
    waits = {"view_policy": "event", "event_debounce_seconds": 2.0, "event_max_wait_seconds": 30.0}
    changed = settings.model_copy(update=waits)
    async with pool.acquire() as connection:
        await seed(connection)
        await build(connection, "event")
        if announced:
            await _burst(connection)
            # Before a worker runs: each look of one may take the message, so that another is sent.
            assert await _announce(changed, 1000) == 1
        async with _celery(changed, tmp_path):
            if not announced:
                await _burst(connection)
            await _until(pool, "SELECT count(*) FROM unified_content_with_tags", 1000)
            assert await connection.fetchval(REFRESHES) == 1
            assert await differences(connection) == []


async def test_beat_refreshes_under_policy_periodic(settings: Settings, pool: Pool, tmp_path: Path) -> None:
    changed = settings.model_copy(update={"view_policy": "periodic", "refresh_interval_seconds": 1.0})
    async with pool.acquire() as connection:
        await seed(connection)
        await build(connection, "periodic")
        await connection.execute(INSERT)
        async with _celery(changed, tmp_path):
            await _until(pool, "SELECT count(*) FROM unified_content_with_tags", 1)
            assert await connection.fetchval(REFRESHES) == 1, "nothing dirty, no refresh"


def test_the_broker_is_database_0_of_the_same_redis() -> None:
    assert broker_url(load_settings(redis_url="redis://example:6380/1")) == "redis://example:6380/0"
    assert broker_url(load_settings(redis_url="unix:///run/r.sock?db=1")) == "redis+socket:///run/r.sock?virtual_host=0"
    assert broker_url(load_settings(celery_broker_url="redis://other/3")) == "redis://other/3"
