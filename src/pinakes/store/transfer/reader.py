"""A file's batches, read in a process of its own, or for a small file in a thread.

Parsing and checking costs about as much as storing, so it has another core: `reading` runs there,
and `open_reader` hands out its batches. The pipe is the brake: at most a few batches are ahead of the
database.
"""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pinakes import child
from pinakes.errors import ImportFailed
from pinakes.store.transfer import reading
from pinakes.store.transfer.batch import Batch, batches
from pinakes.store.transfer.reading import LENGTH
from pinakes.store.transfer.source import DASH, is_own, is_stream, named

_BUFFER = 8 << 20
# Below this a process takes longer to start than the file to read.
_SMALL = 1 << 20


@asynccontextmanager
async def open_reader(path: Path, first_line: int) -> AsyncIterator[AsyncIterator[Batch]]:
    """The batches of `path` from `first_line` on, while the context lasts.

    Raises:
        ImportFailed: while iterating, when the reading process died.
    """
    stream = await asyncio.to_thread(is_stream, path)
    if not stream and await asyncio.to_thread(_size, path) < _SMALL:
        yield _inline(path, first_line)
        return
    # A stream of this process reaches the other as its standard input; one that has a name is opened there.
    own = stream and is_own(path)
    given = os.open(path, os.O_RDONLY) if own and path != DASH else None
    process = await child.start(
        reading.__name__,
        str(DASH if own else path),
        str(first_line),
        str(named(path)),
        stdin=given if own else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C reaches every process of the terminal; this one ends when its importer does.
        start_new_session=True,
        limit=_BUFFER,
    )
    if given is not None:
        os.close(given)
    assert process.stdout is not None
    try:
        yield _frames(process.stdout, path)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _size(path: Path) -> int:
    return path.stat().st_size


async def _inline(path: Path, first_line: int) -> AsyncIterator[Batch]:
    reading = batches(path, first_line)
    last = False
    while not last:
        try:
            batch = await asyncio.to_thread(next, reading)
        except OSError as error:
            raise ImportFailed(f"{path} cannot be read: {error.strerror or error}", hint="") from error
        last = batch.last
        yield batch


async def _frames(stream: asyncio.StreamReader, path: Path) -> AsyncIterator[Batch]:
    last = False
    while not last:
        try:
            length = int.from_bytes(await stream.readexactly(LENGTH), "big")
            frame = await stream.readexactly(length)
        except asyncio.IncompleteReadError:
            raise ImportFailed(f"The process that reads {path} ended unexpectedly.") from None
        # Our own process wrote it.
        batch: Batch = pickle.loads(frame)  # noqa: S301
        last = batch.last
        yield batch
