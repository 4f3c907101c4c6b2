"""ContentService: everything one can do with a gallery, usable without HTTP.

The only place where engines (and what speeds them up) meet content. A read runs in one snapshot:
the vocabulary, the page, its total and its rows all belong to the same state.
"""

from __future__ import annotations

import dataclasses

from pinakes.cache import body
from pinakes.cache.core import Answer, ResultCache
from pinakes.cache.key import namespace_of
from pinakes.cache.reader import ANY, CachedReader, Freshness, Reading, Understood
from pinakes.cache.stamp import read_stamp, stamp_for
from pinakes.engines.base import BaseEngine
from pinakes.errors import SettingsError
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import disj
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.query.item import Item, Page
from pinakes.query.sources import Source
from pinakes.settings import Settings
from pinakes.store import content
from pinakes.store.content import Author, Change, Draft
from pinakes.store.pool import Connection, Pool, snapshot, writing
from pinakes.store.vocabulary import resolve


class ContentService:
    """Reads and writes of one gallery; safe to share between requests. The only place where cache and engine meet."""

    def __init__(self, pool: Pool, settings: Settings, cache: ResultCache | None = None) -> None:
        self._pool = pool
        self._settings = settings
        secret = _cursor_secret(settings)
        self._engine = BaseEngine(CursorCodec(secret), settings.count_budget_ms)
        namespace = namespace_of(secret, settings.count_budget_ms)
        self._reader = CachedReader(cache, self._understand, self._read, engine="auto", namespace=namespace)

    @property
    def cache(self) -> ResultCache | None:
        """The result cache, if there is one."""
        return self._reader.cache

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
            return (await self._read(_about(query), timeout_ms)).page
        return body.read((await self.answer(query)).entry.constant)

    async def answer(self, query: GalleryQuery, fresh: Freshness = ANY) -> Answer:
        """The same as a finished body, from the cache where that is right.

        Raises: as `get_unified_content_paginated`.
        """
        return await self._reader.answer(_about(query), fresh)

    async def _understand(self, query: GalleryQuery) -> Understood:
        """What `query` asks as things stand now."""
        async with snapshot(self._pool, self._settings.statement_timeout_ms) as connection:
            return await self._understood(connection, query)

    async def _understood(self, connection: Connection, query: GalleryQuery) -> Understood:
        vocabulary = await resolve(connection, query.refs, query.viewer, query.descendants)
        known = vocabulary.known
        formula = to_formula(query, vocabulary)
        stamp = await (stamp_for(connection, disj(known)) if known else read_stamp(connection))
        return Understood(formula, vocabulary.warnings, tuple(map(str, known)), vocabulary.unknown, stamp)

    async def _read(self, query: GalleryQuery, timeout_ms: int | None = None) -> Reading:
        """What the engine says, all from one snapshot."""
        async with snapshot(self._pool, timeout_ms or self._settings.statement_timeout_ms) as connection:
            understood = await self._understood(connection, query)
            page = await self._engine.answer(connection, query, understood.formula)
            base = page.engine == BaseEngine.name
            stamp = await stamp_for(connection, understood.formula) if base else await read_stamp(connection)
        page = dataclasses.replace(
            page,
            query=query.q or None,
            warnings=understood.warnings,
            epoch=stamp.epoch if stamp.policy else None,
        )
        return Reading(page, stamp if base else dataclasses.replace(stamp, exact=True), understood)

    async def get(self, source: Source, item_id: int, viewer: int | None) -> Item:
        """One item.

        Raises:
            NotFound: there is none, or `viewer` may not see it.
        """
        async with snapshot(self._pool, self._settings.statement_timeout_ms) as connection:
            return await content.read(connection, source, item_id, viewer)

    async def create(self, source: Source, draft: Draft, author: Author) -> Item:
        """Stores a new item and returns it as stored.

        Raises:
            InvalidContent: a field is out of bounds.
            Conflict: the external id is taken.
            Forbidden: only an administrator creates in another's name.
        """
        async with writing(self._pool, self._settings.statement_timeout_ms) as connection:
            return await content.create(connection, source, draft, author)

    async def update(
        self, source: Source, item_id: int, change: Change, author: Author, *, if_match: str | None = None
    ) -> Item:
        """Changes the given fields of an item and returns it as stored.

        Raises:
            NotFound, Forbidden: it is not there for `author`, or not theirs.
            StaleVersion: it is no longer the version `if_match` names.
            InvalidContent, Conflict: what is to be stored cannot be.
        """
        async with writing(self._pool, self._settings.statement_timeout_ms) as connection:
            return await content.update(connection, source, item_id, change, author, if_match)

    async def delete(self, source: Source, item_id: int, author: Author, *, if_match: str | None = None) -> None:
        """Removes an item and its taggings.

        Raises:
            NotFound, Forbidden: it is not there for `author`, or not theirs.
            StaleVersion: it is no longer the version `if_match` names.
        """
        async with writing(self._pool, self._settings.statement_timeout_ms) as connection:
            await content.delete(connection, source, item_id, author, if_match)


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
