"""How far each file was imported, in the database, so that a killed import goes on.

A file is known by its content, not its name: size, first and last mebibyte. So it may move, and a
file that was changed begins anew. Progress is written in the transaction of the lines it counts.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from pinakes.errors import ImportFailed
from pinakes.store.pool import Connection, Pool
from pinakes.store.queries import load
from pinakes.store.transfer.source import is_stream

_SAMPLE = 1 << 20


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines read, and what became of them."""

    lines: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def at(self, lines: int) -> Counts:
        """The same with another number of lines."""
        return replace(self, lines=lines)


def fingerprint(path: Path) -> str:
    """What the file is known by; a stream is known by nothing, so each is another.

    Raises:
        ImportFailed: it cannot be read.
    """
    if is_stream(path):
        return f"stream-{secrets.token_hex(16)}"
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            digest = hashlib.blake2b(file.read(_SAMPLE), digest_size=16)
            file.seek(max(0, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    except OSError as error:
        raise ImportFailed(f"{path} cannot be read: {error.strerror or error}", hint="") from error
    return f"{size}-{digest.hexdigest()}"


async def begun(pool: Pool, file: str) -> Counts:
    """What was done of an unfinished import of the file; zeros where there was none."""
    row = await pool.fetchrow(load("transfer")["progress"], file)
    return Counts(*row.values()) if row else Counts()


async def note(connection: Connection, file: str, name: str, counts: Counts, *, finished: bool) -> None:
    """Writes progress in the transaction of `connection`."""
    await connection.execute(load("transfer")["note_progress"], file, name, *astuple(counts), finished)
