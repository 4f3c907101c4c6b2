"""A whole installation to be broken: servers of its own behind proxies, a worker and a web server as processes.

PostgreSQL ── proxy ──┬── pinakes serve      both are started again when they are gone, as a
Redis ─────── proxy ──┴── pinakes worker     supervisor would
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from faults.proxy import Proxy
from pinakes.embedded import EmbeddedServers
from pinakes.embedded.postgres import BINARIES
from pinakes.embedded.process import run
from pinakes.settings import Settings, load_settings
from pinakes.store.migrate import migrate


@dataclass
class Program:
    """`pinakes serve` or `pinakes worker`, kept running until told otherwise."""

    words: tuple[str, ...]
    settings: Settings
    log: Path
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    extra: dict[str, str] = field(default_factory=dict)
    """Variables it gets beside its settings, from its next start on."""
    _keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            with self.log.open("ab") as out:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "pinakes.cli.main", *self.words,
                    env={**os.environ, **self.settings.environment(), **self.extra},
                    stdout=out, stderr=out, start_new_session=True,
                )  # fmt: skip
            await self.process.wait()
            self.restarts += 1
            await asyncio.sleep(0.2)

    def family(self) -> list[psutil.Process]:
        """The process and its children."""
        if self.process is None or self.process.returncode is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def kill(self) -> None:
        """At once, children first left alone: they must notice by themselves."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    async def restart(self) -> None:
        """Ended in order; its keeper starts it again."""
        process = self.process
        if process is not None and process.returncode is None:
            process.terminate()
            await process.wait()

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 30)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


@dataclass
class Installation:
    """Everything, and how to get at it."""

    folder: Path
    servers: EmbeddedServers
    postgres: Proxy
    redis: Proxy
    settings: Settings
    direct_url: str
    port: int
    web: Program
    worker: Program
    standby: Path | None = None
    times_are_true: bool = True
    """Whether `as_of` of an answer may be compared with our clock."""
    notes: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def sql(self, text: str, *values: object) -> object:
        """One value, asked past the proxy."""
        connection = await asyncpg.connect(self.direct_url)
        try:
            return await connection.fetchval(text, *values)
        finally:
            await connection.close()

    def postmaster(self) -> int:
        data = self.standby or self.servers._postgres.data
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])

    def signal_postgres(self, number: signal.Signals, *, backends: bool) -> None:
        postmaster = psutil.Process(self.postmaster())
        for process in [*(postmaster.children() if backends else []), postmaster]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def postgres_gone(self, pid: int) -> None:
        """Waits until the postmaster and its backends are gone."""
        while psutil.pid_exists(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def control(self, *words: str, data: Path | None = None) -> None:
        """`pg_ctl`, as the user the server runs as."""
        place = data or self.standby or self.servers._postgres.data
        log = self.servers._postgres.directory.log / "postgres.log"
        command = [str(BINARIES / "pg_ctl"), *words, "-D", str(place), "-s", "-w", "-t", "120", "-l", str(log)]
        await run(command, self.servers._postgres.account)


@asynccontextmanager
async def installation(folder: Path, **changes: Any) -> AsyncIterator[Installation]:
    """A running installation in `folder`, with an empty gallery of users 1 to 9."""
    servers = await EmbeddedServers.start(folder / "data")
    sockets = servers._postgres.sockets
    ways = folder / "ways"
    ways.mkdir()
    try:
        await migrate(servers.database_url)
        async with (
            Proxy(sockets / ".s.PGSQL.5432", ways / ".s.PGSQL.5432") as postgres,
            Proxy(servers._redis.socket, ways / "redis.sock") as redis,
        ):
            values: dict[str, Any] = {
                "database_url": f"postgresql://pinakes@/pinakes?host={ways}",
                "redis_url": f"unix://{ways}/redis.sock?db=1",
                "cursor_secret": servers.secrets.cursor_secret,
                "jwt_secret": servers.secrets.jwt_secret,
                "host": "127.0.0.1",
                "log_level": "warning",
                **changes,
            }
            settings = load_settings(**values)
            port = _free_port()
            web = Program(("serve", "--port", str(port)), settings, folder / "web.log")
            worker = Program(("worker",), settings, folder / "worker.log")
            found = Installation(folder, servers, postgres, redis, settings, servers.database_url, port, web, worker)
            await found.sql(
                "INSERT INTO users (username) SELECT 'user ' || n FROM generate_series(1, 9) AS n ORDER BY n"
            )
            web.start()
            worker.start()
            try:
                await answering(found)
                yield found
            finally:
                await web.stop()
                await worker.stop()
                if found.standby is not None:
                    await found.control("stop", "-m", "immediate")
    finally:
        await servers.stop()


async def answering(found: Installation, seconds: float = 120) -> None:
    """Waits until the site is ready and answers from the read model."""
    async with httpx.AsyncClient(base_url=found.url, timeout=10) as client, asyncio.timeout(seconds):
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.get("/api/v1/content/unified?use_cache=false")
                if answer.status_code == 200 and answer.json()["engine"] != "base":
                    return
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
