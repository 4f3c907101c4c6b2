"""Deadlines of whole requests, and who has which connections: reads, costly reads, writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from pinakes.errors import Overloaded, StatementTimeout
from pinakes.settings import Settings
from pinakes.store import deadline
from pinakes.store.pool import BoundedPool, Pool, direct, open_pool, snapshot, writing

LONG_MS = 600_000


@pytest_asyncio.fixture
async def small(settings: Settings) -> AsyncIterator[BoundedPool]:
    """Two connections for reads, one of them for costly ones, and two for writes; waiting takes as long as it takes."""
    sizes = {"pool_min_size": 1, "pool_max_size": 2, "pool_write_max_size": 2, "pool_wait_ms": LONG_MS}
    opened = await open_pool(settings.model_copy(update=sizes))
    yield opened
    await opened.close()


@pytest.mark.parametrize("kind", ["snapshot", "direct", "writing"])
async def test_many_short_statements_end_when_their_request_is_over(small: BoundedPool, kind: str) -> None:
    """Each is far below its own limit; it is the sum that counts, and PostgreSQL works on none of them any more."""
    done = 0
    using = {
        "snapshot": lambda: snapshot(small, LONG_MS),
        "direct": lambda: direct(small),
        "writing": lambda: writing(small, LONG_MS),
    }
    with pytest.raises(StatementTimeout), deadline.within(300):  # noqa: PT012 - all of it is the request
        for _ in range(2):
            async with using[kind]() as connection:
                for _ in range(500):
                    await connection.fetchval("SELECT pg_sleep(0.01)")
                    done += 1
    assert done <= 30
    async with snapshot(small, LONG_MS) as connection:
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert small.wanted == 0


async def test_one_long_statement_ends_when_its_request_is_over(small: BoundedPool) -> None:
    with pytest.raises(StatementTimeout), deadline.within(100):  # noqa: PT012 - all of it is the request
        async with snapshot(small, LONG_MS) as connection:
            assert (await connection.fetchval("SHOW statement_timeout")) in {"100ms", *(f"{n}ms" for n in range(100))}
            await connection.fetchval("SELECT pg_sleep(600)")


async def test_waiting_for_a_connection_is_part_of_it(small: BoundedPool) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(snapshot(small, LONG_MS))
        with pytest.raises(StatementTimeout), deadline.within(50):
            async with snapshot(small, LONG_MS):
                pytest.fail("there was none")


async def test_it_begins_with_the_first_use_of_the_database_and_not_before(small: BoundedPool) -> None:
    """What the request does before, such as waiting for its body, takes nothing of it."""
    with deadline.within(LONG_MS):
        assert deadline.left_ms(LONG_MS + 1) <= LONG_MS
    with deadline.within(1):
        await asyncio.get_running_loop().run_in_executor(None, lambda: sum(range(10**6)))
        with deadline.unbound():
            assert deadline.left_ms(LONG_MS) == LONG_MS
    assert deadline.left_ms(LONG_MS) == LONG_MS


async def test_work_that_no_request_waits_for_has_no_deadline(small: BoundedPool) -> None:
    async def beside() -> int:
        async with snapshot(small, LONG_MS) as connection:
            return int(await connection.fetchval("SELECT 1 FROM pg_sleep(0.2)"))

    with deadline.within(1):
        with deadline.unbound():
            task = asyncio.create_task(beside())
        with pytest.raises(StatementTimeout):
            async with snapshot(small, LONG_MS) as connection:
                await connection.fetchval("SELECT pg_sleep(600)")
    assert await task == 1


async def test_writes_that_wait_for_a_lock_leave_readers_their_connections(small: BoundedPool, pool: Pool) -> None:
    await pool.execute("INSERT INTO users (id, username) VALUES (1, 'ada')")

    async def write() -> None:
        async with writing(small, LONG_MS) as connection:
            await connection.execute("UPDATE users SET username = 'ben' WHERE id = 1")

    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT FROM users WHERE id = 1 FOR UPDATE")
        writes = [asyncio.create_task(write()) for _ in range(12)]
        while small.wanted < 12:  # noqa: ASYNC110 - until all of them wait
            await asyncio.sleep(0)
        for _ in range(50):
            async with snapshot(small, LONG_MS) as one, snapshot(small, LONG_MS) as other:
                assert await one.fetchval("SELECT 1") == await other.fetchval("SELECT 1")
        assert not any(task.done() for task in writes)
    await asyncio.gather(*writes)


async def test_costly_reads_leave_others_half_of_the_connections(small: BoundedPool) -> None:
    async with snapshot(small, LONG_MS, costly=True):
        second = asyncio.create_task(_touch(small, costly=True))
        for _ in range(50):
            await _touch(small, costly=False)
        assert not second.done()
    await second


async def test_each_kind_has_a_bounded_queue_of_its_own(settings: Settings) -> None:
    sizes = {"pool_min_size": 1, "pool_max_size": 1, "pool_write_max_size": 1, "pool_max_waiting": 0}
    narrow = await open_pool(settings.model_copy(update=sizes))
    try:
        async with writing(narrow, LONG_MS):
            with pytest.raises(Overloaded):
                async with writing(narrow, LONG_MS):
                    pytest.fail("one too many")
            await _touch(narrow, costly=False)
        assert (narrow.wanted, narrow.refused) == (0, 1)
    finally:
        await narrow.close()


async def _touch(pool: BoundedPool, *, costly: bool) -> None:
    async with snapshot(pool, LONG_MS, costly=costly) as connection:
        await connection.fetchval("SELECT 1")
