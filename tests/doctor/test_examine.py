"""The doctor on a real installation: nothing wrong is nothing found, and each thing broken is found with its fix."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio
from click.testing import CliRunner

from api.application import Gallery, running
from pinakes.cli.main import main
from pinakes.doctor import gallery, postgres
from pinakes.doctor.examine import CHECKS, examine
from pinakes.doctor.finding import Finding
from pinakes.embedded import EmbeddedServers
from pinakes.errors import StoreUnavailable
from pinakes.settings import Settings
from pinakes.store.pool import Pool, open_pool
from pinakes.worker.loop import running as worker


@pytest_asyncio.fixture
async def kept(pool: Pool, settings: Settings, gallery: Gallery) -> AsyncIterator[Pool]:
    """A gallery with a read model that has caught up."""
    await pool.execute("ALTER TABLE users ALTER COLUMN id RESTART WITH 1000")  # beyond those made with their numbers
    async with worker(settings), asyncio.timeout(60):
        while await pool.fetchval("SELECT policy IS NULL OR EXISTS (SELECT FROM dirty) FROM epoch"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        yield pool


async def _found(pool: Pool, settings: Settings, check: str) -> list[Finding]:
    return [finding for finding in (await examine(pool, settings)).findings if finding.check == check]


async def test_where_nothing_is_wrong_nothing_is_found(kept: Pool, settings: Settings) -> None:
    async with running(settings) as client, asyncio.timeout(60):
        while (await client.get("/readyz")).json()["parts"].get("cache") != "ok":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        diagnosis = await examine(kept, settings)
    assert [f for f in diagnosis.findings if f.level != "note"] == []
    assert diagnosis.healthy
    assert diagnosis.skipped == ()
    assert diagnosis.checks == len(CHECKS)


async def test_an_index_that_is_missing_or_invalid_is_found(pool: Pool, settings: Settings) -> None:
    assert await _found(pool, settings, "declared") == []
    await pool.execute("DROP INDEX content_items_title")
    await pool.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'content_items_words'::regclass")
    missing, invalid = sorted(await _found(pool, settings, "declared"), key=lambda finding: finding.said)
    assert (missing.level, invalid.level) == ("problem", "problem")
    assert missing.said == "Index content_items_title of content_items is missing."
    assert "CREATE INDEX CONCURRENTLY content_items_title ON content_items USING btree (title, id)" in missing.fix
    assert invalid.said == "Index content_items_words of content_items is invalid."
    assert invalid.fix.endswith('REINDEX INDEX CONCURRENTLY "content_items_words"')


@pytest.mark.parametrize(
    "sql", ["ALTER TABLE content_items DISABLE TRIGGER dirty_changed", "DROP TRIGGER dirty_changed ON content_items"]
)
async def test_a_trigger_that_does_not_fire_is_found(pool: Pool, settings: Settings, sql: str) -> None:
    await pool.execute(sql)
    (finding,) = await _found(pool, settings, "declared")
    assert "dirty_changed of content_items" in finding.said


async def test_changes_nobody_applies_are_found(kept: Pool, settings: Settings) -> None:
    """As a worker that is stuck leaves them."""
    assert await _found(kept, settings, "read model") == []
    async with kept.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.execute("INSERT INTO dirty SELECT id, now() - interval '1 hour', 1 FROM content_items")
        (finding,) = await gallery.read_model(connection, settings)
    assert finding.level == "problem"
    assert "pinakes worker" in finding.fix


async def test_rows_that_changed_behind_the_triggers_are_found(kept: Pool, settings: Settings) -> None:
    assert await _found(kept, settings, "drift") == []
    async with kept.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE content_items SET title = 'behind their backs'")
        await connection.execute("DELETE FROM content_tags WHERE tag_id = (SELECT min(id) FROM tags)")
    counts, items = await _found(kept, settings, "drift")
    assert "tag counts" in counts.said
    assert "not in the read model" in items.said
    assert (counts.level, items.level) == ("problem", "problem")


async def test_a_transaction_left_open_is_found(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LONG_TRANSACTION_S", 0.0)
    assert await _found(pool, settings, "held back") == []
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1")
        (finding,) = await _found(pool, settings, "held back")
    assert "pg_terminate_backend" in finding.fix


async def test_dead_rows_and_absent_autovacuum_are_found(
    pool: Pool, settings: Settings, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "DEAD_ROWS", 2)
    await pool.execute("ALTER TABLE content_items SET (autovacuum_enabled = off)")
    async with pool.acquire() as connection:
        for _ in range(5):
            await connection.execute("UPDATE content_items SET title = title || '.'")
        await connection.execute("SELECT pg_stat_force_next_flush()")
    found = [f for f in await _found(pool, settings, "tables") if re.search(r"\bcontent_items\b", f.said)]
    assert any(finding.fix.startswith("ALTER TABLE content_items RESET") for finding in found)
    assert any(finding.fix.startswith("VACUUM content_items") for finding in found)


async def test_a_schema_of_another_version_is_found_and_nothing_else_is_tried(pool: Pool, settings: Settings) -> None:
    await pool.execute("UPDATE alembic_version SET version_num = '0001'")
    diagnosis = await examine(pool, settings)
    assert [finding.check for finding in diagnosis.findings] == ["schema"]
    assert len(diagnosis.skipped) == len(CHECKS) - 1


async def test_a_redis_that_is_set_up_wrongly_is_found(pool: Pool, settings: Settings) -> None:
    async with redis.asyncio.from_url(settings.redis_url or "") as client:
        before = await client.config_get("maxmemory-policy")
        await client.config_set("maxmemory-policy", "noeviction")
        try:
            found = await _found(pool, settings, "redis")
        finally:
            await client.config_set("maxmemory-policy", before["maxmemory-policy"] or "")
    (finding,) = (finding for finding in found if finding.level == "warning")
    assert "refuses writes" in finding.said
    assert "allkeys-lru" in finding.fix


async def test_clocks_nobody_publishes_are_found(kept: Pool, settings: Settings) -> None:
    (finding,) = await _found(kept, settings, "publisher")
    assert finding.level == "warning"


async def test_a_redis_that_is_gone_is_found(pool: Pool, settings: Settings) -> None:
    gone = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/1"})
    (finding,) = await _found(pool, gone, "redis")
    assert finding.level == "problem"


async def test_a_database_that_is_gone_is_an_error(pool: Pool, settings: Settings) -> None:
    closed = await open_pool(settings)
    await closed.close()
    with pytest.raises(StoreUnavailable):
        await examine(closed, settings)


def test_the_command_says_by_its_exit_code_whether_there_is_something_to_do(
    servers: EmbeddedServers, settings: Settings
) -> None:
    where = ["--database-url", settings.database_url or "", "--redis-url", settings.redis_url or ""]
    told = CliRunner().invoke(main, ["doctor", *where], env={"PINAKES_CACHE_STRATEGY": "off"})
    assert told.exit_code == 0, told.output
    assert "0 findings to act on" in told.output
    told = CliRunner().invoke(main, ["doctor", "--json", *where])
    assert told.exit_code == 1, told.output
    assert '"healthy":false' in told.output
