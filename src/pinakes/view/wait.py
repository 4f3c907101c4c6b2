"""Waiting until a write is visible in the read model: what `refresh=wait_for` does.

A writer notes its transaction's number before it commits. The epoch row holds the last snapshot
whose whole queue was applied, so the write is visible as soon as that snapshot sees the number:
exact, whatever other transactions do, and no clock takes part. Works under every policy; under
`periodic` and `event` it may take minutes, so a wait has a limit and then says None.

`Bell` is rung by the applier's NOTIFY, which carries the epoch and that snapshot. So a process
with one bell can have thousands of writers waiting and none of them asks the database, but for a
look after `SILENCE_S` in case a ring was lost, and every `POLL_S` where nobody rings.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, translate_errors
from pinakes.view import epoch as epochs
from pinakes.view.session import PASSING, session

POLL_S = 0.5
# Of a bell that has announced epochs: an epoch may take a second on a busy machine, and if all who wait
# asked the pool then, they would queue there behind the writers (p99 10 s at 500 writes/s).
SILENCE_S = 5.0
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ring:
    """What one announcement says: the epoch, and which transactions it has seen."""

    epoch: int
    first_open: int
    first_unknown: int
    open: frozenset[int]

    @classmethod
    def parse(cls, payload: str) -> Ring | None:
        """`epoch xmin:xmax:xip,xip`; None where the snapshot was too long for a message or there is none."""
        found = _RING.fullmatch(payload)
        if found is None or len(payload) >= _MAX_PAYLOAD:
            return None
        epoch, first_open, first_unknown, still_open = found.groups()
        numbers = frozenset(map(int, still_open.split(","))) if still_open else frozenset()
        return cls(int(epoch), int(first_open), int(first_unknown), numbers)

    def shows(self, transaction: str) -> bool:
        """The rule of `pg_visible_in_snapshot`."""
        number = int(transaction)
        return number < self.first_open or (number < self.first_unknown and number not in self.open)


_RING = re.compile(r"(\d+) (\d+):(\d+):([\d,]*)")
_MAX_PAYLOAD = 7900


async def transaction_id(connection: Connection) -> str:
    """The number of the connection's open transaction, to be noted before it commits."""
    return str(await connection.fetchval("SELECT pg_current_xact_id()::text"))


class Bell:
    """Rings once for everybody who waits, then is silent until the next epoch."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None
        self.last: Ring | None = None

    def ring(self, payload: str = "") -> None:
        """A new epoch was announced."""
        self.last = Ring.parse(payload)
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def heard(self, timeout_s: float) -> bool:
        """Whether it rang within `timeout_s`."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait((self._next,), timeout=timeout_s)
        return bool(done)

    @classmethod
    @asynccontextmanager
    async def listening(cls, settings: Settings) -> AsyncIterator[Bell]:
        """A bell rung by the applier, on a connection of its own, which is made again when it is lost.

        Without it those who wait look for themselves, every `POLL_S`.
        """
        bell = cls()
        tried = asyncio.Event()
        follower = asyncio.create_task(bell._follow(settings, tried), name="pinakes bell")
        await tried.wait()
        try:
            yield bell
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)

    async def _follow(self, settings: Settings, tried: asyncio.Event) -> None:
        def rung(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
            self.ring(payload)

        pause = FIRST_PAUSE_S
        while True:
            try:
                async with session(settings, "pinakes bell") as connection:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
                    await connection.add_listener(epochs.CHANNEL, rung)  # type: ignore[arg-type]
                    self.ring()  # whatever happened meanwhile: look
                    tried.set()
                    pause = FIRST_PAUSE_S
                    await lost.wait()
                _log.warning("no epochs are announced to this process: the connection was lost")
            except PASSING as error:
                _log.warning("no epochs are announced to this process: %s; next try in %.1f s", error, pause)
            self.ring()
            tried.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_S)


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
    ask = bell.last is None
    while True:
        if bell.last is not None and bell.last.shows(transaction):
            return bell.last.epoch
        if ask:
            with translate_errors():
                epoch = await pool.fetchval(epochs.SQL["has_seen"], transaction)
            if epoch is not None:
                return int(epoch)
        left = deadline - clock()
        if left <= 0:
            return None
        rang = await bell.heard(min(POLL_S if bell.last is None else SILENCE_S, left))
        ask = not rang or bell.last is None
