"""Whatever happens to Redis: answers stay right, requests do not wait, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cache.caching import OwnRedis, own_redis, until
from cache.site_workers import Site, Worker, open_site
from pinakes.cache.answer import Answer
from pinakes.cache.clocks import clocks_key
from pinakes.cache.link import Link
from pinakes.cache.options import Options
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import Settings

QUICK = Options(limit_ms=150, window_ms=1500, lag_ms=300, poll_ms=10, publish_ms=10)
TAG, FEED = GalleryQuery(tags_all=(3,), page_size=100), GalleryQuery(page_size=100)


@pytest_asyncio.fixture
async def redis() -> AsyncIterator[OwnRedis]:
    async with own_redis() as server:
        yield server


@pytest_asyncio.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with open_site(settings) as opened:
        yield opened


@pytest_asyncio.fixture
async def workers(site: Site, redis: OwnRedis) -> list[Worker]:
    started = [await site.start_worker(QUICK, redis.url) for _ in range(2)]
    for worker in started:
        await worker.trusted()
    return started


async def command(redis: OwnRedis, *words: str | int | bytes) -> object:
    link = Link(redis.url, limit_ms=2000)
    try:
        return await link.call(*words)
    finally:
        await link.close()


async def stop(redis: OwnRedis) -> None:
    redis.kill()


async def restart(redis: OwnRedis) -> None:
    redis.path.unlink(missing_ok=True)
    await redis.start()


async def freeze(redis: OwnRedis) -> None:
    redis.pause()


async def thaw(redis: OwnRedis) -> None:
    redis.resume()


async def flush(redis: OwnRedis) -> None:
    await command(redis, "FLUSHALL")


async def nothing(redis: OwnRedis) -> None:
    """The fault is over by itself."""


async def read_only(redis: OwnRedis) -> None:
    await command(redis, "REPLICAOF", "127.0.0.1", 1)
    await command(redis, "CONFIG", "SET", "replica-serve-stale-data", "yes")


async def writable(redis: OwnRedis) -> None:
    await command(redis, "REPLICAOF", "NO", "ONE")


async def fill(redis: OwnRedis) -> None:
    await command(redis, "CONFIG", "SET", "maxmemory", 1)


async def room(redis: OwnRedis) -> None:
    await command(redis, "CONFIG", "SET", "maxmemory", 0)


async def evict_the_clocks(redis: OwnRedis) -> None:
    link = Link(redis.url, limit_ms=2000)
    incarnation = await link.call("GET", "{pinakes}:incarnation")
    await link.call("UNLINK", clocks_key(incarnation.decode()))
    await link.close()


Fault = Callable[[OwnRedis], Awaitable[None]]
FAULTS: dict[str, tuple[Fault, Fault]] = {
    "stopped": (stop, restart),
    "frozen": (freeze, thaw),
    "flushed": (flush, nothing),
    "read-only": (read_only, writable),
    "full": (fill, room),
    "clocks evicted": (evict_the_clocks, nothing),
}


def total(answer: Answer) -> int:
    count = orjson.loads(answer.body("identity"))["pagination"]["total_count"]
    assert isinstance(count, int)
    return count


async def everywhere(workers: list[Worker], query: GalleryQuery) -> set[int]:
    return {total(await worker.ask(query)) for worker in workers}


@pytest.mark.parametrize("name", FAULTS)
async def test_answers_stay_right_and_nothing_is_forgotten(
    name: str, site: Site, redis: OwnRedis, workers: list[Worker]
) -> None:
    begin, end = FAULTS[name]
    for worker in workers:
        for query in (TAG, FEED):
            await worker.ask(query)
    await begin(redis)
    # A write while the fault lasts, whose author waits.
    await site.db.execute("INSERT INTO content_tags VALUES (1, 1, 3)")
    await site.db.execute("INSERT INTO content_items (id, title, creator_id) VALUES (77, 'new', 1)")
    epoch = await site.apply()
    await workers[0].cache.barrier(epoch)
    assert await everywhere(workers, TAG) == {9}
    feed = await everywhere(workers, FEED)
    assert feed == {33}, "public items, the new one among them"
    # Another while it lasts, that nobody waits for; then the fault is over.
    await site.db.execute("DELETE FROM content_tags WHERE content_id = 1 AND tag_id = 3")
    epoch = await site.apply()
    await end(redis)
    for worker in workers:
        await worker.seen(epoch)
    await until(lambda: not any(worker.cache.link.breaker.open for worker in workers))
    await workers[1].cache.barrier(epoch)
    assert await everywhere(workers, TAG) == {8}
    assert await everywhere(workers, FEED) == {33}
    for worker in workers:
        assert (await worker.ask(TAG)).source == "hit_l1", "and it is in use again"


async def test_nobody_waits_for_a_frozen_redis_but_those_who_were_asking(
    site: Site, redis: OwnRedis, workers: list[Worker]
) -> None:
    worker = workers[0]
    redis.pause()
    first = await asyncio.gather(*(worker.ask(GalleryQuery(tags_all=(3,), page_size=n)) for n in range(1, 20)))
    assert worker.cache.link.breaker.open
    assert {answer.source for answer in first} <= {"degraded", "miss"}
    calls = worker.cache.link
    wire = calls._wire
    await asyncio.gather(*(worker.ask(GalleryQuery(tags_all=(3,), page_size=n)) for n in range(20, 40)))
    assert calls._wire is wire or not calls._wire, "no request tried to connect"
    assert calls.breaker.opened == 1
    redis.resume()


async def test_while_redis_is_gone_an_answer_costs_what_computing_it_costs(
    site: Site, redis: OwnRedis, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question with names is not understood first, in a transaction of its own, only to be computed anyway."""
    worker = workers[0]
    understood = 0
    understand = worker.service._understand

    async def counted(query: GalleryQuery, *more: Any) -> Any:
        nonlocal understood
        understood += 1
        return await understand(query, *more)

    monkeypatch.setattr(worker.service._reader, "_understand", counted)
    await worker.ask(TAG)
    assert understood == 1
    redis.pause()
    await until(lambda: worker.cache.link.breaker.open and not worker.cache.mirror.trusted())
    # By sizes: every question is new, and one that was understood before cannot be judged by clocks any more.
    questions = [TAG, *(GalleryQuery(tags_all=(3,), page_size=n) for n in range(1, 10))]
    answers = await asyncio.gather(*(worker.ask(query) for query in questions))
    assert {answer.source for answer in answers} == {"degraded"}
    assert understood == 1
    assert [total(answer) for answer in answers] == [8] * 10
    redis.resume()


