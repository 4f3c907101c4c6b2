"""Names: what a process holds of the names of tags, so that suggestions need not ask for them.

Loaded once, some 0.3 s for 140,000 tags; from then on each request learns in its own snapshot which
tags were renamed, made or removed since (`tag_name_changes`), so nobody is suggested yesterday's names.

Counts weigh which tags are tried first; whatever is shown is counted anew. Of few tags they are read
in the request's snapshot and are upper bounds of what anybody can see; of many they are up to
`COUNTS_S` old and read beside the requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import numpy as np

from pinakes.engines.endings import OVERLAY, Endings, Numbers
from pinakes.store.pool import Connection, Pool
from pinakes.store.queries import load

FEW_TAGS = 3000
"""Up to so many endings counts are read by every request: 2 ms."""

COUNTS_S = 10.0
KEPT_S = 12 * 3600.0
"""Changes are kept for a day; names not brought up to date for half of one are loaded anew."""

# array_send: dimensions, flags, type, length and lower bound; then for each value its size and itself.
_HEADER = 20

_SQL = load("suggest")


class Names:
    """The names of one gallery in this process; safe to share between requests."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._endings: Endings | None = None
        self._snapshot = ""
        self._few = True
        self._read_at = 0.0
        self._counted_at = 0.0
        self._loading = asyncio.Lock()
        self._counting: asyncio.Task[None] | None = None

    async def current(self, connection: Connection) -> Endings:
        """The names as of the snapshot of `connection`, or a later one."""
        if self._endings is None or self._endings.overgrown or self._clock() - self._read_at > KEPT_S:
            async with self._loading:
                if self._endings is None or self._endings.overgrown or self._clock() - self._read_at > KEPT_S:
                    return await self._load(connection)
        endings = await self._catch_up(connection)
        if self._few:
            endings.weigh(*await _counts(connection))
        elif self._clock() - self._counted_at > COUNTS_S and (self._counting is None or self._counting.done()):
            self._counting = asyncio.create_task(self._count(), name="counts of tags")
        return endings

    async def stop(self) -> None:
        """Ends what runs beside the requests."""
        if self._counting is not None:
            self._counting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._counting

    async def _load(self, connection: Connection) -> Endings:
        row = await connection.fetchrow(_SQL["endings"])
        assert row is not None, "an aggregate is always one row"
        tags = _numbers(row["tags"], 4)
        texts = row["endings"].split("\n") if len(tags) else []
        endings = Endings(texts, tags, row["aliases"].split("\n") if len(tags) else [])
        endings.weigh(*await _counts(connection))
        self._endings, self._snapshot, self._few = endings, row["snapshot"], len(texts) <= FEW_TAGS
        self._read_at = self._counted_at = self._clock()
        return endings

    async def _catch_up(self, connection: Connection) -> Endings:
        while True:
            endings, known = self._endings, self._snapshot
            assert endings is not None
            rows = await connection.fetch(_SQL["changed"], known, 2 * OVERLAY)
            if rows:
                now = await connection.fetchval(_SQL["snapshot"])
            if self._endings is not endings or self._snapshot != known:
                continue  # somebody else was faster
            self._read_at = self._clock()
            if rows:
                changed: dict[int, list[tuple[str, str]]] = {row["tag_id"]: [] for row in rows}
                for row in rows:
                    if row["ending"] is not None:
                        changed[row["tag_id"]].append((row["ending"], row["alias"]))
                if len(changed) == 2 * OVERLAY:
                    return await self._load(connection)
                endings.change(changed)
                self._snapshot = now
            return endings

    async def _count(self) -> None:
        async with self._pool.acquire() as connection:
            tags, counts = await _counts(connection)
        if self._endings is not None:
            self._endings.weigh(tags, counts)
        self._counted_at = self._clock()


async def _counts(connection: Connection) -> tuple[Numbers, Numbers]:
    row = await connection.fetchrow(_SQL["counts"])
    assert row is not None, "an aggregate is always one row"
    return _numbers(row["tags"], 4), _numbers(row["items"], 8)


def _numbers(sent: bytes | None, size: int) -> Numbers:
    """The values of `array_send`, of `size` bytes each."""
    if sent is None:
        return np.empty(0, np.int64)
    values = np.frombuffer(sent, np.dtype([("size", ">i4"), ("value", f">i{size}")]), offset=_HEADER)
    return values["value"].astype(np.int64)
