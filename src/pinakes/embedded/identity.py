"""The identity of a data directory: a random id that holds for one folder on one file system, and never for a copy.

    identity.json   {"id": "9f3a…", "folder": [device, inode], "cluster": [device, inode]}

The id is part of the name of the sockets and of the servers' command lines. A directory that was renamed or moved
within its file system, or is reached by a symbolic link or another mount, is the same folder and keeps its id. A copy
(`cp -a`, a restored backup) brings the file along, but is another folder: it gets an id of its own, so nothing it
starts can meet what runs for the original. The text is 100 bytes long, and is read once by each process.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from pinakes.errors import EmbeddedError

FILE = "identity.json"
_ID_BYTES = 4  # the id is part of a socket's path, which may have 107 bytes in all


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a data directory is; `folder` and `cluster` are (device, inode), `cluster` None before there is one."""

    id: str
    folder: tuple[int, int]
    cluster: tuple[int, int] | None = None


def place_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of what is at `path`; None where nothing is."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def identify(folder: Path, cluster: Path) -> tuple[Identity, bool]:
    """The identity of `folder`, made where there is none or the one there is another folder's; True for the latter.

    To be called while nobody else does.

    Raises:
        EmbeddedError: the cluster belongs to another data directory as well.
        OSError: the folder cannot be read or written.
    """
    found = place_of(folder)
    if found is None:
        raise FileNotFoundError(2, "it does not exist")
    at = place_of(cluster)
    noted = _read(folder / FILE)
    known = noted is not None and noted.folder == found
    if noted is not None and known and (noted.cluster == at or at is None):
        return noted, False
    if noted is not None and not known:
        _require_own_files(folder, cluster, shared=at is not None and noted.cluster == at)
    made = Identity(noted.id if noted is not None and known else secrets.token_hex(_ID_BYTES), found, at)
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(orjson.dumps(asdict(made)))
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    return made, noted is not None and not known


def _require_own_files(folder: Path, cluster: Path, *, shared: bool) -> None:
    """Refuses a copy whose cluster is the original's: one server's files must not be written by two."""
    control = cluster / "global" / "pg_control"
    linked = control.exists() and control.stat().st_nlink > 1
    if shared or linked:
        how = "hard links to" if linked else "a symbolic link to"
        raise EmbeddedError(
            f"{folder} is a copy that shares its PostgreSQL cluster with the original: {cluster} is {how} it",
            hint="Copy the files themselves (`cp -aL`, of a stopped directory). If the original is gone, "
            f"remove {folder / FILE}.",
        )


def _read(path: Path) -> Identity | None:
    """What is noted; None where nothing readable is."""
    try:
        fields = orjson.loads(path.read_bytes())
        cluster = fields["cluster"]
        return Identity(str(fields["id"]), _pair(fields["folder"]), None if cluster is None else _pair(cluster))
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _pair(numbers: list[int]) -> tuple[int, int]:
    device, inode = numbers
    return int(device), int(inode)
