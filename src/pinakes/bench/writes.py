"""What writing costs: single writes a second and log for each, under every way the read model is kept.

| way | what happens beside the write itself |
|---|---|
| `tables only` | nothing: the triggers that note changes are off (counts of tags are kept) |
| `no policy` | changes are noted; nobody keeps a read model |
| `periodic`, `event` | a worker refreshes the materialized view, one refresh after the other: the worst case |
| `incremental` | a worker applies changes every 100 ms to the plain table |
| `incremental, index` | and writes them to the bitmap index |

Writes go through `ContentService`, as those over HTTP do, from `WRITERS` writers at once: `count` items are
made with their tags, each gets other tags, each is deleted; so the gallery is afterwards what it
was. All ways are gone through `ROUNDS` times in turn, and the median round counts. The log is counted from
a checkpoint on, whole pages included, until everything is visible, the worker's share included.
Also measured, by `following`: how long a write takes to be visible at a steady rate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from asyncpg.exceptions import InsufficientPrivilegeError

from pinakes.bench.contestant import Say
from pinakes.bench.figures import latency
from pinakes.bench.following import settle, steady
from pinakes.bench.generator.gallery import Gallery
from pinakes.bench.journal import Journal
from pinakes.bench.keeping import keeping
from pinakes.query.sources import SOURCE_BY_CODE, SOURCES
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.content import Author, Change, Draft
from pinakes.store.pool import Pool, open_pool
from pinakes.store.queries import for_source, load

WRITERS = 4
ROUNDS = 3
RATE = 500
PIECES = ("insert", "tag change", "delete")
_SQL = load("writes", "pinakes.bench.sql")

# Way -> (policy a keeper has, or None without one; whether it keeps the index).
WAYS: dict[str, tuple[str | None, bool]] = {
    "tables only": (None, False),
    "no policy": (None, False),
    "incremental": ("incremental", False),
    "incremental, index": ("incremental", True),
    "periodic": ("periodic", False),
    "event": ("event", False),
}


@dataclass(frozen=True, slots=True)
class Written:
    """An item made by the measurement."""

    source: int
    id: int
    tags: tuple[str, ...]


class Writes:
    """The write cost of one gallery."""

    def __init__(self, settings: Settings, count: int, seed: int, journal: Journal, say: Say) -> None:
        self._settings = settings.model_copy(
            update={"refresh_interval_seconds": 1.0, "event_debounce_seconds": 0.0, "event_max_wait_seconds": 0.0}
        )
        self._count = count
        self._seed = seed
        self._journal = journal
        self._say = say

    async def run(self, rate: int = RATE) -> list[dict[str, Any]]:
        """The figures of every way; `rate` of the steady writes, a second."""
        done = {(entry["way"], entry["round"]) for entry in self._journal.find("writes")}
        # Which build a way needs changes least often when a round goes back the way the last one came.
        turns = [(way, number) for number in range(ROUNDS) for way in (WAYS if number % 2 == 0 else [*WAYS][::-1])]
        for way, number in turns:
            if (way, number) in done:
                continue
            policy, index = WAYS[way]
            self._say(f"Writing, {way}, round {number + 1} of {ROUNDS}")
            pool = await open_pool(self._settings, max_size=WRITERS + 2)
            try:
                if way == "tables only":
                    async with _untracked(pool):
                        figures = await self._measured(pool, settled=False)
                elif policy is None:
                    figures = await self._measured(pool, settled=False)
                else:
                    chosen = self._settings.model_copy(update={"view_policy": policy})
                    async with keeping(chosen, index=index):
                        await settle(pool)
                        figures = await self._measured(pool, settled=True)
                        if policy == "incremental":
                            figures["visible_ms"] = await steady(self._settings, rate, self._seed)
            finally:
                await pool.close()
            self._journal.add(what="writes", way=way, round=number, **figures)
        return [_median([e for e in self._journal.find("writes") if e["way"] == way]) for way in WAYS]

    async def _measured(self, pool: Pool, *, settled: bool) -> dict[str, Any]:
        service = ContentService(pool, self._settings.model_copy(update={"cursor_secret": "of a measurement" * 3}))
        author = Author(await pool.fetchval(_SQL["some_user"]), admin=True)
        drafts, changes = await asyncio.to_thread(self._drafts)
        written: list[Written] = []

        async def create(number: int) -> None:
            item = await service.create(SOURCES[number % len(SOURCES)], drafts[number], author)
            written.append(Written(item.source, item.id, drafts[number].tags))

        async def change(number: int) -> None:
            item = written[number]
            await service.update(SOURCE_BY_CODE[item.source], item.id, changes[number], author)

        async def delete(number: int) -> None:
            item = written[number]
            await service.delete(SOURCE_BY_CODE[item.source], item.id, author)

        found: dict[str, Any] = {"writers": WRITERS, "count": self._count}
        for name, work in zip(PIECES, (create, change, delete), strict=True):
            found[name] = await self._timed(pool, work, settled=settled)
        return found

    async def _timed(self, pool: Pool, work: Callable[[int], Awaitable[None]], *, settled: bool) -> dict[str, float]:
        """`count` pieces of `work`, by several writers at once."""
        numbers = iter(range(self._count))
        times: list[float] = []

        async def writer() -> None:
            for number in numbers:
                began = perf_counter()
                await work(number)
                times.append((perf_counter() - began) * 1000)

        with suppress(InsufficientPrivilegeError):  # then more or fewer whole pages are logged, as it happens
            await pool.execute("CHECKPOINT")
        before = await pool.fetchval(_SQL["log_position"])
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(writer())
        seconds = perf_counter() - began
        if settled:
            await settle(pool)
        log = await pool.fetchval(_SQL["log_since"], before)
        return {
            "per_second": round(self._count / seconds, 1),
            "log_bytes": round(log / self._count),
            "settled_s": round(perf_counter() - began - seconds, 3),
            **latency(times),
        }

    def _drafts(self) -> tuple[list[Draft], list[Change]]:
        """Items as the generator makes them, from far behind any gallery; and other tags for each."""
        gallery = Gallery(self._seed)
        batch = gallery.batch(10**9, 10**9 + self._count)
        names = gallery.vocabulary.names
        drafts = []
        for k in range(self._count):
            tags = tuple(names[tag] for tag in batch.tags[batch.offsets[k] : batch.offsets[k + 1]].tolist())
            drafts.append(Draft(title=batch.title[k], prompt=batch.prompt[k], tags=tags))
        changes = []
        for k, draft in enumerate(drafts):
            other = drafts[(k + 1) % self._count].tags
            added = tuple(tag for tag in other if tag not in draft.tags)[:2]
            changes.append(Change(tags_add=added, tags_remove=draft.tags[:2]))
        return drafts, changes


def _median(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one way: each the median of its rounds."""
    found: dict[str, Any] = {name: rounds[0][name] for name in ("way", "writers", "count")}
    for name in PIECES:
        found[name] = {key: median(each[name][key] for each in rounds) for key in rounds[0][name]}
    if "visible_ms" in rounds[0]:
        found["visible_ms"] = {
            key: median(each["visible_ms"][key] for each in rounds) for key in rounds[0]["visible_ms"]
        }
    return found


class _untracked:  # noqa: N801 - a context, used like a function
    """The triggers that note changes are off meanwhile."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> None:
        await self._set("disable_notes")

    async def __aexit__(self, *_: object) -> None:
        await self._set("enable_notes")

    async def _set(self, name: str) -> None:
        for source in SOURCES:
            await self._pool.execute(for_source(_SQL[name], source))
