"""Callers who hang up: nothing is left behind of them.

`ABORTED_REQUESTS=100000 make test` sends a hundred thousand; without it, enough to see a leak of one in ten.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import httpx
import psutil

from api.application import Gallery
from api.serving import PATIENCE_S, serve
from pinakes.settings import Settings

REQUESTS = int(os.environ.get("ABORTED_REQUESTS", "1500"))
AT_ONCE = 20
ASKED = (
    b"GET /api/v1/content/unified?use_cache=false HTTP/1.1\r\nHost: g\r\n\r\n",
    b"GET /api/v1/content/unified HTTP/1.1\r\nHost: g\r\n\r\n",
    b"GET /api/v1/tags HTTP/1.1\r\nHo",
    b"POST /api/v1/content/auto HTTP/1.1\r\nHost: g\r\nContent-Length: 100000\r\n\r\n{",
    b"",
)


def held(root: int) -> tuple[int, int, int]:
    """Open files, threads and bytes of the service's processes."""
    family = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    figures = [(p.num_fds(), p.num_threads(), p.memory_info().rss) for p in family]
    return sum(f for f, _, _ in figures), sum(t for _, t, _ in figures), sum(r for _, _, r in figures)


async def abort(host: str, port: int, number: int) -> None:
    """Sends a request, or a piece of one, and hangs up at once or a moment later."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(ASKED[number % len(ASKED)])
        if number % 3 == 0:
            await asyncio.sleep(0.002)
        writer.transport.abort()


async def wanted(client: httpx.AsyncClient) -> list[float]:
    """How many have a database connection or wait for one."""
    lines = (await client.get("/metrics")).text.splitlines()
    return [float(line.split()[-1]) for line in lines if line.startswith("pinakes_pool_wanted{")]


async def test_requests_that_were_aborted_leave_no_file_thread_or_connection_behind(
    settings: Settings, gallery: Gallery
) -> None:
    async with serve(settings) as (process, url, _), httpx.AsyncClient(base_url=url, timeout=60) as client:
        host, port = url.removeprefix("http://").split(":")

        async def some(first: int, many: int) -> None:
            await asyncio.gather(*(abort(host, int(port), first + number) for number in range(many)))

        for batch in range(10):  # whatever is made once is made now: pools, threads, caches
            await some(batch * AT_ONCE, AT_ONCE)
        assert (await client.get("/readyz")).status_code == 200
        files, threads, size = held(process.pid)
        for batch in range(REQUESTS // AT_ONCE):
            await some(batch * AT_ONCE, AT_ONCE)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                now_files, now_threads, now_size = held(process.pid)
                if now_files <= files + 10 and now_threads <= threads + 5:
                    break
                await asyncio.sleep(0.1)
        assert now_size < size + 100e6
        assert (await client.get("/api/v1/content/unified?use_cache=false")).status_code == 200
        async with asyncio.timeout(PATIENCE_S):
            while True:  # the last of them may still be on their way
                if await wanted(client) == [0.0]:
                    break
                await asyncio.sleep(0.1)
