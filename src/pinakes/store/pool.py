"""The connection pool, and the border where driver errors become ours.

Sessions run in UTC, read `jsonb` as Python values, and cancel nothing by themselves: time limits
are set per transaction, where the caller knows what it is worth waiting for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
from asyncpg import exceptions as pg

from pinakes.errors import DiskFull, SchemaMismatch, StatementTimeout, StoreError, StoreUnavailable
from pinakes.settings import Settings

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = Any

_UNAVAILABLE = (
    pg.CannotConnectNowError,
    pg.ConnectionDoesNotExistError,
    pg.TooManyConnectionsError,
    pg.InterfaceError,
    pg.InternalClientError,  # how asyncpg says that a connection was cut while it was being opened
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.PostgresConnectionError,
    ConnectionError,
    TimeoutError,
    OSError,
)


async def _prepare(connection: Connection) -> None:
    for kind in ("jsonb", "json"):
        await connection.set_type_codec(
            kind, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )


async def _reset(connection: Connection) -> None:
    """Everything is set per transaction, so ending one is all there is to reset (and saves a round trip)."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def open_pool(settings: Settings, *, max_size: int | None = None) -> Pool:
    """A pool on `settings.database_url`.

    Raises:
        StoreUnavailable: the server does not answer or refuses us.
    """
    size = max_size or settings.pool_max_size
    with translate_errors():
        return await asyncpg.create_pool(
            settings.database_url,
            min_size=min(settings.pool_min_size, size),
            max_size=size,
            init=_prepare,
            reset=_reset,
            timeout=settings.connect_timeout_s,
            # A plan made once for "any tag" is wrong for most tags (custom plans cost ~0.1 ms).
            server_settings={"timezone": "UTC", "application_name": "pinakes", "plan_cache_mode": "force_custom_plan"},
        )


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns errors of the driver into the `StoreError` tree; ours pass unchanged."""
    try:
        yield
    except (pg.UndefinedTableError, pg.UndefinedColumnError, pg.UndefinedFunctionError) as error:
        raise SchemaMismatch(f"The database lacks something this version needs: {error}") from error
    except pg.QueryCanceledError as error:
        raise StatementTimeout from error
    except pg.DiskFullError as error:
        raise DiskFull(f"PostgreSQL has no disk space left: {error}") from error
    except (pg.InvalidAuthorizationSpecificationError, pg.InvalidCatalogNameError) as error:
        raise StoreUnavailable(f"PostgreSQL refuses the connection: {error}") from error
    except _UNAVAILABLE as error:
        raise StoreUnavailable(f"PostgreSQL cannot be reached: {error or type(error).__name__}") from error
    except (pg.DeadlockDetectedError, pg.SerializationError, pg.LockNotAvailableError) as error:
        raise StoreError(f"PostgreSQL asks to try again: {error}") from error


@asynccontextmanager
async def snapshot(pool: Pool, timeout_ms: int) -> AsyncIterator[Connection]:
    """A read-only transaction that sees one state throughout; each statement has `timeout_ms`.

    Raises:
        StoreUnavailable: no connection could be had within the time limit.
        StatementTimeout: a statement ran longer.
    """
    with translate_errors():
        async with pool.acquire(timeout=max(timeout_ms / 1000, 1)) as connection:
            await connection.execute(
                f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {int(timeout_ms)}"
            )
            try:
                yield connection
            finally:
                await _end(connection)


@asynccontextmanager
async def writing(pool: Pool, timeout_ms: int) -> AsyncIterator[Connection]:
    """A transaction for one write; each statement, and the wait for a connection, has `timeout_ms`.

    Raises:
        StoreUnavailable: no connection could be had within the time limit.
        StatementTimeout: a statement ran longer, or waited longer for somebody's lock.
    """
    with translate_errors():
        async with pool.acquire(timeout=max(timeout_ms / 1000, 1)) as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {int(timeout_ms)}")
            yield connection


async def _end(connection: Connection) -> None:
    """Ends the transaction; nothing was written, so a rollback is as good as a commit."""
    if not connection.is_closed():
        await asyncio.shield(connection.execute("ROLLBACK"))
