"""Running the servers' programs: as which user, away from our terminal, and whether they still run.

Each program gets a session of its own, so that Ctrl-C reaches only us and we stop the servers in
order. PostgreSQL refuses to run as root; there its programs, and Redis, run as a system user.
"""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from pinakes.errors import DiskFull, EmbeddedError

SYSTEM_USER = "pinakes"
NO_SPACE = ("No space left on device", "Disk quota exceeded")
_PASSES = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def installed(package: str) -> Path:
    """Where a package is; found, not imported, as we want its programs and not its Python."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            f"The package {package} is not installed", hint="Install it, or set database-url and redis-url."
        )
    return Path(spec.submodule_search_locations[0])


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that runs the servers; `None` where that is simply who we are."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_servers(cls, owned: Path) -> Account:
        """Ourselves, or, for root, the owner of what is `owned` already, or a system user made for it."""
        if os.geteuid() != 0:
            return cls()
        if owned.exists() and (owner := owned.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid)
        entry = _system_user()
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, path: Path) -> None:
        """Gives `path` to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def _system_user() -> pwd.struct_passwd:
    """The user `pinakes`, created where possible; else one that every system has."""
    maker = shutil.which("useradd")
    if maker is not None and not _exists(SYSTEM_USER):
        command = [maker, "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - a fixed command
    for name in (SYSTEM_USER, "postgres", "nobody"):
        if _exists(name):
            return pwd.getpwnam(name)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no other user to run it as",
        hint=f"Create one (`useradd --system {SYSTEM_USER}`), or run pinakes as an ordinary user.",
    )


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def make_reachable(path: Path, account: Account) -> list[Path]:
    """Lets `account` pass through every parent of `path`; gives the directories that had to be opened.

    Only the permission to pass is added, not to list: a name must be known to be reached.
    """
    if account.uid is None or account.gid is None:
        return []
    opened = []
    groups = {account.gid, *(group.gr_gid for group in grp.getgrall() if _name(account.uid) in group.gr_mem)}
    for parent in reversed(path.resolve().parents):
        found = parent.stat()
        needed = (
            stat.S_IXUSR if found.st_uid == account.uid else stat.S_IXGRP if found.st_gid in groups else stat.S_IXOTH
        )
        if not found.st_mode & needed:
            try:
                parent.chmod(stat.S_IMODE(found.st_mode) | needed)
            except OSError as error:
                raise EmbeddedError(
                    f"User {_name(account.uid)}, which runs the servers, cannot pass through {parent}",
                    hint="Choose a --data-dir below a directory open to it, or run pinakes as an ordinary user.",
                ) from error
            opened.append(parent)
    return opened


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


async def run(command: list[str], account: Account, *, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs a short command to its end, also when we are cancelled meanwhile.

    Raises DiskFull or EmbeddedError with the command's last words, unless it `may_fail`.
    """

    def execute() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own programs, arguments as a list
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            start_new_session=True,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
            umask=0o077,
        )

    work = asyncio.ensure_future(asyncio.to_thread(execute))
    try:
        done = await asyncio.shield(work)
    except asyncio.CancelledError:
        await work
        raise
    except OSError as error:
        raise EmbeddedError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0 and not may_fail:
        raise failure(f"{Path(command[0]).name} failed", done.stdout + done.stderr)
    return done


def failure(what: str, output: str) -> EmbeddedError:
    """The error for a program that said `output` before it failed."""
    if any(sign in output for sign in NO_SPACE):
        return DiskFull(f"{what}: no space left on the disk of the data directory")
    last = [line for line in output.splitlines() if line.strip()][-5:]
    return EmbeddedError("\n  ".join([f"{what}:", *last]) if last else what)


def is_alive(pid: int, name: str, mark: str) -> bool:
    """Whether `pid` is a live `name` with `mark` in its command line, and not a stranger with a recycled pid.

    The command line is the one thing that everybody may read of a process of another user.
    """
    try:
        process = psutil.Process(pid)
        return (
            process.name().startswith(name)
            and process.status() != psutil.STATUS_ZOMBIE
            and mark in " ".join(process.cmdline())
        )
    except psutil.Error:
        return False


def works_in(pid: int, folder: Path) -> bool:
    """Whether the working directory of `pid` is `folder`, by whatever path; False where we may not know."""
    try:
        return folder.samefile(psutil.Process(pid).cwd())
    except (psutil.Error, OSError):
        return False


def find(name: str, mark: str) -> list[int]:
    """The live processes called `name` with `mark` in their command line."""
    return [pid for pid in psutil.pids() if is_alive(pid, name, mark)]


async def wait_gone(name: str, mark: str, seconds: float) -> bool:
    """Waits until `find` finds nothing; False where it still does in the end."""
    deadline = asyncio.get_running_loop().time() + seconds
    while find(name, mark):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True
