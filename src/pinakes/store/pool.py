"""The connection pool, and the border where driver errors become ours.

A connection is the scarcest thing there is: each process has `pool-max-size` of them for reading and
`pool-write-max-size` for writing, and before either a queue of `pool-max-waiting` requests. Who comes then is
refused at once instead of waiting for what cannot be served in time; so those who were let in are served as quickly
as ever, and stored answers, which need no connection, do not notice. Writes that wait for a lock leave readers
their connections, and costly reads leave others half of them.

Sessions run in UTC, read `jsonb` as Python values, and cancel nothing by themselves: time limits
are set per transaction, where the caller knows what it is worth waiting for.

Whether a plan is kept is set per transaction too. In a `snapshot` each statement is planned for its
values: a plan made once for "any tag" is wrong for most tags, and planning costs some 0.1 ms. Elsewhere
PostgreSQL keeps plans where it finds that they cost no more (`direct`: one look-up by document number).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import asyncpg
import orjson
from asyncpg import exceptions as pg

from pinakes.errors import (
    DiskFull,
    Overloaded,
    SchemaMismatch,
    StatementTimeout,
    StoreError,
    StoreUnavailable,
)
from pinakes.settings import Settings
from pinakes.store import deadline, meter
from pinakes.store.connection import SHARED, arguments, refusals, require_own_session, set_up, shared_sessions
from pinakes.store.fitness import judge_session
from pinakes.store.queries import load

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

# Foreign keys are checked by prepared statements of the session, too: planned anew for every row, a
# check takes 20 µs instead of 3. So transactions that write let PostgreSQL keep its plans, whatever the
# session was told.
PLANS_FOR_WRITING = "SET LOCAL plan_cache_mode = 'auto'"


# The driver asks PostgreSQL about each type it does not know when it first meets it, which takes 7 ms of a session's
# first page. All at once, while the session is being opened, it takes as long as for one.
_ARRAYS = load("session")["arrays"]
_SETTINGS = {"plan_cache_mode": "auto"}  # whatever the role's or the database's is


async def _prepare(connection: Connection) -> None:
    judge_session(connection)
    await set_up(connection, _SETTINGS)
    for kind in ("jsonb", "json"):
        await connection.set_type_codec(
            kind, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )
    await connection.fetchrow(_ARRAYS, [], [], [], [], [])


async def _reset(connection: Connection) -> None:
    """Everything is set per transaction, so ending one is all there is to reset (and saves a round trip)."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


Lane: TypeAlias = Literal["read", "costly", "write"]


class _Slots:
    """So many connections for one kind of use, and a bounded queue before them."""

    def __init__(self, size: int, most: int) -> None:
        self.wanted = 0
        self._most = most
        self._free = asyncio.Semaphore(size)

    @asynccontextmanager
    async def taken(self, wait_s: float) -> AsyncIterator[None]:
        """One of them. Raises: Overloaded."""
        if self.wanted >= self._most:
            raise Overloaded("Too many requests wait for a database connection.")
        self.wanted += 1
        try:
            if self._free.locked():
                await self._wait(wait_s)
            else:
                await self._free.acquire()  # at once
            try:
                yield
            finally:
                self._free.release()
        finally:
            self.wanted -= 1

    async def _wait(self, wait_s: float) -> None:
        limit = asyncio.timeout(wait_s)
        try:
            async with limit:
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded("No database connection was free in time.") from None


