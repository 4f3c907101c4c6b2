"""The clocks: for every term the newest epoch that touched it, in one sorted set in Redis.

    member          score
    a term          the newest epoch that touched it (`tag:17`, `vis:public`, `names`, …)
    `__head__`      every epoch up to here has been published
    `__floor__`     what a term without a member counts as
    `__at__`        every change committed before this time (Redis' clock, ms) is in an epoch ≤ head
    `__barrier__`   the newest epoch whose author waited to see it
    `!` and a term  when somebody last asked to forget what depends on it (Redis' clock, ms)
    `__born__`      when this set was begun; only what is confirmed after that counts

All in one key, so they are flushed, evicted, replicated or lost together: a set without a floor is
no set, and everything is a miss until a publisher has begun it anew. Publishing is one script that
refuses to skip an epoch. `__at__` is what makes an answer trustworthy: clocks whose `__at__` is
older than the budget say nothing, whoever is to blame (a dead publisher, a replica that was
promoted too early, a network cut). All times are Redis' own, so the clocks of other machines play
no part.

The set holds the terms touched within the longest time to live; the floor is raised over the rest.
At 100 rows a second, 25 terms each, half of them new, and ten minutes that is 750,000 members or
70 MB at the very worst; a gallery with 100,000 tags stays below 15 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from pinakes.cache.key import BARRIER, EVERYTHING, wildcards
from pinakes.cache.link import Link

HEAD, FLOOR, AT, BORN = "__head__", "__floor__", "__at__", "__born__"
HEADING = (HEAD, FLOOR, AT, BARRIER, BORN)
SPECIAL = frozenset(HEADING)
CURRENT = "{pinakes}:incarnation"
FORGET = "!"
_PUBLISH, _BARRIER, _FORGET = (
    (files("pinakes.cache") / f"lua/{name}.lua").read_text(encoding="utf-8")
    for name in ("publish", "barrier", "forget")
)


def clocks_key(incarnation: str) -> str:
    """The sorted set of one incarnation. The braces keep it in one slot with `CURRENT`."""
    return f"{{pinakes}}:clocks:{incarnation}"


@dataclass(frozen=True, slots=True)
class Heading:
    """The fixed members and Redis' time, all read at one moment."""

    head: int
    floor: int
    at_ms: int
    barrier: int
    born_ms: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks of some terms, with the heading they were read under."""

    heading: Heading
    clocks: dict[str, int]
    forgotten: dict[str, int]

    @property
    def newest(self) -> int:
        """The newest epoch published."""
        return self.heading.head

    @property
    def born_ms(self) -> int:
        """When the clocks were begun."""
        return self.heading.born_ms

    @property
    def last_forgotten(self) -> int:
        """The newest time of `forgotten`."""
        return max(self.forgotten.values(), default=0)

    def clock(self, term: str) -> int:
        """The newest epoch that touched `term`; for a term not read, the newest there is."""
        return self.clocks.get(term, self.heading.head)


class Clocks:
    """The clocks of one incarnation."""

    def __init__(self, link: Link, incarnation: str) -> None:
        self._link = link
        self.incarnation = incarnation
        self.key = clocks_key(incarnation)

    async def publish(
        self,
        since: int,
        head: int,
        confirmed_ms: int,
        touched: Sequence[tuple[str, int]],
        *,
        floor: int = 0,
        forget_before_ms: int = 0,
        window_ms: int = 900,
    ) -> int | None:
        """Moves the clocks from epoch `since` to `head`; `touched` names every term of the epochs between.

        Returns None when done; else the epoch the clocks stand at, which is before `since`.

        Raises:
            CacheFailure: Redis did not take it; nothing was moved.
        """
        words: list[str | int] = [self.incarnation, since, head, confirmed_ms, floor, forget_before_ms, window_ms]
        for term, epoch in touched:
            words += (epoch, term)
        done, stands = await self._link.call("EVAL", _PUBLISH, 2, self.key, CURRENT, *words, probe=True)
        return None if done else int(stands)

    async def read(self, terms: Iterable[str]) -> Reading | None:
        """The clocks of `terms`; None when there are no clocks.

        Raises:
            CacheFailure: Redis did not answer.
        """
        asked = sorted({wild for term in terms for wild in wildcards(term)})
        time, scores = await self._link.pipeline([("TIME",), self.command(asked)])
        return reading(time, scores, asked)

    def command(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The command whose reply `reading` understands."""
        return ("ZMSCORE", self.key, *HEADING, *asked, *(f"{FORGET}{term}" for term in asked))

    async def advance_barrier(self, epoch: int) -> None:
        """From now on no answer from before `epoch` is served stale, or because of its time to live alone.

        Raises:
            CacheFailure: Redis did not take it.
        """
        await self._link.call("EVAL", _BARRIER, 1, self.key, epoch)

    async def forget(self, terms: Iterable[str] = (EVERYTHING,)) -> None:
        """From now on no answer is served that exists already and whose question names one of `terms`.

        Raises:
            CacheFailure: Redis did not take it.
        """
        await self._link.call("EVAL", _FORGET, 1, self.key, *(f"{FORGET}{term}" for term in terms))

    async def drop(self) -> None:
        """Ends these clocks, and with them every answer stored so far: those begun next know of none.

        Raises:
            CacheFailure: Redis did not take it.
        """
        await self._link.call("DEL", self.key)

    async def size(self) -> int:
        """How many clocks there are.

        Raises:
            CacheFailure: Redis did not answer.
        """
        count, fixed = await self._link.pipeline([("ZCARD", self.key), ("ZMSCORE", self.key, *HEADING)])
        return int(count) - sum(score is not None for score in fixed)


def reading(time: list[bytes], scores: list[bytes | None], asked: Sequence[str]) -> Reading | None:
    """What a reply to TIME and `Clocks.command` says; None when the set is not there."""
    heading = heading_of(time, scores[:5])
    if heading is None:
        return None
    told, forgotten = scores[5 : 5 + len(asked)], scores[5 + len(asked) :]
    each = {
        term: heading.floor if score is None else max(int(score), heading.floor)
        for term, score in zip(asked, told, strict=True)
    }
    clocks = {term: max(each[wild] for wild in wildcards(term) if wild in each) for term in each}
    clocks[BARRIER] = heading.barrier
    times = {term: int(float(score)) for term, score in zip(asked, forgotten, strict=True) if score is not None}
    return Reading(heading, clocks, times)


def heading_of(time: list[bytes], scores: list[bytes | None]) -> Heading | None:
    """The fixed members; None unless head, floor and confirmation are all there."""
    head, floor, at, barrier, born = scores
    if head is None or floor is None or at is None or born is None:
        return None
    now = int(time[0]) * 1000 + int(time[1]) // 1000
    return Heading(int(head), int(floor), int(float(at)), int(barrier or 0), int(float(born)), now)
