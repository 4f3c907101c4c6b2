"""The applier's session: one connection, and the lock that lets only one applier work at a time.

The lock is a session's advisory lock, and everything done under it is done on that same session.
So an applier that lost its connection has lost the lock and cannot commit any more: there is no
moment at which two could write. It is held for one piece of work and let go, so any number of
workers and commands may take turns; a dead one's lock goes with its connection. A holder that
hangs without dying is ended by the server after `HANG_S` seconds without a word.

The session must reach the server directly: a pooler that shares sessions breaks advisory locks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from pinakes.errors import PinakesError
from pinakes.settings import Settings
from pinakes.store.connection import connect
from pinakes.store.pool import Connection, translate_errors
from pinakes.store.queries import load

HANG_S = 15
# What a session may end with and a new one may not: lost connections, refused locks, restarts.
# InternalClientError is how asyncpg says that a connection was cut while it was still being opened.
PASSING = (PinakesError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_SQL = load("session", "pinakes.view.sql")
# Any fixed pair would do; these spell "pina" and "view".
_LOCK = (int.from_bytes(b"pina", "big"), int.from_bytes(b"view", "big"))


@asynccontextmanager
async def session(settings: Settings, name: str = "pinakes applier") -> AsyncIterator[Connection]:
    """A connection of its own for the applier."""
    with translate_errors():
        connection = await connect(
            settings.database_url or "",
            name=name,
            patience_s=settings.connect_timeout_s,
            settings={
                "plan_cache_mode": "force_custom_plan",
                # Compiling what runs for a few milliseconds, ten times a second, costs more than it can save.
                "jit": "off",
                "statement_timeout": "0",
                "idle_in_transaction_session_timeout": f"{HANG_S}s",
                "client_connection_check_interval": "1s",
                "tcp_keepalives_idle": str(HANG_S // 3),
                "tcp_keepalives_interval": "2",
                "tcp_keepalives_count": "3",
            },
        )
    try:
        yield connection
    finally:
        # Closing politely asks the server to answer, and it may be gone.
        connection.terminate() if connection.is_closed() else await _close(connection)


async def _close(connection: asyncpg.Connection[Any]) -> None:
    try:
        await connection.close(timeout=2)
    except PASSING:
        connection.terminate()


@asynccontextmanager
async def alone(connection: Connection, *, wait: bool) -> AsyncIterator[bool]:
    """Holds the applier's lock; yields whether it was had. With `wait` it always is, sooner or later."""
    held = await connection.fetchval(_SQL["lock" if wait else "try_lock"], *_LOCK, f"{HANG_S}s") is not None
    try:
        yield held
    finally:
        if held and not connection.is_closed():
            try:
                await connection.execute(_SQL["unlock"], *_LOCK)
            except PASSING:
                # The server has ended the session, or is about to: the lock goes with the connection.
                connection.terminate()
