"""PostgreSQL put back to an earlier state: what came after it is never shown again, and all that is left is right."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest_asyncio

from api.application import running
from audit.test_audit import fill
from audit.test_restore import kept, wrong
from pinakes.embedded import EmbeddedServers
from pinakes.embedded.postgres import BINARIES, Postgres
from pinakes.embedded.process import run
from pinakes.index.build import build as build_index
from pinakes.settings import Settings
from pinakes.store.migrate import migrate
from pinakes.store.pool import Pool, open_pool
from pinakes.worker.loop import running as worker

URL = "/api/v1/content/unified"
INSERT = "INSERT INTO content_items (title, creator_id)"
ASKED: dict[str, str | int] = {"search_term": "lost", "page_size": 5}
INCARNATION = "SELECT incarnation FROM epoch"
PATIENCE_S = 120


@pytest_asyncio.fixture
async def site(short_tmp: Path, settings: Settings) -> AsyncIterator[tuple[EmbeddedServers, Settings]]:
    """Servers of its own, which may be stopped and put back, with 240 items and a read model that is kept."""
    folder = short_tmp / f"r{os.urandom(4).hex()}"
    async with await EmbeddedServers.start(folder / "data") as servers:
        given = {"database_url": servers.database_url, "redis_url": servers.redis_url}
        # The cache's limits are those of a quick machine; a slow one is to have answers from the cache too.
        patient = {"cache_timeout_ms": 1000, "cache_budget_ms": 4000, "cache_strategy": "event"}
        yield servers, settings.model_copy(update={**given, **patient, "data_dir": folder / "data"})


@asynccontextmanager
async def pool_of(settings: Settings) -> AsyncIterator[Pool]:
    opened = await open_pool(settings)
    try:
        yield opened
    finally:
        await opened.close()


async def sql(settings: Settings, text: str) -> Any:
    connection = await asyncpg.connect(settings.database_url)
    try:
        return await connection.fetchval(text)
    finally:
        await connection.close()


async def until_total(client: httpx.AsyncClient, total: int, cached: Callable[[Any], bool] = lambda _: True) -> Any:
    """The answer, once it counts `total` and `cached` holds of it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = (await client.get(URL, params=ASKED)).json()
            if answer["pagination"]["total_count"] == total and cached(answer):
                return answer
            await asyncio.sleep(0.02)


async def lose(settings: Settings) -> None:
    """Ten items of a future that will be lost are written, shown and stored in the cache."""
    async with worker(settings), running(settings) as client:
        await sql(settings, f"{INSERT} SELECT 'lost', 1 FROM generate_series(1, 10)")
        await until_total(client, 10, lambda answer: answer["_from_cache"])


async def is_right_again(settings: Settings, before: object) -> None:
    """Services that start before any worker show nothing lost; a new incarnation begins, and all is right."""
    async with running(settings) as client:
        # What was stored within the budget before the restore may be given until the clocks are looked at.
        await until_total(client, 0)
        for _ in range(50):
            assert (await client.get(URL, params=ASKED)).json()["pagination"]["total_count"] == 0
        async with pool_of(settings) as pool:
            assert await kept(settings, pool, incarnation=before) != before
            assert await pool.fetchval("SELECT count(*) FROM content_items WHERE title = 'kept'") == 1
            async with worker(settings):
                # As many epochs as were lost, and more: numbers come again and mean something else.
                for _ in range(15):
                    await pool.execute("UPDATE content_items SET title = title || '!' WHERE id = 5")
                    assert (await client.get(URL, params=ASKED)).json()["pagination"]["total_count"] == 0
                    await asyncio.sleep(settings.epoch_interval_ms / 1000)
                await until_total(client, 0, lambda answer: answer["_from_cache"])
            await kept(settings, pool)
            await build_index(settings.database_url or "")
            assert await wrong(settings, pool) == 0
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", "check", "--full",
        env={**os.environ, **settings.environment()}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def put_back(postgres: Postgres, backup: Path, *settings: str) -> None:
    """The cluster as it was backed up, with some settings more."""
    shutil.rmtree(postgres.data)
    shutil.copytree(backup, postgres.data)
    with (postgres.data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{line}\n" for line in settings)
    if settings:
        (postgres.data / "recovery.signal").touch()
    for path in (postgres.data, *postgres.data.rglob("*")):
        if not path.is_symlink():
            postgres.account.own(path)
    postgres.data.chmod(0o700)


async def test_recovery_to_a_point_in_time_begins_a_new_incarnation(site: tuple[EmbeddedServers, Settings]) -> None:
    """By the commands of docs/operations.md: a base backup, archived log, and a time between two writes."""
    servers, settings = site
    postgres, backups = servers._postgres, settings.data_dir.parent
    for name in ("base", "wal"):
        (backups / name).mkdir(mode=0o700)
        postgres.account.own(backups / name)
    archive = f"test ! -f {backups}/wal/%f && cp %p {backups}/wal/%f"
    for name, value in (
        ("wal_level", "replica"), ("max_wal_senders", "4"), ("archive_mode", "on"), ("archive_command", archive),
    ):  # fmt: skip
        await sql(settings, f"ALTER SYSTEM SET {name} = '{value}'")
    await postgres.stop()
    await postgres.start()
    await migrate(servers.database_url)
    async with pool_of(settings) as pool:
        await fill(pool)
        before = await kept(settings, pool)
    base = [str(BINARIES / "pg_basebackup"), f"--pgdata={backups}/base", "--checkpoint=fast"]
    await run([*base, f"--dbname={servers.database_url}"], postgres.account)
    await sql(settings, f"{INSERT} VALUES ('kept', 1)")
    async with pool_of(settings) as pool:
        assert await kept(settings, pool) == before
    target = await sql(settings, "SELECT clock_timestamp()::text")
    await lose(settings)
    await postgres.stop()  # which archives the last of the log
    put_back(
        postgres,
        backups / "base",
        f"restore_command = 'cp {backups}/wal/%f %p'",
        f"recovery_target_time = '{target}'",
        "recovery_target_action = 'promote'",
    )
    await postgres.start()
    async with asyncio.timeout(PATIENCE_S):
        while await sql(settings, "SELECT pg_is_in_recovery()"):  # noqa: ASYNC110 - it is the server that gets ready
            await asyncio.sleep(0.05)
    assert await sql(settings, INCARNATION) == before
    await is_right_again(settings, before)


async def test_a_disk_snapshot_put_back_is_said_to_be_restored(site: tuple[EmbeddedServers, Settings]) -> None:
    """Nothing in it tells it from the original; `pinakes view restored` does."""
    servers, settings = site
    postgres, snapshot = servers._postgres, settings.data_dir.parent / "snapshot"
    await migrate(servers.database_url)
    async with pool_of(settings) as pool:
        await fill(pool)
        await pool.execute(f"{INSERT} VALUES ('kept', 1)")
        before = await kept(settings, pool)
    await postgres.stop()
    shutil.copytree(postgres.data, snapshot)
    await postgres.start()
    await lose(settings)
    await postgres.stop()
    put_back(postgres, snapshot)
    await postgres.start()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", "view", "restored",
        env={**os.environ, **settings.environment()}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert "a new incarnation begins" in said.decode()
    await is_right_again(settings, before)
