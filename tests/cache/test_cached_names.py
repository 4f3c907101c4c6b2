"""Aliases, the hierarchy and names change: stored answers go exactly where the change is."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio

from cache.site_workers import PATIENT, Site, Worker, open_site
from pinakes.query.aspect import Aspect, FacetsAsked, HistogramAsked, RelatedAsked
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import Settings

# What was right a moment ago is not given, so that an answer is either right or computed.
EXACT = dataclasses.replace(PATIENT, serve_stale=False)

QUERIES = {
    "the tag": GalleryQuery(q='tag:"tag 3"'),
    "the tag alone": GalleryQuery(tags_all=("tag 3",)),
    "another": GalleryQuery(q='tag:"tag 2"'),
    "not another": GalleryQuery(q='-tag:"tag 4" tag:"tag 2"'),
    "the alias": GalleryQuery(q="dusk"),
    "the feed": GalleryQuery(),
}


@dataclass
class Asker:
    """Asks everything, and says which questions were not answered from the cache."""

    site: Site
    worker: Worker
    totals: dict[str, int] = field(default_factory=dict)

    async def missed(self) -> set[str]:
        found = set()
        for name, query in QUERIES.items():
            answer = await self.worker.ask(query)
            self.totals[name] = answer.told()["pagination"]["total_count"]
            if not answer.from_cache:
                found.add(name)
        return found

    async def change(self, sql: str) -> set[str]:
        """A change, seen by the worker, and what it made the worker compute anew."""
        await self.site.write(sql)
        return await self.missed()


@pytest_asyncio.fixture
async def asker(settings: Settings) -> AsyncIterator[Asker]:
    async with open_site(settings) as site:
        worker = await site.start_worker(EXACT)
        await worker.trusted()
        asker = Asker(site, worker)
        assert await asker.missed() == set(QUERIES)
        assert await asker.missed() == set()
        yield asker


async def test_an_alias_clears_what_is_asked_by_its_name_and_nothing_else(asker: Asker) -> None:
    assert asker.totals["the alias"] == 0
    assert await asker.change("INSERT INTO tag_aliases (name, tag_id) VALUES ('dusk', 3)") == {"the alias"}
    assert asker.totals["the alias"] == asker.totals["the tag"] > 0
    assert await asker.change("UPDATE tag_aliases SET tag_id = 2") == {"the alias"}
    assert asker.totals["the alias"] == asker.totals["another"]
    # What it meant before is stored, and right again.
    assert await asker.change("DELETE FROM tag_aliases") == set()
    assert asker.totals["the alias"] == 0


async def test_a_step_of_the_hierarchy_clears_what_is_asked_with_descendants(asker: Asker) -> None:
    before = dict(asker.totals)
    assert await asker.change("INSERT INTO tag_parents (child_id, parent_id) VALUES (5, 3)") == {"the tag"}
    assert asker.totals["the tag"] > before["the tag"]
    assert asker.totals["the tag alone"] == before["the tag alone"]
    assert await asker.change("DELETE FROM tag_parents") == set()
    assert asker.totals == before


async def test_a_new_tag_clears_nothing(asker: Asker) -> None:
    assert await asker.change("INSERT INTO tags (id, name) VALUES (900, 'never seen')") == set()


async def test_a_new_name_is_shown_everywhere(asker: Asker) -> None:
    assert await asker.change("UPDATE tags SET name = 'dusk' WHERE id = 3") == set(QUERIES)
    assert asker.totals["the alias"] > 0
    assert asker.totals["the tag"] == 0


async def test_insights_go_with_the_hits_they_are_of_and_related_tags_with_the_gallery(settings: Settings) -> None:
    async with open_site(settings) as site:
        worker = await site.start_worker(EXACT)
        await worker.trusted()
        query = QUERIES["the tag"]
        aspects: dict[str, Aspect] = {
            "facets": FacetsAsked(),
            "histogram": HistogramAsked(),
            "related": RelatedAsked(5),
        }

        async def missed() -> set[str]:
            answers = {name: await worker.service.answer(query, aspect=each) for name, each in aspects.items()}
            return {name for name, answer in answers.items() if not answer.from_cache}

        assert await missed() == set(aspects)
        assert await missed() == set()
        # Item 4 carries tag 5 and not tag 3. Related tags live by their time, as feeds do, and by what is private.
        await site.write("UPDATE content_items SET title = 'other' WHERE id = 4")
        assert await missed() == set()
        await site.write("UPDATE content_items SET is_private = NOT is_private WHERE id = 4")
        assert await missed() == {"related"}
        await site.write("INSERT INTO content_tags (source_type, content_id, tag_id) VALUES (1, 2, 6)")
        assert await missed() >= {"facets", "histogram"}
