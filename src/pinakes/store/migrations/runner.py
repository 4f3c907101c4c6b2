"""Alembic, driven on one connection that holds the migrators' lock.

Apart from `pinakes.store.migrate`, because importing Alembic takes longer than most commands do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from pinakes.errors import SchemaMismatch

# Any fixed number would do; this one spells "pinakes".
_LOCK_KEY = int.from_bytes(b"pinakes", "big")

Connect: TypeAlias = "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]"


async def run(connect: Connect, target: str, is_down: Callable[[str | None], bool]) -> list[str]:
    """Goes to `target`; `is_down` says whether that is down from the revision the database is at.

    Raises:
        SchemaMismatch: a statement failed; its revision left nothing.
    """

    async def locked() -> asyncpg.Connection[asyncpg.Record]:
        connection = await connect()
        await connection.execute("SELECT set_config('statement_timeout', '0', false)")
        # Ends with the connection.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        return connection

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    applied: list[str] = []
    config.attributes["applied"] = applied

    def step(connection: Connection) -> None:
        down = is_down(_current(connection))
        connection.rollback()
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, target)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=locked, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(step)
    except (DBAPIError, asyncpg.PostgresError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise SchemaMismatch(f"The migration was stopped: {cause}", hint="Nothing of it was kept.") from error
    finally:
        await engine.dispose()
    return applied


def _current(connection: Connection) -> str | None:
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        return None
    revision = connection.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar()
    return None if revision is None else str(revision)
