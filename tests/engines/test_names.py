"""Names in the process: read beside the requests, which meanwhile ask PostgreSQL and say the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from engines.hot_paths import plans, watched
from pinakes.engines import endings
from pinakes.engines.names import KEPT_S, Names
from pinakes.engines.overlap import TableOverlap
from pinakes.engines.suggest import Suggester
from pinakes.query.gallery_query import visible_to
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store import aliases, content
from pinakes.store.content import Author, Draft
from pinakes.store.pool import Pool, open_pool, snapshot

TYPED = ("", "s", "su", "sunset", "sunest", "dusk", "over the", "xyzzy", "seaa")
TAGS = ("sunset", "sunrise", "sea", "stormy sea", "bridge over the sea", "Über")


@pytest_asyncio.fixture
async def gallery(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("INSERT INTO users (id, username) VALUES (1, 'ada')")
        for place, tag in enumerate(TAGS):
            for _ in range(place + 1):
                await content.create(conn, SOURCES[place % 2], Draft(title="x", tags=(tag,)), Author(1))
        await aliases.put(conn, {"dusk": "sunset"})


@pytest_asyncio.fixture
async def one(settings: Settings, gallery: None) -> AsyncIterator[Pool]:
    """A pool of few connections, which can be watched and taken."""
    pool = await open_pool(settings, max_size=1)
    yield pool
    await pool.close()


@asynccontextmanager
async def alone(pool: Pool) -> AsyncIterator[None]:
    """All connections but one are taken: nothing can be loaded beside a request that has it."""
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_max_size() - 1):
            await stack.enter_async_context(pool.acquire())
        yield


async def said(suggester: Suggester, pool: Pool, typed: str) -> list[tuple[str, int, str | None, bool]]:
    async with snapshot(pool, 5000) as conn:
        found = await suggester.suggest(conn, typed, visible_to(None), 10)
    return [(each.tag.name, each.count, each.alias, each.typo) for each in found]


async def renamed(pool: Pool, how: str) -> None:
    await pool.execute("UPDATE tags SET name = name || $1::text", how)


async def test_a_process_without_names_suggests_what_it_suggests_with_them(pool: Pool, gallery: None) -> None:
    before = [await said(Suggester(Names(pool), TableOverlap()), pool, typed) for typed in TYPED]
    names = Names(pool)
    names.start()
    await names.settled()
    suggester = Suggester(names, TableOverlap())
    assert [await said(suggester, pool, typed) for typed in TYPED] == before
    assert [bool(found) for found in before] == [True] * 7 + [False, True]
    await names.stop()


async def test_names_are_loaded_beside_the_requests_and_once(one: Pool) -> None:
    names = Names(one)
    suggester = Suggester(names, TableOverlap())
    async with watched(one) as first:
        async with alone(one), snapshot(one, 5000) as conn:
            await suggester.suggest(conn, "su", visible_to(None), 10)
            assert loads(first.texts) == (0, 1)
        await names.settled()
    async with watched(one) as later:
        for typed in TYPED:
            await said(suggester, one, typed)
        await names.settled()
    assert loads(first.texts) == (1, 1)
    assert loads(later.texts) == (0, 0)
    await names.stop()


async def test_after_many_changes_names_are_loaded_anew_beside_the_requests(
    one: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "OVERLAY", 4)
    names = Names(one)
    names.start()
    await names.settled()
    suggester = Suggester(names, TableOverlap())
    async with watched(one) as seen:
        async with alone(one):
            await renamed(one, " lit")  # so many that they are kept beside the others until the next load
            assert [name for name, *_ in await said(suggester, one, "lit")] == [f"{tag} lit" for tag in reversed(TAGS)]
            assert loads(seen.texts) == (0, 0)
        await names.settled()
        assert loads(seen.texts) == (1, 0)
        await one.execute("INSERT INTO tags (name) SELECT 'new ' || place FROM generate_series(1, 20) AS place")
        async with alone(one):
            await renamed(one, "!")  # too many to be kept
            assert [name for name, *_ in await said(suggester, one, "lit")] == [f"{tag} lit!" for tag in reversed(TAGS)]
            assert loads(seen.texts) == (1, 1)
        await names.settled()
        assert [name for name, *_ in await said(suggester, one, "lit")] == [f"{tag} lit!" for tag in reversed(TAGS)]
    assert loads(seen.texts) == (2, 1)
    await names.stop()


async def test_names_of_half_a_day_ago_are_not_used(one: Pool) -> None:
    now = 0.0
    names = Names(one, clock=lambda: now)
    names.start()
    await names.settled()
    suggester = Suggester(names, TableOverlap())
    now = KEPT_S + 1
    await renamed(one, "!")
    await one.execute("DELETE FROM tag_name_changes")
    assert [name for name, *_ in await said(suggester, one, "sunset")] == ["sunset!"]
    await names.settled()
    assert [name for name, *_ in await said(suggester, one, "sunset")] == ["sunset!"]
    await names.stop()


def loads(texts: list[str]) -> tuple[int, int]:
    """How often all names were loaded, and how often PostgreSQL was asked for those with some beginning."""
    return sum("sorted.ending" in text for text in texts), sum(
        "found.ending" in text or "own.ending, own.tag_id, own.alias, counted" in text for text in texts
    )


async def test_without_statistics_the_most_used_are_still_looked_up_tag_by_tag(one: Pool) -> None:
    # As after a first import, before PostgreSQL has looked: 500 million comparisons otherwise.
    await one.execute("INSERT INTO tags (name) SELECT md5(n::text) || ' name' FROM generate_series(1, 20000) AS n")
    async with watched(one) as seen:
        await said(Suggester(Names(one), TableOverlap()), one, "")
    async with one.acquire() as connection:
        found = await plans(connection, seen, "WITH likely")
    read = [node for plan in found for node in plan.nodes() if node.get("Relation Name") == "tag_endings"]
    assert read
    assert all("tag_id" in str(node.get("Recheck Cond", node.get("Index Cond", ""))) for node in read)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=300),
    st.integers(1, 40),
    st.sets(st.integers(1, 300), max_size=20),
)
def test_stretches_are_all_tags_by_falling_weight_each_twice_as_long(
    weights: list[int], size: int, without: set[int]
) -> None:
    # Two of each, as a name of two words has two endings.
    tags = np.arange(1, len(weights) + 1)
    begun = endings.Begun(np.repeat(tags, 2), np.repeat(np.array(weights), 2), lambda _: "")
    got = list(begun.stretches(size, without))
    ranked = sorted(zip(tags.tolist(), weights, strict=True), key=lambda each: (-each[1], each[0]))
    assert [each for stretch in got for each in stretch] == [each for each in ranked if each[0] not in without]
    assert [len(stretch) for stretch in got[:-1]] == [size * 2**n for n in range(len(got) - 1)]
