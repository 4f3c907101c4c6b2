"""Export: every item as a line of the format that `line` reads, all from one snapshot.

PostgreSQL makes the JSON, so an item costs no Python object; memory stays at one buffer. Importing an
export changes nothing where the items are as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

from pinakes.query.sources import SOURCES, Source
from pinakes.store.pool import Pool, translate_errors
from pinakes.store.queries import for_source, load

# Rows between two calls of `advance`, and bytes between two writes.
_STEP = 1000
_BUFFER = 1 << 20


class _OutputError(Exception):
    """Carries the output's OSError past the border where an OSError is the database's."""

    def __init__(self, cause: OSError) -> None:
        self.cause = cause


async def export(
    pool: Pool,
    out: BinaryIO,
    sources: Iterable[Source] = SOURCES,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """Writes the items of `sources` to `out`, in the order of ids; how many. Tells `advance` how many so far.

    Raises:
        OSError: `out` cannot be written.
    """
    buffer = bytearray()
    written = 0

    def flush() -> None:
        # COPY doubles backslashes; JSON text holds nothing else that COPY would escape.
        try:
            out.write(buffer.replace(rb"\\", b"\\"))
        except OSError as error:
            raise _OutputError(error) from error
        buffer.clear()

    async def write(data: bytes) -> None:
        nonlocal written
        buffer.extend(data)
        if len(buffer) >= _BUFFER:
            flush()
        before, written = written, written + data.count(b"\n")
        if written // _STEP > before // _STEP:
            advance(written)

    try:
        with translate_errors():
            async with (
                pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute("SET LOCAL statement_timeout = 0")
                for source in sources:
                    query = for_source(load("transfer")["export"].replace("{name}", source.name), source)
                    await connection.copy_from_query(query, output=write, format="text")
                    flush()
    except _OutputError as error:
        raise error.cause from None
    advance(written)
    return written
