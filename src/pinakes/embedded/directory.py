"""The data directory: what is where in it, who uses it, and what is secret.

    pg/  redis/  log/      the servers' own
    run/                   their sockets (elsewhere where this path is too long for a socket; sockets.py)
    identity.json          which folder this is, so that a copy is told from its original (identity.py)
    secrets.json           keys for tokens and cursors, readable by the owner only
    servers.lock           held while servers are started or stopped
    users.lock             held, shared, by everyone who uses the servers
    demo.lock              held by a running demo; `demo-address` says where it listens
    fill.json              what the demo generated, and whether it was completed

All locks are `flock`s: the kernel drops them with the process, however that ends, so there are no
stale ones, no pids to compare, and whoever can have `users.lock` for himself is the last user.

A directory in use may be renamed: it is held open, and `path` is where it is now.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import secrets
import shutil
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from pinakes.embedded.identity import FILE, Identity, identify, place_of
from pinakes.embedded.process import Account
from pinakes.embedded.sockets import NOTE, socket_dir
from pinakes.errors import DiskFull, EmbeddedError

LOCK_PATIENCE_S = 180.0
START_BYTES = 192 * 1024 * 1024  # a new cluster is 40 MB, its first WAL segments as much again
_NAMES = frozenset(
    {"pg", "pg.new", "redis", "log", "run", NOTE, FILE, f"{FILE}.new", "secrets.json", "servers.lock", "users.lock"}
    | {"demo.lock", "demo-address", "fill.json", "fill.new", "secrets.new"}
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random keys made with the data directory; they stay the same for its life."""

    jwt_secret: str
    cursor_secret: str

    def __repr__(self) -> str:
        return "Secrets(…)"


class DataDirectory:
    """One data directory; made by `open`, which creates what is missing."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where there is no such folder."""
        self._path = path.resolve()
        self._held = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        weakref.finalize(self, os.close, self._held)
        held = os.fstat(self._held)
        self._folder = (held.st_dev, held.st_ino)

    @property
    def path(self) -> Path:
        """Where the directory is now, which may have been renamed since it was opened.

        Raises EmbeddedError where it is nowhere any more: another one of its name is not touched.
        """
        if place_of(self._path) == self._folder:
            return self._path
        with suppress(OSError):
            moved = Path(f"/proc/self/fd/{self._held}").readlink()
            if place_of(moved) == self._folder:
                self._path = moved
                return moved
        raise EmbeddedError(
            f"The data directory {self._path} was removed or moved while it was used",
            hint="End what runs on it, and start it again where the directory is now.",
        )

    def exists(self) -> bool:
        """Whether the directory is still somewhere."""
        try:
            return self.path.is_dir()
        except EmbeddedError:
            return False

    @property
    def postgres(self) -> Path:
        """The PostgreSQL cluster."""
        return self.path / "pg"

    @property
    def redis(self) -> Path:
        """The working directory of Redis."""
        return self.path / "redis"

    @property
    def log(self) -> Path:
        """The servers' logs."""
        return self.path / "log"

    @classmethod
    def open(cls, path: Path) -> DataDirectory:
        """The directory at `path`, created if need be.

        Raises EmbeddedError where it cannot be ours: a file, not writable, or full of other things.
        """
        with translate_os_errors(f"The data directory {path} cannot be used"):
            path.mkdir(parents=True, exist_ok=True)
            directory = cls(path)
            present = {entry.name for entry in directory.path.iterdir()}
            if present - _NAMES and "secrets.json" not in present:
                raise EmbeddedError(
                    f"{path} is not a Pinakes data directory: it holds other files",
                    hint="Choose a --data-dir that is new, empty, or made by Pinakes.",
                )
            _require_ours(directory.path)
        return directory

    def require_space(self, needed: int, what: str) -> None:
        """Raises DiskFull where less than `needed` bytes are free for `what`."""
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise DiskFull(
                f"{what} needs about {needed >> 20} MB, and {free >> 20} MB are free on the disk of {self.path}"
            )

    @asynccontextmanager
    async def starting_or_stopping(self) -> AsyncIterator[None]:
        """While this is held, nobody else starts or stops the servers."""
        with translate_os_errors(f"{self.path} cannot be locked"):
            lock = self._open("servers.lock")
        try:
            deadline = asyncio.get_running_loop().time() + LOCK_PATIENCE_S
            while not try_lock(lock, fcntl.LOCK_EX):
                if asyncio.get_running_loop().time() > deadline:
                    raise EmbeddedError(f"Another process has been starting or stopping the servers of {self.path}")
                await asyncio.sleep(0.02)
            yield
        finally:
            os.close(lock)

    def join(self) -> int:
        """Enters us among the users; the descriptor given stands for us until `leave` or our end."""
        user = self._open("users.lock")
        fcntl.flock(user, fcntl.LOCK_SH)  # never waits: exclusive only for a moment under `starting_or_stopping`
        return user

    @staticmethod
    def is_last(user: int) -> bool:
        """Whether nobody else uses the servers; to be asked under `starting_or_stopping`, when leaving."""
        return try_lock(user, fcntl.LOCK_EX)

    @staticmethod
    def leave(user: int) -> None:
        """Strikes us off the users."""
        os.close(user)

    def secrets(self) -> Secrets:
        """The keys of this directory, made at the first call."""
        path = self.path / "secrets.json"
        with translate_os_errors(f"{path} cannot be used"):
            if not path.exists():
                made = Secrets(secrets.token_urlsafe(48), secrets.token_urlsafe(48))
                new = path.with_suffix(".new")
                new.unlink(missing_ok=True)
                with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(orjson.dumps(asdict(made)))
                    os.fsync(file.fileno())
                new.replace(path)
            content = path.read_bytes()
        try:
            return Secrets(**orjson.loads(content))
        except (TypeError, orjson.JSONDecodeError) as error:
            raise EmbeddedError(f"{path} is damaged", hint="Remove it; tokens and cursors made so far end.") from error

    def identity(self) -> tuple[Identity, bool]:
        """Who this directory is, and whether it was found to be a copy; to be asked under `starting_or_stopping`.

        Raises EmbeddedError where its cluster is another directory's as well.
        """
        with translate_os_errors(f"{self.path} cannot be identified"):
            return identify(self.path, self.postgres)

    def socket_dir(self, identity: Identity, account: Account) -> Path:
        """Where the sockets are, closed to others."""
        with translate_os_errors("There is no place for the servers' sockets"):
            return socket_dir(self.path, identity.id, account)

    def _open(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600)


def try_lock(descriptor: int, kind: int) -> bool:
    """Takes a `flock` if it is free."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _require_ours(path: Path) -> None:
    """Raises OSError, saying what is the matter, where the directory cannot be written or somebody else could."""
    owner = path.stat().st_uid
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, "its disk is read-only")
    if os.geteuid() not in (0, owner) and owner != 0:
        raise PermissionError(errno.EACCES, "it belongs to another user")
    effective = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, "its permissions do not let you write in it")


@contextmanager
def translate_os_errors(what: str) -> Iterator[None]:
    """Errors of the file system as ours."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"{what}: no space left on the disk") from error
        raise EmbeddedError(f"{what}: {error.strerror or error}") from error
    except RuntimeError as error:  # how pathlib says that symbolic links go round in circles
        if "ymlink loop" not in str(error):
            raise
        raise EmbeddedError(f"{what}: symbolic links that lead to themselves") from error
