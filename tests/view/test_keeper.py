"""The three policies by their own clocks, settings taken over, restores noticed, and waiting for a write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from pinakes.settings import Settings
from pinakes.store.bulk_seal import try_lock, unlock
from pinakes.store.pool import Connection, Pool
from pinakes.view.actions import change_policy, rebuild, refresh_now
from pinakes.view.build import build
from pinakes.view.epoch import POLICIES, SQL, Policy, read_epoch
from pinakes.view.keeper import Keeper
from pinakes.view.session import session
from pinakes.view.status import read_status
from pinakes.view.wait import Bell, transaction_id, visible
from pinakes.worker.loop import running
from read_models import differences, seed

INSERT = "INSERT INTO content_items (title, creator_id) VALUES ('new', 1)"
QUEUE_PAGES = "SELECT pg_relation_size('dirty') / 8192"


@pytest_asyncio.fixture
async def connection(settings: Settings) -> AsyncIterator[Connection]:
    async with session(settings) as opened:
        await seed(opened)
        yield opened


def keeper_of(settings: Settings, **changes: Any) -> Keeper:
    return Keeper(settings.model_copy(update=changes))


async def epoch_of(connection: Connection) -> int:
    return (await read_epoch(connection)).epoch


async def test_incremental_applies_whatever_is_dirty(settings: Settings, connection: Connection) -> None:
    keeper = keeper_of(settings)
    await keeper.prepare(connection)
    await keeper.step(connection)
    before = await epoch_of(connection)
    await connection.execute(INSERT)
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 1
    assert await differences(connection) == []
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 1, "nothing dirty, no epoch"


async def test_periodic_refreshes_when_the_interval_is_over_and_something_is_dirty(
    settings: Settings, connection: Connection
) -> None:
    keeper = keeper_of(settings, view_policy="periodic", refresh_interval_seconds=300)
    await keeper.prepare(connection)
    before = await epoch_of(connection)
    await connection.execute(INSERT)
    assert await keeper.step(connection) > 0
    assert await epoch_of(connection) == before, "too early"
    await connection.execute("UPDATE view_refresh SET started_at = now() - interval '301 s'")
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 1
    assert await differences(connection) == []
    await connection.execute("UPDATE view_refresh SET started_at = now() - interval '301 s'")
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 1, "nothing dirty, no refresh"


async def test_event_waits_for_quiet_but_not_for_ever(settings: Settings, connection: Connection) -> None:
    keeper = keeper_of(settings, view_policy="event", event_debounce_seconds=30, event_max_wait_seconds=300)
    await keeper.prepare(connection)
    before = await epoch_of(connection)
    for _ in range(1000):
        await connection.execute(INSERT)
    assert 0 < await keeper.step(connection) <= 30
    assert await epoch_of(connection) == before, "the burst may go on"
    await connection.execute("UPDATE dirty SET at = now() - interval '30 s'")
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 1, "a thousand writes, one refresh"
    assert await differences(connection) == []
    await connection.execute(INSERT)
    await connection.execute("UPDATE dirty SET at = now() - interval '299 s'")
    await connection.execute(INSERT)
    assert 0 < await keeper.step(connection) <= 1
    assert await epoch_of(connection) == before + 1
    await connection.execute("UPDATE dirty SET at = at - interval '2 s'")
    await connection.execute(INSERT)
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 2, "the trickle goes on, the maximum wait is over"


async def test_a_large_backlog_is_built_anew(
    settings: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinakes.view.keeper.REBUILD_ROWS", 50)
    keeper = keeper_of(settings, epoch_batch=10)
    await keeper.prepare(connection)
    incarnation = (await read_epoch(connection)).incarnation
    await connection.execute("INSERT INTO content_items (title, creator_id) SELECT 'n', 1 FROM generate_series(1, 200)")
    await keeper.step(connection)
    state = await read_epoch(connection)
    assert state.incarnation != incarnation
    assert state.next_doc == 200
    assert await differences(connection) == []


async def test_the_latest_change_of_policy_wins(settings: Settings, connection: Connection) -> None:
    await keeper_of(settings, view_policy="periodic").prepare(connection)
    assert (await read_epoch(connection)).policy == "periodic"
    await change_policy(settings, "incremental")
    await keeper_of(settings, view_policy="periodic").prepare(connection)
    assert (await read_epoch(connection)).policy == "incremental", "the command came after the setting"
    await keeper_of(settings, view_policy="event").prepare(connection)
    assert (await read_epoch(connection)).policy == "event", "the setting was changed after the command"


async def test_another_definition_builds_anew(settings: Settings, connection: Connection) -> None:
    keeper = keeper_of(settings)
    await keeper.prepare(connection)
    before = await read_epoch(connection)
    await keeper.prepare(connection)
    assert (await read_epoch(connection)).epoch == before.epoch
    await connection.execute("UPDATE epoch SET definition = 'of an older version'")
    await keeper.prepare(connection)
    assert (await read_epoch(connection)).incarnation != before.incarnation


async def test_a_restored_database_is_another_incarnation(settings: Settings, connection: Connection) -> None:
    keeper = keeper_of(settings)
    await keeper.prepare(connection)
    before = await read_epoch(connection)
    await connection.execute("UPDATE epoch SET origin = 'another server'")
    await keeper.prepare(connection)
    after = await read_epoch(connection)
    assert after.incarnation != before.incarnation
    assert after.epoch == before.epoch + 1
    assert await connection.fetchval("SELECT terms FROM change_log WHERE epoch = $1", after.epoch) == ["*"]


@pytest.mark.parametrize("policy", POLICIES)
async def test_waiting_for_a_write_under_every_policy(
    policy: Policy, settings: Settings, connection: Connection, pool: Pool
) -> None:
    await build(connection, policy)
    async with session(settings) as earlier, session(settings) as later:
        open_transaction = earlier.transaction()
        await open_transaction.start()
        await earlier.execute(INSERT)
        first = await transaction_id(earlier)
        async with later.transaction():
            await later.execute(INSERT)
            second = await transaction_id(later)
        assert await visible(pool, second, 0) is None
        await refresh_now(settings)
        assert await visible(pool, second, 0) == await epoch_of(connection)
        assert await visible(pool, first, 0) is None, "it has not committed"
        await open_transaction.commit()
        assert await visible(pool, first, 0) is None
    await refresh_now(settings)
    assert await visible(pool, first, 0) == await epoch_of(connection)


async def test_a_write_larger_than_an_epoch_is_visible_when_its_last_part_is(
    settings: Settings, connection: Connection, pool: Pool
) -> None:
    keeper = keeper_of(settings, epoch_batch=4)
    await keeper.prepare(connection)
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO content_items (title, creator_id) SELECT 'n', 1 FROM generate_series(1, 10)"
        )
        number = await transaction_id(connection)
    seen = []
    for _ in range(3):
        await keeper.step(connection)
        seen.append(await visible(pool, number, 0) is not None)
    assert seen == [False, False, True]


async def test_the_worker_makes_writes_visible_and_rings_the_bell(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as writer:
        await seed(writer)
    async with running(settings), Bell.listening(settings) as bell:
        for _ in range(5):
            async with pool.acquire() as writer, writer.transaction():
                await writer.execute(INSERT)
                number = await transaction_id(writer)
            assert await visible(pool, number, 20, bell=bell) is not None
        async with pool.acquire() as reader:
            assert await reader.fetchval("SELECT count(*) FROM unified_content_with_tags") == 5


async def test_two_workers_share_the_work_and_one_may_go(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as writer:
        await seed(writer)

    async def write() -> str:
        async with pool.acquire() as writer, writer.transaction():
            await writer.execute(INSERT)
            return await transaction_id(writer)

    async with running(settings):
        async with running(settings):
            assert await visible(pool, await write(), 20) is not None
        assert await visible(pool, await write(), 20) is not None
    async with pool.acquire() as reader:
        assert await differences(reader) == []


async def test_a_worker_comes_back_after_its_connection_is_cut(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as writer:
        await seed(writer)
        async with running(settings):
            async with asyncio.timeout(20):
                while not await writer.fetchval(  # noqa: ASYNC110
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'pinakes applier' AND datname = current_database()"
                ):
                    await asyncio.sleep(0.01)
            async with writer.transaction():
                await writer.execute(INSERT)
                number = await transaction_id(writer)
            assert await visible(pool, number, 20) is not None


async def test_status_says_what_is_true(settings: Settings, connection: Connection) -> None:
    missing = await read_status(connection, settings)
    assert (missing.policy, missing.worst_staleness_s) == (None, None)
    await rebuild(settings.model_copy(update={"view_policy": "periodic"}))
    await connection.execute(INSERT)
    waiting = await read_status(connection, settings)
    assert (waiting.policy, waiting.waiting, waiting.waiting_is_exact) == ("periodic", 1, True)
    assert waiting.staleness_s > 0
    assert waiting.worst_staleness_s is not None
    assert waiting.worst_staleness_s >= 300
    done = await refresh_now(settings)
    assert done.items_changed == 1
    fresh = await read_status(connection, settings)
    assert (fresh.waiting, fresh.staleness_s, fresh.epoch) == (0, 0.0, done.epoch)
    assert [(past.kind, past.items_changed) for past in fresh.refreshes] == [("refresh", 1), ("build", 0)]
    assert fresh.current_definition
    assert fresh.view_bytes > 0
    assert fresh.base_bytes > 0


async def test_the_change_log_is_forgotten_by_age(settings: Settings, connection: Connection) -> None:
    keeper = keeper_of(settings, change_log_seconds=60)
    await keeper.prepare(connection)
    for _ in range(3):
        await connection.execute(INSERT)
        await keeper.step(connection)
    await connection.execute("UPDATE change_log SET at = now() - interval '61 s'")
    await connection.execute(INSERT)
    await keeper.work(connection)
    await keeper_of(settings, change_log_seconds=60).step(connection)
    assert await connection.fetchval("SELECT count(*) FROM change_log") == 1


@pytest.mark.parametrize(
    ("ages_s", "left"),
    [
        ([10, 7200, 7200, 5], 4),  # the clock was two hours back for two epochs
        ([90, 7200, 30, 5], 2),
        ([10, -7200, -7200, 5], 4),  # two hours ahead
        ([-7200, -7200, 10, 5], 2),
        ([7200, 7200, 7200, 7200], 1),
        ([-7200, -7200, -7200, -7200], 1),
    ],
)
async def test_a_clock_that_was_set_leaves_no_holes_in_the_change_log(
    settings: Settings, connection: Connection, ages_s: list[int], left: int
) -> None:
    keeper = keeper_of(settings)
    await keeper.prepare(connection)
    await connection.execute("DELETE FROM change_log")
    await connection.execute(
        "INSERT INTO change_log (epoch, at, items, terms, seconds)"
        " SELECT number, now() - make_interval(secs => age), 0, '{}', 0"
        " FROM unnest($1::integer[]) WITH ORDINALITY AS ages (age, number)",
        ages_s,
    )
    await connection.execute(SQL["prune"], 60.0)
    logged = [row["epoch"] for row in await connection.fetch("SELECT epoch FROM change_log ORDER BY epoch")]
    assert logged == [1, 2, 3, 4][-left:]


async def _mark(connection: Connection, count: int) -> None:
    """A queue of so many rows, in more than fifty pages."""
    items = "INSERT INTO content_items (title, creator_id) SELECT 'n', 1 FROM generate_series(1, $1::integer)"
    await connection.execute(items, count)
    assert await connection.fetchval(QUEUE_PAGES) > 50


async def test_a_queue_that_was_long_is_short_after_a_build(settings: Settings, connection: Connection) -> None:
    """Every answer reads through its empty pages."""
    await _mark(connection, 10_000)
    await keeper_of(settings).prepare(connection)
    assert await connection.fetchval(QUEUE_PAGES) < 5


async def test_housekeeping_shortens_a_queue_that_was_long(
    settings: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinakes.view.keeper.QUEUE_BYTES", 50 * 8192)
    now = 0.0
    keeper = Keeper(settings, clock=lambda: now)
    await keeper.prepare(connection)
    await _mark(connection, 10_000)
    while await connection.fetchval("SELECT EXISTS (SELECT FROM dirty)"):
        now += 1
        await keeper.step(connection)
    now += 60
    await keeper.step(connection)
    assert await connection.fetchval(QUEUE_PAGES) < 5


async def test_no_epoch_and_no_build_is_made_for_nothing_while_a_bulk_load_goes_on(
    settings: Settings, connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One epoch shows the backlog, then the keeper waits; at the end of the load everything is built once."""
    monkeypatch.setattr("pinakes.view.keeper.REBUILD_ROWS", 50)
    keeper = keeper_of(settings, epoch_batch=10)
    await keeper.prepare(connection)
    incarnation = (await read_epoch(connection)).incarnation
    builds = "SELECT count(*) FROM view_refresh WHERE kind = 'build'"
    before = await pool.fetchval(builds)
    async with pool.acquire() as loader:
        assert await try_lock(loader)
        for _ in range(3):
            await loader.execute(
                "INSERT INTO content_items (title, creator_id) SELECT 'n', 1 FROM generate_series(1, 200)"
            )
            await keeper.step(connection)
        epoch = await epoch_of(connection)
        assert await keeper.step(connection) > 0
        assert await epoch_of(connection) == epoch
        assert (await read_epoch(connection)).incarnation == incarnation
        await unlock(loader)
    await keeper.step(connection)
    assert (await read_epoch(connection)).next_doc == 600
    assert await pool.fetchval(builds) == before + 1
    assert await differences(connection) == []


@pytest.mark.parametrize("policy", ["periodic", "event"])
async def test_no_refresh_is_made_while_a_bulk_load_goes_on(
    settings: Settings, connection: Connection, pool: Pool, policy: Policy
) -> None:
    keeper = keeper_of(settings, view_policy=policy, refresh_interval_seconds=1)
    await keeper.prepare(connection)
    await connection.execute("UPDATE view_refresh SET started_at = now() - interval '1 hour'")
    await connection.execute(INSERT)
    await connection.execute("UPDATE dirty SET at = now() - interval '1 hour'")
    before = await epoch_of(connection)
    async with pool.acquire() as loader:
        assert await try_lock(loader)
        await keeper.step(connection)
        assert await epoch_of(connection) == before
        await unlock(loader)
    await keeper.step(connection)
    assert await epoch_of(connection) == before + 1
