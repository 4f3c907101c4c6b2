"""The publisher: carries what each epoch touched from PostgreSQL's change log to the clocks in Redis.

One step, every `interval_ms`:

1. ask Redis for its time and for the epoch the clocks stand at;
2. in one snapshot of PostgreSQL read the epoch and the log of every later one;
3. run `publish.lua`: clocks, head and confirmation move together or not at all.

Redis' own head says where to go on, so there is nothing to remember and nothing to forget: a failed
step is done again by the next, a flush begins the clocks anew, a failover that lost the last epochs
is seen because the head went back, and any number of publishers may run at once. Every process that
serves runs one; it rests while another's confirmation is fresh.

The confirmation is Redis' time from before the snapshot, set back by how long the read model was
behind (policy `incremental`) while changes waited. So a dead applier or a dead publisher both end
in clocks that nobody trusts, never in old answers. A log with a hole in it (rows pruned, or written
by an older version) advances the clock `*`, on which everything depends; so do epochs that
together touched more than `MOST_TERMS` terms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import asyncpg

from pinakes.cache.clocks import AT, HEAD, Clocks
from pinakes.cache.key import EVERYTHING
from pinakes.cache.link import CacheFailure, Link
from pinakes.cache.stamp import Stamp, read_stamp, stamp_of
from pinakes.errors import MissingRow
from pinakes.store.connection import connect
from pinakes.store.queries import load
from pinakes.store.standing import sole_row

if TYPE_CHECKING:
    from pinakes.store.pool import Connection

log = logging.getLogger(__name__)
_MS = 1000
_PG_LIMIT_S = 2.0
_FOREVER_MS = 10**12
MOST_TERMS = 10_000
"""Terms moved in one step, which Redis does in some 15 ms; an import touches ten times as many."""


@dataclass(frozen=True, slots=True)
class State:
    """What the publisher found in PostgreSQL."""

    stamp: Stamp
    changes: list[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Found:
    """One look at both sides: the clocks stood at `head` at `before_ms`, and then PostgreSQL said `state`."""

    clocks: Clocks
    head: int | None
    before_ms: int
    state: State


async def read_state(connection: Connection, since: int | None) -> State:
    """The state now, and the changes after epoch `since` (None: none are wanted)."""
    sql = load("cache", "pinakes.cache.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = sole_row(await connection.fetchrow(sql["stamp"]))
        changes = [] if since is None else await connection.fetch(sql["changes"], since)
    return State(stamp_of(row), [(change["epoch"], change["terms"]) for change in changes])


class Publisher:
    """Keeps the clocks of one Redis in step with one PostgreSQL."""

    def __init__(
        self,
        link: Link,
        database_url: str,
        *,
        interval_ms: int = 50,
        window_ms: int = 900,
        keep_s: float = 720.0,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._link = link
        self._url = database_url
        self._window_ms = window_ms
        self._interval = interval_ms / _MS
        self._keep_s = keep_s
        self._now = now
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._past: deque[tuple[float, int]] = deque()
        self._past_of = ""
        self.published = 0
        self.failures = 0
        self.last_error = ""

    def wake(self) -> None:
        """An epoch was just committed in this process: publish it now."""
        self._wake.set()

    async def step(self, *, rest: bool = False) -> bool:
        """Publishes what there is; False when there was no need (`rest`) or somebody moved on meanwhile.

        Raises:
            CacheFailure: Redis did not take it.
            OSError, asyncpg.PostgresError, TimeoutError: PostgreSQL did not answer.
        """
        found = await self.look(rest=rest)
        return found is not None and await self.publish(found)

    async def look(self, *, rest: bool = False) -> Found | None:
        """What there is to publish; None when there is no need, or it must be looked at again."""
        connection = await self._connected()
        incarnation = await self._incarnation(connection)
        clocks = Clocks(self._link, incarnation)
        time, scores = await self._link.pipeline([("TIME",), ("ZMSCORE", clocks.key, HEAD, AT)], probe=True)
        before_ms = int(time[0]) * _MS + int(time[1]) // _MS
        if rest and scores[1] is not None and 0 <= before_ms - float(scores[1]) < self._interval * _MS * 0.8:
            return None
        head = None if scores[0] is None else int(scores[0])
        async with asyncio.timeout(_PG_LIMIT_S):
            state = await read_state(connection, head)
        if state.stamp.incarnation != incarnation:
            self._known = None
            return None
        return Found(clocks, head, before_ms, state)

    async def publish(self, found: Found) -> bool:
        """Publishes what was found, however long ago; False when the clocks went back since.

        Raises:
            CacheFailure: Redis did not take it, or PostgreSQL is behind the clocks, which are begun anew then.
        """
        clocks, head, state = found.clocks, found.head, found.state
        epoch = state.stamp.epoch
        if head is not None and epoch < head:
            # The head was read before the snapshot, so PostgreSQL went back. Clocks begun anew end every stored answer.
            await clocks.drop()
            raise CacheFailure(
                f"PostgreSQL is at epoch {epoch}, the clocks at {head} of the same incarnation: it was restored "
                "without a new one. Stored answers have ended; `pinakes view restored` after a restore is surer"
            )
        since = epoch if head is None else head
        touched = {term: number for number, terms in state.changes for term in terms}
        if head is not None and (len(state.changes) != epoch - head or len(touched) > MOST_TERMS):
            touched = {EVERYTHING: epoch}
        stands = await clocks.publish(
            since,
            epoch,
            found.before_ms - _behind(state),
            list(touched.items()),
            floor=self._floor(clocks.incarnation, epoch),
            forget_before_ms=found.before_ms - int(self._keep_s * _MS),
            window_ms=self._window_ms,
        )
        if stands is not None:
            return False
        self.published += epoch - since
        return True

    def _floor(self, incarnation: str, epoch: int) -> int:
        """The epoch of `keep_s` ago: older answers have expired, so older clocks are not needed."""
        now = self._now()
        if incarnation != self._past_of:
            self._past.clear()
            self._past_of = incarnation
        if not self._past or now - self._past[-1][0] >= self._keep_s / 60:
            self._past.append((now, epoch))
        floor = 0
        while self._past and now - self._past[0][0] >= self._keep_s:
            floor = self._past[0][1]
            if len(self._past) > 1 and now - self._past[1][0] >= self._keep_s:
                self._past.popleft()
            else:
                break
        return floor

    _known: str | None = None

    async def _incarnation(self, connection: Connection) -> str:
        """The incarnation, as of the last look; a change is noticed by the next step."""
        if self._known is None:
            async with asyncio.timeout(_PG_LIMIT_S):
                self._known = (await read_stamp(connection)).incarnation
        return self._known

    async def _connected(self) -> Connection:
        """A connection of its own: when the pool is exhausted the clocks matter most."""
        if self._connection is None or self._connection.is_closed():
            self._known = None
            self._connection = await connect(self._url, name="pinakes publisher", patience_s=_PG_LIMIT_S)
            # The applier announces every epoch. A lost notification costs one interval.
            await self._connection.add_listener("pinakes_epoch", lambda *_: self.wake())
        return self._connection

    def start(self) -> None:
        """Begins to publish."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="cache publisher")

    async def stop(self) -> None:
        """Ends publishing."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            await self._guarded(self.step(rest=True))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._interval)

    async def _guarded(self, step: Awaitable[bool]) -> None:
        """Runs a step; whatever stops it is counted and logged once, and the next step tries again."""
        try:
            await step
            self.last_error = ""
        except (
            CacheFailure,
            MissingRow,
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            self.failures += 1
            reason = f"{type(error).__name__}: {error}"
            if reason != self.last_error:
                log.warning("cache clocks cannot be published: %s", reason)
            self.last_error = reason
            if not isinstance(error, CacheFailure):
                await self._disconnect()


def _behind(state: State) -> int:
    """How far before the snapshot everything committed is known to be in an epoch, ms."""
    stamp = state.stamp
    if stamp.policy is None or stamp.behind_ms is None:
        return _FOREVER_MS  # nobody takes changes to an epoch, so the clocks say nothing
    # The other policies promise their interval, and the answer says as_of when it is.
    return stamp.behind_ms if stamp.policy == "incremental" else 0
