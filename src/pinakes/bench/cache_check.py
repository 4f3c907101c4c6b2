"""Checked reads: every answer through the cache is compared with what was so, under load and with faults.

A writer changes a small gallery and remembers every version of it with the time it was overtaken.
Readers ask through several caches of their own, as processes would. An answer is right if some
version says exactly the same (items with every column, order, total, cursors: compared by the digest
that is its ETag) and that version was not overtaken longer than the budget before the question was
asked. Nothing is sampled: every single read is checked.

The expected digest comes from the oracle, some 0.3 ms for 150 items, and is remembered for each
(question, version); so a check costs a few microseconds.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pinakes.bench.cache_gallery import TAGS, create, expected, first_items, write
from pinakes.cache.core import ResultCache
from pinakes.cache.options import Options
from pinakes.query.cursor import CursorCodec
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool, open_pool
from pinakes.view.applier import is_dirty
from pinakes.view.keeper import Keeper
from pinakes.view.session import session

READERS = 16
BATCH = 20
"""Reads between two turns of the event loop; answers from the process never wait."""

Fault = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Version:
    """One version of the gallery. `overtaken`: when the next was known to be committed."""

    items: dict[tuple[int, int], Item]
    tags: dict[int, str]
    overtaken: float = float("inf")
    digests: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a run does: until `reads` were checked or `seconds` have passed."""

    reads: int
    writes_per_s: float
    reads_per_s: float | None = None
    seconds: float | None = None
    renames: bool = True
    """Tags are renamed. The read model has no names in it, so only engine `base` shows them in step."""
    hot: bool = False
    """Every write touches the one tag that `questions(hot=True)` all ask for."""


@dataclass(slots=True)
class Outcome:
    """What a run found."""

    reads: int = 0
    wrong: int = 0
    beyond_budget: int = 0
    stalest_ms: float = 0.0
    seconds: float = 0.0
    writes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def hit_rate(self) -> float:
        """The share of reads that needed no engine."""
        hits = sum(self.sources[name] for name in ("hit_l1", "hit_l2", "stale"))
        return hits / max(self.reads, 1)


