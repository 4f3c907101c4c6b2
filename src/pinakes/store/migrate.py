"""Bring a database to the schema this version needs, or take it back.

A database is at one revision, or at none when it is new. Each revision runs in one transaction, so
a failed or killed migration leaves the revision before it. An advisory lock makes two migrators
wait for each other; the second then finds nothing to do.
"""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module
from pathlib import Path

import asyncpg

from pinakes.errors import MissingRow, SchemaMismatch, StoreUnavailable, UnfitDatabase
from pinakes.store.connection import connect
from pinakes.store.fitness import Access, judge_session, require_fit
from pinakes.store.pool import Connection, Pool, translate_errors
from pinakes.store.queries import load
from pinakes.store.standing import require_rows

NAMES_MERGED = "0012"
_SAID = {
    "tag": "the tag {before!r} is {after!r} now, with its {items} items",
    "alias": "the alias {before!r} of {after!r} is gone: another name is called so",
    "parent": "{before!r} stands below {after!r} no more: that would be a circle",
    "tag name": "the tag {before!a} is called {after!r} now",
    "alias name": "the alias {before!a} is called {after!r} now",
    "user name": "the user {before!a} is called {after!r} now",
}

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


@cache
def revisions() -> tuple[str, ...]:
    """Every known revision, oldest first: the numbers that the files' names begin with."""
    return tuple(sorted(path.name.split("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py")))


async def migrate(database_url: str, target: str = "head") -> list[str]:
    """Go to revision `target` ("head", "base" or a revision), up or down; the revisions run, in order.

    Raises:
        UnfitDatabase: a gallery cannot be kept in this database, or not by this role.
        SchemaMismatch: the target or the database's revision is unknown, or a statement failed.
        StoreUnavailable: the database cannot be reached.
    """
    with translate_errors():
        connection = await _connect(database_url)
        try:
            await require_fit(connection, Access.OWN)
        finally:
            await connection.close()
    # Late, because Alembic takes half a second to import.
    runner = import_module("pinakes.store.migrations.runner")
    applied: list[str] = await runner.run(partial(_connect, database_url), target, partial(_is_down, target))
    return applied


def _is_down(target: str, at: str | None) -> bool:
    """Whether `target` lies below revision `at`."""
    order = ("base", *revisions())
    if at is not None and at not in order:
        raise _unknown(at)
    goal = order[-1] if target == "head" else target
    if goal not in order:
        raise SchemaMismatch(f"There is no revision {target!r}; known are {', '.join(order)} and head.", hint="")
    return order.index(goal) < order.index(at or "base")


def _unknown(at: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"The database is at revision {at}, which this version of Pinakes does not know.",
        hint="It was migrated by a newer version: run that one.",
    )


async def _connect(database_url: str) -> asyncpg.Connection[asyncpg.Record]:
    try:
        connection = await connect(database_url, name="pinakes migrate")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(f"The database cannot be reached: {str(error) or type(error).__name__}") from error
    try:
        judge_session(connection)
    except UnfitDatabase:
        connection.terminate()
        raise
    return connection


async def told(database_url: str, revision: str) -> list[str]:
    """What a person should know of what `revision` has just done to the data, if it still says."""
    if revision != NAMES_MERGED:
        return []
    connection = await _connect(database_url)
    try:
        if await connection.fetchval("SELECT to_regclass('name_merges')") is None:
            return []
        rows = await connection.fetch(load("names")["name_merges"])
    finally:
        await connection.close()
    return [_SAID[row["kind"]].format(**row) for row in rows]


async def current(database_url: str) -> str | None:
    """The revision the database is at; None when it is new."""
    connection = await _connect(database_url)
    try:
        return await _current(connection)
    finally:
        await connection.close()


async def _current(executor: Pool | Connection) -> str | None:
    if await executor.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    revision = await executor.fetchval("SELECT max(version_num) FROM alembic_version")
    return None if revision is None else str(revision)


async def require_head(pool: Pool, access: Access = Access.READ) -> None:
    """Returns if the schema is the one this version needs, with the rows that must stand in it, for this role to use.

    Raises:
        UnfitDatabase: this role, or what is set for it, cannot do what `access` says.
        SchemaMismatch: it is of another version.
        MissingRow: a row was lost.
    """
    await require_revision(pool, access)
    await require_rows(pool)


async def require_revision(pool: Pool, access: Access = Access.READ) -> None:
    """Returns if the schema is the one this version needs, whatever was lost of it.

    Raises:
        UnfitDatabase, SchemaMismatch: as `require_head`.
        MissingRow: nobody knows which it is.
    """
    with translate_errors():
        await require_fit(pool, access)
    at = await _current(pool)
    head = revisions()[-1]
    if at == head:
        return
    if at is None and await pool.fetchval("SELECT to_regclass('content_tags')") is not None:
        raise MissingRow("The table alembic_version has lost its only row.")
    if at is None:
        raise SchemaMismatch(f"The database has no Pinakes schema yet; revision {head} is needed.")
    if at not in revisions():
        raise _unknown(at)
    raise SchemaMismatch(f"The database is at revision {at}; revision {head} is needed.")
