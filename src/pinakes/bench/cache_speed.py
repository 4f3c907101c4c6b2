"""How fast cached answers are, against the same server giving the same bytes without any thought.

One worker answers a page of some 20 kB over HTTP on four routes, in turns:

    memory     a route of the same application that returns the page's bytes from a variable
    L1         the page, held by the process
    redis      a route that does one GET of the same 20 kB through redis-py, and nothing else
    L2         the page, with nothing held by the process: every answer comes out of Redis

The client is one process with some connections, each with several requests under way (HTTP/1.1
pipelining), so that it costs little beside the server. Rates are medians of the rounds.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from pinakes.bench.load.servers import command, environment, free_port
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store.pool import open_pool
from pinakes.store.queries import for_source, load

CONNECTIONS, UNDER_WAY, ROUNDS = 8, 16, 5
PAGE = "/api/v1/content/unified?tag=1&tag_match=all&page_size=25"
ROUTES = {"memory": "/bench/memory", "L1": PAGE, "redis": "/bench/redis", "L2": PAGE}


class _Client(asyncio.Protocol):
    """One connection with `UNDER_WAY` requests under way; counts answers by their length."""

    def __init__(self, path: str, size: int) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        self._size = size
        self._received = 0
        self.answers = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        assert self.transport is not None
        self.transport.write(self._request * UNDER_WAY)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        done = self._received // self._size
        if done:
            self._received -= done * self._size
            self.answers += done
            assert self.transport is not None
            self.transport.write(self._request * done)


async def _size_of(port: int, path: str) -> tuple[int, bytes]:
    """Bytes of one whole response, and its body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    data = await reader.read()
    writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0], data[:500]
    lines = [line for line in head.splitlines() if not line.lower().startswith(b"connection:")]
    return len(b"\r\n".join(lines)) + 4 + len(body), body


async def _rate(port: int, path: str, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    size, _ = await _size_of(port, path)
    clients = [_Client(path, size) for _ in range(CONNECTIONS)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.sleep(seconds / 4)
    before, began = sum(c.answers for c in clients), time.perf_counter()
    await asyncio.sleep(seconds)
    rate = (sum(c.answers for c in clients) - before) / (time.perf_counter() - began)
    for client in clients:
        if client.transport is not None:
            client.transport.abort()
    return rate


async def _ready(port: int) -> bytes:
    """Waits until the page comes from the cache; its body."""
    deadline = time.monotonic() + 60
    while True:
        try:
            _, body = await _size_of(port, PAGE)
            if b'"_from_cache":true' in body:
                return body
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def measure(settings: Settings, folder: Path, seconds: float) -> dict[str, Any]:
    """The rates of the four routes, requests a second."""
    file = folder / "body"
    file.write_bytes(b"{}")
    rates: dict[str, list[float]] = {name: [] for name in ROUTES}
    size = 0
    for names, held in ((("memory", "L1"), 64 * 2**20), (("redis", "L2"), 0)):
        chosen = settings.model_copy(
            update={"cache_process_bytes": held, "engine": "base", "rate_limit_per_second": 0.0}
        )
        # The first start shows what the page is, the second serves it from a variable as well.
        for last in (False, True):
            port = free_port()
            server = subprocess.Popen(command("granian", port), env=environment(chosen, file))  # noqa: ASYNC220, S603
            try:
                body = await _ready(port)
                file.write_bytes(body)
                size = len(body)
                if last:
                    async with Redis.from_url(settings.redis_url or "") as client:
                        await client.set("bench:body", body)
                    for _ in range(ROUNDS):
                        for name in names:
                            rates[name].append(await _rate(port, ROUTES[name], seconds))
            finally:
                server.terminate()
                server.wait()
    told: dict[str, Any] = {name: round(statistics.median(found)) for name, found in rates.items()}
    told["body_bytes"] = size
    told["L1 / memory"] = round(told["L1"] / told["memory"], 3)
    told["L2 / redis"] = round(told["L2"] / told["redis"], 3)
    told["rounds"] = {name: [round(rate) for rate in found] for name, found in rates.items()}
    return told


async def fill_page(settings: Settings) -> None:
    """A gallery whose first page is about 20 kB."""
    sql = load("cache_check", "pinakes.bench.sql")
    pool = await open_pool(settings)
    try:
        async with pool.acquire() as connection:
            await connection.execute(sql["add_user"], 1, "ada")
            await connection.execute(sql["add_tag"], 1, "sea")
            for number in range(1, 101):
                prompt = " ".join(f"{word} {number * 7919 % 1009}" for word in ("sea", "castle", "red", "quiet") * 6)
                await connection.execute(
                    for_source(sql["add_page_item"], SOURCES[0]), number, f"title {number}", prompt
                )
                await connection.execute(for_source(sql["tag"], SOURCES[0]), SOURCES[0].code, number, 1)
    finally:
        await pool.close()
