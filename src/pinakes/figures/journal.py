"""Journal: stores what a recorder counted, every few seconds, and drops what is too old.

Each process has rows of its own, named by a random number (another one each time its clock is set back, so that no
minute is written over), and writes the open minute again until it
is over; so storing twice changes nothing, and processes never wait for each other. Histories add
the rows up. A database that cannot be written to costs nothing but the figures: minutes wait in
memory, an hour of them at most.

Once a minute one process, whichever is first, also stores the sizes of things.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import asyncpg

from pinakes.errors import StoreError
from pinakes.figures.recorder import Minute, Recorder
from pinakes.settings import Settings
from pinakes.store.pool import Pool, translate_errors
from pinakes.store.queries import load

FLUSH_S = 5.0
PRUNE_S = 600.0
PATIENCE_S = 2.0

_SQL = load("figures", "pinakes.figures.sql")
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def _as_store_errors() -> Iterator[None]:
    """A standby that takes no writes, a role that may not: whatever it is, it is no reason to end."""
    with translate_errors():
        try:
            yield
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError) as error:
            raise StoreError(str(error)) from error


class Journal:
    """Stores the minutes of `recorder`."""

    def __init__(self, pool: Pool, recorder: Recorder, settings: Settings) -> None:
        self.recorder = recorder
        self.process = secrets.randbits(62)
        self._pool = pool
        self._keep_hours = settings.figures_keep_hours
        self._pruned = float("-inf")
        self._stored: dict[tuple[int, int], int] = {}
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Stores from now on, unless nothing is to be kept."""
        if self._keep_hours:
            self._task = asyncio.create_task(self._go_on(), name="figures")

    async def stop(self) -> None:
        """Stores what is left, and ends."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(StoreError):
            await self.store()

    async def store(self) -> None:
        """Writes every minute that changed since it was written.

        Raises:
            StoreError: the database cannot be written to; everything is kept for the next time.
        """
        recorder = self.recorder
        recorder.roll()
        with _as_store_errors():
            async with asyncio.timeout(PATIENCE_S), self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SQL["limit"])
                for minute in list(recorder.minutes):
                    count = sum(histogram.count for histogram in minute.series.values())
                    if count != self._stored.get((minute.turn, minute.at), 0):
                        await connection.executemany(_SQL["put"], self._rows(minute))
                        await connection.executemany(_SQL["put_slow"], self._slow_rows(minute))
                        self._stored[minute.turn, minute.at] = count
                await connection.execute(_SQL["sample"])
                if asyncio.get_running_loop().time() - self._pruned > PRUNE_S:
                    for name in ("prune", "prune_slow", "prune_samples"):
                        await connection.execute(_SQL[name], self._keep_hours)
                    self._pruned = asyncio.get_running_loop().time()
        while len(recorder.minutes) > 1:
            done = recorder.minutes.popleft()
            self._stored.pop((done.turn, done.at), None)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.store()
            except StoreError as error:
                self._stored.clear()  # what the transaction took back is written again
                if not self._failing:
                    _log.warning("figures cannot be stored: %s", error)
                self._failing = True
            else:
                self._failing = False

    def _rows(self, minute: Minute) -> list[tuple[object, ...]]:
        at = datetime.fromtimestamp(minute.at, UTC)
        return [
            (at, self.process + minute.turn, name, histogram.seconds, histogram.slowest, *histogram.sparse())
            for name, histogram in minute.series.items()
        ]

    def _slow_rows(self, minute: Minute) -> list[tuple[object, ...]]:
        at = datetime.fromtimestamp(minute.at, UTC)
        return [
            (at, self.process + minute.turn, place, one.query, one.engine, one.seconds, one.times)
            for place, one in enumerate(minute.slowest())
        ]
