"""Engine `index` equals the oracle, through writes, folds, rebuilds, evictions and workers that slept."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import INSTANTS, Gallery, galleries, names, queries
from index_gear import CODEC, Gear, fold_and_die, put, remove, sample
from pinakes.bitmap.window import SPARE
from pinakes.engines.base import BaseEngine
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_facets import facets
from pinakes.engines.matview import MatviewEngine
from pinakes.errors import ReadModelNotReady
from pinakes.index.build import sweep
from pinakes.index.fold import fold
from pinakes.index.part import connect
from pinakes.index.reader import IndexReader
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, GalleryQuery, SortField, SortOrder, to_formula
from pinakes.query.item import Item
from pinakes.query.oracle import answer, matches
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.settings import Settings
from pinakes.store.pool import Pool, snapshot
from pinakes.view.build import build as build_view


@pytest_asyncio.fixture
async def gear(pool: Pool, settings: Settings) -> AsyncIterator[Gear]:
    connection = await connect(settings.database_url or "")
    await connection.reset_type_codec("timestamptz", schema="pg_catalog")
    yield Gear(pool, settings, connection)
    await connection.close()


@settings(max_examples=60)
@given(data=st.data())
async def test_pages_equal_the_oracles(data: st.DataObject, gear: Gear) -> None:
    gallery = data.draw(galleries())
    await gear.begin(gallery)
    for _ in range(8):
        await gear.check(data.draw(queries()), gallery)


async def happen(step: str, gear: Gear, held: dict[tuple[int, int], Item], data: st.DataObject) -> None:
    """One thing that happens to a gallery or its index."""
    match step:
        case "put":
            for item in data.draw(galleries(4)).items:
                await put(gear.pool, item)
                held[item.key] = item
        case "remove":
            for key in data.draw(st.sets(st.sampled_from(sorted(held)), max_size=4)) if held else ():
                await remove(gear.pool, held.pop(key))
        case "fold":
            await fold(gear.keeper, keep_s=data.draw(st.sampled_from((0.0, 60.0))))
        case "fold and die":
            await fold_and_die(gear, data.draw(st.integers(1, 30)), keep_s=data.draw(st.sampled_from((0.0, 60.0))))
        case "build":
            await gear.build()
        case "restart":
            gear.restart(
                memory=data.draw(st.sampled_from((1 << 26, 2_000))), patience=data.draw(st.sampled_from((0, 12)))
            )
        case "verify":
            await gear.verify()


STEPS = ("put", "put", "put", "remove", "remove", "fold", "fold and die", "build", "restart", "verify")


@settings(max_examples=40)
@given(data=st.data())
async def test_pages_equal_the_oracles_whatever_happens_in_between(data: st.DataObject, gear: Gear) -> None:
    gallery = data.draw(galleries(12))
    await gear.begin(gallery)
    gear.restart(patience=data.draw(st.sampled_from((0, 12))))
    for _ in range(data.draw(st.integers(1, 10))):
        held = {item.key: item for item in gallery.items}
        await happen(data.draw(st.sampled_from(STEPS)), gear, held, data)
        gallery = Gallery(tuple(held.values()))
        await gear.apply()
        for _ in range(data.draw(st.integers(0, 3))):
            query = data.draw(queries())
            page = await gear.check(query, gallery)
            other = await gear.ask(query, gallery, MatviewEngine(CODEC, gear.settings))
            assert (other.items, other.total_count) == (page.items, page.total_count)
    await gear.verify()


@pytest.mark.parametrize("spare", [1, 7, 128])
@pytest.mark.parametrize("patience", [0, 16])
@pytest.mark.parametrize("asked", [(field, order) for field in SORT_FIELDS for order in SORT_ORDERS])
async def test_walking_all_cursors_is_one_full_sort(
    gear: Gear, asked: tuple[SortField, SortOrder], spare: int, patience: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gear.restart(patience=patience)
    monkeypatch.setattr("pinakes.bitmap.window.SPARE", spare)
    monkeypatch.setattr("pinakes.bitmap.window.WHOLE", spare)
    gallery = sample(40)
    await gear.begin(gallery)
    query = GalleryQuery(sort_field=asked[0], sort_order=asked[1], page_size=3, viewer=1)
    everything = answer(to_formula(query, gallery.vocabulary), gallery.items, *asked, page_size=1000).items
    forward: list[Item] = []
    page = await gear.ask(query, gallery)
    backward = [page.items]
    forward += page.items
    while page.next_cursor is not None:
        page = await gear.ask(dataclasses.replace(query, cursor=page.next_cursor), gallery)
        assert page.has_previous
        forward += page.items
    assert names(forward) == names(everything)
    backward = [page.items]
    while page.prev_cursor is not None:
        page = await gear.ask(dataclasses.replace(query, cursor=page.prev_cursor), gallery)
        assert page.has_next
        backward.append(page.items)
    back = [item for items in reversed(backward) for item in items]
    assert names(back)[-len(everything) :] == names(everything)


BOUNDS = (1, 2**47 - 2, 2**48 - 2, 2**53, 2**60 + 1, 2**62, 2**63 - 20)


@pytest.mark.parametrize("spare", [1, 128])
@pytest.mark.parametrize("asked", [(field, order) for field in SORT_FIELDS for order in SORT_ORDERS])
async def test_items_may_have_any_id_a_bigint_holds(
    gear: Gear, asked: tuple[SortField, SortOrder], spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All engines give the pages and walks of the oracle, also where such items came after the index was built."""
    monkeypatch.setattr("pinakes.bitmap.window.SPARE", spare)
    monkeypatch.setattr("pinakes.bitmap.window.WHOLE", spare)
    items = tuple(
        dataclasses.replace(item, id=BOUNDS[place % len(BOUNDS)] + place // len(BOUNDS) // 2, source=place % 2 + 1,
                            external_id=f"x{place}", quality_score=None, created_at=INSTANTS[0], title="same")
        for place, item in enumerate(sample(42).items)
    )  # fmt: skip
    assert len({item.key for item in items}) == len(items)
    await gear.begin(Gallery(items[:30]))
    for item in items[30:]:
        await put(gear.pool, item)
    await gear.apply()
    gallery = Gallery(items)
    query = GalleryQuery(sort_field=asked[0], sort_order=asked[1], page_size=5, viewer=1)
    everything = answer(to_formula(query, gallery.vocabulary), gallery.items, *asked, page_size=1000).items
    for engine in (None, MatviewEngine(CODEC, gear.settings), BaseEngine(CODEC, gear.settings.count_budget_ms)):
        page = await gear.ask(query, gallery, engine)
        walked = [*page.items]
        while page.next_cursor is not None:
            page = await gear.ask(dataclasses.replace(query, cursor=page.next_cursor), gallery, engine)
            walked += page.items
        assert names(walked) == names(everything), engine
        for number in range(1, len(everything) // 5 + 2):
            page = await gear.ask(dataclasses.replace(query, page=number), gallery, engine)
            assert names(page.items) == names(everything[5 * (number - 1) : 5 * number]), engine
    await gear.verify()


@settings(max_examples=30)
@given(data=st.data())
async def test_facets_are_exact_and_count_visible_items_only(data: st.DataObject, gear: Gear) -> None:
    gallery = data.draw(galleries())
    await gear.begin(gallery)
    for item in data.draw(galleries(3)).items:
        await put(gear.pool, item)
        gallery = Gallery((*(other for other in gallery.items if other.key != item.key), item))
    await gear.apply()
    for forward in (0, 100):
        query = data.draw(queries())
        formula = to_formula(query, gallery.vocabulary)
        hits = [item for item in gallery.items if matches(formula, item)]
        counted = Counter(tag for item in hits for tag in item.tags)
        wanted = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0].id))[:3]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pinakes.engines.index_facets.FORWARD_LIMIT", forward)
            patch.setattr("pinakes.engines.index_facets.SAMPLE", 0)
            async with snapshot(gear.pool, 30_000) as connection:
                found = await facets(gear.engine, connection, formula, limit=3)
        assert found.total_count == len(hits)
        assert [(each.id, each.name, each.count) for each in found.facets] == [(t.id, t.name, n) for t, n in wanted]
        assert found.kind == "exact"


