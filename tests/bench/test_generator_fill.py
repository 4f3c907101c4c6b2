"""The generated gallery in a real database: stored once, whole, and resumed where it was interrupted."""

from __future__ import annotations

import pytest

from pinakes.bench.generator import Gallery, fill
from pinakes.bench.generator.fill import BATCH
from pinakes.query.sources import SOURCES
from pinakes.store.pool import Pool

SEED = 4
TAGS = 600

ITEM_COLUMNS = (
    "external_id, title, content_type, content_data, path_thumb, prompt, username, item_metadata, "
    "is_private, quality_score, content.created_at, updated_at"
)


async def _rows(pool: Pool) -> list[tuple[object, ...]]:
    """Everything stored, with names in place of numbers, in the order of source and external id."""
    rows: list[tuple[object, ...]] = []
    for source in SOURCES:
        found = await pool.fetch(
            f"""
            SELECT {ITEM_COLUMNS}, array(
                SELECT name FROM {source.tags_table} JOIN tags ON tags.id = tag_id
                WHERE content_id = content.id ORDER BY name
            ) AS names
            FROM {source.table} AS content JOIN users ON users.id = creator_id ORDER BY external_id
            """
        )
        rows += [(source.name, *row.values()) for row in found]
    return rows


async def _versions(pool: Pool) -> list[tuple[object, ...]]:
    """Which row versions there are: any write, even one that changes no value, changes these."""
    found: list[tuple[object, ...]] = []
    for table in ("users", "tags", "tag_counts", "content_items", "content_items_auto", "content_tags"):
        found += [(table, *row.values()) for row in await pool.fetch(f"SELECT xmin::text, ctid::text FROM {table}")]
    return sorted(found, key=str)


class _InterruptedError(Exception):
    """Raised by a progress callback, as Ctrl-C would."""


async def test_database_holds_what_the_iterator_yields(pool: Pool) -> None:
    report = await fill(pool, items=1_500, seed=SEED, tags=TAGS)

    lines = list(Gallery(SEED, tags=TAGS).lines(1_500))
    stored = {str(row[1]): row for row in await _rows(pool)}
    assert len(stored) == 1_500
    for line in lines:
        row = stored[line["id"]]
        assert row[0] == line["source_type"]
        assert row[2:4] == (line["title"], line["content_type"])
        assert row[6:8] == (line["prompt"], line["creator"])
        assert row[9:11] == (line["is_private"], line["quality_score"])
        assert row[13] == sorted(line["tags"])
    assert (report.created, report.existing) == (1_500, 0)
    assert report.taggings == sum(len(line["tags"]) for line in lines)


async def test_ids_of_the_two_tables_overlap(pool: Pool) -> None:
    await fill(pool, items=500, seed=SEED, tags=TAGS)

    shared = await pool.fetchval("SELECT count(*) FROM content_items JOIN content_items_auto USING (id)")
    assert shared == await pool.fetchval("SELECT count(*) FROM content_items")
    assert await pool.fetchval("SELECT min(id) FROM content_items") == 1


async def test_equal_timestamps_exist_across_sources(pool: Pool) -> None:
    await fill(pool, items=500, seed=SEED, tags=TAGS)

    assert await pool.fetchval("SELECT count(*) FROM content_items JOIN content_items_auto USING (created_at)") > 10


async def test_demo_users_exist_with_public_and_private_items(pool: Pool) -> None:
    await fill(pool, items=3_000, seed=SEED, tags=TAGS)

    for name in ("ada", "grace"):
        counts = await pool.fetch(
            """
            SELECT is_private, count(*) AS items FROM (
                SELECT creator_id, is_private FROM content_items
                UNION ALL SELECT creator_id, is_private FROM content_items_auto
            ) AS content JOIN users ON users.id = creator_id WHERE username = $1 GROUP BY is_private
            """,
            name,
        )
        assert {row["is_private"] for row in counts} == {False, True}
        assert sum(row["items"] for row in counts) > 50
    assert await pool.fetchval("SELECT count(*) FROM users WHERE username = 'admin'") == 1


