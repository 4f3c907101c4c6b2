"""The result cache as the service sees it: a question and a way to compute it in, an answer out.

    L1 right? -> given                                     no await at all
    else one flight per question:
      L2 right? -> given, kept in L1                       one GET; judged by the mirror
      right a moment ago? -> given as STALE, computed in the background
      else the lease: computed, stored, given; or waited for
    Redis gone or its clocks not to be trusted -> computed, DEGRADED

Whatever happens to Redis, an answer is either judged right by clocks confirmed within the window,
or was right within the window, or comes from the engine (`ttl`: or is younger than it may live).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeAlias

from pinakes.cache import stats
from pinakes.cache.answer import Answer, Computed, Source
from pinakes.cache.clocks import Clocks, reading
from pinakes.cache.entry import Entry
from pinakes.cache.flight import Flights, Lease
from pinakes.cache.judge import forgotten, may_serve_stale, still_right
from pinakes.cache.key import Kind, Question, wildcards
from pinakes.cache.l1 import L1, Held
from pinakes.cache.link import CacheFailure, Link
from pinakes.cache.mirror import Mirror
from pinakes.cache.options import Options
from pinakes.cache.publisher import Publisher
from pinakes.cache.stamp import Stamp

log = logging.getLogger(__name__)

_IN_THREAD = 64 * 1024
_ENTRY = b"pinakes:entry:"
_COLLECT_S = 2.0

Compute: TypeAlias = Callable[[], Awaitable[Computed]]


class ResultCache:
    """The cache of one process over the Redis of all."""

    def __init__(self, redis_url: str, database_url: str | None, options: Options) -> None:
        self.options = options
        self.link = Link(redis_url, limit_ms=options.limit_ms)
        self.mirror = Mirror(self.link, window_ms=options.window_ms, lag_ms=options.lag_ms, poll_ms=options.poll_ms)
        self.publisher = (
            Publisher(
                self.link,
                database_url,
                interval_ms=options.publish_ms,
                window_ms=options.window_ms,
                keep_s=options.longest_ttl_s * 1.2,
            )
            if database_url is not None
            else None
        )
        self.l1 = L1(options.l1_bytes)
        self.counters = stats.Counters()
        self._flights: Flights[Answer] = Flights()
        self._task: asyncio.Task[None] | None = None
        self._owed = 0

    async def start(self) -> None:
        """Begins to follow and to publish; returns soon, whether Redis answers or not."""
        if self.publisher is not None:
            self.publisher.start()
        self.mirror.start()
        self._task = asyncio.create_task(self._collect(), name="cache statistics")

    async def stop(self) -> None:
        """Ends everything, with the statistics handed in."""
        await self._flights.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(CacheFailure):
            await stats.collect(self.link, self.counters)
        await self.mirror.stop()
        if self.publisher is not None:
            await self.publisher.stop()
        await self.link.close()

    @property
    def incarnation(self) -> str:
        """The incarnation questions are asked in; a dash until it is known."""
        return "-" if self.options.strategy == "ttl" else self.mirror.incarnation or "-"

    def incarnation_of(self, stamp: Stamp) -> str:
        """The incarnation of a question that was understood in a snapshot; `ttl` looks at nothing but age."""
        return "-" if self.options.strategy == "ttl" else stamp.incarnation

    @property
    def clocks(self) -> Clocks:
        """The clocks in force."""
        return Clocks(self.link, self.mirror.incarnation or "-")

    # Answers

    def peek(self, question: Question, max_age_s: int | None = None) -> Answer | None:
        """The answer L1 can give at once."""
        held = self.l1.get(question.key)
        if held is None or held.entry.text != question.text:
            return None
        now_ms = self.mirror.latest_ms()
        if not self._held_right(held, question, now_ms) or not _young(held.entry, now_ms, max_age_s):
            return None
        if self._early(held.entry, now_ms):
            return None
        self.counters.count("hit_l1", question.kind)
        return Answer(held.entry, "hit_l1", now_ms)

    async def answer(self, question: Question, compute: Compute, *, max_age_s: int | None = None) -> Answer:
        """The answer to `question`, from wherever it is right and quickest.

        Raises: whatever `compute` raises.
        """
        found = self.peek(question, max_age_s)
        if found is not None:
            return found
        held = self.l1.get(question.key)
        if held is not None and held.entry.text == question.text and max_age_s is None:
            now_ms = self.mirror.latest_ms()
            if self._held_right(held, question, now_ms):
                # Right, but soon over: the one who was drawn computes it for all.
                self._refresh(question, compute)
                self.counters.count("hit_l1", question.kind)
                return Answer(held.entry, "hit_l1", now_ms)
            if self._stale_allowed(held.entry, held.right_ms, question, now_ms):
                self._refresh(question, compute)
                self.counters.count("stale", question.kind)
                return Answer(held.entry, "stale", now_ms)
        result, shared = await self._flights.share(
            question.key,
            lambda: self._lead(question, compute, max_age_s),
            lambda got: self._accepts(got, question, max_age_s),
        )
        if shared:
            self.counters.count("joined", question.kind)
        self.counters.count(result.source, question.kind)
        return result

    async def fresh(self, kind: Kind, compute: Compute, *, keep: bool) -> Answer:
        """The answer as it is now, whatever is stored; `keep` stores it."""
        answer = await self._compute(compute, "bypass", keep=keep)
        self.counters.count("bypass", kind)
        return answer

    async def degraded(self, compute: Compute) -> Answer:
        """The answer from the engine: for a question nobody has understood while Redis cannot be asked anyway."""
        return await self._compute(compute, "degraded", keep=False)

    # Judging

    def _held_right(self, held: Held, question: Question, now_ms: int) -> bool:
        mirror = self.mirror
        if held.entry.expired(now_ms):
            return False
        if self.options.strategy == "ttl":
            return now_ms > 0 and not forgotten(held.entry, question, mirror)
        if not mirror.trusted():
            return False
        if held.version != mirror.version:
            if not still_right(held.entry, question, mirror, clocked=not self.options.by_time(question.kind)):
                return False
            held.version = mirror.version
        held.right_ms = max(held.right_ms, mirror.right_at_ms())
        return True

    def _stale_allowed(self, entry: Entry, right_ms: int, question: Question, now_ms: int) -> bool:
        """Whether an answer last known right at `right_ms` may still be given."""
        mirror = self.mirror
        return (
            self.options.serve_stale
            and mirror.current()
            and mirror.heading is not None
            and not entry.expired(now_ms)
            and now_ms - max(right_ms, entry.right_ms) <= self.options.window_ms
            and may_serve_stale(entry, question, mirror)
        )

    def _accepts(self, answer: Answer, question: Question, max_age_s: int | None) -> bool:
        """Whether an answer that was on its way before it was asked for will do."""
        now_ms = self.mirror.latest_ms()
        if (
            answer.entry.text != question.text
            or not answer.entry.created_ms
            or not _young(answer.entry, now_ms, max_age_s)
        ):
            return False
        if self._stale_allowed(answer.entry, answer.entry.right_ms, question, now_ms):
            return True
        held = Held(answer.entry, -1, 0, 0)
        return self._held_right(held, question, now_ms)

    async def _stored_right(self, entry: Entry, question: Question) -> bool | None:
        """Whether an entry from Redis is right; None when nobody can say."""
        now_ms = self.mirror.latest_ms()
        if entry.expired(now_ms):
            return False
        clocked = not self.options.by_time(question.kind)
        if self.options.strategy == "ttl":
            return now_ms > 0 and not forgotten(entry, question, self.mirror)
        if self.mirror.trusted():
            if still_right(entry, question, self.mirror, clocked=clocked):
                return True
            if entry.epoch >= self.mirror.floor:
                return False
        # The mirror does not reach back that far, or did not look for a while: ask.
        asked = sorted({wild for term in question.terms for wild in wildcards(term)} | question.named)
        time, scores = await self.link.pipeline([("TIME",), self.clocks.command(asked)])
        exact = reading(time, scores, asked)
        if exact is None or not 0 <= exact.heading.now_ms - exact.heading.at_ms <= self.options.window_ms:
            return None
        if exact.heading.head < self.mirror.newest:
            return None  # a failover lost epochs this process has seen already
        return still_right(entry, question, exact, clocked=clocked)

    def _early(self, entry: Entry, now_ms: int) -> bool:
        """Whether this asker is drawn to renew an answer before its time is over (XFetch)."""
        left_ms = entry.created_ms + entry.ttl_s * 1000 - now_ms
        if left_ms > 60_000:
            return False
        return -entry.cost_ms * self.options.early_beta * math.log(1 - random.random()) >= left_ms  # noqa: S311

    # Redis and the engine

    async def _lead(self, question: Question, compute: Compute, max_age_s: int | None) -> Answer:
        """The one flight of this process for `question`."""
        try:
            found = await self._look(question, max_age_s)
            if found is not None:
                return found
            if self.options.strategy != "ttl" and not await self._clocks_trusted():
                return await self._compute(compute, "degraded", keep=False)
            return await self._lead_all(question, compute, max_age_s)
        except CacheFailure:
            return await self._compute(compute, "degraded", keep=False)

    async def _lead_all(self, question: Question, compute: Compute, max_age_s: int | None) -> Answer:
        """As `_lead`, among all processes: computes with the lease, or waits for who has it."""
        lease = Lease(self.link, question.key, self.options.lease_ms)
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self.options.wait_s, 0.004
        while not await lease.take():
            if loop.time() > until:
                return await self._compute(compute, "miss", keep=True)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.04)
            found = await self._look(question, max_age_s, recent=True)
            if found is not None:
                return found
        async with lease.kept():
            # Whoever had the lease before may have stored it just before giving it back.
            found = await self._look(question, max_age_s, recent=True)
            return found or await self._compute(compute, "miss", keep=True)

    async def _look(self, question: Question, max_age_s: int | None, *, recent: bool = False) -> Answer | None:
        """What Redis holds, if it may be given: right, or with `recent`, right within the window."""
        data = await self.link.call("GET", _ENTRY + question.key)
        entry = Entry.unpack(data, question.text) if data is not None else None
        if entry is None:
            return None
        now_ms = self.mirror.latest_ms()
        if not _young(entry, now_ms, max_age_s):
            return None
        version = self.mirror.version
        if await self._stored_right(entry, question):
            self.l1.put(question.key, entry, version=version, right_ms=entry.right_ms)
            return Answer(entry, "hit_l2", now_ms)
        if recent and self._stale_allowed(entry, entry.right_ms, question, now_ms):
            return Answer(entry, "stale", now_ms)
        return None

    async def _clocks_trusted(self) -> bool:
        """Whether an answer stored now could be given to anybody."""
        if self.mirror.trusted():
            return True
        exact = await self.clocks.read(())
        return exact is not None and 0 <= exact.heading.now_ms - exact.heading.at_ms <= self.options.window_ms

    async def _compute(self, compute: Compute, source: Source, *, keep: bool) -> Answer:
        """A new answer from the engine, stored where it can be."""
        created_ms = self.mirror.earliest_ms()
        began = perf_counter()
        computed = await compute()
        cost_ms = int((perf_counter() - began) * 1000)
        keep = keep and created_ms > 0
        entry = await self._compose(computed, created_ms, cost_ms, keep=keep)
        if keep:
            await self._store(computed, entry)
        return Answer(entry, source, max(self.mirror.latest_ms(), created_ms), computed.stages)

    async def _compose(self, computed: Computed, created_ms: int, cost_ms: int, *, keep: bool) -> Entry:
        entry = Entry(
            text=computed.question.text,
            constant=computed.constant,
            epoch=computed.stamp.epoch,
            created_ms=created_ms,
            ttl_s=self.options.ttl_of(computed.question.kind) if keep else 0,
            cost_ms=cost_ms,
            exact=computed.stamp.exact,
            behind_ms=2**32 - 1 if computed.stamp.behind_ms is None else computed.stamp.behind_ms,
            etag=computed.etag,
        )
        if len(computed.constant) > _IN_THREAD:
            await asyncio.to_thread(entry.compress)
        return entry

    async def _store(self, computed: Computed, entry: Entry) -> None:
        """Puts an answer where others find it; that it cannot be stored is only counted."""
        question = computed.question
        if self.options.strategy != "ttl" and computed.stamp.incarnation != self.mirror.incarnation:
            return
        # Version -1: it was judged by nothing yet, its epoch may be older than the mirror's.
        self.l1.put(question.key, entry, version=-1, right_ms=entry.right_ms)
        data = entry.pack()
        try:
            await self.link.call("SET", _ENTRY + question.key, data, "PX", entry.ttl_s * 1000)
            self.counters.count("stored", question.kind)
            self.counters.count("bytes_stored", question.kind, len(data))
        except CacheFailure:
            self.counters.count("store_failed", question.kind)

    def _refresh(self, question: Question, compute: Compute) -> None:
        """Computes anew in the background."""

        async def work() -> Answer:
            try:
                lease = Lease(self.link, question.key, self.options.lease_ms)
                if not await lease.take():
                    return await self._lead_all(question, compute, None)
                async with lease.kept():
                    return await self._compute(compute, "miss", keep=True)
            except CacheFailure:
                return await self._compute(compute, "degraded", keep=False)

        if question.key not in self._flights:
            self.counters.count("refreshed", question.kind)
            self._flights.begin(question.key, work)

    # Control

    async def barrier(self, epoch: int, *, private: bool = False) -> None:
        """Returns when no reader anywhere who can see what `epoch` wrote will be shown an answer from before it.

        That is: the clocks in Redis have reached it, the barrier is set, and every mirror has looked
        since or distrusts itself. Where only `private` items were written, their owner's clock is the
        barrier (see `judge.may_serve_stale`), and none is set for everybody.

        If Redis does not play along, the window is waited out instead:
        after it nobody trusts clocks that were confirmed before now.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + (self.options.window_ms + self.options.limit_ms) / 1000
        if not private:
            self._owed = max(self._owed, epoch)
        while loop.time() < until:
            with contextlib.suppress(CacheFailure):
                if self.publisher is not None:
                    self.publisher.wake()
                reached = await self.clocks.read(())
                if reached is not None and reached.heading.head >= epoch:
                    await self._pay()
                    await asyncio.sleep(self.options.lag_ms / 1000)
                    return
            await asyncio.sleep(0.01)

    async def _pay(self) -> None:
        """Sets the barrier that was promised to somebody who waited."""
        if self._owed:
            owed = self._owed
            await self.clocks.advance_barrier(owed)
            if self._owed == owed:
                self._owed = 0

    async def forget(self, terms: tuple[str, ...]) -> None:
        """From now on nothing stored that depends on one of `terms` is given, once every mirror has looked.

        Raises:
            CacheFailure: Redis did not take it.
        """
        await self.clocks.forget(terms)
        await self.mirror.look()

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(_COLLECT_S)
            with contextlib.suppress(CacheFailure):
                await self._pay()
                await stats.collect(self.link, self.counters)


def _young(entry: Entry, now_ms: int, max_age_s: int | None) -> bool:
    return max_age_s is None or entry.age_s(now_ms) <= max_age_s
