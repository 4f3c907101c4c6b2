"""The worker: a keeper that goes on, whatever happens to its connection.

    async with running(settings): …        inside another process
    await run(settings, stop)              as `pinakes worker`

A lost connection, a restarted server, a failed refresh: each is logged, and the worker comes back
after a pause that doubles up to `MAX_PAUSE_S`. Nothing is lost meanwhile, since what is due stands in the
database. Any number of workers may run; they take turns.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pinakes.index.deltas import DeltaWriter
from pinakes.settings import Settings
from pinakes.store.bulk_seal import is_loading
from pinakes.view.applier import Applied
from pinakes.view.build import Progress
from pinakes.view.keeper import HEARTBEAT_S, Keeper
from pinakes.view.refresh import Refreshed
from pinakes.view.session import PASSING, session

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
_log = logging.getLogger(__name__)


async def run(
    settings: Settings,
    stop: asyncio.Event,
    *,
    progress: Progress | None = None,
    on_epoch: Callable[[Applied | Refreshed, float], None] | None = None,
) -> None:
    """Keeps the read model up to date until `stop` is set."""
    pause = FIRST_PAUSE_S
    while not stop.is_set():
        keeper = Keeper(settings)
        keeper.applier.observers.append(DeltaWriter())
        if on_epoch is not None:
            keeper.on_epoch = on_epoch
        try:
            async with session(settings) as connection:
                while await is_loading(connection) and not stop.is_set():
                    await _until(stop, HEARTBEAT_S)  # a read model built now would be built again at its end
                await keeper.prepare(connection, progress)
                pause = FIRST_PAUSE_S
                while not stop.is_set():
                    await _until(stop, await keeper.step(connection))
        except PASSING as error:
            _log.warning("the read model could not be kept: %s; next try in %.1f s", error, pause)
            await _until(stop, pause)
            pause = min(2 * pause, MAX_PAUSE_S)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Waits, but not longer than until `stop`."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


@asynccontextmanager
async def running(
    settings: Settings, on_epoch: Callable[[Applied | Refreshed, float], None] | None = None
) -> AsyncIterator[None]:
    """A worker in the background of this process."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(settings, stop, on_epoch=on_epoch), name="pinakes worker")
    try:
        yield
    finally:
        stop.set()
        await task
