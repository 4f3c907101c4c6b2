"""A keeper in a process of its own, for measurements: `python -m pinakes.bench.keeping [--index]`.

What `pinakes worker` does, with the index left out unless it is asked for, so that what each costs
those who write can be told apart. Settings come from the environment; SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from pinakes import child
from pinakes.errors import StoreError
from pinakes.index.deltas import DeltaWriter
from pinakes.index.keeper import IndexKeeper
from pinakes.settings import Settings, load_settings
from pinakes.view.keeper import Keeper
from pinakes.view.session import session

_FLAG = "--index"
_READY = b"ready\n"
_PATIENCE_S = 3600.0


@asynccontextmanager
async def keeping(settings: Settings, *, index: bool) -> AsyncIterator[None]:
    """A keeper runs meanwhile; entered when the read model of the policy in `settings` is there.

    Raises:
        StoreError: it ended before that.
    """
    words = [_FLAG] if index else []
    process = await child.start(
        "pinakes.bench.keeping", *words, variables=settings.environment(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        if await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S) != _READY:
            raise StoreError("The keeper of the measurement ended early.")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _keep(settings: Settings, *, index: bool) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    keeper = Keeper(settings)
    folding = None
    async with session(settings, "pinakes bench keeper") as connection:
        await keeper.prepare(connection)
        if index:
            keeper.applier.observers.append(DeltaWriter())
            async with session(settings, "pinakes bench folder") as other:
                await IndexKeeper(settings).step(other)
            folding = asyncio.create_task(IndexKeeper(settings).run(stop))
        sys.stdout.buffer.write(_READY)
        sys.stdout.flush()
        while not stop.is_set():
            await _until(stop, await keeper.step(connection))
    if folding is not None:
        await folding


async def _until(stop: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_keep(load_settings(), index=_FLAG in sys.argv))
