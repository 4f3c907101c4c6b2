"""Suggesting: a suggestion out of the process's memory and one statement; where that is not enough, in a snapshot.

The process holds names (`names`), bitmaps and the names of tags as of what it followed. One statement
says of one moment which epoch it is, what happened to the index since, and whether a name changed. With
that the memory is of this moment, and everything else is a piece of evaluation without an await: counts
are exact and of that epoch, visibility being part of the formula.

Names that changed, words of a filter met for the first time and bitmaps that are not in memory take a
snapshot; in it the same evaluation runs, and what it misses is loaded. Documents that have to be looked
at, names not yet loaded and no index leave it to `suggest`.

What a filter's names mean is remembered while no name or place in the hierarchy changed. It also
depends on which tags the viewer can see on any item; that is asked of the bitmaps each time. The
tags of few hits, once counted, are kept for the keys that follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, cast

import numpy as np

from pinakes.bitmap.evaluate import evaluate
from pinakes.bitmap.source import TermsMissing
from pinakes.engines.endings import Begun, Endings
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_overlap import few_hits, tags_among
from pinakes.engines.names import Held, Names
from pinakes.engines.names_read import HEADER, SENT
from pinakes.engines.overlap import Overlap
from pinakes.engines.suggest import (
    Choice,
    Suggester,
    Suggestion,
    among,
    beginning,
    may_be_mistyped,
    named_now,
    reads_hits,
    tried,
)
from pinakes.errors import PinakesError, ReadModelNotReady, StatementTimeout
from pinakes.index.reader import RequestSource, State
from pinakes.index.recent import Recent
from pinakes.query.formula import And, Formula, Or, Term, conj
from pinakes.query.gallery_query import GalleryQuery, Ref, to_formula, visible_to
from pinakes.query.item import Tag
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, direct, snapshot
from pinakes.store.queries import load
from pinakes.store.vocabulary import Vocabulary, resolve
from pinakes.view.epoch import with_at
from pinakes.view.reading import followed_staleness_s, require_young

T = TypeVar("T")

MOST_EPOCHS = 200
WARM = 100_000
"""Tags whose bitmaps are read when a process starts, up to a quarter of its memory; 10 µs a tag of few items."""

WARM_AT_ONCE = 500
FEW_KEPT = 50

_log = logging.getLogger(__name__)
_SQL = with_at(load("suggest_now", "pinakes.engines.sql"))


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggestions, and what is to be said of the filter they are within."""

    found: list[Suggestion]
    warnings: tuple[str, ...]


