"""Facets equal what one counts by hand, from every engine; where there is no time to count, a sample says so."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import INSTANTS, TAGS, USERS, Gallery, galleries, queries, store
from index_gear import Gear, put, sample
from pinakes.engines import index_facets, table_facets
from pinakes.engines.choice import EngineName, Engines
from pinakes.engines.counting import fetch_within
from pinakes.engines.facets import FacetAnswer
from pinakes.index.build import build
from pinakes.index.fold import fold
from pinakes.index.part import connect
from pinakes.query.aspect import FacetsAsked
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import NOTHING, Formula, Term
from pinakes.query.gallery_query import to_formula, visible_to
from pinakes.query.item import Item, Tag
from pinakes.query.oracle import matches
from pinakes.settings import Settings
from pinakes.store.pool import Pool, snapshot
from pinakes.view.build import build as build_view

NAMES: tuple[EngineName, ...] = get_args(EngineName)
CODEC = CursorCodec("a secret of these tests only")


def _by_hand(gallery: Gallery, formula: Formula, asked: FacetsAsked) -> tuple[list[tuple[int, str, str, int]], int]:
    hits = [item for item in gallery.items if matches(formula, item)]
    counted: Counter[Tag] = Counter(tag for item in hits for tag in item.tags)
    listed = [tag for tag in counted if asked.category is None or tag.category == asked.category]
    ranked = sorted(listed, key=lambda tag: (-counted[tag], tag.id))[: asked.limit]
    return [(tag.id, tag.name, tag.category, counted[tag]) for tag in ranked], len(hits)


def _told(found: FacetAnswer) -> list[tuple[int, str, str, int]]:
    return [dataclasses.astuple(each) for each in found.facets]


async def _ready(pool: Pool, gallery: Gallery, configured: Settings) -> Engines:
    await store(pool, gallery)
    async with pool.acquire() as connection:
        await build_view(connection, "incremental")
    assert configured.database_url is not None
    await build(configured.database_url, processes=0)
    return Engines(CODEC, configured)


# `settings` the fixture is hidden by Hypothesis' own.
@pytest.fixture
def configured(request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue("settings")
    return found


@pytest.mark.parametrize("forward", [2000, -1])
@settings(max_examples=12)
@given(data=st.data())
async def test_every_engine_counts_what_one_counts_by_hand(
    forward: int, data: st.DataObject, pool: Pool, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`forward`: up to so many hits engine `index` reads their tags; beyond, it intersects tags."""
    monkeypatch.setattr(index_facets, "FORWARD_LIMIT", forward)
    monkeypatch.setattr(index_facets, "SAMPLE", 0)
    monkeypatch.setattr(index_facets, "SMALL_CATEGORY", data.draw(st.sampled_from((0, 2000))))
    gallery = data.draw(galleries())
    engines = await _ready(pool, gallery, configured)
    for _ in range(6):
        query = data.draw(queries())
        formula = to_formula(dataclasses.replace(query, user_id=query.user_id or query.viewer), gallery.vocabulary)
        asked = FacetsAsked(
            data.draw(st.integers(1, 6)), data.draw(st.sampled_from((None, None, "general", "medium", "", "x")))
        )
        listed, total = _by_hand(gallery, formula, asked)
        for name in NAMES:
            async with snapshot(pool, 30_000) as connection:
                found = await engines.facets(name).facets(connection, formula, asked)
            assert _told(found) == listed, name
            assert (found.total_count, found.total_kind, found.counted) == (total, "exact", total)
            assert found.kind == "exact"
            assert found.engine == ("index" if name == "auto" else name)


async def test_nothing_has_no_facets(pool: Pool, configured: Settings) -> None:
    engines = await _ready(pool, Gallery(()), configured)
    for name in NAMES:
        async with snapshot(pool, 30_000) as connection:
            found = await engines.facets(name).facets(connection, NOTHING, FacetsAsked())
        assert (found.facets, found.kind, found.total_count, found.total_kind) == ((), "exact", 0, "exact"), name


async def test_without_a_read_model_the_tables_are_counted_and_the_answer_says_so(
    pool: Pool, configured: Settings
) -> None:
    await store(pool, Gallery(()))
    async with snapshot(pool, 30_000) as connection:
        found = await Engines(CODEC, configured).facets("auto").facets(connection, visible_to(None), FacetsAsked())
    assert found.engine == "base"
    assert [warning.split()[1] for warning in found.warnings] == ["index", "matview"]


