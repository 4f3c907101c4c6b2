"""Single flight: however many ask for the same missing answer, one computes it.

In the process, askers share a task. Two rules of sharing:

* an asker may take what a running task brings if that answer is acceptable to it (`accepts`: right
  by the clocks, or computed within the budget and not before a write somebody waited for);
* if not, it takes the next task, which begins after it asked, so whatever that brings is new enough.

So even where nothing can be judged (Redis gone) there are at most two computations of one answer at
a time. The task belongs to nobody: an asker that gives up does not stop it.

Between processes a lease in Redis says who computes: `SET … NX PX`, renewed while the work goes on,
given back by its token. A holder that dies loses it within `lease_ms`; those who wait look every
few milliseconds for the answer, then for the lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from pinakes.cache.link import CacheFailure, Link

T = TypeVar("T")

_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"


class Flights(Generic[T]):
    """The computations under way in this process, by key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return self._under_way(key) is not None

    async def share(
        self, key: Hashable, work: Callable[[], Awaitable[T]], accepts: Callable[[T], bool]
    ) -> tuple[T, bool]:
        """What `work` brings, computed here or by a task already running; and whether it was shared."""
        running = self._under_way(key)
        if running is None:
            return await asyncio.shield(self._launch(key, work)), False
        with contextlib.suppress(Exception):  # whoever began it hears of the failure; this asker tries anew
            if accepts(result := await asyncio.shield(running)):
                return result, True
        # What runs now was begun after this asker asked.
        task = self._under_way(key) or self._launch(key, work)
        return await asyncio.shield(task), True

    def begin(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> None:
        """Computes in the background, unless that is under way."""
        if key not in self:
            self._launch(key, work)

    def _under_way(self, key: Hashable) -> asyncio.Task[T] | None:
        """The task that computes `key` now. One that is done but not yet struck off has begun before whoever asks."""
        task = self._running.get(key)
        return None if task is None or task.done() else task

    def _launch(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        async def fly() -> T:
            return await work()

        task = asyncio.create_task(fly())
        self._running[key] = task

        def landed(done: asyncio.Task[T]) -> None:
            if self._running.get(key) is done:
                del self._running[key]
            if not done.cancelled():
                done.exception()  # marks it as seen: askers may all have given up

        task.add_done_callback(landed)
        return task

    async def close(self) -> None:
        """Stops everything under way."""
        tasks = [*self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Lease:
    """Who computes an answer, among all processes."""

    def __init__(self, link: Link, key: bytes, lease_ms: int) -> None:
        self._link = link
        self._name = b"pinakes:flight:" + key
        self._ms = lease_ms
        self._token = secrets.token_hex(8)

    async def take(self) -> bool:
        """Whether this process computes now.

        Raises:
            CacheFailure: Redis did not answer.
        """
        return await self._link.call("SET", self._name, self._token, "NX", "PX", self._ms) is not None

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renews the lease for as long as the block runs, then gives it back."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(CacheFailure):
                await self._link.call("EVAL", _GIVE_BACK, 1, self._name, self._token)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._ms / 3000)
            with contextlib.suppress(CacheFailure):
                await self._link.call("EVAL", _RENEW, 1, self._name, self._token, self._ms)
