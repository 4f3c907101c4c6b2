"""Reading through the service with engine `index`: what names mean is remembered, and never too long."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.part import connect
from pinakes.index.touched import SIZE, Touched
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from read_models import drain, seed


class Site:
    """A gallery of twenty items, kept by hand, read through a service."""

    def __init__(self, pool: Pool, settings: Settings, keeper: object) -> None:
        self.pool = pool
        self.keeper = keeper
        self.applier = Applier(observers=[DeltaWriter()])
        self.service = ContentService(pool, settings.model_copy(update={"engine": "index"}))

    async def read(self, **asked: object) -> Page:
        """Twice, so that the second is out of memory; both must be the same."""
        query = GalleryQuery(**asked)  # type: ignore[arg-type]
        first = await self.service.get_unified_content_paginated(query)
        second = await self.service.answer(query)
        assert "begin" not in second.stages, "a transaction was needed"
        again = await self.service.get_unified_content_paginated(query)
        assert (again.items, again.total_count, again.warnings) == (first.items, first.total_count, first.warnings)
        return again

    async def change(self, sql: str) -> None:
        await self.pool.execute(sql)
        await drain(self.keeper, self.applier)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def site(pool: Pool, settings: Settings) -> AsyncIterator[Site]:
    keeper = await connect(settings.database_url or "")
    await keeper.reset_type_codec("timestamptz", schema="pg_catalog")
    await seed(keeper)
    await keeper.execute("""
        INSERT INTO content_items (id, title, content_type, creator_id, is_private)
        SELECT n, 'item ' || n, 'image', 1 + n % 2, false FROM generate_series(1, 20) AS n;
        INSERT INTO content_tags (source_type, content_id, tag_id) SELECT 1, n, 1 FROM generate_series(1, 20) AS n;
        INSERT INTO content_tags (source_type, content_id, tag_id) VALUES (1, 3, 2);
    """)
    await build_view(keeper, "incremental")
    await build(settings.database_url or "", processes=0)
    yield Site(pool, settings, keeper)
    await keeper.close()


async def test_a_renamed_tag_shows_its_new_name_from_its_epoch_on(site: Site) -> None:
    page = await site.read(tags_all=("tag 2",))
    assert [tag.name for tag in page.items[0].tags] == ["tag 1", "tag 2"]
    await site.change("UPDATE tags SET name = 'castle' WHERE id = 2")
    page = await site.read(tags_all=("castle",))
    assert [tag.name for tag in page.items[0].tags] == ["castle", "tag 1"]


async def test_a_name_that_only_private_items_bear_is_unknown_to_strangers_at_once(site: Site) -> None:
    page = await site.read(tags_all=("tag 2",), viewer=1)
    assert (page.total_count, page.warnings) == (1, ())
    await site.change("UPDATE content_items SET is_private = true WHERE id = 3")
    page = await site.service.get_unified_content_paginated(GalleryQuery(tags_all=("tag 2",), viewer=1))
    assert (page.total_count, page.warnings) == (0, ("unknown tag 'tag 2' matches nothing",))
    assert (await site.read(tags_all=("tag 2",), viewer=2)).total_count == 1  # its creator


async def test_a_tag_that_comes_to_be_used_is_known_at_once(site: Site) -> None:
    query = GalleryQuery(tags_all=("tag 5",))
    for _ in range(3):
        assert (await site.service.get_unified_content_paginated(query)).warnings
    await site.change("INSERT INTO content_tags VALUES (1, 7, 5)")
    page = await site.service.get_unified_content_paginated(query)
    assert (page.total_count, page.warnings) == (1, ())


async def test_pages_of_one_search_share_what_its_names_mean(site: Site) -> None:
    await site.read(tags_all=("tag 1",), page_size=3)
    for number in range(1, 8):
        answer = await site.service.answer(GalleryQuery(tags_all=("tag 1",), page_size=3, page=number))
        assert "begin" not in answer.stages, "a transaction was needed"


def test_what_is_not_known_counts_as_touched_at_the_floor() -> None:
    touched = Touched()
    touched.reset(7)
    touched.note(9, ["tag:1", "creator:*"])
    assert [touched.clock(term) for term in ("tag:1", "tag:2", "creator:5")] == [9, 7, 9]
    touched.note(12, ["*"])
    assert touched.clock("tag:2") == touched.newest == 12
    touched.note(13, [f"tag:{n}" for n in range(SIZE + 1)])
    assert touched.clock("word:x") == 13
