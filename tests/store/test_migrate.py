"""Migrations: up, down, side by side, and what is said of a database that is not at head."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from pg_schema import Schema, describe
from pinakes.errors import SchemaMismatch, StoreUnavailable
from pinakes.query.sources import SOURCES
from pinakes.settings import load_settings
from pinakes.store.migrate import current, migrate, require_head, revisions
from pinakes.store.migrations import scripts
from pinakes.store.pool import Pool, open_pool


async def _schema(url: str) -> Schema:
    connection = await asyncpg.connect(url)
    try:
        return await describe(connection)
    finally:
        await connection.close()


async def test_up_runs_every_revision_once(blank_database_url: str) -> None:
    assert await current(blank_database_url) is None
    assert tuple(await migrate(blank_database_url)) == revisions()
    assert await current(blank_database_url) == revisions()[-1]
    assert await migrate(blank_database_url) == []


async def test_down_leaves_nothing_and_up_again_is_the_same(blank_database_url: str) -> None:
    await migrate(blank_database_url)
    before = await _schema(blank_database_url)
    assert tuple(await migrate(blank_database_url, "base")) == revisions()[::-1]
    assert await current(blank_database_url) is None
    left = await _schema(blank_database_url)
    assert [line for lines in left.values() for line in lines if "alembic_version" not in line] == []
    await migrate(blank_database_url)
    assert await _schema(blank_database_url) == before


async def test_each_revision_can_be_left_and_entered(blank_database_url: str) -> None:
    await migrate(blank_database_url)
    for revision in revisions()[::-1]:
        await migrate(blank_database_url, revision)
        assert await current(blank_database_url) == revision
    await migrate(blank_database_url)
    assert await current(blank_database_url) == revisions()[-1]


async def test_migrators_wait_for_each_other(blank_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(blank_database_url) for _ in range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, len(revisions())]


async def test_a_failed_revision_leaves_the_one_before(
    blank_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = scripts.read
    monkeypatch.setattr(scripts, "read", lambda name: read(name) + "\nSELECT 1 / 0;")
    with pytest.raises(SchemaMismatch, match="division by zero"):
        await migrate(blank_database_url)
    monkeypatch.undo()
    assert await current(blank_database_url) is None
    assert tuple(await migrate(blank_database_url)) == revisions()


async def test_an_unknown_target_is_named(blank_database_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="no revision 'tomorrow'"):
        await migrate(blank_database_url, "tomorrow")


async def test_no_server_is_said_plainly() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await migrate("postgresql://nobody@/nowhere?host=/nonexistent")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await current("postgresql://nobody@/nowhere?host=/nonexistent")


async def test_head_is_required(pool: Pool, blank_database_url: str) -> None:
    await require_head(pool)
    blank = await open_pool(load_settings(database_url=blank_database_url))
    try:
        with pytest.raises(SchemaMismatch, match="no Pinakes schema yet"):
            await require_head(blank)
        await migrate(blank_database_url)
        await blank.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaMismatch, match="9999, which this version of Pinakes does not know"):
            await require_head(blank)
        with pytest.raises(SchemaMismatch, match="9999"):
            await migrate(blank_database_url)
        if len(revisions()) > 1:
            await blank.execute("UPDATE alembic_version SET version_num = $1", revisions()[0])
            with pytest.raises(SchemaMismatch, match="is needed"):
                await require_head(blank)
    finally:
        await blank.close()


async def test_a_source_is_listed_with_its_table(pool: Pool) -> None:
    rows = await pool.fetch("SELECT code, name, table_name FROM sources ORDER BY code")
    assert [tuple(row) for row in rows] == [(source.code, source.name, source.table) for source in SOURCES]


@pytest.mark.parametrize("revision", ["0010", None])
async def test_the_rule_of_content_types_is_the_same_before_and_after_it_was_written_anew(
    blank_database_url: str, revision: str | None
) -> None:
    await migrate(blank_database_url)
    if revision:
        await migrate(blank_database_url, revision)
    pool = await open_pool(load_settings(database_url=blank_database_url), max_size=1)
    try:
        await pool.execute("INSERT INTO users (id, username) VALUES (1, 'ada')")
        insert = "INSERT INTO content_items (title, creator_id, content_type) VALUES ('t', 1, $1)"
        for good in ("a", "0", "image/svg+xml", "a_.+/-9", "a" * 64):
            await pool.execute(insert, good)
        for bad in ("", "A", "-a", "a b", "a\n", "é", "a" * 65):
            with pytest.raises(asyncpg.CheckViolationError):
                await pool.execute(insert, bad)
    finally:
        await pool.close()


def test_file_names_are_the_revisions_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(scripts.__file__).parent))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(found[::-1]) == revisions()
