"""What the index needs done now and then: folding, and a build where none is in use or codes have drifted.

Where more waits to be folded than `REBUILD_ITEMS` and `REBUILD_SHARE` of all, a build is quicker than folding. No
build is begun that would be thrown away: while a bulk load is going on, or so much waits that the read model is
built anew.

Runs beside the applier, on a session of its own. Builds run in processes of their own; folds share
the process and give way between epochs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from pinakes.errors import PinakesError
from pinakes.index.build import build
from pinakes.index.drift import LEAST, drifted
from pinakes.index.fold import fold_range, waiting
from pinakes.settings import Settings
from pinakes.store.bulk_seal import is_loading
from pinakes.store.pool import Connection, translate_errors
from pinakes.store.queries import load
from pinakes.view.keeper import wants_build
from pinakes.view.session import session

LOOK_S = 2.0
DRIFT_S = 300.0
# A build takes some 25 µs a document, folding a changed item some ten times that.
REBUILD_ITEMS = 200_000
REBUILD_SHARE = 0.2

_SQL = load("generation", "pinakes.index.sql")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class IndexKeeper:
    """Keeps the index folded, and makes one where there is none."""

    settings: Settings
    processes: int = 1
    clock: Callable[[], float] = time.monotonic
    least: int = LEAST
    _looked: float = float("-inf")

    async def step(self, connection: Connection) -> None:
        """Does what is due."""
        if await connection.fetchval(_SQL["live"]) is not None:
            found = await waiting(connection)
            if found is not None and found.items > max(REBUILD_ITEMS, REBUILD_SHARE * found.docs):
                await self._build_if_it_lasts(connection, f"{found.items:,} changes wait to be folded")
            elif found is not None and found.due():
                await fold_range(connection)
            await self._rebuild_if_due(connection)
        elif await connection.fetchval(_SQL["documents"]) is not None:
            await self._build_if_it_lasts(connection, "none is in use")

    async def _build_if_it_lasts(self, connection: Connection, reason: str) -> None:
        if await is_loading(connection) or await wants_build(connection):
            return
        _log.info("the index is built anew, %s", reason)
        await self._build()

    async def _rebuild_if_due(self, connection: Connection) -> None:
        if self.clock() - self._looked < DRIFT_S:
            return
        self._looked = self.clock()
        reason = await drifted(connection, least=self.least)
        if reason is not None:
            await self._build_if_it_lasts(connection, reason)

    async def _build(self) -> None:
        assert self.settings.database_url is not None
        built = await build(self.settings.database_url, processes=self.processes)
        _log.info("the index was built: %d items in %.1f s", built.docs, built.seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Steps until `stop` is set; what goes wrong is logged and tried again."""
        while not stop.is_set():
            try:
                with translate_errors():
                    async with session(self.settings, "pinakes folder") as connection:
                        while not stop.is_set():
                            await self.step(connection)
                            await _until(stop, LOOK_S)
            except PinakesError as error:
                _log.warning("the index could not be kept: %s", error)
                await _until(stop, LOOK_S)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