class _Run(Protocol):
    """Evaluates a piece of work on bitmaps of one moment. May raise `TermsMissing`."""

    async def __call__(self, work: Callable[[RequestSource], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """One suggestion on its way, as of `state`; `named` finds the tags of numbers."""

    connection: Connection
    state: State
    run: _Run
    named: Callable[[list[int]], Awaitable[Mapping[int, Tag]]]
    endings: Endings
    text: str
    formula: Formula
    limit: int
    timeout_s: float


class Suggesting:
    """Suggests tags within a gallery query, in one process."""

    def __init__(self, pool: Pool, names: Names, index: IndexEngine, overlap: Overlap, settings: Settings) -> None:
        self.suggester = Suggester(names, overlap)
        self._pool = pool
        self._names = names
        self._reader = index.reader
        self._settings = settings
        self._warming: asyncio.Task[None] | None = None
        self._meanings: Recent[tuple[frozenset[Ref], int | None, bool | None], tuple[Vocabulary, str, int]] = Recent()
        self._few: Recent[Formula, tuple[Mapping[int, int], str, int]] = Recent(FEW_KEPT)

    def start(self) -> None:
        """Begins to read names and the bitmaps of the most used tags, beside the requests."""
        self._names.start()
        if self._warming is None:
            self._warming = asyncio.create_task(self._warm(), name="bitmaps of the most used tags")

    async def settled(self) -> None:
        """Returns when nothing runs beside the requests any more."""
        await self._names.settled()
        if self._warming is not None:
            await asyncio.wait([self._warming])

    async def stop(self) -> None:
        """Ends what runs beside the requests."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])
        await self._names.stop()

    async def _warm(self) -> None:
        """Reads what most first keys need, so that nobody's keys wait for it."""
        await self._names.settled()
        memory = self._reader.cache
        try:
            wanted = self._names.most_used(WARM)
            for start in range(0, len(wanted), WARM_AT_ONCE):
                tags = wanted[start : start + WARM_AT_ONCE]
                async with snapshot(self._pool, self._settings.statement_timeout_ms) as connection:
                    terms = ["vis:public", *(f"tag:{tag}" for tag in tags)]
                    state = await self._reader.state(connection)
                    await self._reader.run(connection, state, partial(RequestSource.require, names=terms))
                if memory.size > memory.limit // 4:
                    return
        except PinakesError as error:
            _log.info("bitmaps of tags are read as they are asked for: %s", error)

    async def suggest(self, query: GalleryQuery, typed: str, limit: int) -> Suggested:
        """At most `limit` tags for what was `typed`, on hits of `query`, those on most of them first.

        Raises:
            StoreError: the database cannot be reached or needs too long.
            TooManyTerms: the tags below those of the query are too many.
        """
        timeout_ms = self._settings.statement_timeout_ms
        quick = await self._quickly(query, typed, limit, timeout_ms / 1000)
        if quick is not None:
            return quick
        async with snapshot(self._pool, timeout_ms) as connection:
            state = await self._state(connection)
            vocabulary = await self._meant(connection, query, state)
            formula = to_formula(query, vocabulary)
            known = await self._names.current(connection)
            found = None
            if state is not None and isinstance(known, Held):
                run = partial(self._reader.run, connection, state)
                named = partial(named_now, connection)
                text = beginning(typed)
                asked = _Asked(connection, state, run, named, known.endings, text, formula, limit, timeout_ms / 1000)
                found = await self._suggested(asked)
            if found is None:
                found = await self.suggester.suggest(connection, typed, formula, limit, known)
        return Suggested(found, vocabulary.warnings)

    async def _state(self, connection: Connection) -> State | None:
        """The index as of the snapshot, if there is one that is young enough."""
        try:
            state = await self._reader.state(connection)
            require_young(state.age_s, followed_staleness_s(self._settings))
        except ReadModelNotReady:
            return None
        return state

    async def _quickly(self, query: GalleryQuery, typed: str, limit: int, timeout_s: float) -> Suggested | None:
        since, followed = self._names.snapshot, self._reader.followed
        if since is None or followed is None:
            return None
        generation, epoch = followed
        async with direct(self._pool) as connection:
            try:
                rows = await connection.fetch(_SQL["now"], epoch, MOST_EPOCHS, since, timeout=timeout_s)
                state = self._reader.taken(rows, generation, epoch)
                if state is None or rows[0]["renamed"] or state.age_s > followed_staleness_s(self._settings):
                    return None
                endings = self._names.unchanged(since)
                source = RequestSource(self._reader, state)
                vocabulary = self._remembered(query, state, source)
                if endings is None or vocabulary is None:
                    return None

                async def at_once(work: Callable[[RequestSource], T]) -> T:
                    return work(source)

                named = partial(self._reader.names.of, connection)
                formula, text = to_formula(query, vocabulary), beginning(typed)
                asked = _Asked(connection, state, at_once, named, endings, text, formula, limit, timeout_s)
                found = await self._suggested(asked)
            except TimeoutError as error:
                raise StatementTimeout from error
            except TermsMissing:
                return None
        return None if found is None else Suggested(found, vocabulary.warnings)

    async def _suggested(self, asked: _Asked) -> list[Suggestion] | None:
        """None where documents have to be looked at. Raises: TermsMissing."""
        endings, limit = asked.endings, asked.limit
        begun = endings.begun((asked.text,))
        few: Mapping[int, int] | None = None
        if reads_hits(begun, asked.formula):
            few = self._kept(asked)
            docs = None if few is not None else await asked.run(partial(few_hits, asked.formula))
            if docs is not None:
                few = await self._counted(asked, docs)
                if few is None:
                    return None
        known: dict[int, int] = {}
        counts = await asked.run(partial(_counts, asked.formula, begun, limit, known, few=few))
        if counts is None:
            return None
        choices = [Choice(begun, counts, limit, typo=False)]
        room = limit - len(counts)
        if room > 0 and may_be_mistyped(asked.text):
            nearly, others = endings.nearly(asked.text), frozenset(begun.tags.tolist())
            counts = await asked.run(partial(_counts, asked.formula, nearly, room, known, few=few, without=others))
            if counts is None:
                return None
            choices.append(Choice(nearly, counts, room, typo=True))
        leading = [choice.leading() for choice in choices]
        tags = await asked.named([tag for each in leading for tag in each])
        return [
            suggestion
            for choice, each in zip(choices, leading, strict=True)
            for suggestion in choice.shown(tags[tag] for tag in each if tag in tags)
        ]

    async def _meant(self, connection: Connection, query: GalleryQuery, state: State | None) -> Vocabulary:
        """What the names in `query` mean: remembered or looked up."""
        if not query.refs:
            return Vocabulary()
        if state is not None:
            known = await self._reader.run(connection, state, partial(self._remembered, query, state))
            if known is not None:
                return known
        vocabulary = await resolve(connection, query.refs, query.viewer, query.descendants)
        if state is not None and not vocabulary.unsure and not vocabulary.unknown:
            self._meanings.put(_names_in(query), (vocabulary, state.incarnation, state.epoch))
        return vocabulary

    def _remembered(self, query: GalleryQuery, state: State, source: RequestSource) -> Vocabulary | None:
        """What the query's names mean, where they are sure to mean it still. Raises: TermsMissing."""
        if not query.refs:
            return Vocabulary()
        known = self._meanings.get(_names_in(query))
        if known is None or known[1] != state.incarnation:
            return None
        vocabulary, _, epoch = known
        touched = self._reader.touched
        if max(touched.clock("names"), touched.clock("vocabulary")) > epoch:
            return None
        visible = visible_to(query.viewer)
        for meaning in vocabulary.meanings.values():
            if not evaluate(conj((meaning, visible)), source).possible:
                return None
        return vocabulary

    def _kept(self, asked: _Asked) -> Mapping[int, int] | None:
        """The tags of the hits as counted earlier, where no hit changed since."""
        known = self._few.get(asked.formula)
        if known is None or known[1] != asked.state.incarnation:
            return None
        few, _, epoch = known
        return few if epoch == asked.state.epoch or self._since_touched(asked.formula) <= epoch else None

    def _since_touched(self, formula: Formula) -> int:
        """An epoch after which no hit was changed: a bound by the clocks of tags and creators, as `cache.bound`."""
        touched = self._reader.touched
        match formula:
            case Term("tag" | "creator"):
                return touched.clock(str(formula))
            case And(parts):
                return min(map(self._since_touched, parts))
            case Or(parts):
                return max(map(self._since_touched, parts))
            case _:
                return touched.newest

    async def _counted(self, asked: _Asked, docs: list[int]) -> Mapping[int, int] | None:
        """How many of `docs` carry each tag; None where they are not of the asked state any more."""
        state = asked.state
        rows = await asked.connection.fetch(_SQL["tags_of"], docs, timeout=asked.timeout_s)
        first = rows[0]
        if not first["intact"] or (first["incarnation"], first["epoch"]) != (state.incarnation, state.epoch):
            return None
        sent = b"".join([row["tags"][HEADER:] for row in rows if row["tags"]])
        tags, counts = np.unique(np.frombuffer(sent, SENT)["value"], return_counts=True)
        few = dict(zip(tags.tolist(), counts.tolist(), strict=True))
        self._few.put(asked.formula, (few, state.incarnation, state.epoch))
        return few


def _counts(
    formula: Formula,
    begun: Begun,
    limit: int,
    known: dict[int, int],
    source: RequestSource,
    *,
    few: Mapping[int, int] | None,
    without: frozenset[int] = frozenset(),
) -> Mapping[int, int] | None:
    """On how many hits the leading tags of `begun` are; None where hits are in doubt.

    Whoever is run again after bitmaps were loaded finds in `known` what was counted by then, of the same state.
    """
    if few is not None:
        return among(begun, few, without)
    bounds = evaluate(formula, source)
    if not bounds.exact:
        return None
    trial = tried(begun, limit, without)
    try:
        tags = next(trial)
        while True:
            new = [tag for tag in tags if tag not in known]
            known.update(tags_among(bounds.possible, new, source))
            tags = trial.send(known)
    except StopIteration as done:
        return cast("dict[int, int]", done.value)


def _names_in(query: GalleryQuery) -> tuple[frozenset[Ref], int | None, bool | None]:
    """All that decides what the names in `query` mean."""
    return query.refs, query.viewer, query.descendants
