"""Counts of tags from the bitmap index equal those from the tables, as long as the read model is current."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest_asyncio
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from galleries import TAGS, Gallery, galleries, queries, store
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_overlap import IndexOverlap
from pinakes.engines.overlap import Among, Overlap, TableOverlap
from pinakes.engines.related import related
from pinakes.index.build import build
from pinakes.index.part import connect
from pinakes.index.reader import IndexReader
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import to_formula, visible_to
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, snapshot
from pinakes.view.build import build as build_view

NUMBERS = [tag.id for tag in TAGS]


class Nothing(Overlap):
    """Fails the test if it is asked."""

    async def of(self, *_: object) -> None:  # type: ignore[override]
        raise AssertionError("the index should have answered")

    async def sample(self, *_: object) -> None:
        raise AssertionError("the index should have answered")

    async def among(self, *_: object) -> Among:
        raise AssertionError("the index should have answered")


@pytest_asyncio.fixture
async def keeper(database_url: str) -> AsyncIterator[Connection]:
    connection = await connect(database_url)
    yield connection
    await connection.close()


@examples(max_examples=8)
@given(data=st.data())
async def test_the_index_counts_what_the_tables_count(
    data: st.DataObject, pool: Pool, settings: Settings, keeper: Connection, database_url: str
) -> None:
    gallery: Gallery = data.draw(galleries())
    await store(pool, gallery)
    await build_view(keeper, "incremental")
    await build(database_url, processes=1)
    engine = IndexEngine(CursorCodec("a secret of these tests only"), settings, IndexReader(1 << 26))
    table, index = TableOverlap(), IndexOverlap(engine, settings, Nothing())
    for _ in range(12):
        query = data.draw(queries())
        formula: Formula = to_formula(
            dataclasses.replace(query, user_id=query.user_id or query.viewer), gallery.vocabulary
        )
        async with snapshot(pool, 5000) as conn:
            assert +await index.of(conn, formula, NUMBERS) == +await table.of(conn, formula, NUMBERS)
            assert await index.among(conn, formula) == await table.among(conn, formula)
            sample = await index.sample(conn, formula)
            assert sample is None or (sample.whole and sample.tags == +await table.of(conn, formula, NUMBERS))
            visible = visible_to(query.viewer)
            assert await related(conn, index, formula, visible, 4) == await related(conn, table, formula, visible, 4)


async def test_without_an_index_the_tables_answer(pool: Pool, settings: Settings) -> None:
    await store(pool, Gallery(()))
    engine = IndexEngine(CursorCodec("a secret of these tests only"), settings, IndexReader(1 << 26))
    overlap = IndexOverlap(engine, settings, TableOverlap())
    async with snapshot(pool, 5000) as conn:
        assert not +await overlap.of(conn, visible_to(None), NUMBERS)
        assert (await overlap.among(conn, visible_to(None))).total == 0
