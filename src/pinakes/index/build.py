"""Building the index beside the live one, and putting it in its place.

1. `begin`, in a process of its own and under the applier's lock for a moment: a new generation with
   codes cut to fit the values there are. Every epoch from here on also writes deltas for it.
2. One part a segment (`part.py`), on all cores; each commits by itself and is never done again.
3. `go_live`: readers use the new generation from this commit on; the deltas since step 1 bring it
   up to date. The old one is swept away in pieces.

A kill at any moment leaves the live index as it was, and the next build goes on with the parts
that are missing. A read model built anew meanwhile (another incarnation) makes the build begin
again, since documents have other numbers then.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from pinakes import child
from pinakes.bitmap.segments import SEGMENT
from pinakes.bitmap.terms import PREFIX
from pinakes.errors import ReadModelNotReady, StoreError
from pinakes.index.codes import Codes, fit, write_codes
from pinakes.index.part import DATABASE_VARIABLE, NICE, Part, build_part, connect
from pinakes.index.rows import sample_keys
from pinakes.store.activity import INDEX, tell
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.session import alone

# Ten values for each of 49,152 codes: bands hold equal numbers within a few per cent.
SAMPLE_DOCS = 500_000

# Up to here a code holds about as many documents as a window does anyway, so places inside it are not worth a byte.
FINE_DOCS = 2_000_000

# Any fixed pair would do; these spell "pina" and "indx".
_LOCK = (int.from_bytes(b"pina", "big"), int.from_bytes(b"indx", "big"))
_SQL = load("generation", "pinakes.index.sql")
_ROWS = load("rows", "pinakes.index.sql")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with documents done and documents in all."""


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build."""

    generation: int
    docs: int
    terms: int
    seconds: float
    resumed: bool


def _silent(_done: int, _total: int) -> None:
    """No progress shown."""


async def build(database_url: str, *, processes: int | None = None, progress: Progress = _silent) -> Built:
    """Builds the index and puts it into use; by default with a process for each core, with 0 all in this one.

    Raises:
        ReadModelNotReady: the read model is missing, or its policy gives documents no numbers.
        StoreError: the read model was built anew meanwhile.
    """
    began = time.perf_counter()
    connection = await connect(database_url)
    try:
        await connection.execute(_SQL["one_builder"], *_LOCK)
        workers = (os.cpu_count() or 1) if processes is None else processes
        generation, docs, resumed = await (_begin_elsewhere(database_url) if workers else _begin(connection))
        done = {row["segment"] for row in await connection.fetch(_SQL["finished_parts"], generation)}
        segments = [number for number in range(-(-docs // SEGMENT)) if number not in done]
        finished = sum(_docs(number, docs) for number in done)
        progress(finished, docs)
        await tell(connection, INDEX, finished / max(docs, 1))
        terms = 0
        async for part in _parts(database_url, connection, generation, segments, workers):
            finished += _docs(part.segment, docs)
            terms += part.terms
            progress(finished, docs)
            await tell(connection, INDEX, finished / max(docs, 1))
        await go_live(connection, generation)
        await sweep(connection)
    finally:
        await connection.close()
    return Built(generation, docs, terms, time.perf_counter() - began, resumed)


def _docs(segment: int, docs: int) -> int:
    """How many document numbers of `docs` fall into a segment."""
    return min(SEGMENT, docs - segment * SEGMENT)


async def _begin(connection: Connection) -> tuple[int, int, bool]:
    """The generation to build, how many document numbers it covers, and whether it was begun before."""
    found = await connection.fetchrow(_SQL["unfinished"])
    if found is not None:
        return found["generation"], found["docs"], True
    codes = await fitted(connection)
    async with alone(connection, wait=True), connection.transaction():
        await connection.execute(_SQL["discard_unfinished"])
        begun = await connection.fetchrow(_SQL["begin"])
        if begun is None:
            raise _not_ready()
        await write_codes(connection, begun["generation"], codes)
    return begun["generation"], begun["docs"], False


async def _begin_elsewhere(database_url: str) -> tuple[int, int, bool]:
    """`_begin` in a process of its own: cutting codes takes seconds, in which a worker's applier would stand still."""
    begun = orjson.loads(await _output("Beginning", database_url, "pinakes.index.build"))
    if begun is None:
        raise _not_ready()
    generation, docs, resumed = begun
    return generation, docs, resumed


async def fitted(connection: Connection) -> Codes:
    """Codes cut to fit the read model as it is, or a fair sample of it."""
    docs = await connection.fetchval(_SQL["documents"])
    if docs is None:
        raise _not_ready()
    share = min(100.0, 100.0 * SAMPLE_DOCS / max(docs, 1))
    return fit(sample_keys(await connection.fetchrow(_ROWS["sample"], share, PREFIX)), fine=docs > FINE_DOCS)


async def _parts(
    database_url: str, connection: Connection, generation: int, segments: list[int], workers: int
) -> AsyncIterator[Part]:
    """Builds `segments`, in this process or in `workers` others; each as it is finished."""
    if not workers:
        for segment in segments:
            yield await build_part(connection, generation, segment)
        return
    room = asyncio.Semaphore(workers)

    async def one(segment: int) -> Part:
        async with room:
            return await _elsewhere(database_url, generation, segment)

    tasks = [asyncio.create_task(one(segment)) for segment in segments]
    try:
        for finished in asyncio.as_completed(tasks):
            yield await finished
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _elsewhere(database_url: str, generation: int, segment: int) -> Part:
    what = f"Building segment {segment}"
    printed = await _output(what, database_url, "pinakes.index.part", str(generation), str(segment))
    return Part(**orjson.loads(printed))


async def _output(what: str, database_url: str, *module: str) -> bytes:
    """What a module prints that is run as a process; it ends when this is cancelled."""
    process = await child.start(
        *module,
        variables={**os.environ, DATABASE_VARIABLE: database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        printed, complaint = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        reason = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise StoreError(f"{what} failed: {reason}", hint="Run the same command again to go on.")
    return printed


async def go_live(connection: Connection, generation: int) -> None:
    """Readers use `generation` from this commit on.

    Raises:
        StoreError: it is no longer being built.
    """
    async with connection.transaction():
        await connection.execute(_SQL["retire_live"])
        if await connection.execute(_SQL["go_live"], generation) != "UPDATE 1":
            raise StoreError("The index build was given up meanwhile.", hint="Build again.")


async def sweep(connection: Connection) -> None:
    """Removes what retired generations left, a little at a time."""
    for row in await connection.fetch(_SQL["retired"]):
        generation = row["generation"]
        while await connection.execute(_SQL["sweep_segments"], generation) != "DELETE 0":
            pass
        await connection.execute(_SQL["sweep_deltas"], generation)
        await connection.execute(_SQL["sweep_generation"], generation)


def _not_ready() -> ReadModelNotReady:
    return ReadModelNotReady(
        "The index needs the read model kept by policy `incremental`.",
        hint="Run `pinakes view policy incremental`, then build the index.",
    )


async def _main(database_url: str) -> None:
    os.nice(NICE)
    connection = await connect(database_url)
    try:
        begun = await _begin(connection)
    except ReadModelNotReady:
        begun = None
    finally:
        await connection.close()
    sys.stdout.buffer.write(orjson.dumps(begun))


if __name__ == "__main__":
    # As in part.py: the address may hold a password.
    asyncio.run(_main(os.environ[DATABASE_VARIABLE]))
