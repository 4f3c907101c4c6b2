"""Engine `index` against `matview` on one database, query by query: page and exact total.

    python -m pinakes.bench.index_engine --database-url URL [--queries 300] [--cold 40] [--peer 60]

The mix: tags all, any and none, one to eight of them, ranks drawn log-uniformly, so that frequent and
rare tags meet; a third with a viewer, half of those with private items; every sort and direction;
first, last and random pages of 25. What is timed is one answer in the worker, from the formula to the
items read: one statement out of a warm memory, a transaction otherwise; no HTTP. *Warm* is the second
answer to a query, *cold* the first of a worker that knows nothing. The peer answers a part of the
queries, with all the time it needs to count; the two must agree.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
import time
from collections import defaultdict
from random import Random

import numpy as np
import uvloop

from pinakes.engines.index import IndexEngine
from pinakes.engines.index_quick import QuickIndex
from pinakes.engines.matview import MatviewEngine
from pinakes.engines.trace import Trace
from pinakes.index.reader import IndexReader
from pinakes.query.cursor import CursorCodec
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, GalleryQuery, Ref, TagRef, to_formula
from pinakes.query.item import Page
from pinakes.settings import load_settings
from pinakes.store.pool import Pool, direct, open_pool, snapshot

PAGE_SIZE = 25
_CODEC = CursorCodec("a secret of this benchmark only")
_NO_LIMIT_MS = 3_600_000


def _formula(query: GalleryQuery) -> Formula:
    return to_formula(query, _term)


def _term(tag: Ref) -> Formula:
    assert isinstance(tag, int)
    return Term("tag", tag)


def random_query(random: Random, ranked: list[int], viewers: list[int]) -> GalleryQuery:
    """A query of the mix, page 1; `ranked` are tags by falling frequency."""

    def tags(low: int, high: int) -> tuple[TagRef, ...]:
        return tuple(ranked[int(len(ranked) ** random.random()) - 1] for _ in range(random.randint(low, high)))

    kind = random.choice(("nothing", "all", "all", "any", "none", "mixed", "mixed"))
    return GalleryQuery(
        tags_all=tags(1, 3) if kind in {"all", "mixed"} else (),
        tags_any=tags(2, 8) if kind == "any" else tags(2, 3) if kind == "mixed" else (),
        tags_none=tags(1, 3) if kind in {"none", "mixed"} else (),
        content_source_types=("auto",) if random.random() < 0.2 else None,
        sort_field=random.choice(SORT_FIELDS),
        sort_order=random.choice(SORT_ORDERS),
        page_size=PAGE_SIZE,
        viewer=random.choice(viewers) if random.random() < 1 / 3 else None,
    )


class Run:
    """One database and the times found on it."""

    def __init__(self, pool: Pool, url: str, memory: int) -> None:
        self.pool = pool
        self.memory = memory
        self.settings = load_settings(database_url=url, count_budget_ms=_NO_LIMIT_MS)
        self.reader = IndexReader(memory)
        self.times: dict[str, list[float]] = defaultdict(list)
        self.out = sys.stdout

    def engine(self, reader: IndexReader | None = None) -> IndexEngine:
        """The engine, with the run's own memory or a new one."""
        return IndexEngine(_CODEC, self.settings, reader or self.reader)

    async def timed(self, engine: IndexEngine | MatviewEngine, query: GalleryQuery, *names: str) -> Page:
        """One answer, its time noted under `names`."""
        trace = Trace()
        began = time.perf_counter()
        page = await self._answer(engine, query, trace)
        spent = (time.perf_counter() - began) * 1000
        for name in names:
            self.times[name].append(spent)
        if "warm" in names:
            for stage, ms in trace.stages.items():
                self.times[f"warm, {stage}"].append(ms)
        return page

    async def _answer(self, engine: IndexEngine | MatviewEngine, query: GalleryQuery, trace: Trace) -> Page:
        formula = _formula(query)
        if isinstance(engine, IndexEngine):
            async with direct(self.pool) as connection:
                quick = await QuickIndex(engine, self.settings).answer(
                    connection, query, formula, timeout_s=_NO_LIMIT_MS / 1000, at_any_age=True, trace=trace
                )
            if quick is not None:
                return quick.page
        async with snapshot(self.pool, _NO_LIMIT_MS) as connection:
            return await engine.answer(connection, query, formula, trace=trace)

    async def measure(self, queries: list[GalleryQuery], places: list[str], cold: int, peer: int) -> None:
        """All the passes over the queries."""
        asked = []
        for query, place in zip(queries, places, strict=True):
            page = await self.timed(self.engine(), query, "first time")
            pages = max(page.total_pages, 1)
            number = {"first": 1, "last": pages}.get(place) or Random(str(query)).randint(1, pages)
            asked.append(dataclasses.replace(query, page=number))
            await self.timed(self.engine(), asked[-1], "first time")
        for query, place in zip(asked, places, strict=True):
            await self.timed(self.engine(), query, "warm", f"warm, {place} page", f"warm, {query.sort_field}")
        for query in asked[:cold]:
            await self.timed(self.engine(IndexReader(self.memory)), query, "cold")
        await self.against(asked[:peer])

    async def against(self, asked: list[GalleryQuery]) -> None:
        """The same queries by the other engine; answers must agree."""
        other = MatviewEngine(_CODEC, self.settings)
        for query in asked:
            mine = await self.timed(self.engine(), query, "compared, index")
            theirs = await self.timed(other, query, "compared, matview")
            assert (mine.total_count, mine.items) == (theirs.total_count, theirs.items), query

    def report(self) -> None:
        """The table of times."""
        self.out.write(f"{'':26}{'n':>6}{'p50 ms':>10}{'p95':>10}{'p99':>10}{'max':>10}\n")
        for name, times in sorted(self.times.items()):
            p50, p95, p99, most = np.percentile(times, (50, 95, 99, 100))
            self.out.write(f"{name:26}{len(times):6}{p50:10.2f}{p95:10.2f}{p99:10.2f}{most:10.2f}\n")
        if self.times["compared, index"]:
            mine, theirs = (np.asarray(self.times[f"compared, {name}"]) for name in ("index", "matview"))
            ratios = [np.percentile(theirs, p) / np.percentile(mine, p) for p in (50, 99)]
            self.out.write(f"matview / index: {ratios[0]:.0f} at p50, {ratios[1]:.0f} at p99\n")
        self.out.write(f"memory: {self.reader.figures()}\n")


