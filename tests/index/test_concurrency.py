"""Writers, applier, folder, builder and readers at once: every answer is the oracle's at its epoch.

Some seconds here; minutes with INDEX_SECONDS=180.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import asyncpg
import pytest

from index_gear import CODEC
from pinakes.bitmap import evaluate
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_quick import QuickIndex
from pinakes.engines.trace import Trace
from pinakes.errors import ReadModelNotReady
from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.fold import fold
from pinakes.index.part import connect
from pinakes.index.reader import IndexReader
from pinakes.index.verify import verify
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, GalleryQuery, Ref, to_formula
from pinakes.query.item import Item, Page
from pinakes.query.oracle import answer
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, direct, snapshot
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from pinakes.view.epoch import read_epoch
from pinakes.view.reading import hydrate
from pinakes.view.session import alone
from read_models import drain, seed

SECONDS = float(os.environ.get("INDEX_SECONDS", "6"))
KEPT = 1000
EVERYTHING = ("writes", "epochs", "folds", "builds", "checked", "quick", "slow")
ITEMS, USERS, TAGS = 120, 4, 6
WORDS = ("castle", "harbour", "sea", "hill")


def _term(ref: Ref) -> Formula:
    assert isinstance(ref, int)
    return Term("tag", ref)


def random_query(random: Random) -> GalleryQuery:
    """Anything a viewer may ask, phrases and ranges included."""

    def tags(most: int) -> tuple[int, ...]:
        return tuple(random.sample(range(1, TAGS + 1), random.randint(0, most)))

    low = random.choice((None, None, random.random()))
    return GalleryQuery(
        tags_all=tags(2),
        tags_any=tags(3),
        tags_none=tags(1),
        search_term=random.choice(("", "", random.choice(WORDS), '"castle sea"', f"-{random.choice(WORDS)}")),
        min_quality=low,
        sort_field=random.choice(SORT_FIELDS),
        sort_order=random.choice(SORT_ORDERS),
        page=random.randint(1, 4),
        page_size=random.choice((3, 10, 50)),
        viewer=random.choice((None, *range(1, USERS + 1))),
    )


class Turmoil:
    """A small gallery in which everything happens at once."""

    def __init__(self, pool: Pool, settings: Settings, until: float) -> None:
        self.pool = pool
        self.settings = settings
        self.url = settings.database_url or ""
        self.until = until
        self.history: dict[int, list[Item]] = {}
        self.noted = asyncio.Condition()
        self.counts: Counter[str] = Counter()

    @property
    def over(self) -> bool:
        """Whether the time is up and everything has happened; a busy machine gets a minute more for that."""
        left = self.until - time.monotonic()
        return left < -60 or (left < 0 and all(self.counts[what] for what in EVERYTHING))

    async def write(self, seed_: int) -> None:
        random = Random(seed_)
        while not self.over:
            source, item = random.randint(1, 2), random.randint(1, ITEMS // 2)
            table = ("content_items", "content_items_auto")[source - 1]
            async with self.pool.acquire() as connection, connection.transaction():
                if random.random() < 0.2:
                    await connection.execute(f"DELETE FROM {table} WHERE id = $1", item)
                else:
                    await connection.execute(
                        f"INSERT INTO {table} (id, title, creator_id, is_private, quality_score)"
                        " VALUES ($1, $2, $3, $4, $5)"
                        " ON CONFLICT (id) DO UPDATE SET title = excluded.title, is_private = excluded.is_private,"
                        " quality_score = excluded.quality_score, updated_at = clock_timestamp()",
                        *(item, " ".join(random.choices(WORDS, k=2)), random.randint(1, USERS)),
                        *(random.random() < 0.3, random.choice((None, 0.5, random.random()))),
                    )
                    await connection.execute(
                        "DELETE FROM content_tags WHERE source_type = $1 AND content_id = $2", source, item
                    )
                    await connection.executemany(
                        "INSERT INTO content_tags VALUES ($1, $2, $3)",
                        [(source, item, tag) for tag in random.sample(range(1, TAGS + 1), random.randint(0, 3))],
                    )
            self.counts["writes"] += 1
            await asyncio.sleep(0.002)

    async def note(self, connection: Connection) -> None:
        """Remembers the whole read model as it is."""
        epoch = await read_epoch(connection)
        rows = await connection.fetch("SELECT source_type, id FROM unified_content_with_tags")
        self.history[epoch.epoch] = await hydrate(connection, [(row["source_type"], row["id"]) for row in rows])
        self.history.pop(epoch.epoch - KEPT, None)
        async with self.noted:
            self.noted.notify_all()

    async def apply(self) -> None:
        applier = Applier(batch=20, observers=[DeltaWriter()])
        async with self.session() as connection:
            while not self.over:
                async with alone(connection, wait=True):
                    if await applier.apply(connection) is not None:
                        self.counts["epochs"] += 1
                    await self.note(connection)
                await asyncio.sleep(0.001)

    async def fold(self) -> None:
        random = Random("fold")
        async with self.session() as connection:
            while not self.over:
                if await fold(connection, keep_s=random.choice((0.0, 0.2, 60.0))) is not None:
                    self.counts["folds"] += 1
                await asyncio.sleep(random.random() * 0.3)

    async def build(self) -> None:
        while not self.over:
            await asyncio.sleep(min(2.0, SECONDS / 4))
            await build(self.url, processes=0)
            self.counts["builds"] += 1

    async def read(self, seed_: int, memory: int) -> None:
        random = Random(seed_)
        engine = IndexEngine(CODEC, self.settings, IndexReader(memory))
        quick = QuickIndex(engine, self.settings)
        recent = [random_query(random)]
        while not self.over:
            # Mostly what was asked before, as people do, so that it is in memory.
            recent = [*recent[-5:], random_query(random)] if random.random() < 0.3 else recent
            query = random.choice(recent)
            page = await self.ask(engine, quick, query)
            if page is not None:
                await self.check(query, page)

    async def ask(self, engine: IndexEngine, quick: QuickIndex, query: GalleryQuery) -> Page | None:
        formula = to_formula(query, _term)
        async with direct(self.pool) as connection:
            found = await quick.answer(connection, query, formula, timeout_s=30, at_any_age=True, trace=Trace())
        self.counts["quick" if found is not None else "slow"] += 1
        if found is not None:
            return found.page
        try:
            async with snapshot(self.pool, 30_000) as connection:
                return await engine.answer(connection, query, formula)
        except ReadModelNotReady:
            self.counts["exchanged"] += 1
            return None

    async def check(self, query: GalleryQuery, page: Page) -> None:
        epoch = page.epoch
        assert epoch is not None
        async with self.noted:
            await self.noted.wait_for(lambda: max(self.history) >= epoch)
        if epoch not in self.history:
            self.counts["too late"] += 1
            return
        items = self.history[epoch]
        expected = answer(
            to_formula(query, _term), items, query.sort_field, query.sort_order,
            page=query.page, page_size=query.page_size,
        )  # fmt: skip
        assert page.items == tuple(expected.items), (page.epoch, query)
        assert page.total_count == expected.total, (page.epoch, query)
        self.counts["checked"] += 1

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        connection = await asyncpg.connect(self.url, server_settings={"timezone": "UTC"})
        for kind in ("jsonb", "json"):
            await connection.set_type_codec(kind, encoder=str, decoder=str, schema="pg_catalog")
        try:
            yield connection
        finally:
            await connection.close()


@pytest.mark.parametrize("step", [evaluate.STEP, -1], ids=["as usual", "giving way at every operand"])
async def test_every_answer_is_the_oracles_at_its_epoch(
    pool: Pool, settings: Settings, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "STEP", step)
    turmoil = Turmoil(pool, settings, time.monotonic() + SECONDS)
    async with turmoil.session() as keeper:
        await seed(keeper)
        await build_view(keeper, "incremental")
        await build(turmoil.url, processes=0)
        await turmoil.note(keeper)
        turmoil.until = time.monotonic() + SECONDS
        async with asyncio.TaskGroup() as tasks:
            for each in (turmoil.write(1), turmoil.write(2), turmoil.apply(), turmoil.fold(), turmoil.build()):
                tasks.create_task(each)
            for number, memory in enumerate((1 << 26, 1 << 26, 4_000)):
                tasks.create_task(turmoil.read(number, memory))
        await drain(keeper, Applier(observers=[DeltaWriter()]))
    counts = turmoil.counts
    assert all(counts[what] for what in EVERYTHING), counts
    connection = await connect(turmoil.url)
    try:
        assert [finding async for _, _, found in verify(connection) for finding in found] == []
    finally:
        await connection.close()
    print(dict(counts))  # noqa: T201
