"""What the peers in PostgreSQL share: a page, its rows and its count, in one snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, TypeAlias

from pinakes.bench.contestant import Given, Kind, Prepared, Say
from pinakes.bench.draw import Ask
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, open_pool, snapshot

Statement: TypeAlias = tuple[str, Sequence[Any]]
"""SQL and its parameters."""
Hydrate: TypeAlias = Callable[[Connection, Sequence[tuple[int, int]]], Awaitable[list[Item]]]


class SqlPeer(ABC):
    """One way to keep and ask a gallery in PostgreSQL."""

    name: str
    what: str
    kind: Kind = "peer"
    indexes: Sequence[tuple[str, str]] = ()
    """Name and definition of the indexes it wants besides what is there."""

    def __init__(self, settings: Settings, timeout_ms: int) -> None:
        self._settings = settings
        self._timeout_ms = timeout_ms
        self._pool: Pool | None = None

    @abstractmethod
    def page(self, ask: Ask) -> Statement:
        """The statement for the page's keys: rows (source, id) in order."""

    @abstractmethod
    def count(self, ask: Ask) -> Statement:
        """The statement for the total."""

    @property
    @abstractmethod
    def hydrate(self) -> Hydrate:
        """What reads whole rows by their keys."""

    @abstractmethod
    async def available(self, connection: Connection) -> None:
        """Raises Unavailable where it cannot take part."""

    async def prepare(self, say: Say) -> Prepared:
        """Makes its own indexes."""
        pool = await self._open()
        began = perf_counter()
        async with pool.acquire() as connection:
            await self.available(connection)
            for name, definition in self.indexes:
                if await connection.fetchval("SELECT to_regclass($1)", name) is None:
                    say(f"Building {name}")
                    await connection.execute(definition)
            names = [name for name, _ in self.indexes]
            size = await connection.fetchval(
                "SELECT coalesce(sum(pg_relation_size(to_regclass(name))), 0)::bigint FROM unnest($1::text[]) AS name",
                names,
            )
        return Prepared(perf_counter() - began if self.indexes else 0.0, size, ", ".join(names))

    async def answer(self, ask: Ask) -> Given:
        """Keys, rows, total."""
        pool = await self._open()
        async with snapshot(pool, self._timeout_ms) as connection:
            sql, values = self.page(ask)
            keys = [(row["source"], row["id"]) for row in await connection.fetch(sql, *values)]
            items = await self.hydrate(connection, keys)
            sql, values = self.count(ask)
            total = await connection.fetchval(sql, *values)
        return Given(tuple(items), total)

    async def forget(self) -> None:
        """New sessions; there is nothing else it holds."""
        await self._close()
        await self._open()

    async def close(self) -> None:
        """Its indexes are dropped, so that they cost no write."""
        pool = await self._open()
        for name, _ in self.indexes:
            await pool.execute(f"DROP INDEX IF EXISTS {name}")
        await self._close()

    async def _close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _open(self) -> Pool:
        if self._pool is None:
            self._pool = await open_pool(self._settings, max_size=1)
        return self._pool


def order_by(query: GalleryQuery) -> str:
    """The order of `query` over a relation `c` with every source."""
    way = query.sort_order.upper()
    return f"c.{query.sort_field} {way} NULLS LAST, c.id {way}, c.source_type {way}"


def limit(query: GalleryQuery) -> str:
    """LIMIT and OFFSET of the page."""
    return f"LIMIT {int(query.page_size)} OFFSET {int((query.page - 1) * query.page_size)}"