async def test_a_worker_that_slept_through_folds_starts_again(gear: Gear) -> None:
    gallery = sample(8)
    await gear.begin(Gallery(()))
    query = GalleryQuery(page_size=7, viewer=1)
    await gear.ask(query, gallery)
    for item in gallery.items:
        await put(gear.pool, item)
        await gear.apply()
        await fold(gear.keeper, keep_s=0.0)
    await gear.check(query, gallery)


async def test_requests_with_older_snapshots_see_their_own_epoch(gear: Gear) -> None:
    gallery = sample(12)
    first, later = Gallery(gallery.items[:5]), gallery
    await gear.begin(first)
    query = GalleryQuery(page_size=7, viewer=1)
    formula = to_formula(query, first.vocabulary)
    await gear.check(query, first)
    async with snapshot(gear.pool, 30_000) as older:
        await older.fetchval("SELECT epoch FROM epoch")
        for item in gallery.items[5:]:
            await put(gear.pool, item)
        await gear.apply()
        await fold(gear.keeper)
        await gear.check(query, later)
        page = await gear.engine.answer(older, query, formula)
    expected = answer(formula, first.items, "created_at", "desc", page_size=7)
    assert (names(page.items), page.total_count) == (names(expected.items), expected.total)


async def test_an_explanation_counts_what_was_looked_at(gear: Gear) -> None:
    gallery = sample(400)
    await gear.begin(gallery)
    query = GalleryQuery(tags_all=(1,), viewer=1)
    formula = to_formula(query, gallery.vocabulary)
    async with snapshot(gear.pool, 30_000) as connection:
        cold = await gear.engine.explain(connection, query, formula)
        warm = await gear.engine.explain(connection, query, formula)
    assert warm["total"] == cold["total"] == sum(matches(formula, item) for item in gallery.items)
    assert warm["operands"]["tag:1"] == sum(any(tag.id == 1 for tag in item.tags) for item in gallery.items)
    assert warm["visits"]["operands"] >= 3
    assert (warm["loaded"], warm["segments_loaded"], warm["rounds"]) == ([], 0, 0)
    assert "tag:1" in cold["loaded"]
    assert cold["segments_loaded"] >= len(cold["operands"])
    assert cold["stages_ms"].keys() == {"state", "evaluate", "page"}