async def test_demo_users_exist_in_an_empty_gallery(pool: Pool) -> None:
    report = await fill(pool, items=0, seed=SEED)

    assert report.created == 0
    assert [row["username"] for row in await pool.fetch("SELECT username FROM users ORDER BY id")] == [
        "ada",
        "grace",
        "admin",
    ]


async def test_counts_of_tags_are_kept(pool: Pool) -> None:
    await fill(pool, items=800, seed=SEED, tags=TAGS)

    wrong = await pool.fetchval(
        """
        SELECT count(*) FROM (
            SELECT source_type, tag_id, count(*) AS items FROM content_tags GROUP BY source_type, tag_id
        ) AS true_counts FULL JOIN (
            SELECT source_type, tag_id, sum(n) AS items FROM (
                SELECT source_type, tag_id, item_count AS n FROM tag_counts
                UNION ALL SELECT source_type, tag_id, delta FROM tag_count_deltas
            ) AS kept GROUP BY source_type, tag_id
        ) AS kept_counts USING (source_type, tag_id, items)
        WHERE true_counts IS NULL OR kept_counts IS NULL
        """
    )
    assert wrong == 0


async def test_second_fill_changes_nothing(pool: Pool) -> None:
    await fill(pool, items=700, seed=SEED, tags=TAGS)
    before = await _versions(pool)

    report = await fill(pool, items=700, seed=SEED, tags=TAGS)

    assert (report.created, report.existing, report.taggings) == (0, 700, 0)
    assert await _versions(pool) == before


async def test_larger_fill_extends_a_smaller_one(pool: Pool) -> None:
    await fill(pool, items=300, seed=SEED, tags=TAGS)
    first = await _rows(pool)
    report = await fill(pool, items=900, seed=SEED, tags=TAGS)

    assert (report.created, report.existing) == (600, 300)
    rows = await _rows(pool)
    assert len(rows) == 900
    assert {row[1] for row in first} == {f"gen:{SEED}:{i}" for i in range(300)}
    assert all(row in rows for row in first[:20])
    assert {str(row[1]) for row in rows} == {line["id"] for line in Gallery(SEED, tags=TAGS).lines(900)}


async def test_interrupted_fill_continues(pool: Pool) -> None:
    items = 2 * BATCH + 500

    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (BATCH, items)
        raise _InterruptedError

    with pytest.raises(_InterruptedError):
        await fill(pool, items=items, seed=SEED, tags=TAGS, mean_tags=5, slim=True, progress=interrupt)
    seen: list[int] = []
    report = await fill(
        pool, items=items, seed=SEED, tags=TAGS, mean_tags=5, slim=True, progress=lambda done, _: seen.append(done)
    )

    assert (report.existing, report.created) == (BATCH, items - BATCH)
    assert seen == [2 * BATCH, items]
    rows = {str(row[1]): row for row in await _rows(pool)}
    assert len(rows) == items
    lines = list(Gallery(SEED, tags=TAGS, mean_tags=5, slim=True).lines(items))
    assert all(rows[line["id"]][13] == sorted(line["tags"]) for line in lines[BATCH - 100 : BATCH + 100])
    assert await pool.fetchval("SELECT count(*) FROM load_state") == 0


async def test_deleted_items_stay_deleted(pool: Pool) -> None:
    await fill(pool, items=300, seed=SEED, tags=TAGS)
    await pool.execute("DELETE FROM content_items WHERE id IN (SELECT id FROM content_items ORDER BY id LIMIT 5)")

    report = await fill(pool, items=300, seed=SEED, tags=TAGS)

    assert report.created == 0
    assert len(await _rows(pool)) == 295


async def test_two_seeds_live_side_by_side(pool: Pool) -> None:
    await fill(pool, items=200, seed=1, tags=TAGS)
    report = await fill(pool, items=200, seed=11, tags=TAGS)

    assert report.created == 200
    assert len(await _rows(pool)) == 400


async def test_negative_size_is_refused(pool: Pool) -> None:
    with pytest.raises(ValueError, match="-1"):
        await fill(pool, items=-1, seed=SEED)
