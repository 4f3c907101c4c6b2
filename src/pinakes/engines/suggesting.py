"""Suggesting: a suggestion out of the process's memory and one statement; where that is not enough, in a snapshot.

The process holds names (`names`), bitmaps and the names of tags as of what it followed. One statement
says of one moment which epoch it is, what happened to the index since, and whether a name changed. With
that the memory is of this moment, and everything else is a piece of evaluation: counts are exact and of that
epoch, visibility being part of the formula.

Names that changed, words of a filter met for the first time and bitmaps that are not in memory take a
snapshot; in it the same evaluation runs, and what it misses is loaded. Documents that have to be looked
at, names not yet loaded and no index leave it to `suggest`.

What a filter's names mean is remembered (`meanings`), and so are the tags of some hits (`samples`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, cast

from pinakes.bitmap.evaluate import Steps, evaluating
from pinakes.bitmap.source import TermsMissing
from pinakes.engines.endings import Begun, Endings
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_overlap import some_hits, tags_among
from pinakes.engines.meanings import Meanings
from pinakes.engines.names import Held, Names
from pinakes.engines.overlap import Overlap, Sample
from pinakes.engines.samples import Samples
from pinakes.engines.suggest import (
    Choice,
    Suggester,
    Suggestion,
    among,
    beginnings,
    may_be_mistyped,
    samples_hits,
    tried,
)
from pinakes.engines.warming import Warming
from pinakes.errors import ReadModelNotReady, StatementTimeout
from pinakes.index.reader import RequestSource, State
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.query.item import Tag
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, direct, snapshot
from pinakes.store.queries import load
from pinakes.store.tags import by_number
from pinakes.store.vocabulary import Vocabulary, resolve
from pinakes.view.epoch import with_at
from pinakes.view.reading import followed_staleness_s, require_young

T = TypeVar("T")

MOST_EPOCHS = 200
AT_ONCE = 200
"""Tags counted in one step."""
_SQL = with_at(load("suggest_now", "pinakes.engines.sql"))


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggestions, and what is to be said of the filter they are within."""

    found: list[Suggestion]
    warnings: tuple[str, ...]


class _Run(Protocol):
    """Evaluates a piece of work on bitmaps of one moment. May raise `TermsMissing`."""

    async def __call__(self, work: Callable[[RequestSource], Steps[T]], /) -> T: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """One suggestion on its way, as of `state`; `named` finds the tags of numbers."""

    connection: Connection
    state: State
    run: _Run
    named: Callable[[list[int]], Awaitable[Mapping[int, Tag]]]
    endings: Endings
    texts: tuple[str, ...]
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
        self._warming = Warming(pool, names, index.reader, settings.statement_timeout_ms)
        self._meanings = Meanings(index.reader)
        self._samples = Samples(index.reader)

    def start(self) -> None:
        """Begins to read names and the bitmaps of the most used tags, beside the requests."""
        self._warming.start()

    async def settled(self) -> None:
        """Returns when nothing runs beside the requests any more."""
        await self._warming.settled()

    async def stop(self) -> None:
        """Ends what runs beside the requests."""
        await self._warming.stop()

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
        async with snapshot(self._pool, timeout_ms, costly=query.is_large) as connection:
            state = await self._state(connection)
            vocabulary = await self._meant(connection, query, state)
            formula = to_formula(query, vocabulary)
            known = await self._names.current(connection)
            found = None
            if state is not None and isinstance(known, Held):
                run = partial(self._reader.run_in_steps, connection, state)
                named = partial(by_number, connection)
                texts = beginnings(typed)
                asked = _Asked(connection, state, run, named, known.endings, texts, formula, limit, timeout_ms / 1000)
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
        async with direct(self._pool, costly=query.is_large) as connection:
            try:
                rows = await connection.fetch(_SQL["now"], epoch, MOST_EPOCHS, since, timeout=timeout_s)
                state = self._reader.taken(rows, generation, epoch)
                if state is None or rows[0]["renamed"] or state.age_s > followed_staleness_s(self._settings):
                    return None
                endings = self._names.unchanged(since)
                source = RequestSource(self._reader, state)
                vocabulary = await self._reader.paced(state, self._meanings.get(query, state, source))
                if endings is None or vocabulary is None:
                    return None

                async def at_once(work: Callable[[RequestSource], Steps[T]]) -> T:
                    return await self._reader.paced(state, work(source))

                named = partial(self._reader.names.of, connection)
                formula, texts = to_formula(query, vocabulary), beginnings(typed)
                asked = _Asked(connection, state, at_once, named, endings, texts, formula, limit, timeout_s)
                found = await self._suggested(asked)
            except TimeoutError as error:
                raise StatementTimeout from error
            except (TermsMissing, ReadModelNotReady):
                return None
        return None if found is None else Suggested(found, vocabulary.warnings)

    async def _suggested(self, asked: _Asked) -> list[Suggestion] | None:
        """None where documents have to be looked at. Raises: TermsMissing."""
        endings, limit = asked.endings, asked.limit
        for text in asked.texts:
            begun = endings.begun((text,))
            if len(begun.tags):
                break
        sample = self._samples.get(asked.formula, asked.state)
        if sample is None and samples_hits(begun, asked.formula):
            hits = await asked.run(partial(some_hits, asked.formula))
            if hits is not None:
                counted = self._samples.counted
                sample = await counted(asked.connection, asked.formula, hits, asked.state, asked.timeout_s)
                if sample is None:
                    return None
        known: dict[int, int] = {}
        counts = await asked.run(partial(_counts, asked.formula, begun, limit, known, sample=sample))
        if counts is None:
            return None
        choices = [Choice(begun, counts, limit, typo=False)]
        room = limit - len(counts)
        if room > 0 and may_be_mistyped(text):
            nearly, others = endings.nearly(text), frozenset(begun.tags.tolist())
            counts = await asked.run(
                partial(_counts, asked.formula, nearly, room, known, sample=sample, without=others)
            )
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
            known = await self._reader.run_in_steps(connection, state, partial(self._meanings.get, query, state))
            if known is not None:
                return known
        vocabulary = await resolve(connection, query.refs, query.viewer, query.descendants)
        if state is not None:
            self._meanings.put(query, state, vocabulary)
        return vocabulary


def _counts(
    formula: Formula,
    begun: Begun,
    limit: int,
    known: dict[int, int],
    source: RequestSource,
    *,
    sample: Sample | None,
    without: frozenset[int] = frozenset(),
) -> Steps[Mapping[int, int] | None]:
    """On how many hits the leading tags of `begun` are; None where hits are in doubt.

    Whoever is run again after bitmaps were loaded finds in `known` what was counted by then, of the same state.
    """
    if sample is not None and sample.whole:
        return among(begun, sample.tags, without)
    bounds = yield from evaluating(formula, source)
    if not bounds.exact:
        return None
    trial = tried(begun, limit, without, sample)
    try:
        tags = next(trial)
        while True:
            new = [tag for tag in tags if tag not in known]
            for start in range(0, len(new), AT_ONCE):
                if start:
                    yield
                known.update(tags_among(bounds.possible, new[start : start + AT_ONCE], source))
            tags = trial.send(known)
    except StopIteration as done:
        return cast("dict[int, int]", done.value)