class Check:
    """One run: a writer, a keeper, readers, and what breaks things."""

    def __init__(
        self, settings: Settings, options: Options, queries: list[GalleryQuery], *, seed: int, caches: int = 2
    ) -> None:
        self.settings = settings
        self.outcome = Outcome()
        self.keeping = asyncio.Event()
        self.keeping.set()
        self._options = options
        self._queries = queries
        self._caches = caches
        self._rng = random.Random(seed)
        assert settings.cursor_secret is not None
        self._codec = CursorCodec(settings.cursor_secret)
        self._versions: deque[Version] = deque()
        self._budget_s = settings.cache_budget_ms / 1000
        self._background: list[asyncio.Task[None]] = []
        self.services: list[ContentService] = []

    async def run(
        self,
        load: Load,
        faults: dict[str, Fault] | None = None,
        on_progress: Callable[[int], None] = lambda _reads: None,
    ) -> Outcome:
        """Reads, writes and breaks things; what came of it."""
        pool = await open_pool(self.settings)
        try:
            await create(pool, first_items())
            self._versions.append(Version(first_items(), dict(TAGS)))
            async with session(self.settings, "pinakes check") as connection:
                keeper = Keeper(self.settings)
                await keeper.prepare(connection)
                while await is_dirty(connection):  # an earlier run's gallery may still be in the read model
                    await keeper.work(connection)
            for _ in range(self._caches):
                self.services.append(await self._service(pool))
            await self._under(load, pool, faults or {}, on_progress)
        finally:
            for service in self.services:
                if service.cache is not None:
                    await service.cache.stop()
            await pool.close()
        return self.outcome

    async def _under(
        self, load: Load, pool: Pool, faults: dict[str, Fault], on_progress: Callable[[int], None]
    ) -> None:
        self._background = [
            asyncio.create_task(self._write(pool, load)),
            asyncio.create_task(self._keep()),
        ]
        if faults:
            self._background.append(asyncio.create_task(self._break(pool, faults)))
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as readers:
                for number in range(READERS):
                    readers.create_task(self._read(number, load, began, on_progress))
        finally:
            self.outcome.seconds = time.monotonic() - began
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)

    async def _service(self, pool: Pool) -> ContentService:
        cache = ResultCache(self.settings.redis_address() or "", self.settings.database_url, self._options)
        await cache.start()
        return ContentService(pool, self.settings, cache)

    async def _read(self, number: int, load: Load, began: float, on_progress: Callable[[int], None]) -> None:
        outcome, rng, turns = self.outcome, random.Random(number), 0
        weights = [1 / (place + 1) for place in range(len(self._queries))]
        limit = began + (load.seconds if load.seconds is not None else float("inf"))
        while outcome.reads < load.reads and time.monotonic() < limit:
            (asked,) = rng.choices(range(len(self._queries)), weights)
            service = self.services[rng.randrange(len(self.services))]
            start = time.monotonic()
            told = await service.answer(self._queries[asked])
            self._judge(asked, told.entry.etag, told.source, start)
            turns += 1
            if load.reads_per_s is not None:
                await asyncio.sleep(READERS / load.reads_per_s)
            elif turns % BATCH == 0:
                await asyncio.sleep(0)
                on_progress(outcome.reads)
            for task in self._background:
                if task.done():
                    task.result()  # whatever ended it ends the run

    def _judge(self, asked: int, etag: bytes, source: str, start: float) -> None:
        outcome = self.outcome
        outcome.reads += 1
        outcome.sources[source] += 1
        for version in reversed(self._versions):
            if version.digests.get(asked) is None:
                version.digests[asked] = expected(self._queries[asked], version.items, version.tags, self._codec)
            if version.digests[asked] == etag:
                late = max(start - version.overtaken, 0.0)
                outcome.stalest_ms = max(outcome.stalest_ms, late * 1000)
                if late > self._budget_s:
                    outcome.beyond_budget += 1
                    self._example(asked, source, f"{late * 1000:.0f} ms old")
                return
        outcome.wrong += 1
        self._example(asked, source, "no version says so")

    def _example(self, asked: int, source: str, what: str) -> None:
        if len(self.outcome.examples) < 10:
            self.outcome.examples.append(f"read {self.outcome.reads}, {source}: {what}: {self._queries[asked]}")

    async def _write(self, pool: Pool, load: Load) -> None:
        moment = datetime(2025, 1, 1, tzinfo=UTC)
        while True:
            await asyncio.sleep(self._rng.expovariate(load.writes_per_s))
            last, moment = self._versions[-1], moment + timedelta(seconds=1)
            items, tags = dict(last.items), dict(last.tags)
            change = write(self._rng, items, tags, moment, hot=load.hot, renames=load.renames)
            # Readers may see it before we know that it is committed, and not before it is tried.
            self._versions.append(Version(items, tags))
            async with pool.acquire() as connection, connection.transaction():
                for sql, values in change:
                    await connection.execute(sql, *values)
            last.overtaken = time.monotonic()
            self.outcome.writes += 1
            while len(self._versions) > 2 and self._versions[0].overtaken < time.monotonic() - 20:
                self._versions.popleft()

    async def _keep(self) -> None:
        async with session(self.settings, "pinakes check") as connection:
            keeper = Keeper(self.settings)
            while True:
                await self.keeping.wait()
                await asyncio.sleep(await keeper.step(connection))

    async def _break(self, pool: Pool, faults: dict[str, Fault]) -> None:
        names = list(faults)
        while True:
            for name in self._rng.sample(names, len(names)):
                await asyncio.sleep(1.5 + 2 * self._rng.random())
                self.outcome.faults[name] += 1
                await faults[name]()
            # And a process that begins anew, with nothing in it.
            self.outcome.faults["restart of a reader"] += 1
            place = self._rng.randrange(len(self.services))
            old, self.services[place] = self.services[place], await self._service(pool)
            if old.cache is not None:
                await asyncio.sleep(0.1)
                await old.cache.stop()


def questions(*, hot: bool = False) -> list[GalleryQuery]:
    """What is asked, most asked first. `hot`: everything with the tag that every write touches."""
    rng = random.Random(7)
    asked: list[GalleryQuery] = []
    for _ in range(60):
        tags = tuple(rng.sample(sorted(TAGS), rng.choice((1, 1, 2))))
        asked.append(
            GalleryQuery(
                tags_all=(1, *tags[:1]) if hot else tags,
                tags_none=tuple(rng.sample(sorted(TAGS), 1)) if rng.random() < 0.2 else (),
                page=rng.choice((1, 1, 2)),
                page_size=rng.choice((5, 20)),
                sort_field=rng.choice(("created_at", "quality_score", "title")),
                viewer=rng.choice((None, None, 1, 2)),
            )
        )
    if not hot:
        asked[3::8] = [GalleryQuery(page_size=n) for n in (20, 10, 5)] + asked[3::8][3:]
        asked[5::9] = [GalleryQuery(search_term="sea", page_size=n) for n in (20, 10)] + asked[5::9][2:]
        asked[7::9] = [GalleryQuery(creator_filter="user", user_id=n) for n in (1, 2)] + asked[7::9][2:]
    about = [dataclasses.replace(q, user_id=q.viewer) if q.user_id is None else q for q in asked]
    return list(dict.fromkeys(about))


def figures(outcome: Outcome) -> dict[str, Any]:
    """An outcome as figures to print."""
    return {
        "reads": outcome.reads,
        "wrong": outcome.wrong,
        "beyond_budget": outcome.beyond_budget,
        "stalest_ms": round(outcome.stalest_ms),
        "hit_rate": round(outcome.hit_rate, 4),
        "sources": dict(outcome.sources),
        "writes": outcome.writes,
        "faults": dict(outcome.faults),
        "seconds": round(outcome.seconds, 1),
        "examples": outcome.examples,
    }
