"""What the hot paths may cost, held without a clock: statements for each request, and the shape of each plan.

A change that adds a round trip or loses an index shows here, on any machine and however slow it is.
Numbers of statements are ceilings, BEGIN and ROLLBACK included: doing with less is welcome, and then
the ceiling is lowered. The gallery has 6,000 items, enough that PostgreSQL would rather use an index.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio

from conftest import with_database
from engines.hot_paths import Plan, plans, watched
from pinakes.bench.gallery import BenchGallery, Law
from pinakes.bitmap.window import SPARE
from pinakes.cache import body
from pinakes.cache.core import ResultCache
from pinakes.cache.options import Options
from pinakes.embedded import EmbeddedServers
from pinakes.engines.choice import EngineName
from pinakes.query.gallery_query import GalleryQuery, SortField
from pinakes.query.sources import SOURCES
from pinakes.service import ContentService
from pinakes.settings import Settings, load_settings
from pinakes.store.pool import Pool, open_pool
from pinakes.view.definition import NAME

ITEMS = 6_000
TABLES = {NAME, "term_segment", *(table for source in SOURCES for table in (source.table, source.tags_table))}


@pytest_asyncio.fixture(scope="module")
async def gallery(
    servers: EmbeddedServers, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Settings]:
    """A generated gallery with read model and index, shared by this file, which only reads."""
    name = "hot_paths"
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    settings = load_settings(
        database_url=with_database(servers.database_url, name),
        redis_url=servers.redis_url,
        jwt_secret="a-secret-of-the-tests-and-of-nothing-else",
        cursor_secret="another-secret-of-the-tests-and-of-nothing-else",
    )
    filled = BenchGallery(settings, tmp_path_factory.mktemp("hot"), lambda _: None)
    await filled.generate(ITEMS, Law(), lambda *_: None)
    yield settings
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@pytest_asyncio.fixture
async def one(gallery: Settings) -> AsyncIterator[Pool]:
    """A pool with one connection for reading."""
    pool = await open_pool(gallery, max_size=1)
    yield pool
    await pool.close()


@dataclass(frozen=True)
class Tags:
    """A frequent tag, another, and a rare one."""

    frequent: int
    other: int
    rare: int


@pytest_asyncio.fixture(scope="module")
async def tags(gallery: Settings) -> Tags:
    connection = await asyncpg.connect(gallery.database_url)
    rows = await connection.fetch("SELECT tag_id FROM tag_counts GROUP BY 1 ORDER BY sum(item_count) DESC, 1")
    await connection.close()
    ranked = [row["tag_id"] for row in rows]
    return Tags(ranked[0], ranked[1], ranked[len(ranked) // 2])


# The index: its one statement. The others: begin, what the tags mean (1 and 1 a source), stamp, what the engine
# does, stamp, rollback.
CEILINGS: dict[tuple[EngineName, str], int] = {
    ("index", "everything"): 1,
    ("index", "tags"): 1,
    ("matview", "everything"): 12,
    ("matview", "tags"): 13,
    ("base", "everything"): 11,
    ("base", "tags"): 12,
}


def _query(kind: str, tags: Tags) -> GalleryQuery:
    return GalleryQuery() if kind == "everything" else GalleryQuery(tags_all=(tags.frequent, tags.other))


@pytest.mark.parametrize(("engine", "kind"), CEILINGS)
async def test_a_warm_page_takes_no_more_statements_than_it_did(
    engine: EngineName, kind: str, gallery: Settings, one: Pool, tags: Tags
) -> None:
    service = ContentService(one, gallery)
    query = _query(kind, tags)
    first = await service.answer(query, engine=engine)
    await service.answer(query, engine=engine)  # names of tags are learnt by the first quick answer
    async with watched(one) as seen:
        again = await service.answer(query, engine=engine)
    assert body.read(again.entry.constant).items == body.read(first.entry.constant).items != ()
    assert len(seen) <= CEILINGS[engine, kind], seen.texts


async def test_the_first_page_of_a_process_is_all_that_its_session_is_asked(
    gallery: Settings, one: Pool, tags: Tags
) -> None:
    """Begin, what the tags mean, stamps, the state, what the evaluation lacks (eight loads), the page, rollback.

    Nothing about types: the driver asks that while the session is opened.
    """
    service = ContentService(one, gallery)
    async with watched(one) as seen:
        await service.answer(_query("tags", tags), engine="index")
    assert not [text for text in seen.texts if "typeinfo" in text or "pg_type" in text]
    assert len(seen) <= 18, seen.texts


@pytest.mark.parametrize("field", ["created_at", "updated_at", "quality_score", "title"])
@pytest.mark.parametrize("page", [1, 2, 7])
async def test_any_page_of_any_order_takes_the_index_the_same_statements(
    page: int, field: SortField, gallery: Settings, one: Pool, tags: Tags
) -> None:
    service = ContentService(one, gallery)
    query = GalleryQuery(tags_all=(tags.frequent,), sort_field=field, page=page)
    await service.answer(query, engine="index")
    await service.answer(query, engine="index")
    async with watched(one) as seen:
        await service.answer(query, engine="index")
    assert len(seen) <= CEILINGS["index", "tags"], seen.texts


async def test_a_cached_answer_takes_no_statement(gallery: Settings, one: Pool, tags: Tags) -> None:
    """Neither from the process nor from Redis: the cache is judged by clocks, which come another way."""
    # Patient with Redis, and long-lived: the machine may be busy, and what is proven is no matter of time.
    patient = Options(limit_ms=5000, window_ms=60_000, lag_ms=250, poll_ms=10, publish_ms=10)
    for held in (patient, dataclasses.replace(patient, l1_bytes=0)):
        cache = ResultCache(gallery.redis_url or "", gallery.database_url, held)
        service = ContentService(one, gallery, cache)
        await cache.start()
        try:
            deadline = asyncio.get_running_loop().time() + 20
            while not cache.mirror.trusted():
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.005)
            query = _query("tags", tags)
            await service.answer(query)
            async with watched(one) as seen:
                answers = [await service.answer(query) for _ in range(20)]
            assert {answer.source for answer in answers} == {"hit_l2" if held.l1_bytes == 0 else "hit_l1"}
            assert not seen.texts
        finally:
            await cache.stop()


async def _plans(pool: Pool, engine: EngineName, query: GalleryQuery, settings: Settings, part: str) -> list[Plan]:
    service = ContentService(pool, settings)
    await service.answer(query, engine=engine)
    async with watched(pool) as seen:
        await service.answer(query, engine=engine)
    async with pool.acquire() as connection:
        return await plans(connection, seen, part)


async def test_the_index_reads_its_page_by_document(gallery: Settings, one: Pool, tags: Tags) -> None:
    query = GalleryQuery(tags_all=(tags.frequent, tags.other))
    for plan in await _plans(one, "index", query, gallery, "stored.doc = ANY"):
        assert not plan.scanned_whole() & TABLES
        assert any(name.endswith("_doc") for name in plan.indexes())


async def test_a_warm_page_is_not_planned_again_and_a_page_of_the_tables_is(
    gallery: Settings, one: Pool, tags: Tags
) -> None:
    """Planning takes longer than reading a page by document; a kept plan for any tag is wrong for most."""
    service = ContentService(one, gallery)
    for _ in range(10):
        await service.answer(GalleryQuery(), engine="index")
        await service.answer(GalleryQuery(tags_all=(tags.frequent,)), engine="base")
    kept = "SELECT sum(generic_plans)::integer FROM pg_prepared_statements WHERE statement LIKE $1"
    async with one.acquire() as connection:
        assert await connection.fetchval(kept, "%epoch.relation%stored.doc = ANY%") > 0
        assert await connection.fetchval(kept, "%WITH hits%") == 0


async def test_the_index_reads_few_rows_more_than_it_shows(gallery: Settings, one: Pool, tags: Tags) -> None:
    service = ContentService(one, gallery)
    for page in (1, 3, 7):
        query = GalleryQuery(tags_all=(tags.frequent,), sort_field="title", page=page, page_size=20)
        await service.answer(query, engine="index")
        async with watched(one) as seen:
            await service.answer(query, engine="index")
        (asked,) = (each for each in seen.logged if "stored.doc = ANY" in each.query)
        assert len(asked.args[0]) <= 20 + 2 * SPARE


async def test_names_of_tags_are_looked_up_by_their_key(gallery: Settings, one: Pool, tags: Tags) -> None:
    names = await one.fetch("SELECT upper(name) AS name FROM tags WHERE id IN ($1, $2)", tags.rare, tags.other)
    query = GalleryQuery(tags_all=tuple(row["name"] for row in names))
    service = ContentService(one, gallery)
    async with watched(one) as seen:
        await service.answer(query, engine="base")
    async with one.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        # The generated gallery has no aliases; with as many as tags an index is worth it.
        await connection.execute("INSERT INTO tag_aliases (name, tag_id) SELECT 'alias of ' || name, id FROM tags")
        await connection.execute("ANALYZE tag_aliases")
        for plan in await plans(connection, seen, "tags.key = pinakes_name_key(asked.name)"):
            assert not plan.scanned_whole() & {"tags", "tag_aliases"}
            assert plan.indexes() >= {"tags_key", "tag_aliases_key"}
        await transaction.rollback()


async def test_bitmaps_are_loaded_by_their_key(gallery: Settings, one: Pool, tags: Tags) -> None:
    service = ContentService(one, gallery)
    async with watched(one) as seen:
        await service.answer(GalleryQuery(tags_all=(tags.frequent, tags.rare)), engine="index")
    async with one.acquire() as connection:
        for plan in await plans(connection, seen, "term_segment"):
            assert "term_segment" not in plan.scanned_whole()
            assert "term_segment_pkey" in plan.indexes()


@pytest.mark.parametrize("engine", ["base", "matview"])
async def test_the_feed_walks_the_order_and_sorts_nothing_but_the_page(
    engine: EngineName, gallery: Settings, one: Pool
) -> None:
    for plan in await _plans(one, engine, GalleryQuery(), gallery, " AS key FROM "):
        assert not plan.scanned_whole() & TABLES
        assert all("created_at" in name for name in plan.indexes())
        most = max(node["Plan Rows"] for node in plan.nodes() if node["Node Type"] in {"Sort", "Incremental Sort"})
        assert most <= 26 * len(SOURCES)


@pytest.mark.parametrize("engine", ["base", "matview"])
async def test_a_rare_tag_drives(engine: EngineName, gallery: Settings, one: Pool, tags: Tags) -> None:
    query = GalleryQuery(tags_all=(tags.rare,))
    for plan in await _plans(one, engine, query, gallery, "WITH hits"):
        assert not plan.scanned_whole() & TABLES
        assert any(name.endswith(("_tag", "_tags")) for name in plan.indexes()), plan.indexes()


async def test_rows_of_a_page_are_read_by_key(gallery: Settings, one: Pool, tags: Tags) -> None:
    query = GalleryQuery(tags_all=(tags.rare,))
    for engine, part in (("base", "tagging.content_id = item.id"), ("matview", "stored.source_type = wanted")):
        for plan in await _plans(one, engine, query, gallery, part):  # type: ignore[arg-type]
            assert not plan.scanned_whole() & TABLES