class BoundedPool(Pool):
    """A pool of which reads and writes have connections of their own, each behind a bounded queue.

    Writes that wait for somebody's lock leave readers theirs; costly reads have half of those of reads.
    `wanted` counts who has a connection or waits for one.
    """

    def __init__(
        self, dsn: str | None, *, max_waiting: int, wait_s: float, reads: int, writes: int, **options: Any
    ) -> None:
        """`reads` and `writes`: how many connections each may have."""
        super().__init__(dsn, max_size=reads + writes, **options)
        self._slots: dict[Lane, _Slots] = {
            "read": _Slots(reads, reads + max_waiting),
            "costly": _Slots(max(reads // 2, 1), reads + max_waiting),
            "write": _Slots(writes, writes + max_waiting),
        }
        self._wait_s = wait_s
        self.refused = 0

    @property
    def wanted(self) -> int:
        """How many have a connection or wait for one."""
        return self._slots["read"].wanted + self._slots["write"].wanted

    @asynccontextmanager
    async def taken(self, lane: Lane = "read") -> AsyncIterator[Connection]:
        """A connection for as long as the context lasts.

        Raises:
            Overloaded: too many wait for one, or it took too long.
            TimeoutError: a new connection could not be made in time.
        """
        async with AsyncExitStack() as stack:
            try:
                if lane == "costly":
                    await stack.enter_async_context(self._slots["costly"].taken(self._wait_s))
                slots = self._slots["write" if lane == "write" else "read"]
                await stack.enter_async_context(slots.taken(self._wait_s))
                connection = await self._have_one()
            except Overloaded:
                self.refused += 1
                raise
            stack.push_async_callback(self.release, connection)
            yield connection

    async def _have_one(self) -> asyncpg.pool.PoolConnectionProxy[asyncpg.Record]:
        try:
            return await self.acquire(timeout=self._wait_s)
        except TimeoutError:
            if self.get_idle_size() or self.get_size() < self.get_max_size():
                raise
            raise Overloaded("No database connection was free in time.") from None


async def open_pool(settings: Settings, *, max_size: int | None = None, lazy: bool = False) -> BoundedPool:
    """A pool on `settings.database_url`; a `lazy` one connects when it is first asked.

    Raises:
        StoreUnavailable: the server does not answer or refuses us.
        SettingsError: the address cannot be used.
        UnfitDatabase: a pooler shares sessions.
    """
    size = max_size or settings.pool_max_size
    url = settings.database_url or ""
    pool = BoundedPool(
        **arguments(url, patience_s=settings.connect_timeout_s),
        max_waiting=settings.pool_max_waiting,
        wait_s=settings.pool_wait_ms / 1000,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        min_size=0 if lazy else min(settings.pool_min_size, size),
        reads=size,
        writes=settings.pool_write_max_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        init=_prepare,
        reset=_reset,
    )
    with translate_errors():
        async with refusals():
            await pool
            if not lazy:
                await _require_own_sessions(pool, url)
    return pool


async def _require_own_sessions(pool: BoundedPool, url: str) -> None:
    try:
        async with pool.acquire() as connection:
            await require_own_session(connection, url)
    except BaseException:
        pool.terminate()
        raise


@asynccontextmanager
async def _connection(pool: Pool, lane: Lane = "read") -> AsyncIterator[Connection]:
    """A connection of `pool`, waited for in its queue if it has one."""
    taking = pool.taken(lane) if isinstance(pool, BoundedPool) else pool.acquire()
    async with taking as connection:
        yield connection


@asynccontextmanager
async def _charged() -> AsyncIterator[None]:
    """The time it takes is the caller's."""
    with meter.running():
        yield


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns errors of the driver into the `StoreError` tree; ours pass unchanged."""
    try:
        yield
    except (pg.UndefinedTableError, pg.UndefinedColumnError, pg.UndefinedFunctionError) as error:
        raise SchemaMismatch(f"The database lacks something this version needs: {error}") from error
    except SHARED as error:
        raise shared_sessions() from error
    except pg.QueryCanceledError as error:
        raise StatementTimeout from error
    except pg.DiskFullError as error:
        raise DiskFull(f"PostgreSQL has no disk space left: {error}") from error
    except pg.ReadOnlySQLTransactionError as error:
        raise StoreError(
            f"PostgreSQL takes no writes here: {error}",
            hint="A standby takes none, nor does a role with default_transaction_read_only; use the primary.",
        ) from error
    except pg.InsufficientPrivilegeError as error:
        raise StoreError(
            f"PostgreSQL does not allow this to the role of database-url: {error}",
            hint="docs/db.md says what roles need.",
        ) from error
    except (pg.InvalidAuthorizationSpecificationError, pg.InvalidCatalogNameError) as error:
        raise StoreUnavailable(f"PostgreSQL refuses the connection: {error}") from error
    except _UNAVAILABLE as error:
        raise StoreUnavailable(f"PostgreSQL cannot be reached: {error or type(error).__name__}") from error
    except (pg.DeadlockDetectedError, pg.SerializationError, pg.LockNotAvailableError) as error:
        raise StoreError(f"PostgreSQL asks to try again: {error}") from error


@asynccontextmanager
async def snapshot(pool: Pool, timeout_ms: int, *, costly: bool = False) -> AsyncIterator[Connection]:
    """A read-only transaction that sees one state throughout; each statement has `timeout_ms`.

    All have what is left of the request's deadline. `costly`: more than half of the connections are left to others.

    Raises:
        TooManyRequests: the caller had too much of it.
        Overloaded: no connection is free, and none became free in time.
        StoreUnavailable: the server cannot be reached.
        StatementTimeout: a statement ran longer, or the deadline is over.
    """
    meter.admit()
    async with deadline.kept():
        with translate_errors():
            async with _connection(pool, "costly" if costly else "read") as connection, _charged():
                await connection.execute(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                    f" SET LOCAL statement_timeout = {deadline.left_ms(timeout_ms)};"
                    " SET LOCAL plan_cache_mode = 'force_custom_plan'"
                )
                try:
                    yield connection
                finally:
                    await _end(connection)


@asynccontextmanager
async def direct(pool: Pool, *, costly: bool = False) -> AsyncIterator[Connection]:
    """A connection for statements that are each a snapshot of their own; the caller limits their time.

    All have what is left of the request's deadline. `costly`: more than half of the connections are left to others.

    Raises:
        TooManyRequests: the caller had too much of it.
        Overloaded: no connection is free, and none became free in time.
        StoreUnavailable: the server cannot be reached.
        StatementTimeout: the deadline is over.
    """
    meter.admit()
    async with deadline.kept():
        with translate_errors():
            async with _connection(pool, "costly" if costly else "read") as connection, _charged():
                yield connection


@asynccontextmanager
async def writing(pool: Pool, timeout_ms: int) -> AsyncIterator[Connection]:
    """A transaction for one write; each statement has `timeout_ms`, all have what is left of the request's deadline.

    Raises:
        Overloaded: no connection is free, and none became free in time.
        StoreUnavailable: the server cannot be reached.
        StatementTimeout: a statement ran longer, or waited longer for somebody's lock.
    """
    async with deadline.kept():
        with translate_errors():
            async with _connection(pool, "write") as connection, connection.transaction():
                limit_ms = deadline.left_ms(timeout_ms)
                await connection.execute(f"{PLANS_FOR_WRITING}; SET LOCAL statement_timeout = {limit_ms}")
                yield connection


def is_lost(connection: Connection) -> bool:
    """Whether the connection is gone; one whose server died has left its pool already and refuses to say."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def _end(connection: Connection) -> None:
    """Ends the transaction; nothing was written, so a rollback is as good as a commit."""
    if not is_lost(connection):
        await asyncio.shield(connection.execute("ROLLBACK"))
