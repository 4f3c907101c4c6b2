"""`pinakes serve` as a person runs it, and waiting for what it does."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from pinakes.settings import Settings
from pinakes.store.pool import open_pool

URL = "/api/v1/content/unified"
PATIENCE_S = 120


async def ready(client: httpx.AsyncClient, status: int) -> dict[str, object]:
    """What `/readyz` says once it answers with `status`."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await client.get("/readyz")
            if answer.status_code == status:
                told: dict[str, object] = answer.json()
                return told
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serve(
    settings: Settings, port: int = 0, *options: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, list[str]]]:
    """`pinakes serve` as a person runs it, and where it answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", "serve", "--port", str(port), *options,
        env={**os.environ, **settings.environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said: list[str] = []
    try:
        while True:
            line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
            assert line, f"ended: {said}"
            said.append(line)
            if found := re.match(r"Serving at (\S+)", line):
                break
        yield process, found[1], said
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_somebody_waits(settings: Settings) -> None:
    """For a lock, in the test's database."""
    pool = await open_pool(settings, max_size=1)
    asked = "SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await pool.fetchval(asked):  # noqa: ASYNC110 - it is another program that gets there
                await asyncio.sleep(0.02)
    finally:
        await pool.close()


async def until_nobody_is_let_in(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0.02)
