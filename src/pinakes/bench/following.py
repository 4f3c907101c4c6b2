"""How soon the read model follows those who write: at a steady rate, and after a burst.

*Steady.* So many items a second are made as plain SQL, each by one statement in a transaction of its own,
as the generator makes them, with their words and tags. They come when they are due, whether or not
earlier ones were seen (an open loop). Timed is from the commit until this process knows an epoch
that shows the item; what is made in the first `WARM_S` seconds does not count. `per_second` is the
rate that was reached: where it falls short, those who write were the limit.

*Burst.* One statement a source gives a tag to items all over the gallery, another one takes it away
again. Timed is from the commit until all are visible, so items a second is what the applier keeps up
for long, and it depends on how many changes an epoch takes (`epoch-batch`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from pinakes.bench.contestant import Say
from pinakes.bench.figures import latency
from pinakes.bench.generator.gallery import Gallery
from pinakes.bench.journal import Journal
from pinakes.bench.keeping import keeping
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, open_pool
from pinakes.store.queries import for_source, load
from pinakes.view.applier import is_dirty
from pinakes.view.wait import Bell, transaction_id, visible

WRITERS = 8
WARM_S = 3.0
SECONDS = 10.0
BATCHES = (500, 2_000, 5_000, 20_000)
_LATE_S = 120.0
_SETTLE_S = 1800.0
_SQL = load("writes", "pinakes.bench.sql")


@dataclass(frozen=True, slots=True)
class _New:
    """An item to be made: its title, its prompt, the numbers of its tags."""

    title: str
    prompt: str | None
    tags: list[int]


async def settle(pool: Pool) -> None:
    """Returns when nothing waits for the read model any more.

    Raises:
        TimeoutError: it does not catch up.
    """
    deadline = perf_counter() + _SETTLE_S
    async with pool.acquire() as connection:
        while await is_dirty(connection):
            if perf_counter() > deadline:
                raise TimeoutError("the read model did not catch up")
            await asyncio.sleep(0.02)


async def steady(settings: Settings, rate: int, seed: int) -> dict[str, float | int]:
    """Milliseconds from commit to visible at `rate` new items a second; the gallery is left as it was."""
    pool = await open_pool(settings, max_size=WRITERS)
    try:
        user = await pool.fetchval(_SQL["some_user"])
        tags = [row["id"] for row in await pool.fetch(_SQL["tags_by_number"])]
        news = await asyncio.to_thread(_items, seed, int(rate * (WARM_S + SECONDS)), tags)
        seen = [_Seen(new) for new in news]
        async with Bell.listening(settings) as bell, asyncio.TaskGroup() as group:
            start = perf_counter()
            for number, one in enumerate(seen):
                await asyncio.sleep(max(start + number / rate - perf_counter(), 0))
                group.create_task(one.write(pool, bell, user))
        await pool.execute(for_source(_SQL["remove"], SOURCES[0]), [one.id for one in seen])
        await settle(pool)
    finally:
        await pool.close()
    counted = seen[int(rate * WARM_S) :]
    commits = [one.committed for one in counted]
    reached = len(commits) / max(max(commits) - min(commits), 1 / rate)
    return {"rate": rate, "per_second": round(reached, 1), **latency([one.ms for one in counted])}


@dataclass(slots=True)
class _Seen:
    """One item that is made: when it was committed, and milliseconds until it was seen."""

    new: _New
    id: int = 0
    committed: float = 0.0
    ms: float = 0.0

    async def write(self, pool: Pool, bell: Bell, user: int) -> None:
        row = await pool.fetchrow(
            for_source(_SQL["make"], SOURCES[0]), user, self.new.title, self.new.prompt, self.new.tags
        )
        assert row is not None, "one item was made"
        self.id, self.committed = row["id"], perf_counter()
        seen = await visible(pool, row["transaction"], _LATE_S, bell=bell)
        self.ms = (_LATE_S if seen is None else perf_counter() - self.committed) * 1000


def _items(seed: int, count: int, tags: Sequence[int]) -> list[_New]:
    """Items from far behind any gallery; tags are taken by their place among those there are."""
    batch = Gallery(seed).batch(10**9, 10**9 + count)
    found = []
    for k in range(count):
        places = batch.tags[batch.offsets[k] : batch.offsets[k + 1]].tolist() if tags else []
        found.append(_New(batch.title[k], batch.prompt[k], sorted({tags[place % len(tags)] for place in places})))
    return found


async def bursts(settings: Settings, items: int, journal: Journal, say: Say) -> list[dict[str, Any]]:
    """Items a second after a burst of `items`, by the most an epoch takes, without the index and with it."""
    done = {(entry["index"], entry["batch"]) for entry in journal.find("burst")}
    for index in (False, True):
        for batch in BATCHES:
            if (index, batch) in done:
                continue
            say(f"A burst of {items:,} changes, {batch:,} an epoch{', with the index' if index else ''}")
            chosen = settings.model_copy(update={"view_policy": "incremental", "epoch_batch": batch})
            async with keeping(chosen, index=index):
                journal.add(what="burst", index=index, batch=batch, **await _burst(chosen, items))
    return [{key: value for key, value in entry.items() if key != "what"} for entry in journal.find("burst")]


async def _burst(settings: Settings, items: int) -> dict[str, Any]:
    pool = await open_pool(settings, max_size=3)
    try:
        await settle(pool)
        async with Bell.listening(settings) as bell:
            tag = await pool.fetchval(_SQL["burst_tag"])
            try:
                added = await _caught_up(pool, bell, "burst_on", items // len(SOURCES), tag)
                removed = await _caught_up(pool, bell, "burst_off", tag)
            finally:
                for source in SOURCES:
                    await pool.execute(for_source(_SQL["burst_off"], source), tag)
                await pool.execute(_SQL["burst_tag_away"], tag)
        await settle(pool)
    finally:
        await pool.close()
    changes, seconds = added[0] + removed[0], added[1] + removed[1]
    return {"items": added[0], "seconds": round(seconds / 2, 3), "per_second": round(changes / seconds, 1)}


async def _caught_up(pool: Pool, bell: Bell, name: str, *given: int) -> tuple[int, float]:
    """Changes made by one transaction, and seconds from its commit until they are visible.

    Raises:
        TimeoutError: they are not within two minutes.
    """
    async with pool.acquire() as connection, connection.transaction():
        changed = sum([await _changed(connection, for_source(_SQL[name], source), given) for source in SOURCES])
        number = await transaction_id(connection)
    committed = perf_counter()
    if await visible(pool, number, _LATE_S, bell=bell) is None:
        raise TimeoutError("the read model did not catch up")
    return changed, perf_counter() - committed


async def _changed(connection: Connection, sql: str, given: tuple[int, ...]) -> int:
    # "INSERT 0 5", "DELETE 5"
    return int((await connection.execute(sql, *given)).split()[-1])
