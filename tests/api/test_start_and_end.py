"""A service that starts before its database, loses it, and ends while it is being asked."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from api.application import ADA, Gallery, Tokens, assert_problem, running
from api.serving import PATIENCE_S, URL, ready, serve, until_nobody_is_let_in, until_somebody_waits
from api.test_server import free_port
from faults.proxy import Proxy, postgres_socket, through
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.build import build
from pinakes.view.session import session
from running import command_line


@pytest.fixture
def proxy(settings: Settings, short_tmp: Path) -> Proxy:
    """A way to the database that is not open yet."""
    folder = short_tmp / f"proxy-{os.urandom(4).hex()}"
    folder.mkdir()
    return Proxy(postgres_socket(settings.database_url or ""), folder / ".s.PGSQL.5432")


async def test_a_service_may_start_before_its_database_and_outlive_it(
    settings: Settings, gallery: Gallery, proxy: Proxy, token: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with Retry-After and a clear log while it is not there; no restart is needed, and waiting writes go on."""
    changed = {"database_url": through(settings.database_url or "", proxy), "cache_strategy": "off"}
    try:
        async with running(settings.model_copy(update=changed)) as client:
            assert (await ready(client, 503))["parts"] == {"postgresql": "failed", "schema": "failed", "redis": "ok"}
            assert (await client.get("/healthz")).status_code == 200
            refused = await client.get(URL)
            assert_problem(refused, 503, "PK401")
            assert int(refused.headers["retry-after"]) >= 1
            assert "PostgreSQL cannot be reached" in caplog.text
            for _ in range(2):
                await proxy.accept()
                await ready(client, 200)
                assert (await client.get(URL)).json()["pagination"]["total_count"] == 2
                written = await client.patch(
                    f"/api/v1/content/regular/{gallery.public.id}",
                    json={"title": "Castle"},
                    headers=token(ADA, "content:write"),
                )
                assert written.status_code == 200
                await proxy.refuse()
                await ready(client, 503)
                assert_problem(await client.get(URL), 503)
    finally:
        await proxy.refuse()


