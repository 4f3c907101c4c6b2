"""What can happen to a Redis, done to the embedded one of a check."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pinakes.bench.cache_check import Check
from pinakes.cache.link import CacheFailure, Link
from pinakes.embedded import EmbeddedServers
from pinakes.errors import EmbeddedError
from pinakes.settings import Settings

FROZEN_S, KILLED_S, START_S = 0.7, 0.5, 30.0


class Faults:
    """What can happen to a Redis, done to the one of the check."""

    def __init__(self, settings: Settings, data: Path, check: Check | None = None) -> None:
        """`check` is whose processes suffer; without one only what concerns the server can be done."""
        self._url = settings.redis_url or ""
        self._data = data
        self._found = check

    def all(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The faults by name; each is over when it returns."""
        return {
            "flushed": self.flush,
            "frozen": self.frozen,
            "killed": self.killed,
            "read-only": self._read_only,
            "full": self.full,
            "failover to an old copy": self._fail_over,
            "keeper asleep": self._keeper_asleep,
            "publishers dead": self._publishers_dead,
        }

    @property
    def _check(self) -> Check:
        assert self._found is not None
        return self._found

    async def _tell(self, *command: str | int | bytes) -> Any:
        link = Link(self._url, limit_ms=5000)
        try:
            return await link.call(*command)
        except CacheFailure:
            return None
        finally:
            await link.close()

    async def _pid(self) -> int:
        deadline = asyncio.get_running_loop().time() + START_S
        while (reply := await self._tell("INFO", "server")) is None:  # what broke it before is not over yet
            if asyncio.get_running_loop().time() > deadline:
                raise EmbeddedError("The check's Redis does not come back.")
            await asyncio.sleep(0.1)
        told = reply.decode()
        return int(next(line for line in told.splitlines() if line.startswith("process_id:")).partition(":")[2])

    async def flush(self) -> None:
        """Nothing is left of what was stored."""
        await self._tell("FLUSHALL")

    async def frozen(self, seconds: float = FROZEN_S) -> None:
        """It is there and says nothing."""
        pid = await self._pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:  # a check that ends meanwhile must not leave it like that
            os.kill(pid, signal.SIGCONT)

    async def killed(self, seconds: float = KILLED_S) -> None:
        """Connections break, then are refused, until it is started again with nothing in it."""
        os.kill(await self._pid(), signal.SIGKILL)
        try:
            await asyncio.sleep(seconds)
        finally:
            again = await EmbeddedServers.start(self._data)
            await again.stop()

    async def _read_only(self) -> None:
        await self._tell("CONFIG", "SET", "replica-serve-stale-data", "yes")
        await self._tell("REPLICAOF", "127.0.0.1", 1)
        try:
            await asyncio.sleep(1.5)
        finally:
            await self._tell("REPLICAOF", "NO", "ONE")

    async def full(self, seconds: float = 1.5) -> None:
        """It refuses whatever is to be stored."""
        before = await self._tell("CONFIG", "GET", "maxmemory*")
        await self._tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await self._tell("CONFIG", "SET", "maxmemory", 1)
        try:
            await asyncio.sleep(seconds)
        finally:
            for name, value in zip(before[::2], before[1::2], strict=True) if before else ():
                await self._tell("CONFIG", "SET", name, value)

    async def _fail_over(self) -> None:
        """The clocks go back to what a replica knew: acknowledged writes are lost."""
        cache = self._check.services[0].cache
        assert cache is not None
        key = cache.clocks.key
        copy = await self._tell("DUMP", key)
        await asyncio.sleep(0.4)
        if copy is not None:
            await self._tell("RESTORE", key, 0, copy, "REPLACE")

    async def _keeper_asleep(self) -> None:
        self._check.keeping.clear()
        await asyncio.sleep(1.5)
        self._check.keeping.set()

    async def _publishers_dead(self) -> None:
        publishers = [s.cache.publisher for s in self._check.services if s.cache is not None]
        for publisher in publishers:
            if publisher is not None:
                await publisher.stop()
        await asyncio.sleep(1.5)
        for publisher in publishers:
            if publisher is not None:
                publisher.start()
