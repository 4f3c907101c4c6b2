"""What several processes count is stored, added up, and dropped in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from figures.test_recorder import Clock
from pinakes.errors import StoreError
from pinakes.figures.history import History, read_history, read_slowest
from pinakes.figures.journal import Journal
from pinakes.figures.recorder import Recorder
from pinakes.settings import Settings
from pinakes.store.pool import Pool


def _now_clock() -> Clock:
    clock = Clock()
    clock.now = datetime.now(UTC).timestamp() // 60 * 60
    return clock


async def _history(pool: Pool, clock: Clock, step_s: float = 60) -> History:
    now = datetime.fromtimestamp(clock.now, UTC)
    async with pool.acquire() as connection:
        return await read_history(connection, now - timedelta(minutes=30), now + timedelta(minutes=30), step_s)


async def test_processes_add_up_and_storing_twice_changes_nothing(pool: Pool, settings: Settings) -> None:
    clock = _now_clock()
    journals = [Journal(pool, Recorder(clock=clock), settings) for _ in range(3)]
    for number, journal in enumerate(journals):
        journal.recorder.record("answer:miss", 0.5 + number)
        journal.recorder.record("answer:hit_l1", 0.00002)
        await journal.store()
        journal.recorder.record("answer:miss", 0.25)
        await journal.store()
        await journal.store()
    history = await _history(pool, clock)
    assert history.names("answer") == ["hit_l1", "miss"]
    assert history.reads == 9
    assert history.hit_rate == pytest.approx(3 / 9)
    misses = history.total("answer:miss")
    assert (misses.count, misses.slowest) == (6, 2.5)
    assert misses.seconds == pytest.approx(5.25)
    assert len(history.points("answer:miss")) == 1


async def test_each_minute_is_a_point_and_wider_steps_join_them(pool: Pool, settings: Settings) -> None:
    clock = _now_clock()
    journal = Journal(pool, Recorder(clock=clock), settings)
    for _ in range(4):
        journal.recorder.record("engine:base", 0.01)
        clock.now += 60
    for _ in range(3):
        journal.recorder.roll()
        journal.recorder.record("engine:base", 0.01)
        clock.now += 60
    await journal.store()
    assert len(journal.recorder.minutes) == 1
    points = (await _history(pool, clock)).points("engine:base")
    assert [histogram.count for _, histogram in points] == [4, 1, 1, 1]
    assert [histogram.count for _, histogram in (await _history(pool, clock, 3600)).points("engine:base")] == [7]


async def test_a_minute_that_comes_again_is_not_written_over(pool: Pool, settings: Settings) -> None:
    """The clock is an hour ahead and set back, twice: what was stored before is still there."""
    clock = _now_clock()
    journal = Journal(pool, Recorder(clock=clock), settings)
    for jump in (0, 3600, -3600, 3600, -3600):
        clock.now += jump
        journal.recorder.roll()
        journal.recorder.record("engine:base", 0.01)
        await journal.store()
    points = (await _history(pool, clock)).points("engine:base")
    assert [histogram.count for _, histogram in points] == [3]


async def test_what_could_not_be_stored_is_stored_later(pool: Pool, settings: Settings) -> None:
    clock = _now_clock()
    journal = Journal(pool, Recorder(clock=clock), settings)
    journal.recorder.record("engine:base", 0.01)
    async with pool.acquire() as connection:
        await connection.execute("ALTER TABLE figures RENAME TO elsewhere")
        with pytest.raises(StoreError):
            await journal.store()
        clock.now += 60
        await connection.execute("ALTER TABLE elsewhere RENAME TO figures")
    journal.recorder.roll()
    journal.recorder.record("engine:base", 0.01)
    await journal.store()
    assert [histogram.count for _, histogram in (await _history(pool, clock)).points("engine:base")] == [1, 1]


async def test_old_minutes_are_dropped(pool: Pool, settings: Settings) -> None:
    clock = _now_clock()
    journal = Journal(pool, Recorder(slow_ms=1, clock=clock), settings.model_copy(update={"figures_keep_hours": 1}))
    await journal.store()
    async with pool.acquire() as connection:
        for hours in (0.5, 2):
            await connection.execute(
                "INSERT INTO figures VALUES (now() - make_interval(secs => $1), 1, 'x:y', 1, 1, '{1}', '{1}')",
                hours * 3600,
            )
        journal._pruned = float("-inf")
        await journal.store()
        assert await connection.fetchval("SELECT count(*) FROM figures WHERE series = 'x:y'") == 1


async def test_sizes_are_stored_once_a_minute(pool: Pool, settings: Settings) -> None:
    clock = _now_clock()
    for _ in range(2):
        await Journal(pool, Recorder(clock=clock), settings).store()
    (sizes,) = (await _history(pool, clock, 7200)).sizes
    assert sizes.base_bytes > 0
    assert sizes.staleness_s is None  # there is no read model


async def test_the_slowest_queries_come_first_and_once(pool: Pool, settings: Settings) -> None:
    clock = _now_clock()
    for seconds in (0.3, 0.9):
        journal = Journal(pool, Recorder(slow_ms=100, clock=clock), settings)
        journal.recorder.computed("base", seconds, "a", lambda: "a")
        journal.recorder.computed("base", 0.5, "b", lambda: "b")
        await journal.store()
    now = datetime.fromtimestamp(clock.now, UTC)
    async with pool.acquire() as connection:
        found = await read_slowest(connection, now - timedelta(hours=1), now + timedelta(hours=1))
    assert [(one.query, one.seconds, one.times) for one in found] == [("a", 0.9, 2), ("b", 0.5, 2)]


async def test_a_database_that_takes_no_writes_is_no_reason_to_end(pool: Pool, settings: Settings) -> None:
    """As a standby: figures wait until it does."""
    journal = Journal(pool, Recorder(clock=_now_clock()), settings)
    journal.recorder.record("engine:base", 0.01)
    async with pool.acquire() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await pool.expire_connections()
    with pytest.raises(StoreError):
        await journal.store()
    assert journal.recorder.minutes[-1].series["engine:base"].count == 1
