"""Warming: what most first keys need is read when a process starts, beside the requests, so that none has to wait."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from pinakes.engines.names import Names
from pinakes.errors import PinakesError
from pinakes.index.reader import IndexReader, RequestSource
from pinakes.store.pool import Pool, snapshot

TAGS = 100_000
"""Tags whose bitmaps are read, the most used, up to a quarter of the memory for bitmaps; 10 µs a tag of few items."""

AT_ONCE = 500

_log = logging.getLogger(__name__)


class Warming:
    """Names, which tags are on no item, and the bitmaps of the most used, read once by a task of its own."""

    def __init__(self, pool: Pool, names: Names, reader: IndexReader, timeout_ms: int) -> None:
        self._pool = pool
        self._names = names
        self._reader = reader
        self._timeout_ms = timeout_ms
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins, if it has not yet."""
        self._names.start()
        if self._task is None:
            self._task = asyncio.create_task(self._warm(), name="bitmaps of the most used tags")

    async def settled(self) -> None:
        """Returns when nothing runs beside the requests any more."""
        await self._names.settled()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Ends what runs beside the requests."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._names.stop()

    async def _warm(self) -> None:
        await self._names.settled()
        memory = self._reader.cache
        try:
            async with snapshot(self._pool, self._timeout_ms) as connection:
                await self._reader.tag_bounds(connection, await self._reader.state(connection))
            wanted = self._names.most_used(TAGS)
            for start in range(0, len(wanted), AT_ONCE):
                terms = ["vis:public", *(f"tag:{tag}" for tag in wanted[start : start + AT_ONCE])]
                async with snapshot(self._pool, self._timeout_ms) as connection:
                    state = await self._reader.state(connection)
                    await self._reader.run(connection, state, partial(RequestSource.require, names=terms))
                if memory.size > memory.limit // 4:
                    return
        except PinakesError as error:
            _log.info("bitmaps of tags are read as they are asked for: %s", error)
