"""A database with its applier, its index, and a worker's memory of it: the gear of the index's tests."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from galleries import CONTENT_TYPES, INSTANTS, SCORES, TAGS, USERS, WORDS, Gallery, names, store
from pinakes.engines.base import BaseEngine
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_quick import QuickIndex
from pinakes.engines.matview import MatviewEngine
from pinakes.engines.trace import Trace
from pinakes.errors import StoreUnavailable
from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.fold import Folded, fold
from pinakes.index.part import connect
from pinakes.index.reader import IndexReader
from pinakes.index.verify import verify
from pinakes.query.cursor import CursorCodec
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.query.item import Item, Page
from pinakes.query.oracle import answer
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, direct, snapshot
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from pinakes.view.session import PASSING
from read_models import drain

CODEC = CursorCodec("a secret of these tests only")


class Gear:
    """A database with its applier, its index, and a worker's memory of it."""

    def __init__(self, pool: Pool, configured: Settings, keeper: Connection) -> None:
        self.pool = pool
        self.settings = configured
        self.keeper = keeper
        self.applier = Applier(observers=[DeltaWriter()])
        self.restart()

    def restart(self, memory: int = 1 << 26, patience: int | None = None) -> None:
        """A new worker; `patience` with every order instead of what so small a gallery gives it."""
        self.reader = IndexReader(memory, patience)
        self.engine = IndexEngine(CODEC, self.settings, self.reader)
        self.quick = QuickIndex(self.engine, self.settings)

    async def begin(self, gallery: Gallery) -> None:
        """Everything built anew around `gallery`."""
        await store(self.pool, gallery)
        await build_view(self.keeper, "incremental")
        await self.build()

    async def build(self) -> None:
        assert self.settings.database_url is not None
        await build(self.settings.database_url, processes=0)

    async def apply(self) -> None:
        await drain(self.keeper, self.applier)

    async def ask(
        self, query: GalleryQuery, gallery: Gallery, engine: IndexEngine | MatviewEngine | BaseEngine | None = None
    ) -> Page:
        formula = to_formula(query, gallery.vocabulary)
        async with snapshot(self.pool, 30_000) as connection:
            page = await (engine or self.engine).answer(connection, query, formula)
        if engine is None and (quick := await self.ask_quickly(query, gallery)) is not None:
            assert dataclasses.replace(quick, as_of=page.as_of) == page
        return page

    async def ask_quickly(self, query: GalleryQuery, gallery: Gallery) -> Page | None:
        """What memory and one statement give, if they do."""
        formula = to_formula(query, gallery.vocabulary)
        async with direct(self.pool) as connection:
            quick = await self.quick.answer(
                connection, query, formula, timeout_s=30, at_any_age=True, trace=Trace(detailed=True)
            )
        return None if quick is None else quick.page

    async def check(self, query: GalleryQuery, gallery: Gallery) -> Page:
        formula = to_formula(query, gallery.vocabulary)
        expected = answer(
            formula, gallery.items, query.sort_field, query.sort_order, page=query.page, page_size=query.page_size
        )
        page = await self.ask(query, gallery)
        assert names(page.items) == names(expected.items)
        assert page.items == tuple(expected.items)
        assert (page.total_count, page.total_kind) == (expected.total, "exact")
        assert (page.has_next, page.has_previous) == (expected.has_next, expected.has_previous)
        return page

    async def verify(self) -> None:
        connection = await connect(self.settings.database_url or "")
        try:
            async for _, _, findings in verify(connection):
                assert findings == []
        finally:
            await connection.close()


class Dying:
    """A connection that is cut right after its `commits`th commit."""

    def __init__(self, connection: Connection, commits: int) -> None:
        self._connection: Any = connection
        self._left = commits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction():
            yield
        self._left -= 1
        if self._left == 0:
            self._connection.terminate()
            raise StoreUnavailable("cut")


async def fold_and_die(gear: Gear, commits: int, *, keep_s: float = 60.0) -> Folded | None:
    """Folds epoch by epoch, three segments in a piece, and loses the connection after so many commits.

    What was folded, where that took fewer; None where it did not.
    """
    connection = await connect(gear.settings.database_url or "")
    try:
        dying: Any = Dying(connection, commits)
        return await fold(dying, keep_s=keep_s, most=1, batch=3)
    except PASSING:
        return None
    finally:
        await connection.close()
        # Its lock goes with its session, which the server ends in its own time.
        await gear.pool.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid = ANY ("
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1::bigint::oid)",
            int.from_bytes(b"fold", "big"),
        )


def sample(count: int, seed: int = 1) -> Gallery:
    """A gallery of exactly `count` items with plenty of ties, the same every time."""
    random = Random(seed)
    keys = [(n % 2 + 1, n // 2 + 1) for n in range(count)]
    random.shuffle(keys)
    items = []
    for source, item_id in keys:
        creator = random.choice(sorted(USERS))
        items.append(
            Item(
                source=source,
                id=item_id,
                external_id=f"x{item_id}",
                title=random.choice(WORDS),
                content_type=random.choice(CONTENT_TYPES),
                prompt=random.choice((None, "by the sea")),
                creator_id=creator,
                creator_username=USERS[creator],
                is_private=random.random() < 0.3,
                quality_score=random.choice(SCORES),
                created_at=random.choice(INSTANTS),
                updated_at=random.choice(INSTANTS),
                tags=tuple(sorted(random.sample(TAGS[:-1], 2), key=lambda tag: tag.name)),
            )
        )
    return Gallery(tuple(items))


async def put(pool: Pool, item: Item) -> None:
    """Stores one item in place of whatever had its key."""
    await remove(pool, item)
    await pool.execute(
        f"""INSERT INTO {SOURCE_BY_CODE[item.source].table}
        (id, external_id, title, content_type, prompt, creator_id, item_metadata, is_private, quality_score,
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        item.id, item.external_id, item.title, item.content_type, item.prompt, item.creator_id, item.item_metadata,
        item.is_private, item.quality_score, item.created_at, item.updated_at,
    )  # fmt: skip
    await pool.executemany(
        "INSERT INTO content_tags VALUES ($1, $2, $3)", [(item.source, item.id, tag.id) for tag in item.tags]
    )


async def remove(pool: Pool, item: Item) -> None:
    await pool.execute(f"DELETE FROM {SOURCE_BY_CODE[item.source].table} WHERE id = $1", item.id)
