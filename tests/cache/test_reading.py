"""Answers through the cache: from where they come, and that they are right."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from cache.caching import until
from cache.site_workers import PATIENT, Site, Worker, open_site
from pinakes.cache.reader import Freshness
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import Settings

TAG = GalleryQuery(tags_all=(3,))


@pytest_asyncio.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with open_site(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def worker(site: Site) -> Worker:
    started = await site.start_worker()
    await started.trusted()
    return started


async def test_the_second_time_it_comes_from_the_process(worker: Worker) -> None:
    first, second = await worker.ask(TAG), await worker.ask(TAG)
    assert (first.source, second.source) == ("miss", "hit_l1")
    told = orjson.loads(second.body("identity"))
    assert told["_from_cache"] is True
    assert told["_cache_ttl"] <= 600
    assert told["_cache_age_seconds"] == 0
    assert told["_cached_at"].endswith("Z")
    assert orjson.loads(first.body("identity"))["_from_cache"] is False
    assert told["pagination"]["total_count"] == 8


async def test_a_page_from_the_cache_equals_one_from_the_engine(worker: Worker) -> None:
    async def page(use_cache: bool) -> object:
        found = await worker.service.get_unified_content_paginated(TAG, use_cache=use_cache)
        return dataclasses.replace(found, as_of=found.items[0].created_at)

    assert await page(True) == await page(True) == await page(False)


async def test_another_process_has_it_from_redis(site: Site, worker: Worker) -> None:
    other = await site.start_worker()
    await other.trusted()
    await worker.ask(TAG)
    assert (await other.ask(TAG)).source == "hit_l2"
    assert (await other.ask(TAG)).source == "hit_l1"
    assert other.service.computed == 0


async def test_a_worker_that_came_later_asks_redis_for_clocks_it_does_not_know(site: Site, worker: Worker) -> None:
    await worker.ask(TAG)
    await site.write("INSERT INTO content_tags VALUES (1, 1, 1)")
    late = await site.start_worker()
    await late.trusted()
    assert late.cache.mirror.floor > 0
    assert (await late.ask(TAG)).source == "hit_l2"


async def test_only_what_depends_on_a_change_is_computed_anew(site: Site, worker: Worker) -> None:
    other = GalleryQuery(tags_all=(5,))
    await worker.ask(TAG)
    await worker.ask(other)
    await site.write("INSERT INTO content_tags VALUES (1, 1, 3)")
    assert (await worker.ask(other)).source == "hit_l1"
    await asyncio.sleep(0)
    answer = await worker.ask(TAG)
    assert answer.source == "stale", "changed a moment ago, within the window"
    await _renewed(worker, TAG)
    assert orjson.loads((await worker.ask(TAG)).body("identity"))["pagination"]["total_count"] == 9


async def _renewed(worker: Worker, query: GalleryQuery) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while (await worker.ask(query)).source == "stale":
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.005)


async def test_whoever_waited_for_a_write_sees_it(site: Site, worker: Worker) -> None:
    other = await site.start_worker()
    await other.trusted()
    for reader in (worker, other):
        await reader.ask(TAG)
        await reader.ask(GalleryQuery())
    epoch = await site.write("INSERT INTO content_tags VALUES (1, 1, 3)")
    await worker.cache.barrier(epoch)
    for reader in (worker, other):
        assert orjson.loads((await reader.ask(TAG)).body("identity"))["pagination"]["total_count"] == 9
        assert (await reader.ask(GalleryQuery())).entry.epoch >= epoch


async def test_a_private_item_is_nobody_elses(site: Site, worker: Worker) -> None:
    mine, theirs = GalleryQuery(viewer=2, page_size=100), GalleryQuery(viewer=3, page_size=100)
    await site.write("UPDATE content_items SET is_private = true, title = 'secret' WHERE id = 1")
    assert b"secret" in (await worker.ask(mine)).body("identity")
    for reader in (theirs, GalleryQuery(page_size=100)):
        for _ in range(2):
            assert b"secret" not in (await worker.ask(reader)).body("identity")
    assert b"secret" in (await worker.ask(mine)).body("identity")


async def test_what_becomes_private_leaves_feeds_too(site: Site, worker: Worker) -> None:
    feed = GalleryQuery(page_size=100)
    assert b'"title 7"' in (await worker.ask(feed)).body("identity")
    await site.write("INSERT INTO content_items (title, creator_id) VALUES ('new', 1)")
    assert (await worker.ask(feed)).source == "hit_l1", "a feed lives by its time"
    epoch = await site.write("UPDATE content_items SET is_private = true, title = 'hidden' WHERE id = 7")
    await worker.cache.barrier(epoch)
    told = orjson.loads((await worker.ask(feed)).body("identity"))
    assert all(item["id"] != 7 or item["source_type"] == "auto" for item in told["items"])


async def test_a_rename_is_shown(site: Site, worker: Worker) -> None:
    await worker.ask(TAG)
    await site.write("UPDATE tags SET name = 'renamed' WHERE id = 3")
    await _renewed(worker, TAG)
    assert b'"renamed"' in (await worker.ask(TAG)).body("identity")
    await site.write("UPDATE users SET username = 'somebody else' WHERE id = 3")
    await _renewed(worker, TAG)
    assert b'"somebody else"' in (await worker.ask(TAG)).body("identity")


async def test_a_tag_that_came_or_went_means_something_else(site: Site, worker: Worker) -> None:
    query = GalleryQuery(tags_all=("new tag",))
    assert b"unknown tag" in (await worker.ask(query)).body("identity")
    await site.write("INSERT INTO tags (id, name) VALUES (9, 'new tag')")
    await site.write("INSERT INTO content_tags VALUES (1, 1, 9)")
    assert b"unknown tag" not in (await worker.ask(query)).body("identity")
    await site.write("DELETE FROM content_tags WHERE tag_id = 9")
    assert b"unknown tag" in (await worker.ask(query)).body("identity")


async def test_an_answer_ahead_of_its_epoch_goes_with_it(site: Site, worker: Worker) -> None:
    """The engine shows a change that is taken back before its epoch, so no clock ever tells of it."""
    await site.db.execute("INSERT INTO content_tags VALUES (1, 1, 3)")
    ahead = await worker.ask(TAG)
    assert orjson.loads(ahead.body("identity"))["pagination"]["total_count"] == 9
    assert not ahead.entry.exact
    await site.db.execute("DELETE FROM content_tags WHERE content_id = 1 AND tag_id = 3")
    epoch = await site.write("INSERT INTO content_items (title, creator_id) VALUES ('new', 1)")
    await worker.cache.barrier(epoch)
    assert orjson.loads((await worker.ask(TAG)).body("identity"))["pagination"]["total_count"] == 8


async def test_changes_that_wait_do_not_spoil_answers_they_cannot_matter_to(site: Site, worker: Worker) -> None:
    await site.db.execute("INSERT INTO content_tags VALUES (1, 1, 5)")
    assert (await worker.ask(TAG)).entry.exact
    assert not (await worker.ask(GalleryQuery(tags_all=(5,)))).entry.exact


async def test_what_the_caller_demands(worker: Worker) -> None:
    await worker.ask(TAG)
    assert (await worker.ask(TAG, Freshness(max_age_s=100))).source == "hit_l1"
    computed = worker.service.computed
    bypassed = await worker.ask(TAG, Freshness(use_cache=False))
    assert (bypassed.source, bypassed.entry.ttl_s) == ("bypass", 0)
    renewed = await worker.ask(TAG, Freshness(renew=True))
    assert renewed.source == "bypass"
    assert worker.service.computed == computed + 2
    again = await worker.ask(TAG)
    assert (again.source, again.entry) == ("hit_l1", renewed.entry)


async def test_age_is_never_beyond_what_was_asked_for(worker: Worker) -> None:
    await worker.ask(TAG)
    entry = (await worker.ask(TAG)).entry
    await until(lambda: entry.age_s(worker.cache.mirror.latest_ms()) >= 1)
    assert (await worker.ask(TAG, Freshness(max_age_s=60))).source == "hit_l1"
    assert (await worker.ask(TAG, Freshness(max_age_s=0))).source == "miss"


async def test_forgetting_by_tag_creator_and_all(site: Site, worker: Worker) -> None:
    other, feed, own = GalleryQuery(tags_all=(5,)), GalleryQuery(), GalleryQuery(creator_filter="user", user_id=2)
    for query in (TAG, other, feed, own):
        await worker.ask(query)
    await asyncio.sleep(0.002)
    await worker.cache.forget(("tag:3",))
    assert (await worker.ask(TAG)).source == "miss"
    assert [(await worker.ask(query)).source for query in (other, own)] == ["hit_l1", "hit_l1"]
    await asyncio.sleep(0.002)
    await worker.cache.forget(("creator:2",))
    assert (await worker.ask(own)).source == "miss"
    assert (await worker.ask(other)).source == "hit_l1"
    await asyncio.sleep(0.002)
    await worker.cache.forget(("*",))
    late = await site.start_worker()
    await late.trusted()
    assert [(await late.ask(query)).source for query in (TAG, other, feed, own)] == ["miss"] * 4


@pytest.mark.parametrize("strategy", ["ttl", "event", "hybrid"])
async def test_strategies(site: Site, strategy: str) -> None:
    worker = await site.start_worker(dataclasses.replace(PATIENT, strategy=strategy))  # type: ignore[arg-type]
    await worker.trusted()
    feed = GalleryQuery(page_size=7)
    for query in (TAG, feed):
        await worker.ask(query)
    epoch = await site.write("INSERT INTO content_tags VALUES (1, 1, 3)")
    if strategy != "ttl":
        await worker.cache.clocks.advance_barrier(0)
    found = {(await worker.ask(query)).source for query in (TAG,)} | {(await worker.ask(feed)).source + " feed"}
    assert epoch
    assert (
        found
        == {
            "ttl": {"hit_l1", "hit_l1 feed"},
            "event": {"stale", "stale feed"},
            "hybrid": {"stale", "hit_l1 feed"},
        }[strategy]
    )


async def test_an_expired_answer_is_not_given(worker: Worker) -> None:
    await worker.ask(TAG)
    for held in worker.cache.l1._held.values():
        held.entry.created_ms -= held.entry.ttl_s * 1000
    answer = await worker.ask(TAG)
    assert orjson.loads(answer.body("identity"))["_cache_age_seconds"] == 0


async def test_questions_are_counted_without_who_asked(worker: Worker) -> None:
    from pinakes.cache import stats
    from pinakes.cache.reader import query_of

    await worker.ask(GalleryQuery(search_term="title", viewer=3))
    for _ in range(3):
        await worker.ask(TAG)
    await stats.collect(worker.cache.link, worker.cache.counters)
    asked = await stats.most_asked(worker.cache.link, 10)
    assert [query_of(text) for text in asked] == [TAG]
    told = stats.summary(await stats.read(worker.cache.link))
    assert (told["hits"], told["miss"], told["by_kind"]["tagged"]["hit_rate"]) == (2, 2, 0.6667)