def _many(count: int) -> Gallery:
    """Public items; every second has tag 1, every third tag 2."""
    common = _item_values()
    return Gallery(
        tuple(
            Item(
                source=1,
                id=number,
                external_id=f"x{number}",
                title=f"item {number}",
                tags=tuple(tag for tag, step in ((TAGS[0], 2), (TAGS[1], 3)) if number % step == 0),
                **common,
            )
            for number in range(1, count + 1)
        )
    )


def _item_values() -> dict[str, Any]:
    return {
        "content_type": "image",
        "creator_id": 1,
        "creator_username": USERS[1],
        "created_at": INSTANTS[0],
        "updated_at": INSTANTS[0],
    }


@pytest.mark.parametrize("name", ["base", "matview"])
async def test_where_counting_takes_too_long_a_sample_is_counted_and_said_to_be_one(
    name: EngineName, pool: Pool, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = await _ready(pool, _many(2000), configured)
    await pool.execute("ANALYZE")

    async def too_long(connection: Any, sql: str, *args: Any, **rest: Any) -> Any:
        return await fetch_within(connection, sql, *args, **rest) if "TABLESAMPLE" in sql else None

    monkeypatch.setattr(table_facets, "fetch_within", too_long)
    monkeypatch.setattr(table_facets, "SAMPLE_ROWS", 1000)
    answers = []
    for _ in range(2):
        async with snapshot(pool, 30_000) as connection:
            answers.append(await engines.facets(name).facets(connection, visible_to(None), FacetsAsked()))
    found = answers[0]
    assert _told(answers[1]) == _told(found), "the same pages every time"
    assert (found.kind, found.total_kind) == ("sampled", "lower_bound")
    assert 0 < found.counted < 2000
    assert found.total_count == found.counted
    assert [each.id for each in found.facets] == [TAGS[0].id, TAGS[1].id]
    assert all(each.count <= found.counted for each in found.facets)


@pytest.mark.parametrize("name", ["base", "matview"])
async def test_counting_never_takes_longer_than_it_may(name: EngineName, pool: Pool, configured: Settings) -> None:
    """A table nobody can read for now: both attempts run out of time, and the answer is empty and says so."""
    engines = await _ready(pool, _many(10), configured.model_copy(update={"count_budget_ms": 50}))
    table = "content_tags" if name == "base" else "tags"
    async with pool.acquire() as other, other.transaction():
        await other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        async with snapshot(pool, 30_000) as connection:
            found = await engines.facets(name).facets(connection, Term("source", 1), FacetsAsked())
            assert (found.facets, found.kind, found.counted, found.total_kind) == ((), "sampled", 0, "lower_bound")
            assert await connection.fetchval("SHOW statement_timeout") == "30s"


@pytest_asyncio.fixture
async def gear(pool: Pool, configured: Settings) -> AsyncIterator[Gear]:
    connection = await connect(configured.database_url or "")
    await connection.reset_type_codec("timestamptz", schema="pg_catalog")
    yield Gear(pool, configured, connection)
    await connection.close()


async def test_a_worker_bounds_tags_through_writes_and_folds(gear: Gear, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are read once; what deltas give is added, also when they are folded and forgotten."""
    monkeypatch.setattr(index_facets, "FORWARD_LIMIT", -1)
    monkeypatch.setattr(index_facets, "SAMPLE", 0)
    everything = sample(60)
    first = Gallery(everything.items[:10])
    await gear.begin(first)
    counter = index_facets.IndexFacets(gear.engine, gear.settings)
    asked = FacetsAsked(2)
    for end in range(10, 61, 5):
        for item in everything.items[max(end - 5, 10) : end]:
            await put(gear.pool, item)
        await gear.apply()
        if end % 10 == 0:
            await fold(gear.keeper, keep_s=0.0)
        gallery = Gallery(everything.items[:end])
        async with snapshot(gear.pool, 30_000) as connection:
            found = await counter.facets(connection, visible_to(1), asked)
        assert (_told(found), found.total_count) == _by_hand(gallery, visible_to(1), asked)
        assert found.kind == "exact"
