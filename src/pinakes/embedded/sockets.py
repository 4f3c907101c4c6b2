"""Where the servers' sockets are: a folder that only their user can enter, and that no other data directory shares.

    run/<id>                       in the data directory
    pinakes-<id>-<random>          in the system's directory for temporary files, where that path is too long

The name holds the id of the data directory, so the note of a copied directory is not believed, and a
server that was moved together with its directory cannot remove a newer one's sockets when it ends. What is in a
shared temporary directory is used only if it is a real folder of ours, closed to others.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from pathlib import Path

from pinakes.embedded.process import Account
from pinakes.errors import EmbeddedError

NOTE = "socket-dir"
_SOCKET_PATH_BYTES = 107  # sun_path of Linux, less the final NUL
_LONGEST = ".s.PGSQL.5432.lock"
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


def socket_dir(folder: Path, name: str, account: Account) -> Path:
    """The folder of the sockets of the data directory `folder`, whose id is `name`; made where it is missing.

    The choice is written down, because another process may have another TMPDIR.

    Raises:
        EmbeddedError: there is no place that others cannot reach.
        OSError: it cannot be made.
    """
    note = folder / NOTE
    inside = folder / "run" / name
    if len(os.fsencode(inside / _LONGEST)) <= _SOCKET_PATH_BYTES and _PLAIN.fullmatch(str(inside)):
        for path in (inside.parent, inside):
            _make_private(path, account)
        chosen = inside
    else:
        noted = Path(note.read_text()) if note.exists() else None
        prefix = f"pinakes-{name}-"
        if noted is not None and noted.name.startswith(prefix) and is_private(noted, account):
            return noted
        chosen = Path(tempfile.mkdtemp(prefix=prefix, dir=_temporary()))
        account.own(chosen)
    note.write_text(str(chosen))
    return chosen


def is_private(path: Path, account: Account) -> bool:
    """Whether `path` is a real folder, no link, of the servers' user, and closed to others."""
    try:
        found = path.lstat()
    except OSError:
        return False
    owner = os.geteuid() if account.uid is None else account.uid
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077


def listens(path: Path) -> bool:
    """Whether some process accepts connections on the socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:  # its queue is full
            return True
        except OSError:
            return False
    return True


def _make_private(path: Path, account: Account) -> None:
    try:
        path.mkdir(mode=0o700)
        account.own(path)
    except FileExistsError:
        if not is_private(path, account):
            if path.is_symlink() or not path.is_dir():
                raise EmbeddedError(
                    f"{path} is in the place of the folder for the servers' sockets", hint="Move it away."
                ) from None
            account.own(path)
            path.chmod(0o700)


def _temporary() -> str:
    """A directory for temporary files in which nobody else can exchange what is ours."""
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - looked at before use
        try:
            found = Path(candidate).stat()
        except OSError:
            continue
        others_write = bool(found.st_mode & 0o022)
        if (not others_write or found.st_mode & stat.S_ISVTX) and found.st_uid in (0, os.geteuid()):
            return candidate
    raise EmbeddedError(
        "There is no safe place for the servers' sockets: every temporary directory lets others exchange files",
        hint="Choose a shorter --data-dir of plain letters, or set TMPDIR to a directory of your own.",
    )
