"""Suggestions out of memory and one statement: what the tables say at every epoch, for every viewer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from engines.hot_paths import watched
from pinakes.engines import index_overlap
from pinakes.engines import names as held
from pinakes.engines import suggest as suggesting
from pinakes.engines.names import Names
from pinakes.engines.overlap import TableOverlap
from pinakes.engines.suggest import Suggester, Suggestion
from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.fold import fold
from pinakes.index.part import connect
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool, open_pool, snapshot
from pinakes.store.vocabulary import resolve
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from read_models import drain, seed

ITEMS = 30
TYPED = ("", "t", "tag", "tag 1", "tga 1", "castle", "sto", "sea", "stromy", "x")
RENAMED = ("stormy sea", "castle", "tag 1 of old", "tag 3", "sea")


class Site:
    """A gallery whose read model and index are kept by hand, and a service that has its names."""

    def __init__(self, pool: Pool, settings: Settings, keeper: object) -> None:
        self.pool = pool
        self.keeper = keeper
        self.applier = Applier(observers=[DeltaWriter()])
        self.service = ContentService(pool, settings)

    async def change(self, *sql: str) -> None:
        for each in sql:
            await self.pool.execute(each)
        await drain(self.keeper, self.applier)  # type: ignore[arg-type]

    async def said(self, typed: str, **asked: object) -> list[Suggestion]:
        return (await self.service.suggest(GalleryQuery(**asked), typed, 4)).found  # type: ignore[arg-type]

    async def counted(self, typed: str, **asked: object) -> list[Suggestion]:
        """The same, from the tables alone, by a process that knows nothing yet."""
        query = GalleryQuery(**asked)  # type: ignore[arg-type]
        async with snapshot(self.pool, 5000) as connection:
            formula = to_formula(query, await resolve(connection, query.refs, query.viewer))
            names = Names(self.pool)
            found = await Suggester(names, TableOverlap()).suggest(connection, typed, formula, 4)
        await names.settled()
        return found


@pytest_asyncio.fixture
async def site(settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(held, "FEW_TAGS", -1)  # as with more names than are weighed by each request
    keeper = await connect(settings.database_url or "")
    await keeper.reset_type_codec("timestamptz", schema="pg_catalog")
    await seed(keeper)
    await keeper.execute(f"""
        INSERT INTO content_items (id, title, content_type, creator_id, is_private)
        SELECT n, 'item ' || n, 'image', 1 + n % 2, n % 7 = 0 FROM generate_series(1, {ITEMS}) AS n;
        INSERT INTO content_tags (source_type, content_id, tag_id)
        SELECT 1, n, 1 + k FROM generate_series(1, {ITEMS}) AS n, generate_series(0, 5) AS k WHERE n % (k + 1) = 0;
    """)
    await build_view(keeper, "incremental")
    await build(settings.database_url or "", processes=0)
    one = await open_pool(settings, max_size=1)
    found = Site(one, settings, keeper)
    found.service.start()
    await found.service.settled()
    yield found
    await found.service.close()
    await one.close()
    await keeper.close()


def change(rng: Random) -> str:
    item, tag = rng.randrange(1, ITEMS + 1), rng.randrange(1, 7)
    match rng.randrange(6):
        case 0 | 1:
            return f"INSERT INTO content_tags VALUES (1, {item}, {tag}) ON CONFLICT DO NOTHING"
        case 2:
            return f"DELETE FROM content_tags WHERE content_id = {item} AND tag_id = {tag}"
        case 3:
            return f"UPDATE content_items SET is_private = NOT is_private WHERE id = {item}"
        case 4:
            name = rng.choice(RENAMED)
            free = f"NOT EXISTS (SELECT FROM tags WHERE name = '{name}')"
            return f"UPDATE tags SET name = '{name}' WHERE id = {tag} AND {free}"
        case _:
            return f"INSERT INTO tag_aliases (name, tag_id) VALUES ('storm {tag}', {tag}) ON CONFLICT DO NOTHING"


@pytest.mark.parametrize("seed", range(6))
async def test_at_every_epoch_suggestions_are_what_the_tables_say(
    seed: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Private items count for their creator only, whatever the process remembers of earlier epochs."""
    rng = Random(seed)
    quick = 0
    for _ in range(25):
        await site.change(*(change(rng) for _ in range(rng.randrange(3))))
        if rng.random() < 0.1:
            await fold(site.keeper)  # type: ignore[arg-type]
        monkeypatch.setattr(suggesting, "MANY", rng.choice((0, 100)))
        monkeypatch.setattr(index_overlap, "SAMPLED", rng.randrange(1, 4))
        monkeypatch.setattr(index_overlap, "WHOLE", rng.choice((3, 600)))
        for _ in range(6):
            asked: dict[str, object] = {"viewer": rng.choice((None, 1, 2))}
            if rng.random() < 0.6:
                asked["tags_all"] = (rng.randrange(1, 7),)
            if rng.random() < 0.2:
                asked["tags_none"] = (rng.randrange(1, 7),)
            typed = rng.choice(TYPED)
            async with watched(site.pool) as seen:
                found = await site.said(typed, **asked)
            quick += not any("BEGIN" in text for text in seen.texts)
            assert found == await site.counted(typed, **asked), (typed, asked)
    assert quick > 25, "hardly any was answered out of memory"


