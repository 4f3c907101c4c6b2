"""What keeping the read model costs: whole refreshes against changed rows only, at growing sizes.

    python -m pinakes.bench.refresh --database-url URL [--sizes 100000,500000,2000000] [--changes 1000]

The database must be migrated and is filled with generated items. One JSON line a measurement:

| measurement | what |
|---|---|
| `build` | the whole read model beside the old one, for either kind |
| `refresh` | REFRESH … CONCURRENTLY after `changes` scattered changes |
| `epoch` | the applier after the same changes |
| `sustained` | items a second while a backlog of 20,000 changes is applied |
| `writers` | microseconds a single-row insert, and a copied row, with and without the triggers |
| `visible` | milliseconds from commit to visible at a steady rate of writes, a worker running beside |

Figures depend on the machine and on what else it does: compare those of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from pinakes.bench.generator.fill import fill
from pinakes.settings import Settings, load_settings
from pinakes.store.pool import Connection, Pool, open_pool
from pinakes.view.applier import Applier
from pinakes.view.build import build
from pinakes.view.refresh import refresh
from pinakes.view.session import session
from pinakes.view.wait import Bell, transaction_id, visible

BACKLOG = 20_000
SCATTERED = """
    UPDATE content_items SET quality_score = random(), updated_at = now()
    WHERE id = ANY (ARRAY(SELECT (random() * (SELECT max(id) FROM content_items))::bigint FROM generate_series(1, $1)))
"""
INSERT = "INSERT INTO content_items (title, creator_id) VALUES ('a new item', $1) RETURNING id"
TRIGGERS = "ALTER TABLE content_items {} TRIGGER dirty_added"


def tell(what: str, **figures: Any) -> None:
    """One line of the report."""
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
    sys.stdout.write(orjson.dumps({"measured": what, **rounded}).decode() + "\n")
    sys.stdout.flush()


async def timed(work: Awaitable[Any]) -> tuple[float, Any]:
    """Seconds of `work`, and what it returned."""
    start = time.perf_counter()
    found = await work
    return time.perf_counter() - start, found


async def at_size(settings: Settings, pool: Pool, items: int, changes: int) -> None:
    """Everything that depends on the size."""
    await fill(pool, items=items, seed=7)
    async with session(settings) as connection:
        await connection.execute("VACUUM ANALYZE")
        seconds, built = await timed(build(connection, "periodic"))
        tell("build", kind="materialized view", items=built.items, seconds=seconds)
        for _ in range(2):
            await connection.execute(SCATTERED, changes)
            seconds, refreshed = await timed(refresh(connection))
            tell("refresh", items=built.items, changes=refreshed.taken, seconds=seconds)
        seconds, built = await timed(build(connection, "incremental"))
        tell("build", kind="plain table", items=built.items, seconds=seconds)
        for _ in range(2):
            await connection.execute(SCATTERED, changes)
            seconds, applied = await timed(Applier().apply(connection))
            tell("epoch", items=built.items, changes=len(applied.changes), seconds=seconds)
        await connection.execute(SCATTERED, BACKLOG)
        seconds, changed = await timed(_drain(connection))
        tell("sustained", items=built.items, changes=changed, items_per_second=changed / seconds)


async def _drain(connection: Connection) -> int:
    changed = 0
    while (applied := await Applier().apply(connection)) is not None:
        changed += len(applied.changes)
    return changed


async def writers(settings: Settings, count: int = 3000) -> None:
    """What the triggers cost those who write."""
    async with session(settings) as connection:
        user = await connection.fetchval("SELECT min(id) FROM users")
        for state in ("DISABLE", "ENABLE", "DISABLE", "ENABLE"):
            await connection.execute(TRIGGERS.format(state))
            singly, _ = await timed(_many(lambda: connection.execute(INSERT, user), count))
            rows = [("a copied item", user)] * (10 * count)
            copied, _ = await timed(
                connection.copy_records_to_table("content_items", records=rows, columns=("title", "creator_id"))
            )
            tell(
                "writers", triggers=state == "ENABLE",
                insert_us=singly / count * 1e6, copied_row_us=copied / len(rows) * 1e6,
            )  # fmt: skip
        await connection.execute("DELETE FROM content_items WHERE title IN ('a new item', 'a copied item')")


async def _many(statement: Callable[[], Awaitable[Any]], count: int) -> None:
    for _ in range(count):
        await statement()


async def write_to_visible(settings: Settings, pool: Pool, rate: int = 500, seconds: int = 15) -> None:
    """A worker in a process of its own, writes on a fixed schedule, each waited for."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.worker.main", env=settings.environment()
    )
    try:
        async with Bell.listening(settings) as bell:
            user = await pool.fetchval("SELECT min(id) FROM users")
            latencies = await _at_rate(pool, bell, user, rate, seconds)
    finally:
        worker.terminate()
        await worker.wait()
    latencies.sort()
    tell(
        "visible", writes=len(latencies), per_second=rate,
        p50_ms=latencies[len(latencies) // 2] * 1000, p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        max_ms=latencies[-1] * 1000,
    )  # fmt: skip


async def _at_rate(pool: Pool, bell: Bell, user: int, rate: int, seconds: int) -> list[float]:
    latencies: list[float] = []

    async def write() -> None:
        async with pool.acquire() as connection, connection.transaction():
            item = await connection.fetchval(INSERT, user)
            await connection.execute("INSERT INTO content_tags SELECT 1, $1, id FROM tags WHERE id <= 10", item)
            number = await transaction_id(connection)
        committed = time.perf_counter()
        if await visible(pool, number, 30, bell=bell) is None:
            latencies.append(30.0)
        else:
            latencies.append(time.perf_counter() - committed)

    start = time.perf_counter() + 2.0  # the worker is up by then
    async with asyncio.TaskGroup() as writes:
        for number in range(rate * seconds):
            due = start + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            writes.create_task(write())
    return latencies


async def main(database_url: str, sizes: list[int], changes: int) -> None:
    """All measurements."""
    settings = load_settings(database_url=database_url, pool_max_size=20)
    pool = await open_pool(settings)
    try:
        for items in sizes:
            await at_size(settings, pool, items, changes)
            if items == sizes[0]:
                await writers(settings)
                await write_to_visible(settings, pool)
    finally:
        await pool.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--sizes", default="100000,500000,2000000")
    parser.add_argument("--changes", type=int, default=1000)
    given = parser.parse_args()
    asyncio.run(main(given.database_url, [int(size) for size in given.sizes.split(",")], given.changes))