async def test_a_new_worker_looks_at_rows_first_and_then_at_fewer_with_every_page(
    gear: Gear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What spares it the rows comes slice by slice, and once it is there no page asks for more."""
    monkeypatch.setattr("pinakes.bitmap.window.WHOLE", 10)
    gallery = sample(400)
    await gear.begin(gallery)
    gear.restart(patience=400)
    query = GalleryQuery(sort_field="title", viewer=1, page=3, page_size=10)
    formula = to_formula(query, gallery.vocabulary)
    async with snapshot(gear.pool, 30_000) as connection:
        told = [await gear.engine.explain(connection, query, formula) for _ in range(12)]
    windows = [each["window"] for each in told]
    assert windows == sorted(windows, reverse=True)
    assert 10 + 2 * SPARE < windows[0] <= 400
    assert windows[-1] <= 10 + 2 * SPARE
    assert not any("title" in term for term in told[0]["loaded"])
    assert any("title" in term for each in told[1:] for term in each["loaded"])
    assert told[-1]["loaded"] == []
    await gear.check(query, gallery)


async def test_a_warm_worker_answers_in_one_statement_unless_the_epoch_has_moved(gear: Gear) -> None:
    gallery = sample(200)
    await gear.begin(gallery)
    query = GalleryQuery(tags_any=(1, 2, 3), viewer=1, page=2, page_size=7)
    assert await gear.ask_quickly(query, gallery) is None  # it knows nothing yet
    page = await gear.check(query, gallery)
    quick = await gear.ask_quickly(query, gallery)
    assert quick is not None
    assert quick.items == page.items
    beyond = dataclasses.replace(query, page=1000)
    await gear.check(beyond, gallery)
    assert await gear.ask_quickly(beyond, gallery) is not None
    changed = dataclasses.replace(gallery.items[0], title="another")
    await put(gear.pool, changed)
    gallery = Gallery((changed, *gallery.items[1:]))
    await gear.apply()
    assert await gear.ask_quickly(query, gallery) is None  # the epoch it followed is over
    await gear.check(query, gallery)
    assert await gear.ask_quickly(query, gallery) is not None


async def test_without_an_index_the_engine_says_so(gear: Gear) -> None:
    with pytest.raises(ReadModelNotReady):
        await gear.ask(GalleryQuery(), Gallery(()))
    await gear.begin(Gallery(()))
    assert (await gear.ask(GalleryQuery(), Gallery(()))).total_count == 0
    await build_view(gear.keeper, "incremental")
    with pytest.raises(ReadModelNotReady):
        await gear.ask(GalleryQuery(), Gallery(()))
    await gear.build()
    assert (await gear.ask(GalleryQuery(), Gallery(()))).total_count == 0


async def test_a_rebuild_leaves_nothing_of_the_generation_before(gear: Gear) -> None:
    await gear.begin(sample(8))
    await gear.build()
    await sweep(gear.keeper)
    assert await gear.pool.fetchval("SELECT count(*) FROM index_generation") == 1
    assert await gear.pool.fetchval("SELECT count(DISTINCT generation) FROM term_segment") <= 1


async def test_readers_writers_folds_and_builds_at_once(gear: Gear) -> None:
    """Every answer is that of some state its writer made, exactly: a row and its count change together."""
    gallery = sample(10)
    items = [dataclasses.replace(item, is_private=False) for item in gallery.items]
    await gear.begin(Gallery(tuple(items)))
    done = asyncio.Event()

    async def write() -> None:
        for turn in range(60):
            item = items[turn % len(items)]
            async with gear.pool.acquire() as connection, connection.transaction():
                table = SOURCE_BY_CODE[item.source].table
                await connection.execute(f"UPDATE {table} SET title = $2 WHERE id = $1", item.id, f"turn {turn}")
            await gear.apply()
            if turn % 7 == 0:
                await fold(gear.keeper, keep_s=0.2)
            if turn % 20 == 10:
                await gear.build()
        done.set()

    async def read(worker: IndexEngine) -> int:
        answers = 0
        while not done.is_set():
            query = GalleryQuery(search_term="turn", sort_field="title", sort_order="asc", page_size=50)
            formula = to_formula(query, gallery.vocabulary)
            async with snapshot(gear.pool, 30_000) as connection:
                try:
                    page = await worker.answer(connection, query, formula)
                except ReadModelNotReady:
                    continue
                rows = await connection.fetch(
                    "SELECT title FROM unified_content_with_tags WHERE title LIKE 'turn %' ORDER BY title"
                )
            assert [item.title for item in page.items] == [row["title"] for row in rows]
            assert page.total_count == len(rows)
            answers += 1
        return answers

    workers = [IndexEngine(CODEC, gear.settings, IndexReader(memory)) for memory in (1 << 26, 1 << 26, 3_000)]
    _, *counts = await asyncio.gather(write(), *(read(worker) for worker in (*workers, workers[0])))
    assert all(isinstance(count, int) and count > 5 for count in counts)
    await gear.verify()
