"""Histograms and neighbours equal what one counts by hand, from every engine, also while deltas wait to be folded."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from random import Random
from typing import get_args

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import Gallery, galleries, queries
from index_gear import CODEC, Gear, put, sample
from pinakes.bitmap import window
from pinakes.engines.choice import EngineName, Engines
from pinakes.engines.histogram import Histogram
from pinakes.errors import NotFound, ReadModelNotReady
from pinakes.index.part import connect
from pinakes.query.aspect import AroundAsked, HistogramAsked
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, GalleryQuery, to_formula, visible_to
from pinakes.query.item import Item
from pinakes.query.oracle import answer, matches
from pinakes.settings import Settings
from pinakes.store.pool import Pool, snapshot

NAMES: tuple[EngineName, ...] = get_args(EngineName)


@pytest_asyncio.fixture
async def gear(pool: Pool, settings: Settings) -> AsyncIterator[Gear]:
    connection = await connect(settings.database_url or "")
    await connection.reset_type_codec("timestamptz", schema="pg_catalog")
    yield Gear(pool, settings, connection)
    await connection.close()


async def _changed(gear: Gear, data: st.DataObject) -> Gallery:
    """A gallery, some items of which came after the index was built."""
    gallery: Gallery = data.draw(galleries())
    await gear.begin(gallery)
    for item in data.draw(galleries(4)).items:
        await put(gear.pool, item)
        gallery = Gallery((*(other for other in gallery.items if other.key != item.key), item))
    await gear.apply()
    return gallery


def _meant(query: GalleryQuery, gallery: Gallery) -> tuple[GalleryQuery, Formula]:
    query = dataclasses.replace(query, user_id=query.user_id or query.viewer)
    return query, to_formula(query, gallery.vocabulary)


def _check(found: Histogram, hits: list[Item], asked: HistogramAsked) -> None:
    values = [value for item in hits if (value := getattr(item, asked.field)) is not None]
    assert (found.total, found.missing) == (len(hits), len(hits) - len(values))
    assert len(found.buckets) <= asked.buckets
    for place, bucket in enumerate(found.buckets):
        last = place == len(found.buckets) - 1
        inside = [v for v in values if bucket.low <= v and (v < bucket.high or (last and v == bucket.high))]
        assert bucket.count == len(inside)
    if values:
        assert (found.buckets[0].low, found.buckets[-1].high) == (min(values), max(values))


@settings(max_examples=8)
@given(data=st.data())
async def test_histograms_of_every_engine_count_every_hit_once(
    data: st.DataObject, gear: Gear, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPARE", "WHOLE"):
        monkeypatch.setattr(window, name, data.draw(st.sampled_from((1, 3, 64))))
    gallery = await _changed(gear, data)
    engines = Engines(CODEC, gear.settings)
    for _ in range(6):
        _, formula = _meant(data.draw(queries()), gallery)
        hits = [item for item in gallery.items if matches(formula, item)]
        field = data.draw(st.sampled_from(("created_at", "quality_score")))
        asked = HistogramAsked(field, data.draw(st.integers(1, 9)))  # type: ignore[arg-type]
        told = []
        for name in NAMES:
            async with snapshot(gear.pool, 30_000) as connection:
                found = await engines.insights(name).histogram(connection, formula, asked)
            assert found.engine == ("index" if name == "auto" else name)
            _check(found.what, hits, asked)
            told.append(found.what)
        assert all(each == told[0] for each in told)


@settings(max_examples=8)
@given(data=st.data())
async def test_neighbours_of_every_engine_are_those_of_the_sorted_list(
    data: st.DataObject, gear: Gear, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPARE", "WHOLE"):
        monkeypatch.setattr(window, name, data.draw(st.sampled_from((1, 3, 64))))
    gallery = await _changed(gear, data)
    engines = Engines(CODEC, gear.settings)
    rng = Random(data.draw(st.integers(0, 2**32)))
    for _ in range(4):
        query, formula = _meant(data.draw(queries()), gallery)
        whole = answer(formula, gallery.items, query.sort_field, query.sort_order, page_size=1000).items
        for item in rng.sample(gallery.items, min(4, len(gallery.items))):
            for name in NAMES:
                async with snapshot(gear.pool, 30_000) as connection:
                    try:
                        known = await engines.insights(name).around(
                            connection, query, formula, AroundAsked(item.source, item.id)
                        )
                    except NotFound:
                        assert item not in whole
                        continue
                found, place = known.what, whole.index(item)
                assert (found.rank, found.total, found.item) == (place + 1, len(whole), item), name
                assert found.previous == (whole[place - 1] if place else None)
                assert found.next == (whole[place + 1] if place + 1 < len(whole) else None)


@pytest.mark.parametrize("order", SORT_ORDERS)
@pytest.mark.parametrize("field", SORT_FIELDS)
async def test_every_item_knows_its_place_in_every_order(gear: Gear, field: str, order: str) -> None:
    gallery = sample(300)
    await gear.begin(gallery)
    engines = Engines(CODEC, gear.settings)
    query = GalleryQuery(sort_field=field, sort_order=order, viewer=1)  # type: ignore[arg-type]
    formula = visible_to(1)
    whole = answer(formula, gallery.items, query.sort_field, query.sort_order, page_size=1000).items
    async with snapshot(gear.pool, 30_000) as connection:
        for place in range(0, len(whole), 7):
            asked = AroundAsked(whole[place].source, whole[place].id)
            found = (await engines.insights("index").around(connection, query, formula, asked)).what
            assert (found.rank, found.total) == (place + 1, len(whole))


async def test_without_a_read_model_the_tables_answer_and_say_so(gear: Gear) -> None:
    engines = Engines(CODEC, gear.settings)
    async with snapshot(gear.pool, 30_000) as connection:
        found = await engines.insights("auto").histogram(connection, visible_to(None), HistogramAsked())
        assert (found.engine, len(found.warnings), found.what.total) == ("base", 2, 0)
        for name in ("index", "matview"):
            with pytest.raises(ReadModelNotReady):
                await engines.insights(name).histogram(connection, visible_to(None), HistogramAsked())
