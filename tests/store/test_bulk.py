"""Bulk loads: what is loaded is there, and the schema afterwards is the schema before."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from pg_schema import describe
from pinakes.errors import Conflict, StoreError, StoreUnavailable
from pinakes.query.sources import SOURCES, Source
from pinakes.settings import load_settings
from pinakes.store.bulk import BULK_FROM, BulkLoad, Mode, prefers_bulk, seal_unfinished
from pinakes.store.pool import Pool, is_lost, open_pool
from pinakes.store.queries import load as load_query

REGULAR, AUTO = SOURCES[:2]


async def _add(load: BulkLoad, source: Source, prefix: str, count: int) -> list[int]:
    """`count` items; item n carries the tags "all" and "n mod 3"."""
    users = await load.users(["ada"])
    tags = await load.tags(["all", "0", "1", "2"])
    rows = np.repeat(np.arange(count), 2)
    tag_ids = np.stack([np.full(count, tags[0]), tags[1 + np.arange(count) % 3]], axis=1).ravel()
    columns: dict[str, list[Any]] = {
        "external_id": [f"{prefix}:{n}" for n in range(count)],
        "title": [f"Title\t{n}\\ with\nodd \r characters" for n in range(count)],
        "creator_id": [users["ada"]] * count,
        "item_metadata": [{"n": n, "text": 'back\\slash "quote"\n'} if n % 2 else None for n in range(count)],
        "is_private": [n % 5 == 0 for n in range(count)],
        "quality_score": [n / 7 if n % 3 else None for n in range(count)],
        "created_at": [datetime(1545, 1, 1, tzinfo=UTC)] * count,
    }
    return [int(number) for number in await load.add(source, columns, rows, tag_ids)]


async def _counts(pool: Pool) -> tuple[int, int, int]:
    """Taggings as counted, as maintained, and deltas not folded."""
    row = await pool.fetchrow(
        "SELECT (SELECT count(*) FROM content_tags), (SELECT coalesce(sum(item_count), 0)::bigint FROM tag_counts),"
        " (SELECT count(*) FROM tag_count_deltas)"
    )
    assert row is not None
    return row[0], row[1], row[2]


@pytest.mark.parametrize("mode", ["never", "always"])
async def test_everything_given_is_stored_and_the_schema_unchanged(pool: Pool, mode: Mode) -> None:
    before = await describe(pool)
    said: list[str] = []
    async with BulkLoad(pool, expected=100, mode=mode, on_status=said.append) as load:
        ids = await _add(load, REGULAR, "a", 100)
        await _add(load, AUTO, "a", 10)
        assert load.bulk == (set(SOURCES) if mode == "always" else set())
    assert await describe(pool) == before
    assert bool(said) == (mode == "always")
    row = await pool.fetchrow("SELECT * FROM content_items WHERE id = $1", ids[7])
    assert row is not None
    assert row["title"] == "Title\t7\\ with\nodd \r characters"
    assert row["item_metadata"] == {"n": 7, "text": 'back\\slash "quote"\n'}
    assert row["content_type"] == "image"
    assert row["quality_score"] == 1.0
    assert row["created_at"] == datetime(1545, 1, 1, tzinfo=UTC)
    assert row["prompt"] is None
    assert await _counts(pool) == (220, 220, 0)


@pytest.mark.parametrize("mode", ["never", "always"])
async def test_every_new_item_is_dirty_once_and_other_writes_of_the_transaction_count(pool: Pool, mode: Mode) -> None:
    async with BulkLoad(pool, expected=10, mode=mode) as load:
        await load.prepare(REGULAR)
        users, tags = await load.users(["ada"]), await load.tags(["a", "b"])
        columns: dict[str, list[Any]] = {"title": ["x", "y"], "creator_id": [users["ada"]] * 2}
        async with pool.acquire() as connection, connection.transaction():
            ids = await load.add(REGULAR, columns, np.array([1, 0]), np.repeat(tags[:1], 2), connection=connection)
            dirty = await connection.fetch("SELECT source_type, id FROM dirty ORDER BY id")
            assert [tuple(row) for row in dirty] == [(REGULAR.code, number) for number in ids]
            await connection.execute("INSERT INTO content_tags_regular VALUES ($1, $2, $3)", 1, ids[0], tags[1])
            assert await connection.fetchval("SELECT count(*) FROM dirty") == 3
    assert await _counts(pool) == (3, 3, 0)


async def test_while_it_loads_only_readers_speed_is_missing(pool: Pool) -> None:
    async with BulkLoad(pool, expected=10, mode="always") as load:
        ids = await _add(load, REGULAR, "a", 10)
        owed = {row["object_name"] for row in await pool.fetch("SELECT object_name FROM load_state")}
        assert {"content_items_words", "content_items_created_at", "content_tags_regular_tag"} <= owed
        assert not {name for name in owed if name.endswith(("_pkey", "external_id_key"))}
        # A deletion cascades although the foreign key is off.
        await pool.execute("DELETE FROM content_items WHERE id = $1", ids[0])
        assert await pool.fetchval("SELECT count(*) FROM content_tags WHERE content_id = $1", ids[0]) == 0
    assert await _counts(pool) == (18, 18, 0)


async def test_how_frequent_words_are_is_known_when_it_ends(pool: Pool) -> None:
    """Of a sample that suits the table; the connection's own target stays as it was."""
    expected = load_query("base")["expect_words"].format(table=REGULAR.table)
    async with pool.acquire() as connection:
        await connection.execute("SET default_statistics_target = 90")
    async with BulkLoad(pool, expected=4000, mode="always") as load:
        await _add(load, REGULAR, "a", 4000)
    for word, share in (("characters", 1.0), ("absent", 0.0)):
        plan = (await pool.fetchval(expected, f"'{word}'"))[0]["Plan"]
        assert abs(plan["Plan Rows"] / 4000 - share) < 0.05
    assert set(await _targets(pool)) <= {"90", "100"}


