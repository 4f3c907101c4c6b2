"""One contest: the same questions put to every contestant in turn, each answer checked, each time noted.

    round 0        every question for the first time: answers are judged, times are `first`
    rounds 1 … n   the same again: times are `warm`
    cold           some questions, each contestant made to forget everything before each: times are `cold`

*Cold* is a process that has just begun: new sessions (so PostgreSQL's own caches of catalogue and
plans are empty), and nothing in the memory of the process: no bitmaps, no open files. PostgreSQL's
shared buffers and the system's page cache stay as they are; opening the session is not part of the
time, as no gallery opens one for each request. *Warm* is a question that this process answered
before, with all the other questions asked in between.

Contestants alternate question by question, and who begins changes with each, so that whatever else
the machine does meets all of them alike. A contestant that has used its share of time in round 0 is
asked no further questions; the others' figures are compared with its own on the questions it got.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

from pinakes.bench.contestant import Contestant, Given, Unavailable
from pinakes.bench.draw import Ask, placed
from pinakes.bench.journal import Journal
from pinakes.bench.verdict import Judge
from pinakes.errors import StatementTimeout

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a contest is held."""

    seed: int
    rounds: int
    cold: int
    share_s: float
    """Seconds each contestant may take in round 0; its later rounds repeat the questions it got."""


@dataclass(slots=True)
class Contest:
    """A contest under way. `totals`: by question, for those answered at least once."""

    contestants: Sequence[Contestant]
    asks: list[Ask]
    rules: Rules
    judge: Judge
    journal: Journal
    progress: Progress
    totals: dict[int, int] = field(default_factory=dict)
    _right: dict[int, Given | None] = field(default_factory=dict)
    _done: dict[tuple[str, int, str], dict[str, Any]] = field(default_factory=dict)

    async def run(self) -> None:
        """All rounds; what the journal has already is not asked again."""
        self._done = {(e["phase"], e["ask"], e["name"]): e for e in self.journal.find("answer")}
        await self._place()
        if self._done:
            await self._warm_up()
        used: dict[str, float] = defaultdict(float)
        asked: dict[str, set[int]] = defaultdict(set)
        steps = len(self.asks)
        for place, ask in enumerate(self.asks):
            self.progress("asking everything once", place, steps)
            await self._first(ask, used, asked)
        for number in range(1, self.rules.rounds + 1):
            for place, ask in enumerate(self.asks):
                self.progress(f"round {number} of {self.rules.rounds}", place, steps)
                for contestant in self._in_turn(ask, number):
                    if ask.number in asked[contestant.name]:
                        await self._again(f"warm {number}", ask, contestant)
        cold = self.asks[: self.rules.cold]
        for place, ask in enumerate(cold):
            self.progress("asking newly begun processes", place, len(cold))
            for contestant in self._in_turn(ask, 0):
                if ask.number in asked[contestant.name] and ("cold", ask.number, contestant.name) not in self._done:
                    await contestant.forget()
                    await self._again("cold", ask, contestant)
        self.progress("done", steps, steps)

    async def _place(self) -> None:
        """Chooses the pages: the first contestant's totals say how many there are."""
        scout = self.contestants[0]
        known = {entry["ask"]: entry["total"] for entry in self.journal.find("total")}
        for place, ask in enumerate(self.asks):
            if ask.place == "first":
                continue
            self.progress("counting pages", place, len(self.asks))
            if ask.number not in known:
                given = await _within(scout, ask)
                known[ask.number] = 0 if given is None else given.total
                self.journal.add(what="total", ask=ask.number, total=known[ask.number])
            self.asks[place] = placed(ask, known[ask.number], self.rules.seed)

    async def _warm_up(self) -> None:
        """After an interruption: what the process had in memory comes back before times count again."""
        for place, ask in enumerate(self.asks):
            self.progress("warming up", place, len(self.asks))
            for contestant in self.contestants:
                entry = self._done.get(("first", ask.number, contestant.name))
                if entry is not None and not entry["late"]:
                    await _within(contestant, ask)

    def _in_turn(self, ask: Ask, number: int) -> list[Contestant]:
        shift = (ask.number + number) % len(self.contestants)
        return [*self.contestants[shift:], *self.contestants[:shift]]

    async def _first(self, ask: Ask, used: dict[str, float], asked: dict[str, set[int]]) -> None:
        given: dict[str, Given] = {}
        noted: list[dict[str, Any]] = []
        for contestant in self._in_turn(ask, 0):
            name = contestant.name
            entry = self._done.get(("first", ask.number, name))
            if entry is None and used[name] > self.rules.share_s:
                continue
            answered = None
            if entry is None:
                entry, answered = await self._timed("first", ask, contestant)
                noted.append(entry)
            elif not entry["late"]:
                # Asked before an interruption: the answer is had once more, to be judged; its time is known.
                answered = await _within(contestant, ask)
            used[name] += entry["ms"] / 1000
            if answered is not None:
                given[name] = answered
                asked[name].add(ask.number)
        right = self.judge.judge(ask, given)
        self._right[ask.number] = right
        if right is not None or given:
            self.totals[ask.number] = (right or next(iter(given.values()))).total
        # Only now, so that a question is never half judged after an interruption.
        for entry in noted:
            self.journal.add(**entry)

    async def _again(self, phase: str, ask: Ask, contestant: Contestant) -> None:
        if (phase, ask.number, contestant.name) in self._done:
            return
        entry, answered = await self._timed(phase, ask, contestant)
        right = self._right.get(ask.number)
        if answered is not None and right is not None:
            self.judge.again(ask, contestant.name, answered, right)
        self.journal.add(**entry)

    async def _timed(self, phase: str, ask: Ask, contestant: Contestant) -> tuple[dict[str, Any], Given | None]:
        began = perf_counter()
        answered = await _within(contestant, ask)
        spent = (perf_counter() - began) * 1000
        entry = {
            "what": "answer", "phase": phase, "ask": ask.number, "name": contestant.name,
            "ms": round(spent, 4), "late": answered is None,
        }  # fmt: skip
        if answered is not None and answered.stages:
            entry["stages"] = {stage: round(ms, 3) for stage, ms in answered.stages.items()}
        # The others get a turn of the loop outside the clock: closing sessions, timers.
        await asyncio.sleep(0)
        return entry, answered


async def _within(contestant: Contestant, ask: Ask) -> Given | None:
    """The answer; None where there was none in time."""
    try:
        return await contestant.answer(ask)
    except StatementTimeout:
        return None
    except Unavailable:
        return None
