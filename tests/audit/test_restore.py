"""A backup taken from a running installation and restored elsewhere is right, and starts a new incarnation."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from audit.test_audit import fill
from pinakes.audit.part import Subject
from pinakes.audit.run import Audit
from pinakes.embedded.postgres import BINARIES
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.migrate import current, migrate, revisions
from pinakes.store.pool import Pool, open_pool
from pinakes.worker.loop import running as worker

PARTS = ("orphans", "tag-counts", "read-model", "index", "engines")


async def program(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs."""
    process = await asyncio.create_subprocess_exec(BINARIES / name, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def kept(settings: Settings, pool: Pool, incarnation: object = None) -> object:
    """The incarnation of the read model once it is up to date, another one than `incarnation`."""
    async with worker(settings), asyncio.timeout(120):
        while True:
            row = await pool.fetchrow("SELECT policy, incarnation, EXISTS (SELECT FROM dirty) AS dirty FROM epoch")
            assert row is not None
            if row["policy"] is not None and not row["dirty"] and row["incarnation"] != incarnation:
                return row["incarnation"]
            await asyncio.sleep(0.02)


async def wrong(settings: Settings, pool: Pool) -> int:
    subject = Subject(settings, pool, ContentService(pool, settings), full=True, rng=random.Random(1))
    return sum(verdict.wrong for verdict in await Audit(subject, PARTS).run())


async def test_a_dump_restored_elsewhere_is_right_and_a_new_incarnation(
    settings: Settings, pool: Pool, blank_database_url: str, tmp_path: Path
) -> None:
    """`pg_dump` while somebody writes; stored answers of the old incarnation can then be given to nobody."""
    await fill(pool)
    before = await kept(settings, pool)
    address = settings.database_url or ""
    dump = tmp_path / "gallery.dump"
    writing = asyncio.create_task(_write(pool))
    try:
        await program("pg_dump", "--format=custom", f"--file={dump}", address)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={blank_database_url}", str(dump))
    restored = settings.model_copy(update={"database_url": blank_database_url})
    assert await current(blank_database_url) == revisions()[-1]
    there = await open_pool(restored)
    try:
        assert await there.fetchval("SELECT count(*) FROM content_items_auto") == 120
        assert await kept(restored, there, incarnation=before) != before
        assert await wrong(restored, there) == 0
    finally:
        await there.close()


async def _write(pool: Pool) -> None:
    number = 0
    while True:
        number += 1
        await pool.execute("UPDATE content_items SET title = $1 WHERE id = $2", f"t{number}", 1 + number % 100)


@pytest.mark.parametrize("target", revisions()[1:-1])
async def test_the_schema_goes_down_and_up_again_with_items_in_it(settings: Settings, pool: Pool, target: str) -> None:
    """Items and taggings stay; what is derived is made anew."""
    await fill(pool)
    counted = "SELECT (SELECT count(*) FROM content_items), (SELECT count(*) FROM content_tags)"
    before = await pool.fetchrow(counted)
    address = settings.database_url or ""
    await pool.expire_connections()
    await migrate(address, target)
    assert await current(address) == target
    await migrate(address)
    again = await open_pool(settings)
    try:
        assert await again.fetchrow(counted) == before
        await again.execute("UPDATE content_items SET title = title || '!'")
        await kept(settings, again)
        assert await wrong(settings, again) == 0
    finally:
        await again.close()
