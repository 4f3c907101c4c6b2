"""ContentService: everything one can do with a gallery, usable without HTTP.

The only place where engines (and what speeds them up) meet content. A read runs in one snapshot:
the vocabulary, the page, its total and its rows all belong to the same state. Where the process has
followed the index and nothing was touched that the query's names stand for, a read is one statement,
which says itself of which state it is (`engines.index_quick`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from pinakes.cache import body
from pinakes.cache.answer import X_CACHE, Answer
from pinakes.cache.core import ResultCache
from pinakes.cache.key import namespace_of
from pinakes.cache.meaning import Understood
from pinakes.cache.reader import ANY, CachedReader, Freshness, Reading, finished, text_of
from pinakes.cache.stamp import Stamp, of_the_read_model, read_stamp, stamp_for, stamp_of
from pinakes.engines.base import BaseEngine
from pinakes.engines.choice import EngineName, Engines
from pinakes.engines.names import Names
from pinakes.engines.overlap import Overlap
from pinakes.engines.suggest import Suggester
from pinakes.engines.suggesting import Suggested, Suggesting
from pinakes.engines.trace import Trace
from pinakes.errors import SettingsError, StoreError
from pinakes.figures.recorder import Recorder
from pinakes.memory import Memory
from pinakes.query.aspect import Aspect, Insight
from pinakes.query.cursor import CursorCodec
from pinakes.query.fieldset import REQUIRED
from pinakes.query.formula import disj, owned
from pinakes.query.gallery_query import GalleryQuery, Ref, to_formula, visible_to
from pinakes.query.item import Item, Page, Unread
from pinakes.query.sources import Source
from pinakes.query.text import unspaced
from pinakes.settings import Settings
from pinakes.store import content
from pinakes.store.content import Author, Change, Draft
from pinakes.store.idempotency import Key, claim, made
from pinakes.store.pool import Connection, Pool, direct, snapshot, writing
from pinakes.store.vocabulary import Vocabulary, resolve
from pinakes.view import wait
from pinakes.view.wait import Bell


@dataclasses.dataclass(slots=True)
class Receipt:
    """Notes in which transaction something was written, so that one can wait until it is visible.

    `private`: what was written is private, and was before if it was there.
    """

    transaction: str | None = None
    private: bool = False


async def _note(connection: Connection, receipt: Receipt | None, *versions: Item) -> None:
    """Notes the write of an item of these `versions`."""
    if receipt is not None:
        receipt.transaction = await wait.transaction_id(connection)
        receipt.private = all(item.is_private for item in versions)


class ContentService:
    """Reads and writes of one gallery; safe to share between requests. The only place where cache and engine meet."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        cache: ResultCache | None = None,
        bell: Bell | None = None,
        figures: Recorder | None = None,
    ) -> None:
        """`bell` tells of new epochs as they come; without one, waiting asks the database.

        `figures` counts what is done here; whoever passes it stores it.
        """
        self._pool = pool
        self.figures = figures or Recorder(settings.slow_query_ms)
        self._bell = bell
        self._settings = settings
        secret = _cursor_secret(settings)
        self._engines = Engines(CursorCodec(secret), settings)
        index = self._engines.index
        names = Names(pool, renamed=index.reader.names.forget)
        self._suggesting = Suggesting(pool, names, index, self._engines.overlap, settings)
        self._learnt: Memory[tuple[frozenset[Ref], int | None, bool | None], tuple[Vocabulary, Stamp]]
        self._learnt = Memory("vocabularies", 32 * 2**20)
        namespace = namespace_of(secret, settings.count_budget_ms)
        self._reader = CachedReader(
            cache, self._understand, self._read, about=_about, engine=settings.engine, namespace=namespace
        )

    @property
    def cache(self) -> ResultCache | None:
        """The result cache, if there is one."""
        return self._reader.cache

    @property
    def overlap(self) -> Overlap:
        """What counts tags among hits; it takes a connection in a snapshot."""
        return self._engines.overlap

    @property
    def index_memory(self) -> dict[str, Any]:
        """What this process holds of the bitmap index: bitmaps, their bytes and the limit of these, evictions."""
        return self._engines.index.reader.figures()

    @property
    def suggester(self) -> Suggester:
        """What suggests tags; it takes a connection in a snapshot."""
        return self._suggesting.suggester

    async def suggest(self, query: GalleryQuery, typed: str, limit: int) -> Suggested:
        """At most `limit` tags for what was `typed`, on hits of `query`, those on most of them first.

        Raises:
            StoreError: the database cannot be reached or needs too long.
            TooManyTerms: the tags below those of the query are too many.
        """
        return await self._suggesting.suggest(query, typed, limit)

    def start(self) -> None:
        """Begins to read what requests are answered from beside the database: names and bitmaps of tags."""
        self._suggesting.start()

    async def settled(self) -> None:
        """Returns when nothing runs beside the requests any more."""
        await self._suggesting.settled()

    async def close(self) -> None:
        """Ends what runs beside the requests."""
        await self._suggesting.stop()

    async def get_unified_content_paginated(
        self, query: GalleryQuery, *, timeout_ms: int | None = None, use_cache: bool = True
    ) -> Page:
        """The page of the unified gallery that `query` asks for.

        "Your" and "community" are meant of `query.user_id`, or of the viewer where that is not given.

        Raises:
            QueryError: the cursor does not fit the query.
            StoreError: the database cannot be reached or needs longer than `timeout_ms`.
        """
        if self.cache is None or not use_cache or timeout_ms is not None:
            began = perf_counter()
            page = (await self._read(_about(query), timeout_ms=timeout_ms)).told
            self.figures.record(_ANSWERS["bypass"], perf_counter() - began)
            assert isinstance(page, Page)
            return page
        if query.fields is not None:  # an `Item` is made of the answer, and has these always
            query = dataclasses.replace(query, fields=(*query.fields, *REQUIRED))
        return body.read((await self.answer(query)).entry.constant)

    async def answer(
        self,
        query: GalleryQuery,
        fresh: Freshness = ANY,
        *,
        engine: EngineName | None = None,
        aspect: Aspect | None = None,
        explain: bool = False,
    ) -> Answer:
        """The same as a finished body, from the cache where that is right; never where an `engine` is named.

        With an `aspect`, that is answered: facets, say, in place of the page or beside it. `explain` has the
        engine asked and tells what that took, private items included; it is for administrators.

        Raises: as `get_unified_content_paginated`, and ReadModelNotReady where the named engine cannot answer.
        """
        began = perf_counter()
        if engine is not None or explain:
            answer = finished(await self._read(_about(query), aspect, engine=engine, explain=explain))
        else:
            answer = await self._reader.answer(query, fresh, aspect)
        if aspect is None or aspect.paged:
            self.figures.record(_ANSWERS[answer.source], perf_counter() - began)
        return answer

    def held(self, query: GalleryQuery, aspect: Aspect | None = None) -> Answer | None:
        """The answer that this process holds and that is still right; None where it would have to be asked for."""
        return self._reader.held(query, aspect)

    async def _understand(self, query: GalleryQuery) -> Understood:
        """What `query` asks as things stand now."""
        timeout_ms = self._settings.statement_timeout_ms
        async with snapshot(self._pool, timeout_ms, costly=query.is_large) as connection:
            return await self._understood(connection, query)

    async def _understood(self, connection: Connection, query: GalleryQuery) -> Understood:
        vocabulary = await resolve(connection, query.refs, query.viewer, query.descendants)
        known = vocabulary.known
        stamp = await (stamp_for(connection, disj(known)) if known else read_stamp(connection))
        self._learnt.put(_names_of(query), (vocabulary, stamp))
        return _meaning(query, vocabulary, stamp)

    def _remembered(self, query: GalleryQuery) -> Understood | None:
        """What `query` asks, where nothing changed about that up to the epoch the index has followed."""
        learnt = self._learnt.get(_names_of(query))
        reader = self._engines.index.reader
        if learnt is None or learnt[1].incarnation != reader.incarnation:
            return None
        understood = _meaning(query, *learnt)
        return understood if understood.bound(reader.touched) <= understood.stamp.epoch else None

    async def _read(
        self,
        query: GalleryQuery,
        aspect: Aspect | None = None,
        *,
        timeout_ms: int | None = None,
        engine: EngineName | None = None,
        explain: bool = False,
    ) -> Reading:
        """What the engine says, all from one snapshot."""
        began, paged = perf_counter(), aspect is None or aspect.paged
        try:
            trace = Trace(detailed=explain)
            reading = await self._computed(query, aspect, timeout_ms, engine or self._settings.engine, trace)
        except StoreError:
            if paged:
                self.figures.computed("failed", perf_counter() - began, query, lambda: text_of(query))
            raise
        if paged:
            self.figures.computed(reading.told.engine, perf_counter() - began, query, lambda: text_of(query))
        return reading

    async def _computed(
        self, query: GalleryQuery, aspect: Aspect | None, timeout_ms: int | None, name: EngineName, trace: Trace
    ) -> Reading:
        timeout_ms = timeout_ms or self._settings.statement_timeout_ms
        indexed = name in {"auto", "index"}
        if indexed and aspect is None and (quick := await self._quickly(query, timeout_ms, name, trace)) is not None:
            return quick
        async with snapshot(self._pool, timeout_ms, costly=query.is_large) as connection:
            trace.mark("begin")
            learnt = indexed and self._learnt.get(_names_of(query)) is not None
            followed = learnt and await self._engines.index.follow(connection)
            understood = self._remembered(query) if followed else None
            understood = understood or await self._understood(connection, query)
            trace.mark("names")
            told = await self._engines.answer(connection, query, understood.formula, aspect, name=name, trace=trace)
            base = told.engine == BaseEngine.name
            depends = understood.formula if aspect is None or not aspect.wide else visible_to(query.viewer)
            stamp = await stamp_for(connection, depends) if base else await read_stamp(connection)
            trace.mark("stamp")
        return _reading(query, told, stamp if base else of_the_read_model(stamp), understood, trace)

    async def _quickly(self, query: GalleryQuery, timeout_ms: int, name: EngineName, trace: Trace) -> Reading | None:
        """What engine `index` says out of memory and one statement, where that is possible."""
        if self._engines.index.reader.incarnation is None:
            return None
        async with direct(self._pool, costly=query.is_large) as connection:
            # Nothing is waited for between this and the evaluation, so both are of one epoch.
            understood = self._remembered(query)
            if understood is None:
                return None
            trace.mark("names")
            quick = await self._engines.quick.answer(
                connection, query, understood.formula,
                timeout_s=timeout_ms / 1000, at_any_age=name == "index", trace=trace,
            )  # fmt: skip
        if quick is None:
            return None
        return _reading(query, quick.page, of_the_read_model(stamp_of(quick.moment)), understood, trace)

    async def get(self, source: Source, item_id: int, viewer: int | None) -> Item:
        """One item.

        Raises:
            NotFound: there is none, or `viewer` may not see it.
        """
        async with snapshot(self._pool, self._settings.statement_timeout_ms) as connection:
            return await content.read(connection, source, item_id, viewer)

    async def create(
        self, source: Source, draft: Draft, author: Author, *, receipt: Receipt | None = None, key: Key | None = None
    ) -> Item | Unread:
        """Stores a new item and returns it as stored; `receipt` notes the write, to be waited for.

        With a `key` that has made an item already, that item as it is now. Where the author may not read the
        item, nothing but its key is returned.

        Raises:
            InvalidContent: a field is out of bounds.
            Conflict: the external id is taken.
            Forbidden: only an administrator creates in another's name.
            KeyReused: the key was used for something else.
            NotFound: what the key made is gone.
        """
        began = perf_counter()
        async with writing(self._pool, self._settings.statement_timeout_ms) as connection:
            earlier = await claim(connection, key, self._settings.idempotency_hours) if key is not None else None
            if earlier is not None:
                item = await content.find(connection, *earlier)
            else:
                item = await content.create(connection, source, draft, author)
                if key is not None:
                    await made(connection, key, source, item.id)
            await _note(connection, receipt, item)
        self.figures.record("write:create", perf_counter() - began)
        return content.as_read_by(item, author.user_id)

    async def update(
        self,
        source: Source,
        item_id: int,
        change: Change,
        author: Author,
        *,
        if_match: str | None = None,
        receipt: Receipt | None = None,
    ) -> Item | Unread:
        """Changes the given fields of an item and returns it as stored; `receipt` notes the write.

        Where the author may not read it, nothing but its key is returned.

        Raises:
            NotFound, Forbidden: it is not there for `author`, or not theirs to change so.
            StaleVersion: it is no longer the version `if_match` names.
            InvalidContent, Conflict: what is to be stored cannot be.
        """
        began = perf_counter()
        async with writing(self._pool, self._settings.statement_timeout_ms) as connection:
            before, item = await content.update(connection, source, item_id, change, author, if_match)
            await _note(connection, receipt, before, item)
        self.figures.record("write:update", perf_counter() - began)
        return content.as_read_by(item, author.user_id)

    async def delete(
        self,
        source: Source,
        item_id: int,
        author: Author,
        *,
        if_match: str | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        """Removes an item and its taggings; `receipt` notes the write.

        Raises:
            NotFound, Forbidden: it is not there for `author`, or not theirs.
            StaleVersion: it is no longer the version `if_match` names.
        """
        began = perf_counter()
        async with writing(self._pool, self._settings.statement_timeout_ms) as connection:
            gone = await content.delete(connection, source, item_id, author, if_match)
            await _note(connection, receipt, gone)
        self.figures.record("write:delete", perf_counter() - began)

    async def visible(self, receipt: Receipt, timeout_s: float | None = None) -> int | None:
        """Waits until the noted write shows in every answer, cached or not: the epoch from which it does.

        None where that takes longer than `timeout_s` (the setting `wait-for-seconds`); the write is kept all the same.

        Raises:
            StoreUnavailable: the database cannot be asked.
        """
        assert receipt.transaction is not None, "the receipt of no write"
        limit = self._settings.wait_for_seconds if timeout_s is None else timeout_s
        epoch = await wait.visible(self._pool, receipt.transaction, limit, bell=self._bell)
        if epoch is not None and self.cache is not None:
            await self.cache.barrier(epoch, private=receipt.private)
        return epoch


_ANSWERS = {source: f"answer:{source}" for source in X_CACHE}


def _names_of(query: GalleryQuery) -> tuple[frozenset[Ref], int | None, bool | None]:
    """All that decides what the names in `query` mean."""
    return query.refs, query.viewer, query.descendants


def _meaning(query: GalleryQuery, vocabulary: Vocabulary, stamp: Stamp) -> Understood:
    own = () if query.viewer is None else (owned(query.viewer),)
    terms = (*map(str, vocabulary.known), *own)
    formula = to_formula(query, vocabulary)
    return Understood(formula, vocabulary.warnings, terms, bool(query.refs), vocabulary.unsure, stamp)


def _reading(query: GalleryQuery, told: Page | Insight, stamp: Stamp, understood: Understood, trace: Trace) -> Reading:
    told = dataclasses.replace(
        told,
        query=query.q or None,
        warnings=(*understood.warnings, *_whole_only(query, told), *told.warnings),
        epoch=stamp.epoch if stamp.policy else None,
    )
    explained = {"formula": str(understood.formula), **trace.figures()} if trace.detailed else None
    return Reading(told, stamp, understood, trace.stages, explained)


def _whole_only(query: GalleryQuery, told: Page | Insight) -> Iterator[str]:
    """Why nothing may have been found: a part was asked for of what is one word."""
    if isinstance(told, Page) and told.total_count == 0:
        word = unspaced(query.search_term) or unspaced(query.q)
        if word is not None:
            yield f"{word!r} is found as a whole word only: text without spaces is one word between punctuation marks"


def _about(query: GalleryQuery) -> GalleryQuery:
    """`query` with "you" filled in."""
    if query.user_id is None and query.viewer is not None:
        return dataclasses.replace(query, user_id=query.viewer)
    return query


def _cursor_secret(settings: Settings) -> str:
    """The key that signs cursors. A made-up one would differ between processes and break walks at random."""
    if settings.cursor_secret is None:
        raise SettingsError("cursor-secret is not set", hint="Set it to 32 or more random characters.")
    return settings.cursor_secret