async def test_a_failover_that_lost_the_last_epochs_is_noticed_and_made_up(
    site: Site, redis: OwnRedis, workers: list[Worker]
) -> None:
    link = Link(redis.url, limit_ms=2000)
    key = workers[0].cache.clocks.key
    await workers[0].ask(TAG)
    replica = await link.call("DUMP", key)
    epoch = await site.write("INSERT INTO content_tags VALUES (1, 1, 3)")
    await workers[0].cache.barrier(epoch)
    assert await everywhere(workers, TAG) == {9}
    # The promoted replica knows the entries and clocks of before the write.
    await link.call("RESTORE", key, 0, replica, "REPLACE")
    for worker in workers:
        worker.cache.l1.clear()
    for worker in workers:
        await worker.seen(epoch)
    await workers[0].cache.barrier(epoch)
    assert await everywhere(workers, TAG) == {9}
    known = await workers[0].cache.clocks.read(["tag:3"])
    assert known is not None
    assert known.clock("tag:3") == epoch
    await link.close()


def _confirmed_too_long_ago(worker: Worker) -> bool:
    """For good, while nobody keeps the epochs; a mirror that was not looking for a moment distrusts itself, too."""
    mirror = worker.cache.mirror
    return mirror.heading is not None and mirror.earliest_ms() - mirror.right_at_ms() > mirror.window_ms


async def test_without_a_keeper_the_cache_says_nothing(site: Site, redis: OwnRedis, workers: list[Worker]) -> None:
    """Changes wait and nobody makes an epoch of them: what is stored is right as far as the clocks tell."""
    await workers[0].ask(TAG)
    await site.db.execute("INSERT INTO content_tags VALUES (1, 1, 3)")
    await site.db.execute("UPDATE epoch SET at = now() - interval '1 hour'")
    await until(lambda: all(_confirmed_too_long_ago(worker) for worker in workers))
    assert await everywhere(workers, TAG) == {9}
    assert (await workers[0].ask(TAG)).source == "degraded"
    epoch = await site.apply()
    for worker in workers:
        await worker.seen(epoch)
    assert await everywhere(workers, TAG) == {9}


async def test_a_restore_begins_another_incarnation(site: Site, redis: OwnRedis, workers: list[Worker]) -> None:
    await workers[0].ask(TAG)
    old = workers[0].cache.incarnation
    await site.db.execute("UPDATE epoch SET incarnation = gen_random_uuid(), epoch = 1")
    await site.db.execute("TRUNCATE change_log")
    await until(lambda: all(w.cache.incarnation != old and w.cache.mirror.trusted() for w in workers))
    answer = await workers[0].ask(TAG)
    assert (answer.source, answer.entry.epoch) == ("miss", 1)


async def test_epochs_that_run_backwards_without_a_new_incarnation_end_every_stored_answer(
    site: Site, redis: OwnRedis, workers: list[Worker], caplog: pytest.LogCaptureFixture
) -> None:
    await site.write("INSERT INTO content_tags VALUES (1, 1, 3)")
    born = workers[0].cache.mirror.born_ms
    assert (await workers[0].ask(TAG)).entry.epoch > 1
    assert (await workers[0].ask(TAG)).source == "hit_l1"
    await site.db.execute("UPDATE epoch SET epoch = 1")
    await until(lambda: all(w.cache.mirror.trusted() and w.cache.mirror.born_ms > born for w in workers))
    for worker in workers:
        assert (await worker.ask(TAG)).entry.epoch == 1
    assert "it was restored without a new one" in caplog.text


async def test_a_hole_in_the_log_makes_everything_a_miss(site: Site, redis: OwnRedis, workers: list[Worker]) -> None:
    await workers[0].ask(TAG)
    for worker in workers:
        assert worker.cache.publisher is not None
        await worker.cache.publisher.stop()
    await site.db.execute("INSERT INTO content_tags VALUES (1, 1, 3)")
    await site.apply()
    await site.db.execute("INSERT INTO content_tags VALUES (1, 2, 4)")
    epoch = await site.apply()
    await site.db.execute("DELETE FROM change_log WHERE epoch < $1", epoch)
    for worker in workers:
        worker.cache.publisher.start()  # type: ignore[union-attr]
        await worker.seen(epoch)
    await workers[0].cache.barrier(epoch)
    assert await everywhere(workers, TAG) == {9}