async def _targets(pool: Pool) -> list[str]:
    async with AsyncExitStack() as stack:
        every = [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_size())]
        return [await connection.fetchval("SHOW default_statistics_target") for connection in every]


async def test_orphans_are_removed_and_reported(pool: Pool) -> None:
    said: list[str] = []
    before = await describe(pool)
    async with BulkLoad(pool, expected=10, mode="always", on_status=said.append) as load:
        await _add(load, REGULAR, "a", 9)
        await pool.execute("DELETE FROM tags WHERE name = '1'")
    assert any("Removed 3 taggings" in line for line in said)
    assert await describe(pool) == before
    assert await _counts(pool) == (15, 15, 0)


async def test_an_error_inside_puts_everything_back(pool: Pool) -> None:
    before = await describe(pool)
    with pytest.raises(ValueError, match="no columns"):
        await _load_nonsense(pool)
    assert await describe(pool) == before


async def _load_nonsense(pool: Pool) -> None:
    async with BulkLoad(pool, expected=10, mode="always") as load:
        await _add(load, REGULAR, "a", 10)
        await load.add(AUTO, {"nonsense": [1]}, np.empty(0, np.int64), np.empty(0, np.int64))


async def test_a_taken_external_id_is_a_conflict_and_stores_nothing(pool: Pool) -> None:
    async with BulkLoad(pool, expected=10) as load:
        await _add(load, REGULAR, "a", 5)
        with pytest.raises(Conflict):
            await _add(load, REGULAR, "a", 6)
    assert await pool.fetchval("SELECT count(*) FROM content_items") == 5


async def test_two_loads_at_once_do_not_seal_each_other(pool: Pool) -> None:
    before = await describe(pool)
    async with BulkLoad(pool, expected=10, mode="always") as first:
        await _add(first, REGULAR, "a", 10)
        assert await seal_unfinished(pool) == []
        async with BulkLoad(pool, expected=10**6) as second:
            await _add(second, REGULAR, "b", 10)
            assert second.bulk == set()
        assert await pool.fetchval("SELECT count(*) FROM load_state") > 0
        with pytest.raises(StoreError, match="Another bulk load"):
            async with BulkLoad(pool, expected=10, mode="always") as third:
                await third.prepare(AUTO)
    assert await describe(pool) == before
    assert await _counts(pool) == (40, 40, 0)


async def test_a_busy_table_keeps_auto_incremental(pool: Pool, database_url: str) -> None:
    reader = await asyncpg.connect(database_url)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT FROM content_items LIMIT 1")
            async with BulkLoad(pool, expected=10**6) as load:
                await load.prepare(REGULAR)
                assert load.bulk == set()
    finally:
        await reader.close()


