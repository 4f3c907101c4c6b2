"""What a bulk load takes off its tables, and how every bit of it comes back.

Definitions are read from the catalogue and stand in `load_state` from the transaction that drops an
object to the one that makes it again, so whatever kills the load, the next command knows exactly what
is owed and makes it as it was. Primary keys and unique keys never come off; the item's key on
`users` neither. Readers are slower meanwhile, never wrong: while a foreign key is off, a trigger
stands in for its cascade.

A load, or who seals after one, holds the session lock `LOCK`; so a living load is never sealed by
another command, and a dead one's lock is gone with its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeAlias

import asyncpg

from pinakes.query.sources import SOURCES, Source
from pinakes.store.activity import SEALING, tell, tell_no_more
from pinakes.store.pool import Connection, Pool, is_lost, translate_errors
from pinakes.store.queries import for_source, load

LOCK = int.from_bytes(b"pk-bulk", "big")

_STAND_IN = "stands_in_for_foreign_key"
# One connection a core of a small machine; a third only takes time from the words' indexes, which take longest.
_BUILDERS = 2

Status = Callable[[str], None]
Step: TypeAlias = Callable[[Connection], Awaitable[None]]


async def take_off(connection: Connection, source: Source, *, wait_ms: int) -> None:
    """Drops `source`'s secondary indexes and its taggings' foreign keys; they are owed from now on.

    Raises:
        asyncpg.LockNotAvailableError: other transactions kept the tables for longer than `wait_ms`.
    """
    sql = load("bulk")
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {int(wait_ms)}")
        # Content first, as every writer takes them: no two can wait for each other.
        await connection.execute(f"LOCK TABLE {source.table}, {source.tags_table} IN ACCESS EXCLUSIVE MODE")
        for row in await connection.fetch(for_source(sql["secondary"], source)):
            await connection.execute(sql["owe"], *row.values())
            if row["kind"] == "index":
                await connection.execute(f'DROP INDEX "{row["object_name"]}"')
            else:
                await connection.execute(f'ALTER TABLE {source.tags_table} DROP CONSTRAINT "{row["object_name"]}"')
        await connection.execute(
            f"CREATE OR REPLACE TRIGGER {_STAND_IN} AFTER DELETE ON {source.table} REFERENCING OLD TABLE AS old_rows"
            f" FOR EACH STATEMENT EXECUTE FUNCTION cascade_removed_content('{source.code}')"
        )


async def put_back(pool: Pool, guard: Connection, on_status: Status, also: Sequence[Step] = ()) -> list[str]:
    """Makes everything that is owed, and takes the steps of `also` beside; `guard` holds `LOCK`. The names made."""
    owed = await guard.fetch(load("bulk")["owed"])
    if not owed:
        await _spread(pool, guard, also)
        return []
    indexes = [row for row in owed if row["kind"] == "index"]
    keys = [row for row in owed if row["kind"] != "index"]
    await tell(guard, SEALING, 0)
    if indexes:
        on_status(f"Building {len(indexes)} indexes")
    await _spread(pool, guard, [*(partial(_build, row) for row in indexes), *also])
    if keys:
        on_status(f"Checking {len(keys)} foreign keys")
        for row in keys:
            await _add_key(guard, row)
    touched = _touched(row["table_name"] for row in owed)
    checks = [partial(_check_keys, source, keys, on_status) for source in touched]
    await _spread(pool, guard, [*(partial(_take_statistics, source) for source in touched), *checks])
    await tell_no_more(guard)
    return [str(row["object_name"]) for row in owed]


async def _spread(pool: Pool, guard: Connection, steps: Sequence[Step]) -> None:
    """Takes the steps in order, on `guard` and on as many other connections as there should be and may be."""
    queue = iter(steps)

    async def work(connection: Connection) -> None:
        for step in queue:
            await step(connection)

    async with AsyncExitStack() as stack:
        others = max(min(_BUILDERS, pool.get_max_size(), len(steps)) - 1, 0)
        builders = [guard] + [await stack.enter_async_context(pool.acquire()) for _ in range(others)]
        ended = await asyncio.gather(*(work(builder) for builder in builders), return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error


@asynccontextmanager
async def _unhurried(connection: Connection) -> AsyncIterator[None]:
    """A transaction whose statements may take as long as they take."""
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        yield


async def _build(row: asyncpg.Record, connection: Connection) -> None:
    async with _unhurried(connection):
        await connection.execute(load("bulk")["building"], _BUILDERS)
        await connection.execute(row["definition"])
        await connection.execute(load("bulk")["paid"], row["table_name"], row["object_name"])


async def _add_key(connection: Connection, row: asyncpg.Record) -> None:
    """Adds one foreign key unchecked, which stops new orphans; it may be there from an interrupted seal."""
    source = _of_tags_table(row["table_name"])
    name, definition = row["object_name"], row["definition"]
    if await connection.fetchval(load("bulk")["has_constraint"], row["table_name"], name):
        return
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {source.table}, {source.tags_table} IN SHARE ROW EXCLUSIVE MODE")
        await connection.execute(f'ALTER TABLE {source.tags_table} ADD CONSTRAINT "{name}" {definition} NOT VALID')


async def _check_keys(
    source: Source, keys: Sequence[asyncpg.Record], on_status: Status, connection: Connection
) -> None:
    """Checks the taggings there are against each key, then takes their statistics: no two can do that at once."""
    for row in keys:
        if row["table_name"] != source.tags_table:
            continue
        try:
            await _validate(connection, source, row)
        except asyncpg.ForeignKeyViolationError:
            async with _unhurried(connection):
                removed = await connection.execute(for_source(load("bulk")["remove_orphans"], source))
            on_status(f"Removed {removed.split()[-1]} taggings whose item or tag had been deleted meanwhile")
            await _validate(connection, source, row)
    await connection.execute(f"ANALYZE {source.tags_table}")


async def _take_statistics(source: Source, connection: Connection) -> None:
    """Takes statistics of the items.

    Their words are cut again for it, 10 µs an item, and PostgreSQL would look at 30,000 items however few there
    are. What plans ask is whether a word is on one item in some: a fifth of a small table answers that too.
    """
    async with _unhurried(connection):
        await connection.execute(for_source(load("bulk")["statistics_target"], source))
        await connection.execute(f"ANALYZE {source.table}")


async def _validate(connection: Connection, source: Source, row: asyncpg.Record) -> None:
    async with _unhurried(connection):
        await connection.execute(f'ALTER TABLE {source.tags_table} VALIDATE CONSTRAINT "{row["object_name"]}"')
        await connection.execute(load("bulk")["paid"], row["table_name"], row["object_name"])
        if f"REFERENCES {source.table}(" in row["definition"]:
            await connection.execute(f"DROP TRIGGER IF EXISTS {_STAND_IN} ON {source.table}")


def _of_tags_table(name: str) -> Source:
    return next(source for source in SOURCES if source.tags_table == name)


def _touched(names: Iterable[str]) -> list[Source]:
    found = set(names)
    return [source for source in SOURCES if found & {source.table, source.tags_table}]


def silent(_: str) -> None:
    """Tells nobody."""


async def seal_unfinished(pool: Pool, on_status: Status = silent) -> list[str]:
    """Puts back what a killed bulk load left off; the names put back (empty: there was nothing to do).

    Returns at once where nothing is owed, or where a living load will see to it itself.
    """
    with translate_errors():
        if not await pool.fetchval("SELECT EXISTS (SELECT FROM load_state)"):
            return []
        async with pool.acquire() as guard:
            if not await try_lock(guard):
                return []
            try:
                on_status("Finishing a bulk load that was interrupted")
                return await put_back(pool, guard, on_status)
            finally:
                await unlock(guard)


async def try_lock(connection: Connection) -> bool:
    """Takes `LOCK` for this session, unless another has it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK))


async def is_loading(connection: Connection) -> bool:
    """Whether a bulk load is going on in this database, or one is being finished."""
    return bool(await connection.fetchval(load("bulk")["loading"], LOCK))


async def unlock(connection: Connection) -> None:
    """Gives `LOCK` back; a lost connection has already."""
    if not is_lost(connection):
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
