"""SIGKILL of applier, folder and builder at random moments: nothing lost, nothing counted twice."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

import asyncpg
import pytest

from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.part import connect
from pinakes.index.verify import verify
from pinakes.store.pool import Pool
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from read_models import drain, seed

SCRIPT = Path(__file__).with_name("keep_going.py")


async def scribble(pool: Pool, random: Random, turns: int) -> None:
    """Some writes: items come, change and go, with tags."""
    for _ in range(turns):
        item, creator, tag = random.randint(1, 40), random.randint(1, 4), random.randint(1, 6)
        table = random.choice(("content_items", "content_items_auto"))
        source = 1 if table == "content_items" else 2
        async with pool.acquire() as connection, connection.transaction():
            if random.random() < 0.3:
                await connection.execute(f"DELETE FROM {table} WHERE id = $1", item)
                continue
            await connection.execute(
                f"INSERT INTO {table} (id, title, creator_id, is_private) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (id) DO UPDATE SET title = excluded.title, is_private = excluded.is_private",
                *(item, f"item {random.randint(1, 5)}", creator, random.random() < 0.3),
            )
            await connection.execute(
                "DELETE FROM content_tags WHERE source_type = $1 AND content_id = $2", source, item
            )
            await connection.execute("INSERT INTO content_tags VALUES ($1, $2, $3)", source, item, tag)


async def differences(database_url: str) -> list[object]:
    connection = await connect(database_url)
    try:
        return [finding async for _, _, findings in verify(connection) for finding in findings]
    finally:
        await connection.close()


@pytest.mark.parametrize("victim", ["apply", "fold", "build"])
async def test_killed_at_random_moments(victim: str, pool: Pool, database_url: str) -> None:
    random = Random(victim)
    keeper = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    applier = Applier(observers=[DeltaWriter()])
    await seed(keeper)
    await scribble(pool, random, 40)
    await build_view(keeper, "incremental")
    await build(database_url, processes=0)
    for _ in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), database_url, victim, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        writing = asyncio.create_task(scribble(pool, random, random.randint(5, 40)))
        if victim != "apply":
            await drain(keeper, applier)
        await writing
        process.kill()
        await process.wait()
        # What the dead one left locked goes with its session, which the server ends in its own time.
        await pool.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (application_name = 'pinakes index' OR application_name LIKE 'pinakes: building the index%')"
        )
        await drain(keeper, applier)
        assert await differences(database_url) == []
    await build(database_url, processes=0)
    assert await differences(database_url) == []
    assert await pool.fetchval("SELECT count(*) FROM index_generation") == 1
    assert await pool.fetchval("SELECT count(DISTINCT generation) FROM term_segment") == 1
    await keeper.close()


async def test_a_build_in_processes_of_its_own(pool: Pool, database_url: str) -> None:
    keeper = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    await seed(keeper)
    await scribble(pool, Random(1), 40)
    await build_view(keeper, "incremental")
    seen: list[tuple[int, int]] = []
    built = await build(database_url, processes=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (built.docs, built.docs)
    assert await differences(database_url) == []
    await keeper.close()
