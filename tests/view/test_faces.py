"""The read model on the command line and over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import httpx
import orjson
import pytest

from api.application import running
from pinakes.api.auth import make_token
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.build import build
from pinakes.view.epoch import POLICIES
from read_models import differences, seed

INSERT = "INSERT INTO content_items (title, creator_id) VALUES ('new', 1)"
ROUTE = "/api/v1/admin/view/refresh"


async def _pinakes(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    environment = {**os.environ, **settings.environment()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", *arguments, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_view_commands_from_nothing_to_every_policy(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as connection:
        await seed(connection)
        await connection.execute(INSERT)
        code, out, _ = await _pinakes(settings, "view", "status")
        assert code == 0
        assert "no read model yet" in out
        code, out, err = await _pinakes(settings, "view", "rebuild")
        assert (code, out) == (0, "1 items built, epoch 1\n"), err
        for policy in POLICIES:
            await connection.execute(INSERT)
            code, out, err = await _pinakes(settings, "view", "policy", policy)
            assert code == 0, err
            assert policy in out
            code, out, err = await _pinakes(settings, "view", "refresh", "--json")
            assert code == 0, err
            assert await differences(connection) == []
            code, out, err = await _pinakes(settings, "view", "status", "--json")
            assert code == 0, err
            told = orjson.loads(out)
            assert (told["policy"], told["waiting"], told["staleness_s"]) == (policy, 0, 0)
        code, out, _ = await _pinakes(settings, "view", "status")
        assert "projected" in out
        assert (await _pinakes(settings, "view", "policy", "sometimes"))[0] == 2


async def test_the_worker_command_builds_keeps_and_ends(settings: Settings, pool: Pool) -> None:
    environment = {**os.environ, **settings.environment()}
    async with pool.acquire() as connection:
        await seed(connection)
        await connection.execute(INSERT)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pinakes.cli.main", "worker", env=environment, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            while not await connection.fetchval("SELECT policy FROM epoch"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await connection.execute(INSERT)
            while await connection.fetchval("SELECT count(*) FROM unified_content_with_tags") != 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        process.terminate()
        _, err = await process.communicate()
        assert process.returncode == 0, err


def _authorization(settings: Settings, *scopes: str) -> dict[str, str]:
    return {"authorization": f"Bearer {make_token(settings, 1, 'ada', scopes, 60)}"}


async def test_refresh_over_http_needs_scope_admin(settings: Settings) -> None:
    async with running(settings) as client:
        assert (await client.post(ROUTE)).status_code == 401
        refused = await client.post(ROUTE, headers=_authorization(settings, "content:admin"))
        assert refused.status_code == 403
        wrong = await client.post(ROUTE + "?wait=maybe", headers=_authorization(settings, "admin"))
        assert wrong.status_code == 400
        assert wrong.json()["parameter"] == "wait"


@pytest.mark.parametrize("policy", POLICIES)
async def test_refresh_over_http(settings: Settings, pool: Pool, policy: str) -> None:
    headers = _authorization(settings, "admin")
    async with pool.acquire() as connection, running(settings) as client:
        await seed(connection)
        await build(connection, policy)  # type: ignore[arg-type]
        await connection.execute(INSERT)
        assert (await _stats(client))["waiting"] > 0
        done = await client.post(ROUTE + "?wait=true", headers=headers)
        assert (done.status_code, done.json()["epoch"]) == (200, 2)
        assert await differences(connection) == []
        told = await _stats(client)
        assert (told["epoch"], told["waiting"], told["policy"]) == (2, 0, policy)
        await connection.execute(INSERT)
        accepted = await client.post(ROUTE, headers=headers)
        assert accepted.status_code == 202
        assert (await client.post(ROUTE + "?wait=true", headers=headers)).status_code == 200
        assert await differences(connection) == []


async def _stats(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/api/v1/stats/view")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_metrics_tell_the_same(settings: Settings, pool: Pool) -> None:
    async with pool.acquire() as connection:
        await seed(connection)
        await build(connection, "periodic")
        await connection.execute(INSERT)
    async with running(settings) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "pinakes_view_waiting_changes 1.0" in answer.text
    assert 'pinakes_view_policy{policy="periodic"} 1.0' in answer.text
    assert 'pinakes_view_policy{policy="event"} 0.0' in answer.text
