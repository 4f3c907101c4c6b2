"""Engine `matview` gives the oracle's answer once the read model is up to date, under every policy."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from galleries import Gallery, galleries, names, queries, store
from pinakes.engines import base_plan
from pinakes.engines.base import BaseEngine
from pinakes.engines.matview import MatviewEngine
from pinakes.errors import ReadModelNotReady
from pinakes.query.cursor import CursorCodec
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.query.item import Page
from pinakes.query.oracle import answer
from pinakes.settings import Settings
from pinakes.store.pool import Pool, snapshot
from pinakes.view.build import build, switch
from pinakes.view.epoch import POLICIES, Policy, read_epoch
from pinakes.view.refresh import refresh
from read_models import drain

MAX_PAGES = 40


@pytest.fixture
def engine(settings: Settings) -> MatviewEngine:
    return MatviewEngine(CursorCodec("a secret of this test, of no use elsewhere"), settings)


async def _fill(pool: Pool, gallery: Gallery, policy: Policy) -> None:
    await store(pool, gallery)
    async with pool.acquire() as connection:
        await switch(connection, policy)
        if policy == "incremental":
            await drain(connection)
        else:
            await refresh(connection)


async def _ask(pool: Pool, engine: MatviewEngine | BaseEngine, gallery: Gallery, query: GalleryQuery) -> Page:
    formula = to_formula(query, gallery.vocabulary)
    async with snapshot(pool, 5000) as connection:
        return await engine.answer(connection, query, formula)


async def _check(pool: Pool, engine: MatviewEngine, gallery: Gallery, query: GalleryQuery) -> None:
    formula = to_formula(query, gallery.vocabulary)
    field, order = query.sort_field, query.sort_order
    expected = answer(formula, gallery.items, field, order, page=query.page, page_size=query.page_size)
    page = await _ask(pool, engine, gallery, query)
    assert names(page.items) == names(expected.items)
    assert page.items == tuple(expected.items)
    assert (page.total_count, page.total_kind) == (expected.total, "exact")
    assert (page.has_next, page.has_previous) == (expected.has_next, expected.has_previous)
    assert page.engine == "matview"
    assert page.epoch is not None


@settings(max_examples=100)
@given(data=st.data(), policy=st.sampled_from(POLICIES))
async def test_pages_equal_the_oracles(data: st.DataObject, policy: Policy, engine: MatviewEngine, pool: Pool) -> None:
    gallery = data.draw(galleries())
    await _fill(pool, gallery, policy)
    for _ in range(6):
        await _check(pool, engine, gallery, data.draw(queries()))


@pytest.mark.parametrize("rule", ["walk_order", "drive"])
@settings(max_examples=50, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
async def test_walking_all_cursors_is_one_full_sort(
    rule: str, data: st.DataObject, engine: MatviewEngine, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small galleries would always choose the same rule, so each is forced; base must give the same pages."""
    monkeypatch.setattr(base_plan, "_drive", lambda *_: rule == "drive")
    monkeypatch.setattr(base_plan, "DENSE_WORDS", 1e9 if rule == "drive" else -1.0)
    gallery = data.draw(galleries())
    await _fill(pool, gallery, "incremental")
    base = BaseEngine(CursorCodec("a secret of this test, of no use elsewhere"), 1000)
    query: GalleryQuery | None = dataclasses.replace(data.draw(queries()), page=1)
    for _ in range(MAX_PAGES):
        if query is None:
            break
        page, same = await _ask(pool, engine, gallery, query), await _ask(pool, base, gallery, query)
        alike: dict[str, Any] = {"engine": "", "as_of": page.as_of, "epoch": None}
        assert dataclasses.replace(page, **alike) == dataclasses.replace(same, **alike)
        if page.prev_cursor is not None:
            back = dataclasses.replace(query, cursor=page.prev_cursor)
            before, same = await _ask(pool, engine, gallery, back), await _ask(pool, base, gallery, back)
            assert dataclasses.replace(before, **alike) == dataclasses.replace(same, **alike)
        query = dataclasses.replace(query, cursor=page.next_cursor) if page.next_cursor else None


async def test_without_a_read_model_it_says_so(engine: MatviewEngine, pool: Pool) -> None:
    with pytest.raises(ReadModelNotReady):
        await _ask(pool, engine, Gallery(()), GalleryQuery())


async def test_a_read_model_too_old_is_refused_when_age_matters(pool: Pool, settings: Settings) -> None:
    async with pool.acquire() as connection:
        await build(connection, "incremental")
        await connection.execute("UPDATE epoch SET at = now() - interval '1 hour'")
    engine = MatviewEngine(CursorCodec("a secret of this test, of no use elsewhere"), settings)
    formula = to_formula(GalleryQuery(), Gallery(()).vocabulary)
    async with snapshot(pool, 5000) as connection:
        assert (await engine.answer(connection, GalleryQuery(), formula)).total_count == 0
        with pytest.raises(ReadModelNotReady, match="old"):
            await engine.answer(connection, GalleryQuery(), formula, at_any_age=False)


async def test_a_snapshot_older_than_an_exchange_is_never_answered_from_the_empty_new_relation(
    engine: MatviewEngine, pool: Pool
) -> None:
    """The new relation's rows are invisible to it, so the plain answer would be an empty page."""
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO users (username) VALUES ('ada')")
        await connection.execute("INSERT INTO content_items (title, creator_id) SELECT 'x', id FROM users")
        await build(connection, "periodic")
    formula = to_formula(GalleryQuery(), Gallery(()).vocabulary)
    async with snapshot(pool, 5000) as old:
        await old.fetchval("SELECT count(*) FROM users")  # takes the snapshot
        async with pool.acquire() as connection:
            await build(connection, "incremental")
        assert await old.fetchval("SELECT count(*) FROM unified_content_with_tags") == 0, "the trap is real"
    async with snapshot(pool, 5000) as old:
        await read_epoch(old)
        async with pool.acquire() as connection:
            await build(connection, "incremental")
        with pytest.raises(ReadModelNotReady, match="exchanged"):
            await engine.answer(old, GalleryQuery(), formula)
    async with snapshot(pool, 5000) as connection:
        assert (await engine.answer(connection, GalleryQuery(), formula)).total_count == 1
