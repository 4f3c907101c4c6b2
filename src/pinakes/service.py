"""ContentService: everything one can do with a gallery, usable without HTTP.

The only place where engines (and what speeds them up) meet content. A read runs in one snapshot:
the vocabulary, the page, its total and its rows all belong to the same state.
"""

from __future__ import annotations

import dataclasses

from pinakes.engines.base import BaseEngine
from pinakes.errors import SettingsError
from pinakes.query.cursor import CursorCodec
from pinakes.query.gallery_query import GalleryQuery, TagRef, to_formula
from pinakes.query.item import Item, Page
from pinakes.query.sources import Source
from pinakes.settings import Settings
from pinakes.store import content
from pinakes.store.content import Author, Change, Draft
from pinakes.store.pool import Pool, snapshot, translate_errors
from pinakes.store.vocabulary import resolve


class ContentService:
    """Reads and writes of one gallery; safe to share between requests."""

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings
        self._engine = BaseEngine(CursorCodec(_cursor_secret(settings)), settings.count_budget_ms)

    async def get_unified_content_paginated(self, query: GalleryQuery, *, timeout_ms: int | None = None) -> Page:
        """The page of the unified gallery that `query` asks for.

        "Your" and "community" are meant of `query.user_id`, or of the viewer where that is not given.

        Raises:
            QueryError: the cursor does not fit the query.
            StoreError: the database cannot be reached or needs longer than `timeout_ms`.
        """
        if query.user_id is None and query.viewer is not None:
            query = dataclasses.replace(query, user_id=query.viewer)
        async with snapshot(self._pool, timeout_ms or self._settings.statement_timeout_ms) as connection:
            vocabulary = await resolve(connection, query.tag_refs, query.viewer)
            formula = to_formula(query, vocabulary)
            page = await self._engine.answer(connection, query, formula)
        return dataclasses.replace(page, warnings=_warnings(vocabulary.unknown(query.tag_refs)))

    async def get(self, source: Source, item_id: int, viewer: int | None) -> Item:
        """One item.

        Raises:
            NotFound: there is none, or `viewer` may not see it.
        """
        with translate_errors():
            async with self._pool.acquire() as connection:
                return await content.read(connection, source, item_id, viewer)

    async def create(self, source: Source, draft: Draft, author: Author) -> Item:
        """Stores a new item and returns it as stored.

        Raises:
            InvalidContent: a field is out of bounds.
            Conflict: the external id is taken.
            Forbidden: only an administrator creates in another's name.
        """
        with translate_errors():
            async with self._pool.acquire() as connection:
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
        with translate_errors():
            async with self._pool.acquire() as connection:
                return await content.update(connection, source, item_id, change, author, if_match)

    async def delete(self, source: Source, item_id: int, author: Author, *, if_match: str | None = None) -> None:
        """Removes an item and its taggings.

        Raises:
            NotFound, Forbidden: it is not there for `author`, or not theirs.
            StaleVersion: it is no longer the version `if_match` names.
        """
        with translate_errors():
            async with self._pool.acquire() as connection:
                await content.delete(connection, source, item_id, author, if_match)


def _cursor_secret(settings: Settings) -> str:
    """The key that signs cursors. A made-up one would differ between processes and break walks at random."""
    if settings.cursor_secret is None:
        raise SettingsError("cursor-secret is not set", hint="Set it to 32 or more random characters.")
    return settings.cursor_secret


def _warnings(unknown: list[TagRef]) -> tuple[str, ...]:
    """One line for each tag that matches nothing."""
    return tuple(f"unknown tag {ref!r} matches nothing" for ref in unknown)
