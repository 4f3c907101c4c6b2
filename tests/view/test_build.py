"""Building and switching beside readers: nobody waits, nobody sees half, a crash leaves the old state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from pinakes.errors import StoreError
from pinakes.store.pool import Connection, Pool
from pinakes.view import build as building
from pinakes.view.build import build, switch
from pinakes.view.epoch import POLICIES, Policy, read_epoch
from pinakes.view.refresh import refresh
from read_models import differences, drain, seed

COUNT = "SELECT count(*) FROM unified_content_with_tags"


@pytest_asyncio.fixture
async def keeper(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        await seed(connection)
        await connection.execute("""
            INSERT INTO content_items (title, creator_id)
            SELECT 'item ' || n, n % 4 + 1 FROM generate_series(1, 50) AS n;
            INSERT INTO content_items_auto (title, creator_id) SELECT 'auto', 1 FROM generate_series(1, 30);
            INSERT INTO content_tags SELECT 1, id, id % 6 + 1 FROM content_items;
        """)
        yield connection


async def relations(connection: Connection) -> list[str]:
    rows = await connection.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'unified%' ORDER BY relname")
    return [row["relname"] for row in rows]


@pytest.mark.parametrize("old", POLICIES)
@pytest.mark.parametrize("new", POLICIES)
async def test_any_policy_can_follow_any_other(keeper: Connection, old: Policy, new: Policy) -> None:
    await build(keeper, old)
    state = await read_epoch(keeper)
    await keeper.execute("UPDATE content_items SET title = 'changed' WHERE id % 2 = 0")
    built = await switch(keeper, new)
    after = await read_epoch(keeper)
    assert after.policy == new
    if built is None:
        assert (after.incarnation, after.epoch) == (state.incarnation, state.epoch)
        await (drain(keeper) if new == "incremental" else refresh(keeper))
    else:
        assert after.incarnation != state.incarnation
        assert after.epoch == state.epoch + 1
    assert await differences(keeper) == []
    assert not [name for name in await relations(keeper) if name.endswith("_next")]


async def test_readers_go_on_during_a_build_and_see_old_or_new(keeper: Connection, pool: Pool) -> None:
    await build(keeper, "periodic")
    await keeper.execute("INSERT INTO content_items (title, creator_id) VALUES ('late', 1)")
    seen: list[int] = []
    done = asyncio.Event()

    async def read() -> None:
        async with pool.acquire() as reader:
            while not done.is_set():
                seen.append(await reader.fetchval(COUNT))

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for policy in ("incremental", "periodic", "incremental"):
        await build(keeper, policy)
    done.set()
    await asyncio.gather(*readers)
    assert set(seen) <= {80, 81}
    assert seen == sorted(seen), "never back to the old state"


async def test_a_long_reader_is_waited_for_outside_the_queue(
    keeper: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other readers come through while the exchange waits for the long one."""
    await build(keeper, "incremental")
    pauses = 0
    async with pool.acquire() as long_reader, pool.acquire() as other:
        transaction = long_reader.transaction()
        await transaction.start()
        await long_reader.fetchval(COUNT)

        async def sleep(_seconds: float) -> None:
            nonlocal pauses
            pauses += 1
            assert await other.fetchval(COUNT) == 80
            if pauses == 3:
                await transaction.rollback()

        await build(keeper, "periodic", sleep=sleep)
    assert pauses == 3
    assert (await read_epoch(keeper)).policy == "periodic"


@pytest.mark.parametrize("step", ["rows", "index key", "index tags", "index doc", "exchange"])
async def test_a_build_that_breaks_at_any_step_leaves_the_old_state(keeper: Connection, step: str) -> None:
    await build(keeper, "periodic")
    await keeper.execute("DELETE FROM content_items WHERE id < 1010")
    before, names = await read_epoch(keeper), await relations(keeper)
    waiting = await keeper.fetchval("SELECT count(*) FROM dirty")

    def broken(name: str, _number: int, _of: int) -> None:
        if name == step:
            raise ConnectionError(step)

    with pytest.raises(ConnectionError):
        await build(keeper, "incremental", broken)
    after = await read_epoch(keeper)
    assert (after.epoch, after.incarnation, after.policy) == (before.epoch, before.incarnation, "periodic")
    assert await relations(keeper) == names
    assert await keeper.fetchval("SELECT count(*) FROM dirty") == waiting > 0
    await refresh(keeper)
    assert await differences(keeper) == []


async def test_changes_committed_during_a_build_stay_dirty(keeper: Connection, pool: Pool) -> None:
    def progress(name: str, _number: int, _of: int) -> None:
        steps.append(name)

    steps: list[str] = []
    await build(keeper, "incremental", progress)
    assert steps[0] == "rows"
    assert steps[-1] == "exchange"
    async with pool.acquire() as writer, keeper.transaction(isolation="repeatable_read"):
        await keeper.fetchval("SELECT count(*) FROM dirty")
        await writer.execute("UPDATE content_items SET title = 'meanwhile'")
        await keeper.execute(building.SQL["forget_dirty"])
    assert await keeper.fetchval("SELECT count(*) FROM dirty") == 50
    await drain(keeper)
    assert await differences(keeper) == []


async def test_privileges_are_kept(keeper: Connection) -> None:
    await build(keeper, "periodic")
    await keeper.execute("GRANT SELECT ON unified_content_with_tags TO PUBLIC")
    acl = "SELECT relacl::text FROM pg_class WHERE relname = 'unified_content_with_tags'"
    before = await keeper.fetchval(acl)
    await build(keeper, "incremental")
    assert "=r/" in await keeper.fetchval(acl)
    await build(keeper, "periodic")
    assert await keeper.fetchval(acl) == before


async def test_a_view_of_somebody_else_is_named_and_left_alone(keeper: Connection) -> None:
    await build(keeper, "periodic")
    await keeper.execute("CREATE VIEW their_own AS SELECT id FROM unified_content_with_tags")
    with pytest.raises(StoreError, match="their_own"):
        await build(keeper, "incremental")
    assert await keeper.fetchval("SELECT count(*) FROM their_own") == 80


async def test_two_refreshes_at_once_are_impossible(keeper: Connection, pool: Pool) -> None:
    """Even without our lock: the second fails, and applies nothing twice."""
    await build(keeper, "periodic")
    await keeper.execute("UPDATE content_items SET title = 'changed'")
    async with pool.acquire() as other:
        results = await asyncio.gather(refresh(keeper), refresh(other), return_exceptions=True)
    failed = [r for r in results if isinstance(r, BaseException)]
    assert all(isinstance(error, asyncpg.SerializationError) for error in failed)
    assert sum(r is not None and not isinstance(r, BaseException) for r in results) == 1
    assert await differences(keeper) == []
