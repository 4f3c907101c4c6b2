"""Waiting until a write is visible in the read model: what `refresh=wait_for` does.

A writer notes its transaction's number before it commits. The epoch row holds the last snapshot
whose whole queue was applied, so the write is visible as soon as that snapshot sees the number:
exact, whatever other transactions do, and no clock takes part. Works under every policy; under
`periodic` and `event` it may take minutes, so a wait has a limit and then says None.

`Bell` is rung by the applier's NOTIFY after each epoch. It only shortens the wait: without it, or
when a ring is lost, the epoch row is read again every `POLL_S`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, translate_errors
from pinakes.view import epoch as epochs
from pinakes.view.session import session

POLL_S = 0.25


async def transaction_id(connection: Connection) -> str:
    """The number of the connection's open transaction, to be noted before it commits."""
    return str(await connection.fetchval("SELECT pg_current_xact_id()::text"))


class Bell:
    """Rings once for everybody who waits, then is silent until the next epoch."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """A new epoch was announced."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def heard(self, timeout_s: float) -> None:
        """Returns at the next ring, or after `timeout_s` without one."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.wait((self._next,), timeout=timeout_s)

    @classmethod
    @asynccontextmanager
    async def listening(cls, settings: Settings) -> AsyncIterator[Bell]:
        """A bell rung by the applier, on a connection of its own."""
        bell = cls()

        def rung(_connection: Any, _pid: int, _channel: str, _payload: str) -> None:
            bell.ring()

        async with session(settings, "pinakes bell") as connection:
            await connection.add_listener(epochs.CHANNEL, rung)  # type: ignore[arg-type]
            yield bell


async def visible(
    pool: Pool,
    transaction: str,
    timeout_s: float,
    *,
    bell: Bell | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int | None:
    """An epoch in which the committed `transaction` is visible; None where it takes longer than `timeout_s`.

    Raises:
        StoreUnavailable: the database cannot be asked.
    """
    bell = bell or Bell()
    deadline = clock() + timeout_s
    while True:
        with translate_errors():
            epoch = await pool.fetchval(epochs.SQL["has_seen"], transaction)
        if epoch is not None:
            return int(epoch)
        left = deadline - clock()
        if left <= 0:
            return None
        await bell.heard(min(POLL_S, left))
