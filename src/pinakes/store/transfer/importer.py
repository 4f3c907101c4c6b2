"""Import a file: batches from the reading process, two at a time into the database.

Two batches are stored side by side, each in a transaction of its own, and committed in the order of
their lines, so the number of lines in `import_progress` always says what is in the database. Two
batches with an item in common wait for each other. A kill loses at most the two; the same command
goes on behind the last committed line. A finished file is read again from its beginning.

Files of one command are one load (`load`): what a bulk load takes off comes back once, behind the last file. How many
items are to come is judged by the first batch of each file and by the bytes of those after it, and again
whenever more were made than that; so a pipe or a file whose beginning is known already goes bulk on its way.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

import asyncpg

from pinakes.errors import Conflict, ImportFailed
from pinakes.query.sources import SOURCE_BY_CODE, Source
from pinakes.store.activity import LOADING, tell, tell_no_more
from pinakes.store.bulk import BulkLoad, Mode
from pinakes.store.pool import Connection, Pool, is_lost, translate_errors
from pinakes.store.transfer import progress
from pinakes.store.transfer.batch import Batch
from pinakes.store.transfer.merge import Merge, existing
from pinakes.store.transfer.progress import Counts
from pinakes.store.transfer.reader import open_reader
from pinakes.store.transfer.rejects import Rejects
from pinakes.store.transfer.source import is_stream, named

# Connections beside those that store: the file's lock, the bulk load's lock, making tags and users.
_SPARE = 3
_AT_ONCE = 2
MIN_POOL = _SPARE + 1
_ATTEMPTS = 5
# Refused lines whose reasons are told at the end.
_TOLD = 5
# The last commit, which waits for the disk, takes all before it there too: a crash of the server costs the
# latest batches and their progress together.
_LATER = "SET LOCAL synchronous_commit = off"
# External ids by source code.
_Items: TypeAlias = dict[int, set[str]]
_TRY_AGAIN = (Conflict, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@dataclass(slots=True)
class ImportReport:
    """What an import did. `counts` are of this run; `resumed_at` lines were imported by an earlier one.

    `repaired`: by field, how many lines, of tags and creators how many names, are kept otherwise than they were
    written. `first_refused`: the first refused lines of this run as "line N: why".
    """

    file: str
    counts: Counts
    resumed_at: int
    rejects: str | None
    ignored_keys: dict[str, int]
    repaired: dict[str, int]
    first_refused: list[str]
    bulk: list[str]
    seconds: float
    loading_seconds: float


@dataclass(slots=True)
class Watch:
    """Who is told what is going on: status lines, and (items so far, bytes read, bytes of the file)."""

    status: Callable[[str], None] = lambda _: None
    advance: Callable[[int, int, int], None] = lambda _items, _done, _total: None


@dataclass(slots=True)
class _Job:
    """One file being imported."""

    pool: Pool
    path: Path
    file: str
    rejects: Rejects
    watch: Watch
    total: Counts
    # Read once; nobody can go on with it, so its progress is not noted.
    stream: bool = False
    # Bytes of the files of the same load that come after this one.
    bytes_after: int = 0
    # The session that holds the file's lock says how far the import is.
    guard: Connection | None = None
    running: list[tuple[_Items, asyncio.Task[None]]] = field(default_factory=list)
    # Nobody is asked which items exist, until one does: asking costs a tenth of loading.
    all_new: bool = False
    ignored: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    first_refused: list[str] = field(default_factory=list)
    bulk: set[Source] = field(default_factory=set)


async def import_file(
    pool: Pool,
    path: Path,
    *,
    bulk: Mode = "auto",
    rejects: Path | None = None,
    from_start: bool = False,
    watch: Watch | None = None,
    load: BulkLoad | None = None,
    bytes_after: int = 0,
) -> ImportReport:
    """Imports `path` from where an earlier, unfinished import of it stopped. The pool holds `MIN_POOL` or more.

    With a `load` of several files, which decides about bulk, `bytes_after` are those of the files after this one.

    Raises:
        ImportFailed: the file cannot be read (to its end: what came before is kept), or is being
            imported by somebody else.
        StoreError: the database could not go on; what was committed is kept.
    """
    if pool.get_max_size() < MIN_POOL:
        raise ValueError(f"an import needs a pool of {MIN_POOL} connections")
    began = perf_counter()
    file, name = await asyncio.to_thread(progress.fingerprint, path), named(path)
    with translate_errors():
        async with pool.acquire() as guard:
            key = zlib.crc32(file.encode()) | 1 << 40
            if not await guard.fetchval("SELECT pg_try_advisory_lock($1)", key):
                raise ImportFailed(f"{name.name} is being imported by another command.", hint="")
            try:
                before = Counts() if from_start else await progress.begun(pool, file)
                job = _Job(pool, path, file, Rejects(name, rejects), watch or Watch(), before, is_stream(path))
                job.bytes_after, job.guard = bytes_after, guard
                if before.lines:
                    job.watch.status(f"Going on with {name.name} behind line {before.lines:,}")
                loading = await _run(job, bulk, load)
            finally:
                job.rejects.close()
                if not is_lost(guard):
                    await tell_no_more(guard)
                    await guard.execute("SELECT pg_advisory_unlock($1)", key)
    return ImportReport(
        file=str(path),
        counts=job.total - before,
        resumed_at=before.lines,
        rejects=str(job.rejects.path) if job.rejects.path else None,
        ignored_keys=dict(job.ignored),
        repaired=dict(job.repaired),
        first_refused=job.first_refused,
        bulk=sorted(source.name for source in job.bulk),
        seconds=perf_counter() - began,
        loading_seconds=loading - began,
    )


async def _run(job: _Job, bulk: Mode, shared: BulkLoad | None) -> float:
    """Imports the rest of the file; the moment when all lines were in and the indexes not yet back."""
    before = job.total.lines
    await asyncio.to_thread(job.rejects.open, before)
    async with open_reader(job.path, before + 1) as batches:
        batch = await anext(batches)
        if batch.broken and not batch.parts and not batch.refused:
            raise ImportFailed(batch.broken, hint=batch.hint)
        expected = await _expected(job, batch)
        async with AsyncExitStack() as stack:
            load = shared
            if load is None:
                own = BulkLoad(job.pool, expected=expected, mode=bulk, on_status=job.watch.status)
                load = await stack.enter_async_context(own)
            job.bulk = load.bulk
            merging = Merge(load)
            made = job.total.created
            load.expect(expected)
            try:
                while not batch.last:
                    await _start(job, load, merging, batch)
                    if job.guard is not None and batch.file_bytes:
                        await tell(job.guard, LOADING, batch.bytes_read / (batch.file_bytes + job.bytes_after))
                    batch = await anext(batches)
                    if job.total.created - made > expected:
                        # As many again, for all that is known; our own transactions must not be in the way.
                        expected = 2 * (job.total.created - made)
                        if load.expect(expected):
                            await _wait(job, 0)
                await _start(job, load, merging, batch)
                await _wait(job, 0)
            except BaseException:
                for _, task in job.running:
                    task.cancel()
                await asyncio.gather(*(task for _, task in job.running), return_exceptions=True)
                raise
            loading = perf_counter()
    if batch.broken:
        raise ImportFailed(batch.broken, hint=batch.hint)
    return loading


async def _expected(job: _Job, first: Batch) -> int:
    """About how many new items the file and those after it bring, judged by its first batch."""
    rows = known = 0
    async with job.pool.acquire() as connection:
        for code, part in first.parts.items():
            rows += len(part.external_ids)
            known += len(await existing(connection, SOURCE_BY_CODE[code], part))
    after = (rows - known) / max(first.bytes_read, 1) * job.bytes_after
    if first.last or not rows:
        return rows - known + int(after)
    job.all_new = not known
    lines = first.last_line - job.total.lines
    # Bytes of the whole file to bytes read, which include those of the lines skipped.
    rest = first.file_bytes / max(first.bytes_read, 1) * first.last_line - job.total.lines
    return int((rows - known) / lines * max(rest, lines) + after * first.last_line / lines)


async def _start(job: _Job, load: BulkLoad, merging: Merge, batch: Batch) -> None:
    """Begins to store a batch as soon as there is room for it and none with a common item is under way."""
    for code in sorted(batch.parts):
        await load.prepare(SOURCE_BY_CODE[code])
    await merging.learn(batch.new_tags, batch.new_creators)
    items = {code: set(part.external_ids) for code, part in batch.parts.items()}
    side_by_side = min(_AT_ONCE, job.pool.get_max_size() - _SPARE)
    await _wait(job, side_by_side - 1)
    while any(_overlap(items, others) for others, _ in job.running):
        await _wait(job, len(job.running) - 1)
    job.ignored.update(batch.ignored)
    job.repaired.update(batch.repaired)
    previous = job.running[-1][1] if job.running else None
    job.running.append((items, asyncio.create_task(_store(job, merging, batch, previous))))


def _overlap(one: _Items, other: _Items) -> bool:
    return any(not items.isdisjoint(other.get(code, ())) for code, items in one.items())


async def _wait(job: _Job, most: int) -> None:
    """Until at most `most` batches are under way."""
    while len(job.running) > most:
        await job.running[0][1]
        job.running.pop(0)


async def _store(job: _Job, merging: Merge, batch: Batch, previous: asyncio.Task[None] | None) -> None:
    """Stores one batch and commits it after the one before it."""
    for attempt in range(_ATTEMPTS):
        try:
            async with job.pool.acquire() as connection, connection.transaction():
                if not batch.last:
                    await connection.execute(_LATER)
                counts = Counts(rejected=len(batch.refused))
                for code, part in sorted(batch.parts.items()):
                    counts += await merging.store(connection, SOURCE_BY_CODE[code], part, all_new=job.all_new)
                if previous is not None:
                    await asyncio.shield(previous)
                total = (job.total + counts).at(batch.last_line)
                await asyncio.to_thread(job.rejects.write, batch.refused)
                finished = batch.last and batch.broken is None
                if not job.stream:
                    await progress.note(connection, job.file, job.path.name, total, finished=finished)
        except _TRY_AGAIN:
            # Somebody else wrote the same items at the same moment; now they are there to be seen.
            if attempt == _ATTEMPTS - 1:
                raise
            job.all_new = False
        else:
            job.total = total
            room = _TOLD - len(job.first_refused)
            job.first_refused += [f"line {each.line:,}: {each.reason}" for each in batch.refused[:room]]
            done = total.created + total.updated + total.unchanged
            job.watch.advance(done, batch.bytes_read, batch.file_bytes)
            return
