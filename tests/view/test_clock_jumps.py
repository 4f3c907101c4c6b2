"""PostgreSQL's clock was hours ahead and is set back: nothing waits for the time that was, no age is below 0."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from index_gear import Gear, sample
from pinakes.cache.stamp import read_stamp
from pinakes.errors import ReadModelNotReady
from pinakes.index.fold import fold_if_due
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool
from pinakes.view.epoch import read_epoch
from pinakes.view.keeper import Keeper
from pinakes.view.reading import max_staleness_s, require_young, warning
from pinakes.view.session import session
from pinakes.view.status import read_status
from read_models import differences, seed

INSERT = "INSERT INTO content_items (title, creator_id) VALUES ('new', 1)"
AHEAD = "now() + interval '3 hours'"


@pytest_asyncio.fixture
async def connection(settings: Settings) -> AsyncIterator[Connection]:
    async with session(settings) as opened:
        await seed(opened)
        yield opened


async def test_a_read_model_dated_in_the_future_is_not_taken_for_fresh(
    settings: Settings, connection: Connection
) -> None:
    """Nobody knows how old it is, and a change waits: it is too old, until the applier has said anew how old it is."""
    keeper = Keeper(settings)
    await keeper.prepare(connection)
    await keeper.step(connection)
    await connection.execute(INSERT)
    await connection.execute(f"UPDATE epoch SET at = {AHEAD}")
    state = await read_epoch(connection)
    assert state.at < state.now
    with pytest.raises(ReadModelNotReady):
        require_young(state.age_s, max_staleness_s(settings, state))
    assert warning(settings, state) is not None
    assert (await read_stamp(connection)).behind_ms is None, "no clock of the cache may be confirmed by it"
    status = await read_status(connection, settings)
    assert status.staleness_s > 0
    assert status.as_of < state.now
    await keeper.step(connection)
    state = await read_epoch(connection)
    assert state.age_s < 60
    assert await connection.fetchval("SELECT at <= clock_timestamp() FROM epoch")
    assert await differences(connection) == []


async def test_where_nothing_waits_the_date_is_put_right_too(settings: Settings, connection: Connection) -> None:
    keeper = Keeper(settings)
    await keeper.prepare(connection)
    await connection.execute(f"UPDATE epoch SET at = {AHEAD}")
    await keeper.step(connection)
    assert await connection.fetchval("SELECT at <= clock_timestamp() FROM epoch")
    stamp = await read_stamp(connection)
    assert (stamp.exact, stamp.behind_ms) == (True, 0)


async def test_half_a_second_between_two_servers_is_forgiven(settings: Settings, connection: Connection) -> None:
    await Keeper(settings).prepare(connection)
    await connection.execute("UPDATE epoch SET at = clock_timestamp() + interval '500 ms'")
    assert (await read_epoch(connection)).age_s < 1


@pytest.mark.parametrize(
    ("policy", "moment"),
    [("periodic", f"UPDATE view_refresh SET started_at = {AHEAD}"), ("event", f"UPDATE dirty SET at = {AHEAD}")],
)
async def test_a_refresh_does_not_wait_for_a_time_that_was(
    settings: Settings, connection: Connection, policy: str, moment: str
) -> None:
    keeper = Keeper(settings.model_copy(update={"view_policy": policy}))
    await keeper.prepare(connection)
    before = (await read_epoch(connection)).epoch
    await connection.execute(INSERT)
    assert await keeper.step(connection) > 0, "not yet"
    assert (await read_epoch(connection)).epoch == before
    await connection.execute(moment)
    await connection.execute(f"UPDATE epoch SET at = {AHEAD}")
    assert (await read_status(connection, settings)).oldest_waiting_s >= 0
    await keeper.step(connection)
    state = await read_epoch(connection)
    assert (state.epoch, state.age_s < 60) == (before + 1, True)
    assert await differences(connection) == []


async def test_changes_of_the_index_are_folded_though_they_lie_ahead(pool: Pool, settings: Settings) -> None:
    async with session(settings) as keeper:
        gear = Gear(pool, settings, keeper)
        await gear.begin(sample(20))
        await pool.execute(INSERT)
        await gear.apply()
        assert await fold_if_due(keeper, age_s=3600) is None, "not yet"
        await pool.execute(f"UPDATE term_delta SET at = {AHEAD}")
        assert await fold_if_due(keeper, age_s=3600) is not None
        await gear.verify()