async def test_requests_begun_are_answered_before_the_service_ends(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """SIGTERM comes while a write waits for a lock: the write is answered, and nobody new is let in."""
    patient = settings.model_copy(update={"statement_timeout_ms": 60_000})
    item = f"/api/v1/content/regular/{gallery.public.id}"
    async with serve(patient) as (process, url, _), httpx.AsyncClient(base_url=url, timeout=60) as client:
        async with pool.acquire() as blocker, blocker.transaction():
            await blocker.execute("SELECT FROM content_items WHERE id = $1 FOR UPDATE", gallery.public.id)
            write = asyncio.create_task(
                client.patch(item, json={"title": "Last words"}, headers=token(ADA, "content:write"))
            )
            await until_somebody_waits(settings)
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            assert len(family) >= 3
            lines = " ".join(map(command_line, family))
            assert "serve" in lines
            assert str(settings.jwt_secret) not in lines  # children read secrets from their environment
            process.send_signal(signal.SIGTERM)
            await until_nobody_is_let_in(url)
            assert not write.done()
        assert (await write).json()["title"] == "Last words"
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


async def test_serve_waits_for_its_database_and_says_so(settings: Settings, proxy: Proxy) -> None:
    changed = {"database_url": through(settings.database_url or "", proxy)}
    try:
        async with (
            serve(settings.model_copy(update=changed)) as (process, url, said),
            httpx.AsyncClient(base_url=url) as client,
        ):
            assert any("answering 503 until it is there" in line for line in said)
            await ready(client, 503)
            await proxy.accept()
            await ready(client, 200)
            assert (await client.get(URL)).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    finally:
        await proxy.refuse()


async def test_a_worker_waits_for_its_database_and_says_so(settings: Settings, pool: Pool, proxy: Proxy) -> None:
    changed = settings.model_copy(update={"database_url": through(settings.database_url or "", proxy)})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", "worker",
        env={**os.environ, **changed.environment()}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        assert "waiting for it" in (await asyncio.wait_for(process.stderr.readline(), PATIENCE_S)).decode()
        assert await pool.fetchval("SELECT policy FROM epoch") is None
        await proxy.accept()
        async with asyncio.timeout(PATIENCE_S):
            while await pool.fetchval("SELECT policy FROM epoch") is None:  # noqa: ASYNC110 - the worker builds
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        await proxy.refuse()


async def test_a_read_model_nobody_keeps_is_named_at_the_start_and_by_readiness(
    settings: Settings, gallery: Gallery, pool: Pool
) -> None:
    """A warning, not a failure; and `--worker` mends it."""
    async with serve(settings) as (_, url, said), httpx.AsyncClient(base_url=url) as client:
        assert "There is no read model" in "".join(said)
        assert (await ready(client, 200))["warnings"] == []
    async with session(settings) as connection:
        await build(connection, "incremental")
    await pool.execute("UPDATE epoch SET at = now() - interval '1 hour'")
    async with serve(settings) as (_, url, said), httpx.AsyncClient(base_url=url) as client:
        assert "nobody seems to keep it: run `pinakes worker`, or `pinakes serve --worker`" in "".join(said)
        told = await ready(client, 200)
        assert told["status"] == "degraded"
        assert re.search(r"The read model is 36\d\d s old", str(told["warnings"]))
        assert (await client.get(URL)).json()["engine"] == "base"
    async with serve(settings, 0, "--worker") as (process, url, said), httpx.AsyncClient(base_url=url) as client:
        assert "nobody seems to keep it" not in "".join(said)
        family = psutil.Process(process.pid).children(recursive=True)
        family_lines = list(map(command_line, family))
        async with asyncio.timeout(PATIENCE_S):
            while (await ready(client, 200))["warnings"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while (await client.get(URL, params={"use_cache": "false"})).json()["engine"] == "base":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    assert any("pinakes.cli.worker" in line for line in family_lines)
    assert not any(each.is_running() for each in family)


async def test_a_rolling_restart_under_load_loses_no_request(settings: Settings, gallery: Gallery) -> None:
    """Two services, restarted one after the other. Whoever is not let in goes to the other one, as a proxy
    before them does with a request that got no byte of an answer; whoever was let in is answered."""
    ports = [free_port(), free_port()]
    answered, broken = 0, []
    going = True

    async def ask(turn: int) -> None:
        nonlocal answered
        while going:
            turn += 1
            for attempt in range(200):
                async with httpx.AsyncClient(timeout=60) as client:
                    try:
                        answer = await client.get(f"http://127.0.0.1:{ports[(turn + attempt) % 2]}{URL}")
                    except (httpx.ConnectError, httpx.RemoteProtocolError) as error:
                        # Not let in: refused, or closed without a byte because only the kernel had taken it yet.
                        if isinstance(error, httpx.ConnectError) or "without sending a response" in str(error):
                            await asyncio.sleep(0.01)
                            continue
                        broken.append(repr(error))
                        break
                    except httpx.HTTPError as error:
                        broken.append(repr(error))
                        break
                if answer.status_code == 200:
                    answered += 1
                else:
                    broken.append(answer.text)
                break

    async with AsyncExitStack() as stack:
        running_ones = [await stack.enter_async_context(serve(settings, port)) for port in ports]
        asking = [asyncio.create_task(ask(number)) for number in range(4)]
        try:
            for port, (process, _, _) in zip(ports, running_ones, strict=True):
                at_least = answered + 10
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
                await stack.enter_async_context(serve(settings, port))
                async with asyncio.timeout(PATIENCE_S):
                    while answered < at_least:  # noqa: ASYNC110 - it is the others who ask
                        await asyncio.sleep(0.05)
        finally:
            going = False
            await asyncio.gather(*asking)
    assert broken == []
