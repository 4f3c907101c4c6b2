"""The mirror: this process's copy of the clocks, so that most answers are judged without asking.

Every `poll_ms` it asks Redis for the heading and for the terms clocked since its last look: one
round trip, usually empty. Its clocks are exact for every epoch since it began and the floor before
that; when they grow past `max_terms` the floor is raised and they are forgotten. So a mirror never
underestimates a clock, it only knows less.

It is trusted while two things hold: it looked at Redis within the last `lag_ms`, and the clocks it
saw were confirmed within the last `window_ms`. Time is counted from before the look, by the
process's monotonic clock, so being slow only makes it trust itself less. A writer that has waited
`lag_ms` after publishing therefore knows that every mirror in the world has seen its write or
distrusts itself.

`version` changes whenever any clock may have; an answer judged under the same version needs no
second judgement.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from time import monotonic

from pinakes.cache.clocks import CURRENT, FORGET, HEADING, SPECIAL, Heading, clocks_key, heading_of
from pinakes.cache.key import BARRIER, EVERYTHING, wildcards
from pinakes.cache.link import CacheFailure, Link


class Mirror:
    """A local copy of the clocks that follows Redis."""

    def __init__(
        self,
        link: Link,
        *,
        window_ms: int,
        lag_ms: int = 250,
        poll_ms: int = 50,
        max_terms: int = 200_000,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._link = link
        self.window_ms = window_ms
        self.lag_ms = lag_ms
        self._poll = poll_ms / 1000
        self._max_terms = max_terms
        self._now = now
        self._clocks: dict[str, int] = {}
        self._floor = 0
        self._looked = float("-inf")
        self._heard = float("-inf")
        self._redis_ms = 0
        self._newest = 0
        self.forgotten: dict[str, int] = {}
        self.last_forgotten = 0
        self.heading: Heading | None = None
        self.incarnation: str | None = None
        self.version = 0
        self._task: asyncio.Task[None] | None = None
        self.after_poll: list[Callable[[], None]] = []

    def latest_ms(self) -> int:
        """Redis' time, never too early; 0 before the first look."""
        return self._redis_ms + int((self._now() - self._looked) * 1000) if self._redis_ms else 0

    def earliest_ms(self) -> int:
        """Redis' time, never too late; 0 before the first look."""
        return self._redis_ms + int((self._now() - self._heard) * 1000) if self._redis_ms else 0

    def current(self) -> bool:
        """Whether the mirror looked at Redis lately."""
        return (self._now() - self._looked) * 1000 <= self.lag_ms

    def trusted(self) -> bool:
        """Whether the clocks here may be judged by now."""
        heading = self.heading
        if heading is None:
            return False
        since_look = (self._now() - self._looked) * 1000
        return since_look <= self.lag_ms and 0 <= heading.now_ms - heading.at_ms + since_look <= self.window_ms

    def clock(self, term: str) -> int:
        """The newest epoch known to have touched `term`."""
        get, newest = self._clocks.get, self._floor
        for member in wildcards(term):
            newest = max(newest, get(member, 0))
        return newest

    @property
    def newest(self) -> int:
        """The newest epoch any clocks here were seen at."""
        return self._newest

    @property
    def born_ms(self) -> int:
        """When the clocks were begun; for ever to come while there are none."""
        return self.heading.born_ms if self.heading is not None else 2**62

    @property
    def floor(self) -> int:
        """Clocks below this are not known exactly."""
        return self._floor

    def right_at_ms(self) -> int:
        """The time (Redis') at which an answer judged right by these clocks was right."""
        return self.heading.at_ms if self.heading is not None else 0

    async def look(self) -> None:
        """Follows Redis by one step.

        Raises:
            CacheFailure: Redis did not answer.
        """
        began = self._now()
        key = clocks_key(self.incarnation or "")
        # At first only times are asked for: what was to be forgotten.
        since = self.heading.head if self.heading is not None else "1e12"
        time, current, scores, changed = await self._link.pipeline(
            [
                ("TIME",),
                ("GET", CURRENT),
                ("ZMSCORE", key, *HEADING),
                ("ZRANGEBYSCORE", key, f"({since}", "+inf", "WITHSCORES"),
            ],
            probe=True,
        )
        self._looked, self._heard = began, self._now()
        self._redis_ms = int(time[0]) * 1000 + int(time[1]) // 1000
        heading = heading_of(time, scores)
        incarnation, self.incarnation = self.incarnation, current.decode() if current is not None else None
        if heading is None or self.incarnation != incarnation:
            self._lose()
        else:
            self._follow(heading, changed)

    def _follow(self, heading: Heading, changed: list[bytes]) -> None:
        known = self.heading
        self.heading = heading
        touched = known is None
        if known is None:
            # Nothing is known of what came before: it counts as changed just now.
            self._clocks, self._floor, self._newest = {}, heading.head, heading.head
            known = heading
        if heading.born_ms != known.born_ms:
            # Whatever was to be forgotten is older than these clocks; a mark may be from a time that never came.
            self.forgotten, self.last_forgotten = {}, 0
        self._newest = max(self._newest, heading.head)
        for name, score in zip(changed[::2], changed[1::2], strict=True):
            term = name.decode()
            if term.startswith(FORGET):
                touched |= self._forget_term(term[1:], int(float(score)))
            elif term not in SPECIAL:
                self._clocks[term] = max(int(float(score)), self._clocks.get(term, 0))
                touched = True
        if heading.barrier > self._clocks.get(BARRIER, 0):
            self._clocks[BARRIER] = heading.barrier
            touched = True
        if heading.floor > self._floor and heading.floor > known.floor:
            self._floor = heading.floor
            self._clocks = {term: epoch for term, epoch in self._clocks.items() if epoch > heading.floor}
            touched = True
        if len(self._clocks) > self._max_terms:
            self._clocks, self._floor = {BARRIER: heading.barrier}, self._newest
            touched = True
        if touched or heading.head != known.head or heading.born_ms != known.born_ms:
            self.version += 1

    def _forget_term(self, term: str, at_ms: int) -> bool:
        if at_ms <= self.forgotten.get(term, 0):
            return False
        self.forgotten[term] = at_ms
        self.last_forgotten = max(self.last_forgotten, at_ms)
        if len(self.forgotten) > self._max_terms:
            self.forgotten = {EVERYTHING: self.last_forgotten}
        return True

    def _lose(self) -> None:
        if self.heading is not None:
            self.version += 1
        self.heading = None

    def start(self) -> None:
        """Begins to follow."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="cache mirror")

    async def stop(self) -> None:
        """Ends following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(CacheFailure):
                await self.look()
            for follow in self.after_poll:
                follow()
            await asyncio.sleep(self._poll)