@pytest.mark.parametrize("viewer", [None, 1])
async def test_a_suggestion_out_of_memory_is_one_statement_in_a_new_epoch_too(site: Site, viewer: int | None) -> None:
    for query in ({}, {"tags_all": (2,)}):
        await site.said("tag", viewer=viewer, **query)
        await site.said("tag", viewer=viewer, **query)
    await site.change("INSERT INTO content_tags VALUES (1, 1, 3)")
    for query in ({}, {"tags_all": (2,)}):
        async with watched(site.pool) as seen:
            await site.said("tag", viewer=viewer, **query)
        assert len(seen) == 1, seen.texts


async def test_the_tags_of_few_hits_are_read_once_for_all_keys(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggesting, "MANY", 0)
    for _ in range(2):
        await site.said("tag", tags_all=(5,))
    async with watched(site.pool) as seen:
        again = [await site.said(typed, tags_all=(5,)) for typed in ("t", "ta", "tag")]
        await site.change("INSERT INTO content_tags VALUES (1, 1, 3)")  # not one of the hits
    assert again[0] == again[2] == await site.counted("tag", tags_all=(5,))
    assert sum("stored.tags" in text for text in seen.texts) == 0
    await site.change("INSERT INTO content_tags VALUES (1, 5, 3)")  # one of them
    assert await site.said("tag", tags_all=(5,)) == await site.counted("tag", tags_all=(5,)) != again[2]


async def test_a_renamed_tag_is_suggested_by_its_new_name_before_its_epoch(site: Site) -> None:
    assert (await site.said("tag 2"))[0].tag.name == "tag 2"
    await site.pool.execute("UPDATE tags SET name = 'castle' WHERE id = 2")
    for _ in range(2):
        assert [each.tag.name for each in await site.said("cas")] == ["castle"]
        assert await site.said("tag 2") == await site.counted("tag 2")


async def test_a_tag_whose_items_became_private_is_suggested_to_their_creator_only(site: Site) -> None:
    await site.change("UPDATE tags SET name = 'secret' WHERE id = 6")
    assert await site.said("sec")
    assert await site.said("tag", tags_all=(6,))
    await site.change("UPDATE content_items SET is_private = true, creator_id = 2 WHERE id % 6 = 0")
    for viewer, hits in ((None, 0), (1, 0), (2, 5)):
        assert [each.count for each in await site.said("sec", viewer=viewer)] == ([hits] if hits else [])
        assert bool(await site.said("tag", tags_all=(6,), viewer=viewer)) is bool(hits)


async def test_tags_that_are_on_no_item_are_not_looked_for_in_the_index_until_they_are(site: Site) -> None:
    await site.pool.execute("INSERT INTO tags (id, name) SELECT n, 'nowhere ' || n FROM generate_series(101, 120) AS n")
    await site.said("nowhere")
    async with watched(site.pool) as seen:
        assert await site.said("nowh") == []
    assert not any("term_segment" in text for text in seen.texts), seen.texts
    await site.change("INSERT INTO content_tags VALUES (1, 4, 105)")
    assert [(each.tag.id, each.count) for each in await site.said("nowh")] == [(105, 1)]
    for _ in range(2):
        await fold(site.keeper)  # type: ignore[arg-type]
        await site.change("INSERT INTO content_tags VALUES (1, 5, 105) ON CONFLICT DO NOTHING")
        assert [(each.tag.id, each.count) for each in await site.said("nowh")] == [(105, 2)]