async def run(options: argparse.Namespace) -> None:
    """Draws the queries and measures them."""
    settings = load_settings(database_url=options.database_url)
    pool = await open_pool(settings, max_size=2)
    try:
        docs = await pool.fetchval("SELECT next_doc FROM epoch")
        ranked = [row["tag_id"] for row in await pool.fetch(_ranked())]
        viewers = [row["creator_id"] for row in await pool.fetch(_viewers())]
        random = Random(options.seed)
        queries = [random_query(random, ranked, viewers) for _ in range(options.queries)]
        places = [random.choice(("first", "last", "random")) for _ in queries]
        measured = Run(pool, settings.database_url or "", options.memory << 20)
        measured.out.write(f"{docs:,} items, {len(ranked):,} tags, {len(queries)} queries, seed {options.seed}\n")
        await measured.measure(queries, places, options.cold, options.peer)
        measured.report()
    finally:
        await pool.close()


def _ranked() -> str:
    return "SELECT tag_id FROM tag_counts GROUP BY tag_id ORDER BY sum(item_count) DESC, tag_id"


def _viewers() -> str:
    return "SELECT creator_id FROM unified_content_with_tags TABLESAMPLE SYSTEM (1) LIMIT 500"


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--cold", type=int, default=40)
    parser.add_argument("--peer", type=int, default=60)
    parser.add_argument("--memory", type=int, default=512, help="megabytes of decoded bitmaps")
    parser.add_argument("--seed", type=int, default=1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
