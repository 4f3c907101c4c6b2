"""Reading through the cache: from a query to an answer, given how to understand and how to compute one.

The service says how; here is decided whether. A query is first understood (from memory where that
is still right), then asked as a question. What the engine brings is filed under the question its own
snapshot understood, so an entry never says more than its snapshot knew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson
from pydantic import TypeAdapter

from pinakes.cache import body
from pinakes.cache.answer import Answer, Computed
from pinakes.cache.core import ResultCache
from pinakes.cache.entry import Entry
from pinakes.cache.flight import Flights
from pinakes.cache.key import Question, ask
from pinakes.cache.meaning import MEMORY, Meaning, Understood
from pinakes.cache.stamp import Stamp
from pinakes.memory import Memory, of_text
from pinakes.query.aspect import Aspect, Insight
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page


@dataclass(frozen=True, slots=True)
class Reading:
    """What an engine answered, the state it is of, and what its snapshot understood.

    `stages`: where the time went, in milliseconds. `explained`: what else it took, where that was asked.
    """

    told: Page | Insight
    stamp: Stamp
    understood: Understood
    stages: Mapping[str, float] = field(default_factory=dict)
    explained: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """What the caller demands. `use_cache=False`: nothing stored; `renew`: nothing stored is given, but kept."""

    use_cache: bool = True
    renew: bool = False
    max_age_s: int | None = None


ANY = Freshness()
Understand = Callable[[GalleryQuery], Awaitable[Understood]]
Compute = Callable[[GalleryQuery, Aspect | None], Awaitable[Reading]]


class CachedReader:
    """Answers queries through `cache`; without one, always from the engine."""

    def __init__(
        self,
        cache: ResultCache | None,
        understand: Understand,
        compute: Compute,
        *,
        about: Callable[[GalleryQuery], GalleryQuery],
        engine: str,
        namespace: str,
    ) -> None:
        """`about` fills in what a query leaves to who asks; equal queries mean the same for the same viewer."""
        self.cache = cache
        self._understand = understand
        self._compute = compute
        self._engine = engine
        self._namespace = namespace
        self._meanings: Memory[tuple[GalleryQuery, Aspect | None], Meaning] = Memory("meanings", MEMORY, _weight)
        self._learning: Flights[Question] = Flights()
        self._degraded: Flights[Answer] = Flights()
        self._about = about
        # A query's eighteen fields take long to hash, and the parser gives the same object again.
        self._lately: Memory[int, tuple[GalleryQuery, GalleryQuery, Meaning]]
        self._lately = Memory("lately asked", MEMORY // 2, lambda _, value: _weight(value[0], value[2]))

    async def answer(self, asked: GalleryQuery, fresh: Freshness = ANY, aspect: Aspect | None = None) -> Answer:
        """The answer to `asked`: its page, or the `aspect` that is wanted of it.

        Raises: whatever understanding or computing raises.
        """
        cache = self.cache
        if cache is None:
            return finished(await self._compute(self._about(asked), aspect))
        question, lately = None, self._lately.get(id(asked)) if aspect is None else None
        if lately is not None and lately[0] is asked:
            query = lately[1]
            question = self._still(lately[2], cache)
        else:
            query = self._about(asked)
        if question is None:
            question = self._remembered(asked, query, cache, aspect)

        async def compute() -> Computed:
            return await self._computed(cache, query, aspect)

        if fresh is not ANY and (fresh.renew or not fresh.use_cache):
            kind = question.kind if question is not None else "feed"
            return await cache.fresh(kind, compute, keep=fresh.use_cache)
        if question is None and cache.link.breaker.open:
            # Understanding it first would be another transaction, and for nothing: computing follows anyway.
            answer, _ = await self._degraded.share((query, aspect), lambda: cache.degraded(compute), lambda _: False)
            meaning = self._meanings.get((query, aspect))
            cache.counters.count("degraded", meaning.question.kind if meaning is not None else "feed")
            return answer
        if question is None:
            question, _ = await self._learning.share(
                (query, aspect),
                lambda: self._learn(cache, query, aspect),
                lambda _: self._remembered(asked, query, cache, aspect) is not None,
            )
        if question.public_text is not None:
            cache.counters.asked(question.public_text)
        return await cache.answer(question, compute, max_age_s=fresh.max_age_s)

    def held(self, asked: GalleryQuery, aspect: Aspect | None = None) -> Answer | None:
        """The answer to `asked` that this process can give at once; nothing is waited for or begun."""
        if self.cache is None:
            return None
        question = self._remembered(asked, self._about(asked), self.cache, aspect)
        return None if question is None else self.cache.peek(question)

    def _remembered(
        self, asked: GalleryQuery, query: GalleryQuery, cache: ResultCache, aspect: Aspect | None
    ) -> Question | None:
        """The question `query` is known to ask, if that is still so."""
        meaning = self._meanings.get((query, aspect))
        question = None if meaning is None else self._still(meaning, cache)
        if question is not None and meaning is not None and aspect is None:
            self._lately.put(id(asked), (asked, query, meaning))
        return question

    def _still(self, meaning: Meaning, cache: ResultCache) -> Question | None:
        """The question of `meaning`, if it is still meant."""
        if meaning.incarnation != cache.incarnation:
            return None
        mirror = cache.mirror
        if cache.options.strategy == "ttl":
            young = mirror.latest_ms() - meaning.learnt_ms < cache.options.ttl_s * 1000
            return meaning.question if young and meaning.learnt_ms else None
        if not meaning.understood.named:
            return meaning.question
        if not mirror.trusted():
            return None
        if meaning.version != mirror.version:
            if meaning.bound(mirror) > meaning.understood.stamp.epoch:
                return None
            meaning.version = mirror.version
        return meaning.question

    async def _learn(self, cache: ResultCache, query: GalleryQuery, aspect: Aspect | None) -> Question:
        learnt_ms = cache.mirror.earliest_ms()
        return self._remember(cache, query, aspect, await self._understand(query), learnt_ms)

    def _remember(
        self, cache: ResultCache, query: GalleryQuery, aspect: Aspect | None, understood: Understood, learnt_ms: int
    ) -> Question:
        incarnation = cache.incarnation_of(understood.stamp)
        question = ask(
            query,
            understood.formula,
            engine=self._engine,
            warnings=understood.warnings,
            namespace=self._namespace,
            incarnation=incarnation,
            aspect=aspect,
        )
        if question.public and query.user_id is None and query.cursor is None and aspect is None:
            question = replace(question, public_text=text_of(query))
        meaning = Meaning(question, incarnation, understood, learnt_ms)
        self._meanings.put((query, aspect), meaning)
        return question

    async def _computed(self, cache: ResultCache, query: GalleryQuery, aspect: Aspect | None) -> Computed:
        learnt_ms = cache.mirror.earliest_ms()
        reading = await self._compute(query, aspect)
        question = self._remember(cache, query, aspect, reading.understood, learnt_ms)
        constant, etag = body.write(reading.told, reading.understood.warnings)
        return Computed(question, constant, etag, reading.stamp, reading.stages)


def _weight(asked: object, meaning: Meaning) -> int:
    """The bytes of a question and what it means."""
    return of_text(str(meaning.understood.formula), (asked, meaning))


def finished(reading: Reading) -> Answer:
    """`reading` as an answer that never saw a cache."""
    constant, etag = body.write(reading.told, reading.understood.warnings, explained=reading.explained)
    entry = Entry(text="", epoch=0, created_ms=0, ttl_s=0, cost_ms=0, exact=False, etag=etag, constant=constant)
    return Answer(entry, "bypass", 0, reading.stages)


def text_of(query: GalleryQuery) -> str:
    """`query` without who asked, as text that `warm` can read again."""
    told = {name: value for name in _FIELDS if (value := getattr(query, name)) != _DEFAULTS[name]}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()


def query_of(text: str) -> GalleryQuery | None:
    """The public query that was counted as `text`; None where this version cannot read it.

    Raises:
        ValueError: it is no query; who administers may send any text.
    """
    told = orjson.loads(text)
    if not isinstance(told, dict) or not told.keys() <= set(_FIELDS):
        return None
    return _QUERY.validate_python(told)


_QUERY = TypeAdapter(GalleryQuery)
_DEFAULTS = {each.name: each.default for each in fields(GalleryQuery)}
_FIELDS = tuple(name for name in _DEFAULTS if name not in ("viewer", "user_id", "cursor"))
