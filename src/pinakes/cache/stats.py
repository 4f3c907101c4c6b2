"""The cache's own counters: what it did, by kind of question, in this process and in all of them.

Counting is an integer addition; every few seconds each process adds what is new to one hash in
Redis, so the totals survive restarts and cost no round trip per request. What is asked most is
counted the same way in a sorted set of public questions: the text of a question nobody's identity
is part of, never who asked. `Counters` knows nothing of Redis; `collect` and `read` do.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, TypeAlias

from pinakes.cache.link import Link

Event: TypeAlias = Literal[
    "hit_l1", "hit_l2", "stale", "miss", "bypass", "degraded", "not_modified",
    "stored", "store_failed", "refreshed", "joined", "bytes_stored",
]  # fmt: skip

STATS, ASKED = "{pinakes}:stats", "{pinakes}:asked"
ALL = "all"
"""The kind of what is counted without looking at the question."""
_SERVED: tuple[Event, ...] = ("hit_l1", "hit_l2", "stale", "miss", "bypass", "degraded")
_KEEP_ASKED = 1000
_MAX_ASKED_BYTES = 2000


class Counters:
    """What happened in this process, in total and since the last collection."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._new: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()

    def count(self, event: Event, kind: str, amount: int = 1) -> None:
        """`event` happened to a question of `kind`."""
        self._new[f"{event}:{kind}"] += amount

    def asked(self, question: str) -> None:
        """A public question was asked; new ones wait until there is room."""
        if question in self._asked or (len(self._asked) < _KEEP_ASKED and len(question) <= _MAX_ASKED_BYTES):
            self._asked[question] += 1

    def take(self) -> tuple[Counter[str], Counter[str]]:
        """What is new, which from now on is counted as collected."""
        new, asked = self._new, self._asked
        self._new, self._asked = Counter(), Counter()
        self.total.update(new)
        return new, asked

    def give_back(self, new: Counter[str], asked: Counter[str]) -> None:
        """What was taken could not be collected."""
        self._new.update(new)
        self.total.subtract(new)
        self._asked.update(dict(asked.most_common(_KEEP_ASKED)))

    def snapshot(self) -> Counter[str]:
        """Everything counted in this process."""
        return self.total + self._new


async def collect(link: Link, counters: Counters) -> None:
    """Adds what is new to the totals in Redis.

    Raises:
        CacheFailure: Redis did not take it; it will be in the next collection.
    """
    new, asked = counters.take()
    commands: list[tuple[str | int, ...]] = [("HINCRBY", STATS, name, amount) for name, amount in new.items() if amount]
    if asked:
        commands += [("ZINCRBY", ASKED, amount, question) for question, amount in asked.items()]
        commands += [("ZREMRANGEBYRANK", ASKED, 0, -_KEEP_ASKED - 1)]
    if not commands:
        return
    try:
        await link.pipeline(commands)
    except BaseException:
        counters.give_back(new, asked)
        raise


async def read(link: Link) -> Counter[str]:
    """The totals of all processes.

    Raises:
        CacheFailure: Redis did not answer.
    """
    flat = await link.call("HGETALL", STATS)
    return Counter({name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)})


async def most_asked(link: Link, count: int) -> list[str]:
    """The public questions asked most, most first.

    Raises:
        CacheFailure: Redis did not answer.
    """
    return [question.decode() for question in await link.call("ZREVRANGE", ASKED, 0, count - 1)]


def summary(totals: Counter[str]) -> dict[str, Any]:
    """Totals as people read them: overall and by kind of question, with hit rates."""
    kinds = sorted({name.partition(":")[2] for name in totals})
    events = sorted({name.partition(":")[0] for name in totals} | set(_SERVED))
    overall = {event: sum(totals[f"{event}:{kind}"] for kind in kinds) for event in events}
    # What is counted for no kind in particular has no row of its own.
    by_kind = {k: _rated({event: totals[f"{event}:{k}"] for event in events}) for k in kinds if k != ALL}
    return {**_rated(overall), "by_kind": by_kind}


def _rated(counts: dict[str, int]) -> dict[str, Any]:
    hits = counts.get("hit_l1", 0) + counts.get("hit_l2", 0) + counts.get("stale", 0)
    asked = hits + counts.get("miss", 0) + counts.get("degraded", 0)
    return {**counts, "hits": hits, "hit_rate": round(hits / asked, 4) if asked else None}
