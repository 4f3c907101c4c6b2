"""Bring a database to the schema this version needs, or take it back.

A database is at one revision, or at none when it is new. Each revision runs in one transaction, so
a failed or killed migration leaves the revision before it. An advisory lock makes two migrators
wait for each other; the second then finds nothing to do.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from pinakes.errors import SchemaMismatch, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncpg.pool import PoolConnectionProxy
    from asyncpg.protocol import Record

    Executor = asyncpg.Pool[Record] | asyncpg.Connection[Record] | PoolConnectionProxy[Record]

_SCRIPTS = Path(__file__).parent / "migrations"
# Any fixed number would do; this one spells "pinakes".
_LOCK_KEY = int.from_bytes(b"pinakes", "big")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


@cache
def revisions() -> tuple[str, ...]:
    """Every known revision, oldest first."""
    walk = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(script.revision for script in walk)[::-1]


async def migrate(database_url: str, target: str = "head") -> list[str]:
    """Go to revision `target` ("head", "base" or a revision), up or down; the revisions run, in order.

    Raises: SchemaMismatch when the target or the database's revision is unknown.
    """
    applied: list[str] = []
    engine = create_async_engine("postgresql+asyncpg://", async_creator=_locked(database_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            at = await connection.run_sync(_current_sync)
            await connection.rollback()
            step = _direction(at, target)
            config = _config()
            config.attributes["applied"] = applied

            def run(sync_connection: Connection) -> None:
                config.attributes["connection"] = sync_connection
                step(config, target)

            await connection.run_sync(run)
    except (DBAPIError, asyncpg.PostgresError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise SchemaMismatch(f"The migration was stopped: {cause}", hint="Nothing of it was kept.") from error
    finally:
        await engine.dispose()
    return applied


def _locked(database_url: str) -> Callable[[], Awaitable[asyncpg.Connection[Record]]]:
    """Connects and takes the migrators' lock, which ends with the connection."""

    async def connect() -> asyncpg.Connection[Record]:
        try:
            connection = await asyncpg.connect(database_url)
        except (OSError, asyncpg.PostgresError) as error:
            raise StoreUnavailable(f"The database cannot be reached: {error}") from error
        await connection.execute("SELECT set_config('statement_timeout', '0', false)")
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK_KEY})")
        return connection

    return connect


def _current_sync(connection: Connection) -> str | None:
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        return None
    revision = connection.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def _direction(at: str | None, target: str) -> Callable[[Config, str], None]:
    """Alembic's command that leads from `at` to `target`."""
    order = ("base", *revisions())
    if at is not None and at not in order:
        raise _unknown(at)
    goal = order[-1] if target == "head" else target
    if goal not in order:
        raise SchemaMismatch(f"There is no revision {target!r}; known are {', '.join(order)} and head.", hint="")
    if order.index(goal) < order.index(at or "base"):
        return command.downgrade
    return command.upgrade


def _unknown(at: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"The database is at revision {at}, which this version of Pinakes does not know.",
        hint="It was migrated by a newer version: run that one.",
    )


async def current(database_url: str) -> str | None:
    """The revision the database is at; None when it is new."""
    try:
        connection = await asyncpg.connect(database_url)
    except (OSError, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"The database cannot be reached: {error}") from error
    try:
        return await _current(connection)
    finally:
        await connection.close()


async def _current(executor: Executor) -> str | None:
    if await executor.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    revision = await executor.fetchval("SELECT max(version_num) FROM alembic_version")
    return None if revision is None else str(revision)


async def require_head(pool: asyncpg.Pool[Record]) -> None:
    """Returns if the schema is the one this version needs.

    Raises: SchemaMismatch otherwise.
    """
    at = await _current(pool)
    head = revisions()[-1]
    if at == head:
        return
    if at is None:
        raise SchemaMismatch(f"The database has no Pinakes schema yet; revision {head} is needed.")
    if not re.fullmatch("|".join(map(re.escape, revisions())), at):
        raise _unknown(at)
    raise SchemaMismatch(f"The database is at revision {at}; revision {head} is needed.")
