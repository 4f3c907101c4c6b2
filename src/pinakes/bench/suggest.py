"""What a suggestion takes: each key somebody presses on the way to a tag, for strangers and for viewers.

    python -m pinakes.bench.suggest --database-url URL [--items 300000] [--tags 140782] [--names 400]

The database must be migrated and no worker run; it is filled with generated items as far as they are
missing, and gets a read model and an index. Names are drawn by how often they are used, as people
type them. One JSON line a measurement, in milliseconds from taking a connection to the list:

| measurement | what is typed |
|---|---|
| `bare` | nothing: a connection, a snapshot and one trivial statement, to compare with |
| `load` | nothing: the first suggestion of a process, which loads all names |
| `keys` | every beginning of a name, a key at a time |
| `typo` | a name with one wrong letter |
| `within` | a beginning, inside the filter of another tag |
| `after a rename` | a beginning, each time after some tag was renamed |

Figures depend on the machine and on what else it does: compare those of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from random import Random
from typing import Any

import numpy as np
import orjson

from pinakes.bench.generator.fill import fill
from pinakes.errors import ReadModelNotReady
from pinakes.index.build import build as build_index
from pinakes.index.reader import IndexReader
from pinakes.query.formula import Formula, Term, conj
from pinakes.query.gallery_query import visible_to
from pinakes.service import ContentService
from pinakes.settings import Settings, load_settings
from pinakes.store.pool import Pool, open_pool, snapshot
from pinakes.store.queries import load
from pinakes.view.build import build as build_view
from pinakes.view.session import session

LIMIT = 10
_SQL = load("suggest", "pinakes.bench.sql")


def tell(what: str, milliseconds: list[float], **figures: Any) -> None:
    """One line of the report; `cpu_ms` is what this process spent a time, whatever else the machine did."""
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    told = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": max(milliseconds)}
    rounded = {name: round(float(value), 2) for name, value in told.items()}
    sys.stdout.write(orjson.dumps({"measured": what, "times": len(milliseconds), **rounded, **figures}).decode() + "\n")
    sys.stdout.flush()


class Typist:
    """Types names of tags and measures what comes of it."""

    def __init__(self, service: ContentService, pool: Pool) -> None:
        self._service = service
        self._pool = pool
        self.empty = 0

    async def bare(self) -> float:
        """Milliseconds of a snapshot in which next to nothing is asked."""
        began = time.perf_counter()
        async with snapshot(self._pool, 30_000) as connection:
            await connection.fetchval("SELECT 1")
        return (time.perf_counter() - began) * 1000

    async def all_typed(self, what: str, texts: list[str], formulas: list[Formula], **figures: Any) -> None:
        """Types `texts` and tells what it took."""
        began = time.process_time()
        taken = [await self.typed(*each) for each in zip(texts, formulas, strict=True)]
        cpu = (time.process_time() - began) * 1000 / len(taken)
        tell(what, taken, cpu_ms=round(cpu, 2), **figures)

    async def typed(self, text: str, formula: Formula) -> float:
        """Milliseconds of one suggestion."""
        began = time.perf_counter()
        async with snapshot(self._pool, 30_000) as connection:
            found = await self._service.suggester.suggest(connection, text, formula, LIMIT)
        self.empty += not found
        return (time.perf_counter() - began) * 1000


def misspelt(name: str, rng: Random) -> str:
    """`name` with one wrong letter, not the first."""
    place = rng.randrange(1, len(name))
    return name[:place] + rng.choice("qxzj") + name[place + 1 :]


async def ready(settings: Settings, pool: Pool, items: int, tags: int) -> None:
    """A gallery with a read model and an index."""
    report = await fill(pool, items=items, seed=11, tags=tags, slim=True)
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


async def measure(settings: Settings, pool: Pool, names: int) -> None:
    """All measurements."""
    rng = Random(7)
    service = ContentService(pool, settings)
    typist = Typist(service, pool)
    rows = await pool.fetch(_SQL["used"])
    drawn = rng.choices(rows, [row["items"] for row in rows], k=names)
    viewer = await pool.fetchval(_SQL["busy_user"])
    tell("load", [await typist.typed("", visible_to(None))], tags=len(rows))
    for who, formula in (("anybody", visible_to(None)), ("a user", visible_to(viewer))):
        tell("bare", [await typist.bare() for _ in range(1000)])
        keys = [row["name"][:end] for row in drawn for end in range(1, min(len(row["name"]), 12))]
        for what in ("keys", "keys again"):
            await typist.all_typed(what, keys, [formula] * len(keys), viewer=who)
        wrong = [misspelt(row["name"], rng) for row in drawn if len(row["name"]) > 4]
        await typist.all_typed("typo", wrong, [formula] * len(wrong), viewer=who)
        narrow = [conj((formula, Term("tag", row["id"]))) for row in rng.sample(drawn, len(drawn))]
        begun = [row["name"][: rng.randrange(1, 4)] for row in drawn]
        for what in ("within", "within again"):
            await typist.all_typed(what, begun, narrow, viewer=who)
    taken = []
    for row in drawn[:100]:
        await pool.execute(_SQL["rename"], row["id"])
        taken.append(await typist.typed(row["name"][:2], visible_to(None)))
    tell("after a rename", taken)
    await service.close()


async def main(database_url: str, items: int, tags: int, names: int) -> None:
    """Fills, builds, measures."""
    # Nobody keeps the read model here, so it may be as old as it likes.
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
    parser.add_argument("--items", type=int, default=300_000)
    parser.add_argument("--tags", type=int, default=140_782)
    parser.add_argument("--names", type=int, default=400)
    given = parser.parse_args()
    asyncio.run(main(given.database_url, given.items, given.tags, given.names))
