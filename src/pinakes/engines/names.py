"""Names: what a process holds of the names of tags, so that suggestions need not ask for them.

Loaded beside the requests when a server starts, some 0.3 s for 140,000 tags; from then on each request
learns in its own snapshot which tags were renamed, made or removed since (`tag_name_changes`), so nobody
is suggested yesterday's names. After many changes all are loaded again, beside the requests too. Where
there are none yet, or more changed than can be kept beside them, a request asks PostgreSQL for the
names with its beginning.

Counts weigh which tags are tried first; whatever is shown is counted anew. Of few tags they are read
in the request's snapshot and are upper bounds of what anybody can see; of many they are up to
`COUNTS_S` old and read beside the requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from pinakes.engines import endings as kept
from pinakes.engines import names_read
from pinakes.engines.endings import Begun, Endings
from pinakes.engines.typo import one_error_away
from pinakes.errors import StoreError
from pinakes.store import deadline, meter
from pinakes.store.pool import Connection, Pool, translate_errors

FEW_TAGS = 3000
"""Up to so many endings counts are read by every request: 2 ms."""

COUNTS_S = 10.0
KEPT_S = 12 * 3600.0
"""Changes are kept for a day; names not brought up to date for half of one are loaded anew."""

_log = logging.getLogger(__name__)


class Known(Protocol):
    """The names of one snapshot."""

    async def begun(self, text: str) -> Begun:
        """Those that begin with `text`; with an empty one, the most used."""
        ...

    async def nearly(self, text: str) -> Begun:
        """Those that begin with a text one error away from it."""
        ...


class Held:
    """Names out of the process."""

    def __init__(self, endings: Endings) -> None:
        self.endings = endings

    async def begun(self, text: str) -> Begun:
        """Those that begin with `text`; with an empty one, the most used."""
        return self.endings.begun((text,))

    async def nearly(self, text: str) -> Begun:
        """Those that begin with a text one error away from it."""
        return self.endings.nearly(text)


class Asked:
    """Names out of PostgreSQL: 20 ms for a letter that ten thousand names begin with."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begun(self, text: str) -> Begun:
        """Those that begin with `text`; with an empty one, the most used."""
        return (await names_read.beginning(self._connection, (text,))).begun((text,))

    async def nearly(self, text: str) -> Begun:
        """Those that begin with a text one error away from it."""
        texts = one_error_away(text)
        return (await names_read.beginning(self._connection, texts)).begun(texts)


class Names:
    """The names of one gallery in this process; safe to share between requests."""

    def __init__(
        self, pool: Pool, *, clock: Callable[[], float] = time.monotonic, renamed: Callable[[], None] = lambda: None
    ) -> None:
        """`renamed` is called whenever other names become the current ones."""
        self._pool = pool
        self._clock = clock
        self._renamed = renamed
        self._endings: Endings | None = None
        self._snapshot = ""
        self._few = True
        self._read_at = 0.0
        self._counted_at = 0.0
        self._beside: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begins to load the names, unless that goes on already."""
        self._begin("names of tags", self._load)

    async def settled(self) -> None:
        """Returns when nothing runs beside the requests any more."""
        while running := [task for task in self._beside.values() if not task.done()]:
            await asyncio.wait(running)

    async def stop(self) -> None:
        """Ends what runs beside the requests."""
        for task in self._beside.values():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def most_used(self, most: int) -> list[int]:
        """The tags that were on most items when they were counted last, as far as they are known."""
        return [] if self._endings is None else self._endings.heaviest(most)

    @property
    def snapshot(self) -> str | None:
        """The snapshot the names held are true of; None where they alone are not enough to answer from."""
        if self._endings is None or self._few or self._endings.overgrown or self._clock() - self._read_at > KEPT_S:
            return None
        return self._snapshot

    def unchanged(self, since: str) -> Endings | None:
        """The names, if they are those of `since` and PostgreSQL has just said that none changed after it."""
        if since != self.snapshot:
            return None
        self._read_at = self._clock()
        if self._read_at - self._counted_at > COUNTS_S:
            self._begin("counts of tags", self._count)
        return self._endings

    async def current(self, connection: Connection) -> Known:
        """The names as of the snapshot of `connection`, or a later one."""
        if self._endings is not None and self._clock() - self._read_at > KEPT_S:
            self._endings = None
        endings = self._endings and await self._catch_up(connection)
        if endings is None or endings.overgrown:
            self.start()
        if endings is None:
            return Asked(connection)
        if self._few:
            endings.weigh(*await names_read.counts(connection))
        elif self._clock() - self._counted_at > COUNTS_S:
            self._begin("counts of tags", self._count)
        return Held(endings)

    async def _catch_up(self, connection: Connection) -> Endings | None:
        """The endings with what changed; None where that is too much."""
        while True:
            endings, known = self._endings, self._snapshot
            if endings is None:
                return None
            most = 2 * kept.OVERLAY + 1
            change = await names_read.changed(connection, known, most)
            if self._endings is not endings or self._snapshot != known:
                continue  # somebody else was faster
            self._read_at = self._clock()
            if change is not None:
                tags, now = change
                if len(tags) == most:
                    self._endings = None
                    return None
                endings.change(tags)
                self._snapshot = now
                self._renamed()
            return endings

    async def _load(self) -> None:
        async with self._pool.acquire() as connection:
            endings, snapshot, size = await names_read.whole(connection)
        # Nothing is lost of what changed meanwhile: the next request asks for all since this snapshot.
        self._endings, self._snapshot, self._few = endings, snapshot, size <= FEW_TAGS
        self._read_at = self._counted_at = self._clock()
        self._renamed()

    async def _count(self) -> None:
        async with self._pool.acquire() as connection:
            tags, counts = await names_read.counts(connection)
        endings = self._endings
        if endings is not None:
            await asyncio.to_thread(endings.weigh, tags, counts)
        self._counted_at = self._clock()

    def _begin(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs `work` beside the requests, unless it does."""
        running = self._beside.get(what)
        if running is None or running.done():
            with deadline.unbound(), meter.charged_to(None):
                self._beside[what] = asyncio.create_task(self._tried(what, work), name=what)

    async def _tried(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            with translate_errors():
                await work()
        except StoreError as error:
            _log.warning("%s could not be read, the next suggestion asks again: %s", what, error.detail)
