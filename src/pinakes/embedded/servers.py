"""`EmbeddedServers`: one use of the servers of a data directory, from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pinakes.embedded.directory import DataDirectory, Secrets, translate_os_errors
from pinakes.embedded.postgres import BINARIES, Postgres
from pinakes.embedded.process import Account, make_reachable
from pinakes.embedded.redis import PROGRAM, Redis
from pinakes.errors import PinakesError

Status = Callable[[str], None]

WATCH_S = 1.0
"""Between two looks whether the servers run: a file, a process and a connection to a socket."""
RETRY_S = 30.0
"""The longest time between two attempts to start a server that does not start."""


def _silent(_: str) -> None:
    """Says nothing."""


class EmbeddedServers:
    """A PostgreSQL and a Redis that answer until `stop`, shared with whoever else uses the directory."""

    def __init__(
        self, directory: DataDirectory, postgres: Postgres, redis: Redis, user: int, secrets: Secrets, *, say: Status
    ) -> None:
        self.directory = directory
        self.database_url = postgres.url()
        self.redis_url = redis.url()
        self.secrets = secrets
        self._postgres = postgres
        self._redis = redis
        self._user: int | None = user
        self._say = say
        self._place = directory.path

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        *,
        on_status: Status | None = None,
        redis_max_memory: str = "256mb",
        redis_eviction_policy: str = "allkeys-lru",
    ) -> EmbeddedServers:
        """Servers that answer, until `stop`; as a context: `async with await EmbeddedServers.start(…)`.

        Servers that run already are taken as they are, with the memory limit they were started with.

        Raises:
            DiskFull: there is no room for them.
            EmbeddedError: they cannot run here; says why.
        """
        say = on_status or _silent
        directory = DataDirectory.open(data_dir)
        async with directory.starting_or_stopping():
            user = directory.join()
            postgres = redis = None
            try:
                secrets = directory.secrets()
                account = _prepare(directory, say)
                identity, copied = directory.identity()
                if copied:
                    _tell_of_copy(directory, say)
                sockets = directory.socket_dir(identity, account)
                postgres = Postgres(directory, identity.id, account, sockets, say)
                redis = Redis(directory, account, sockets, say, redis_max_memory, redis_eviction_policy)
                await redis.start()
                await postgres.start()
                directory.identity()  # notes which cluster is its own
            except BaseException:
                if postgres is not None and redis is not None and directory.is_last(user):
                    await postgres.stop()
                    await redis.stop()
                directory.leave(user)
                raise
            return cls(directory, postgres, redis, user, secrets, say=say)

    def redis_url_for(self, database: int) -> str:
        """The URL of another database of the same Redis."""
        return self._redis.url(database)

    async def watch(self) -> None:
        """Starts a server that was killed again, at the same address; to be cancelled before `stop`.

        Every user of the servers may watch: the lock lets one of them start what is missing. A server that does
        not start is tried again after twice the time, `RETRY_S` at most. Ends where the directory was moved away:
        the servers there run on, but their clients' addresses lead nowhere any more.
        """
        pause = WATCH_S
        while True:
            await asyncio.sleep(pause)
            if not self.directory.exists() or self.directory.path != self._place:
                return
            if self._both_run():
                pause = WATCH_S
                continue
            try:
                async with self.directory.starting_or_stopping():
                    await self._start_missing()
                pause = WATCH_S
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may succeed
                pause = min(2 * pause, RETRY_S)
                what = error.detail if isinstance(error, PinakesError) else str(error) or type(error).__name__
                self._say(f"A server that ended cannot be started again, next attempt in {pause:g} s: {what}")

    def _both_run(self) -> bool:
        return self._redis.runs() and self._postgres.postmaster() is not None

    async def _start_missing(self) -> None:
        if not self._redis.runs():
            self._say("Redis is gone")
            await self._redis.start()
        if self._postgres.postmaster() is None:
            self._say("PostgreSQL is gone")
            await self._postgres.start()

    async def stop(self) -> None:
        """Ends this use; the last one stops the servers. Once more does nothing."""
        if self._user is None:
            return
        user, self._user = self._user, None
        try:
            if not self.directory.exists():
                if self.directory.is_last(user):
                    await self._postgres.end_remains()
                    await self._redis.stop()
                return
            async with self.directory.starting_or_stopping():
                if self.directory.is_last(user):
                    await self._postgres.stop()
                    await self._redis.stop()
        finally:
            self.directory.leave(user)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _tell_of_copy(directory: DataDirectory, say: Status) -> None:
    say(f"{directory.path} is a copy, or comes from another disk: it gets servers and sockets of its own")
    if (directory.postgres / "postmaster.pid").exists():
        say("It was copied while its PostgreSQL ran, or was not stopped: `pinakes check --full` tells if it is whole")


def _prepare(directory: DataDirectory, say: Status) -> Account:
    """Makes the directories, each its servers' own, and everything reachable for who runs them."""
    account = Account.for_servers(directory.postgres)
    with translate_os_errors(f"{directory.path} cannot be prepared"):
        for path in (directory.redis, directory.log):
            if not path.exists():
                path.mkdir(mode=0o700)
                account.own(path)
        for needed in (directory.redis, BINARIES / "postgres", PROGRAM):
            for opened in make_reachable(needed, account):
                say(f"Let the servers' user pass through {opened}")
    return account