_KILLED = """
import asyncio, os, signal, sys
from pinakes.query.sources import SOURCES
from pinakes.settings import load_settings
from pinakes.store.bulk import BulkLoad
from pinakes.store.pool import open_pool

async def main():
    pool = await open_pool(load_settings(database_url=sys.argv[1]))
    async with BulkLoad(pool, expected=10, mode="always") as load:
        for source in SOURCES:
            await load.prepare(source)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_killed_load_is_sealed_by_the_next_command(pool: Pool, database_url: str, tmp_path: Path) -> None:
    before = await describe(pool)
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), database_url)
    assert await process.wait() == -9
    owed = await pool.fetchval("SELECT count(*) FROM load_state")
    assert owed > 0
    assert await describe(pool) != before
    restored = await _sealed(pool)
    assert len(restored) == owed
    assert await describe(pool) == before
    assert await seal_unfinished(pool) == []


async def _sealed(pool: Pool) -> list[str]:
    """Seals as soon as the server has noticed that the killed process is gone."""
    async with asyncio.timeout(30):
        while not (restored := await seal_unfinished(pool)):
            await pool.fetch("SELECT pg_sleep(0.02)")
        return restored


@pytest.mark.parametrize("noticed", [False, True])
async def test_a_load_that_lost_its_connection_says_so_and_is_sealed_by_the_next(pool: Pool, noticed: bool) -> None:
    before = await describe(pool)
    with pytest.raises(StoreUnavailable):
        await _load_and_lose(pool, noticed=noticed)
    assert await _sealed(pool)
    assert await describe(pool) == before


async def _load_and_lose(pool: Pool, *, noticed: bool) -> None:
    """Ends the session that guards the load; with `noticed`, this process knows before the load ends."""
    async with BulkLoad(pool, expected=10, mode="always") as load:
        await load.prepare(REGULAR)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        async with asyncio.timeout(30):
            while noticed and not (load._guard is not None and is_lost(load._guard)):
                await pool.fetch("SELECT pg_sleep(0.02)")


async def test_a_seal_that_was_interrupted_between_key_and_check_goes_on(pool: Pool) -> None:
    before = await describe(pool)
    name = "content_tags_regular_tag_id_fkey"
    definition = "FOREIGN KEY (tag_id) REFERENCES tags(id)"
    await pool.execute(f"ALTER TABLE content_tags_regular DROP CONSTRAINT {name}")
    await pool.execute(f"ALTER TABLE content_tags_regular ADD CONSTRAINT {name} {definition} NOT VALID")
    await pool.execute(
        "INSERT INTO load_state (table_name, object_name, kind, definition)"
        " VALUES ('content_tags_regular', $1, 'foreign key', $2)",
        name,
        definition,
    )
    # A new bulk load in between must note the key as it is to be, not as it is.
    async with BulkLoad(pool, expected=10, mode="always") as load:
        await _add(load, REGULAR, "a", 3)
    assert await describe(pool) == before


async def test_one_connection_is_enough_to_seal(pool: Pool, database_url: str) -> None:
    before = await describe(pool)
    await pool.execute("DROP INDEX content_items_title")
    definition = next(line for line in before["indexes"] if line.startswith("content_items_title ")).split(" ", 1)[1]
    await pool.execute(
        "INSERT INTO load_state (table_name, object_name, kind, definition)"
        " VALUES ('content_items', 'content_items_title', 'index', $1)",
        definition,
    )
    small = await open_pool(load_settings(database_url=database_url), max_size=1)
    try:
        assert await seal_unfinished(small) == ["content_items_title"]
    finally:
        await small.close()
    assert await describe(pool) == before


def test_the_rule() -> None:
    assert not prefers_bulk(BULK_FROM - 1, 0)
    assert prefers_bulk(BULK_FROM, 0)
    assert prefers_bulk(BULK_FROM, 4 * BULK_FROM)
    assert not prefers_bulk(BULK_FROM, 4 * BULK_FROM + 1)


async def test_tags_and_users_are_made_once_and_keep_their_category(pool: Pool) -> None:
    async with BulkLoad(pool, expected=1) as load:
        first = await load.tags(["b", "a"], ["medium", "general"])
        again = await load.tags(["a", "b", "c"])
        assert again[:2].tolist() == first[::-1].tolist()
        users = await load.users(["x", "y", "x"])
        assert users == await load.users(["y", "x"])
    rows = await pool.fetch("SELECT name, category FROM tags ORDER BY name")
    assert [tuple(row) for row in rows] == [("a", "general"), ("b", "medium"), ("c", "")]
