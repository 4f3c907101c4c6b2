"""What a suggestion takes: each key somebody presses on the way to a tag, for strangers and for viewers.

    python -m pinakes.bench.suggest --database-url URL [--items 200000] [--tags 140782] [--names 400]

Of a database of its own that no worker keeps. It is brought to this version's schema and filled with generated
items and all tags of their vocabulary, as far as they are missing, and gets a read model and an index. Names are
drawn by how often they are used, as people type them. One JSON line a measurement, in milliseconds from the
question to the list, in the process and without HTTP; `cpu_ms` is what this process spent a time:

| measurement | what is typed |
|---|---|
| `bare` | nothing: a connection, a snapshot and one trivial statement, to compare with |
| `load` | nothing: the first suggestion of a process, answered by PostgreSQL while all names are loaded beside it |
| `keys` | every beginning of a name, a key at a time; the first time bitmaps are read, `again` they are in memory |
| `typo` | names with one wrong letter |
| `within` | the first keys of a name inside the filter of another tag, a key at a time |
| `after a rename` | a beginning, each time after some tag was renamed |
| `writes: …` | the same at `PACE` keys a second, while a keeper runs and `CHANGES` items a second change |

Figures depend on the machine and on what else it does: `load` is that of the last minute, and `bare` says what a
round trip took.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import numpy as np
import orjson
import uvloop

from pinakes.bench.generator.fill import fill
from pinakes.bench.generator.vocabulary import Vocabulary
from pinakes.bench.keeping import keeping
from pinakes.errors import ReadModelNotReady
from pinakes.index.build import build as build_index
from pinakes.index.reader import IndexReader
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.sources import SOURCES
from pinakes.service import ContentService
from pinakes.settings import Settings, load_settings
from pinakes.store.migrate import migrate
from pinakes.store.pool import Pool, open_pool, snapshot
from pinakes.store.queries import for_source, load
from pinakes.view.build import build as build_view
from pinakes.view.session import session

LIMIT = 10
KEYS = 12
"""Keys somebody presses at most before they choose."""

WITHIN_KEYS = 4
PACE = 50
CHANGES = 50
AT_ONCE = 5000
PACED = 1500
"""Keys typed while others write: half a minute."""

_SQL = load("suggest", "pinakes.bench.sql")


def tell(what: str, milliseconds: list[float], **figures: Any) -> None:
    """One line of the report."""
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    told = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": max(milliseconds), "load": os.getloadavg()[0]}
    rounded = {name: round(float(value), 2) for name, value in told.items()}
    sys.stdout.write(orjson.dumps({"measured": what, "times": len(milliseconds), **rounded, **figures}).decode() + "\n")
    sys.stdout.flush()


class Typist:
    """Types names of tags and measures what comes of it."""

    def __init__(self, service: ContentService, pool: Pool) -> None:
        self._service = service
        self._pool = pool

    async def bare(self) -> float:
        """Milliseconds of a snapshot in which next to nothing is asked."""
        began = time.perf_counter()
        async with snapshot(self._pool, 30_000) as connection:
            await connection.fetchval("SELECT 1")
        return (time.perf_counter() - began) * 1000

    async def all_typed(
        self, what: str, asked: list[tuple[str, GalleryQuery]], pace: float = 0, **figures: Any
    ) -> None:
        """Types everything in turn and tells what it took; with a `pace`, so many a second."""
        began, cpu, pauses = time.perf_counter(), time.process_time(), Pauses()
        taken = []
        with pauses:
            for number, (text, query) in enumerate(asked):
                if pace:
                    await asyncio.sleep(max(began + number / pace - time.perf_counter(), 0))
                taken.append(await self.typed(text, query))
        cpu_ms = (time.process_time() - cpu) * 1000 / len(taken)
        tell(what, taken, cpu_ms=round(cpu_ms, 2), gc_max_ms=round(pauses.longest_ms, 2), **figures)

    async def typed(self, text: str, query: GalleryQuery) -> float:
        """Milliseconds of one suggestion."""
        began = time.perf_counter()
        await self._service.suggest(query, text, LIMIT)
        return (time.perf_counter() - began) * 1000


class Pauses:
    """How long garbage collection stopped the process at most."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        gc.callbacks.append(self._told)

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._told)

    def _told(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.longest_ms = max(self.longest_ms, (time.perf_counter() - self._began) * 1000)


def misspelt(name: str, rng: Random) -> str:
    """`name` with one wrong letter, not the first."""
    place = rng.randrange(1, len(name))
    return name[:place] + rng.choice("qxzj") + name[place + 1 :]


async def ready(settings: Settings, pool: Pool, items: int, tags: int) -> None:
    """A gallery with all tags of its vocabulary, a read model and an index."""
    report = await fill(pool, items=items, seed=11, tags=tags, slim=True)
    vocabulary = await asyncio.to_thread(Vocabulary, tags)
    categories = [tag.category for tag in vocabulary.tags]
    for start in range(0, tags, AT_ONCE):
        end = start + AT_ONCE
        await pool.execute(_SQL["missing"], vocabulary.names[start:end], categories[start:end])
    async with pool.acquire() as connection:
        try:
            await IndexReader(1 << 20).state(connection)
            if not report.created:
                return
        except ReadModelNotReady:
            pass
    async with session(settings) as connection:
        await build_view(connection, "incremental")
    assert settings.database_url is not None
    await build_index(settings.database_url)


@contextlib.asynccontextmanager
async def writing(settings: Settings, pool: Pool, tags: list[int], rng: Random) -> AsyncIterator[None]:
    """Meanwhile a keeper runs, and `CHANGES` times a second an item gets a tag or loses it again."""
    source = SOURCES[0]
    items = [row["id"] for row in await pool.fetch(for_source(_SQL["some_items"], source))]

    async def write() -> None:
        began, written = time.perf_counter(), 0
        given: list[tuple[int, int]] = []
        try:
            while True:
                await asyncio.sleep(max(began + written / CHANGES - time.perf_counter(), 0))
                written += 1
                if written % 2 or not given:
                    item, tag = rng.choice(items), rng.choice(tags)
                    if await pool.fetchval(for_source(_SQL["give"], source), item, tag):
                        given.append((item, tag))
                else:
                    await pool.execute(for_source(_SQL["take"], source), *given.pop())
        finally:
            for each in given:
                await pool.execute(for_source(_SQL["take"], source), *each)

    async with keeping(settings, index=True):
        task = asyncio.create_task(write())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def measure(settings: Settings, pool: Pool, names: int) -> None:
    """All measurements."""
    rng = Random(7)
    service = ContentService(pool, settings)
    typist = Typist(service, pool)
    rows = await pool.fetch(_SQL["used"])
    drawn = rng.choices(rows, [row["items"] for row in rows], k=names)
    user = await pool.fetchval(_SQL["busy_user"])
    every = await pool.fetchval(_SQL["tags"])
    tell("load", [await typist.typed("", GalleryQuery())], tags=every, used=len(rows))
    rows.clear()
    service.start()
    await service.settled()
    gc.freeze()  # as a server does
    for who, viewer in (("anybody", None), ("a user", user)):
        tell("bare", [await typist.bare() for _ in range(1000)])
        asked = questions(drawn, viewer, rng)
        for what, each in asked.items():
            await typist.all_typed(what, each, viewer=who)
            if what != "typo":
                await typist.all_typed(f"{what} again", each, viewer=who)
    async with writing(settings, pool, [row["id"] for row in drawn], rng):
        for who, viewer in (("anybody", None), ("a user", user)):
            for what, each in questions(drawn, viewer, rng).items():
                await typist.all_typed(f"writes: {what}", each[:PACED], PACE, viewer=who)
    taken = []
    for row in drawn[:100]:
        await pool.execute(_SQL["rename"], row["id"])
        taken.append(await typist.typed(row["name"][:2], GalleryQuery()))
        await pool.execute(_SQL["name_back"], row["id"], row["name"])
    tell("after a rename", taken)
    await service.close()


def questions(drawn: list[Any], viewer: int | None, rng: Random) -> dict[str, list[tuple[str, GalleryQuery]]]:
    """What is typed, by measurement."""
    plain = GalleryQuery(viewer=viewer)
    filters = [GalleryQuery(tags_all=(row["id"],), viewer=viewer) for row in rng.sample(drawn, len(drawn))]
    names = [row["name"] for row in drawn]
    return {
        "keys": [(name[:end], plain) for name in names for end in range(1, min(len(name), KEYS))],
        "typo": [(misspelt(name, rng), plain) for name in names if len(name) > 4],
        "within": [
            (name[:end], filter_)
            for name, filter_ in zip(names, filters, strict=True)
            for end in range(1, min(len(name), WITHIN_KEYS) + 1)
        ],
    }


async def main(database_url: str, items: int, tags: int, names: int) -> None:
    """Fills, builds, measures."""
    await migrate(database_url)
    # Nobody keeps the read model most of the time, so it may be as old as it likes.
    settings = load_settings(
        database_url=database_url, cursor_secret=secrets.token_hex(16), max_staleness_seconds=604_800.0
    )
    pool = await open_pool(settings)
    try:
        await ready(settings, pool, items, tags)
        await measure(settings, pool, names)
    finally:
        await pool.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--tags", type=int, default=140_782)
    parser.add_argument("--names", type=int, default=400)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(given.database_url, given.items, given.tags, given.names))
