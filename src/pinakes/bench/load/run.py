"""A run against one server: questions made from its own gallery, writes mixed in, a ladder or given rates."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pinakes.bench.load import questions
from pinakes.bench.load.client import Client, Sent, fetch
from pinakes.bench.load.ladder import Ladder, climb
from pinakes.bench.load.step import Step, run_step

_SAMPLE = f"{questions.UNIFIED}?page_size=200"
WARM_RATE = 50.0
TITLE = "written by pinakes load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a server is asked. `writes_per_s` needs a `token` that may write."""

    seconds: float = 5.0
    limit_ms: float = 10.0
    connections: int = 64
    questions: int = 500
    uniform: bool = False
    poisson: bool = False
    cache: bool = True
    writes_per_s: float = 0.0
    token: str = ""
    seed: int = 1


class Target:
    """One server under one plan."""

    def __init__(self, url: str, plan: Plan) -> None:
        self.url = url
        self.plan = plan
        self.last_writes: Step | None = None
        self._rng = random.Random(plan.seed)
        self._authority = Client(url, 0, lambda _: None).authority
        self._next: Callable[[], bytes] = lambda: b""

    async def prepare(self, paths: Sequence[str] | None = None) -> None:
        """Makes the questions, or takes `paths`, and asks each once so that nothing is cold.

        Raises:
            OSError: the server does not answer.
        """
        if paths is None:
            items = orjson.loads((await fetch(self.url, _SAMPLE)).body).get("items", [])
            paths = questions.make(items, self.plan.questions, self._rng)
        headers = {} if self.plan.cache else {"Cache-Control": "no-store"}
        requests = [questions.get(path, self._authority, headers) for path in paths]
        self._next = questions.draw(requests, self._rng, uniform=self.plan.uniform)
        if self.plan.cache:
            every = iter(requests)
            seconds = len(requests) / WARM_RATE
            await run_step(self.url, lambda: next(every), rate=WARM_RATE, seconds=seconds, connections=8)

    async def step(self, rate: float) -> Step:
        """One step at `rate`, with the plan's writes beside it."""
        plan = self.plan
        rng = self._rng if plan.poisson else None
        reads = run_step(self.url, self._next, rate=rate, seconds=plan.seconds, connections=plan.connections, rng=rng)
        if not plan.writes_per_s:
            return await reads
        writer = Writer(self._authority, plan.token)
        writes = run_step(
            self.url,
            writer.request,
            rate=plan.writes_per_s,
            seconds=plan.seconds,
            connections=4,
            on_done=writer.done,
        )
        step, self.last_writes = await asyncio.gather(reads, writes)
        await writer.tidy(self.url)
        return step

    async def climb(self, start: float, on_step: Callable[[Step], None] = lambda _: None) -> Ladder:
        """The ladder from `start` requests a second."""
        return await climb(self.step, start, self.plan.limit_ms, on_step)

    async def at(self, rates: Sequence[float], on_step: Callable[[Step], None] = lambda _: None) -> Ladder:
        """These rates, each once."""
        ladder = Ladder(self.plan.limit_ms)
        for rate in rates:
            step = await self.step(rate)
            ladder.steps.append(step)
            on_step(step)
            if step.held(self.plan.limit_ms) and (ladder.best is None or rate > ladder.best.rate):
                ladder.best = step
        return ladder

    def told(self, ladder: Ladder) -> dict[str, Any]:
        """The figures of a run."""
        writes = self.last_writes.as_dict() if self.last_writes is not None else None
        return {**ladder.as_dict(), **({"writes": writes} if writes else {})}


class Writer:
    """Items that come and go: as soon as one is there, the next write deletes it again."""

    def __init__(self, authority: str, token: str) -> None:
        self._authority = authority
        self._token = token
        self._made: deque[str] = deque()
        self._number = 0

    def request(self) -> bytes:
        """The next write."""
        if self._made:
            return questions.write("DELETE", self._made.popleft(), self._authority, self._token)
        self._number += 1
        body = {"title": f"{TITLE}, {self._number}", "tags": ["pinakes load"]}
        return questions.write("POST", "/api/v1/content/regular", self._authority, self._token, body)

    def done(self, sent: Sent) -> None:
        """A write was answered."""
        if sent.status == 201:
            self._made.append(sent.location)

    async def tidy(self, url: str) -> None:
        """Deletes what is left."""
        left = len(self._made)
        if left:
            await run_step(url, self.request, rate=100.0, seconds=left / 100, connections=2)
