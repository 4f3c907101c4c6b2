"""The applier killed between any two steps loses nothing and applies nothing twice."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from pinakes.settings import Settings
from pinakes.view import session as sessions
from pinakes.view.build import build
from pinakes.view.epoch import Policy, read_epoch
from pinakes.view.refresh import refresh
from pinakes.view.session import alone, session
from read_models import differences, drain, seed

PROGRAM = Path(__file__).with_name("kill_at.py")
TAKEOVER_S = 5


async def _killed(settings: Settings, work: str, step: int) -> bool:
    """Whether the child was killed before it had finished."""
    assert settings.database_url is not None
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), settings.database_url, work, str(step), stdout=asyncio.subprocess.DEVNULL
    )
    code = await child.wait()
    assert code in (0, -9)
    return code != 0


@pytest.mark.parametrize(("work", "policy"), [("apply", "incremental"), ("refresh", "periodic"), ("build", "event")])
async def test_killed_before_any_statement(settings: Settings, work: str, policy: Policy) -> None:
    async with session(settings) as connection:
        await seed(connection)
        await build(connection, policy)
        step, finished = 0, False
        while not finished:
            step += 1
            assert step < 60
            await connection.execute(
                "INSERT INTO content_items (title, creator_id) VALUES ('new', 1);"
                "UPDATE content_items SET title = title || '+' WHERE id % 2 = 0;"
                "INSERT INTO content_tags SELECT 1, max(id), 1 FROM content_items;"
                "UPDATE users SET username = username || '+' WHERE id = 1"
            )
            before, waiting = await read_epoch(connection), await connection.fetchval("SELECT count(*) FROM dirty")
            finished = not await _killed(settings, work, step)
            async with asyncio.timeout(TAKEOVER_S), alone(connection, wait=True):
                after = await read_epoch(connection)
                if after.epoch == before.epoch:
                    assert not finished
                    assert after.incarnation == before.incarnation
                    assert await connection.fetchval("SELECT count(*) FROM dirty") == waiting
                else:
                    assert after.epoch == before.epoch + 1
                    assert await connection.fetchval("SELECT count(*) FROM dirty") == 0
                    assert await differences(connection) == []
                await (drain(connection) if after.policy == "incremental" else refresh(connection))
                assert await differences(connection) == []
                if work == "build" and after.policy == "incremental":
                    await build(connection, policy)
                logged = await connection.fetchval("SELECT count(*) FROM change_log")
                assert logged == (await read_epoch(connection)).epoch, "one entry an epoch, none twice"
        assert step > 5


async def test_a_holder_that_hangs_is_ended_and_another_takes_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "HANG_S", 1)
    async with session(settings) as hanging, session(settings) as other:
        async with alone(hanging, wait=False) as held:
            assert held
            async with alone(other, wait=False) as also:
                assert not also
            async with asyncio.timeout(TAKEOVER_S), alone(other, wait=True) as taken:
                assert taken
        assert hanging.is_closed()
