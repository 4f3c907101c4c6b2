"""The fast way in: many new items at once, as columns, for the importer and the generator.

    async with BulkLoad(pool, expected=50_000) as load:
        creators = await load.users(["ada", "bob"])             # name -> id, made where missing
        tags = await load.tags(["sunset", "sea"])               # ids in the order of the names
        ids = await load.add(REGULAR, {
            "title": [...], "creator_id": [...], "created_at": [...],   # any of COLUMNS, equal lengths
        }, rows, tag_ids)                                       # two integer arrays: item's place in the batch, tag id

Each `add` is one transaction unless it is given a connection that is in one. A batch of 2,000 to
20,000 items is best. Items must be new; a taken `external_id` raises Conflict. Pairs (row, tag id)
must not repeat. Columns not given get the table's default. Text must hold no NUL. The counts of
tags are folded at the end.

**Incremental or bulk.** Over 69,000 items with 12 tags each PostgreSQL spent 915 µs of processor time
an item incrementally (two foreign keys checked for every tagging, the words' index and the sort orders
kept up) and 176 µs in bulk, 90 of them for building and checking afterwards, which existing items
cost again. So bulk pays from about one new item for nine existing. In mode "auto" a source goes bulk
when at least `BULK_FROM` items are expected and they are at least a quarter of those it has, because
writers wait while indexes are built. Whoever learns while loading that more is to come than was thought says so
(`expect`), and a source goes bulk then. What is dropped, and how it comes back even after a kill: `bulk_seal`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import asyncpg
import numpy as np
from numpy.typing import NDArray

from pinakes.errors import Conflict, StoreError, StoreUnavailable
from pinakes.query.sources import Source
from pinakes.store import bulk_seal, copy_format
from pinakes.store.bulk_seal import seal_unfinished
from pinakes.store.copy_text import text_rows
from pinakes.store.pool import PLANS_FOR_WRITING, Connection, Pool, is_lost, translate_errors
from pinakes.store.queries import for_source, load

__all__ = ["BULK_FROM", "COLUMNS", "BulkLoad", "Mode", "NewRows", "prefers_bulk", "seal_unfinished"]

Mode = Literal["auto", "always", "never"]

# What an item may be given; `title` and `creator_id` are required.
COLUMNS = (
    "external_id",
    "title",
    "content_type",
    "content_data",
    "path_thumb",
    "path_thumbs_alt_res",
    "prompt",
    "creator_id",
    "item_metadata",
    "is_private",
    "quality_score",
    "created_at",
    "updated_at",
)

BULK_FROM = 20_000
_PART_OF_EXISTING = 4
_POOL_TIMEOUT_S = 30

# Readers queue behind whoever waits for a whole table, so that is not done for long unasked.
_WAIT_MS: dict[Mode, int] = {"auto": 3_000, "always": 60_000, "never": 0}

# The triggers on taggings keep a batch's rows in memory up to work_mem, and on disk beyond. New items'
# taggings are counted here; triggers do it for every other statement (migration 0007).
_COUNTED_HERE = "SET LOCAL pinakes.loading = 'on'"
_COUNTED_BY_TRIGGERS = "SET LOCAL pinakes.loading = 'off'"
LOCAL_SETTINGS = f"SET LOCAL work_mem = '64MB'; SET LOCAL statement_timeout = 0; {PLANS_FOR_WRITING}"


@dataclass(frozen=True, slots=True)
class NewRows:
    """Items of one source as COPY text, fields in the order of `columns`; taggings as (row, tag id) pairs."""

    source: Source
    columns: tuple[str, ...]
    texts: Sequence[str]
    rows: NDArray[np.integer[Any]]
    tag_ids: NDArray[np.integer[Any]]


def prefers_bulk(expected: int, existing: int) -> bool:
    """Whether rebuilding everything at the end is cheaper than keeping it up item by item."""
    return expected >= BULK_FROM and expected * _PART_OF_EXISTING >= existing


class BulkLoad:
    """A load in progress. `expected` new items decide between incremental and bulk in mode "auto"."""

    def __init__(
        self,
        pool: Pool,
        *,
        expected: int,
        mode: Mode = "auto",
        on_status: Callable[[str], None] | None = None,
    ) -> None:
        self.pool = pool
        self._expected = expected
        self._mode: Mode = mode
        self._status = on_status or bulk_seal.silent
        self._stack = AsyncExitStack()
        self._guard: Connection | None = None
        self._prepared: set[Source] = set()
        # Which sources are loaded without secondary indexes and foreign keys.
        self.bulk: set[Source] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Puts back what was dropped, also after an error, and folds the tag counts."""
        with translate_errors():
            async with self._stack:
                if self._guard is not None and not is_lost(self._guard):
                    try:
                        await bulk_seal.put_back(self.pool, self._guard, self._status, also=[_fold])
                    finally:
                        await bulk_seal.unlock(self._guard)
                elif self._guard is not None and error is None:
                    raise StoreUnavailable("The load lost its connection; the next command finishes it.")
            if self._guard is None:
                await seal_unfinished(self.pool, self._status)
            # What others counted meanwhile, or all of it where nothing was put back.
            await self.pool.execute("SELECT fold_tag_counts()")

    async def prepare(self, source: Source) -> None:
        """Decides how `source` is loaded and, for bulk, clears its tables; before its first transaction."""
        if source in self._prepared:
            return
        self._prepared.add(source)
        with translate_errors():
            if self._mode != "never" and await self._wants_bulk(source):
                await self._go_bulk(source)
            elif self._guard is None:
                # An earlier load's leftovers would make every query of this one slow.
                await seal_unfinished(self.pool, self._status)

    def expect(self, items: int) -> bool:
        """So many new items are still to come; whether a source that is loaded incrementally has to be asked anew."""
        again = items > self._expected and bool(self._prepared - self.bulk) and self._mode == "auto"
        self._expected = items
        if again:
            self._prepared &= self.bulk
        return again

    async def _wants_bulk(self, source: Source) -> bool:
        if self._mode == "always":
            return True
        existing = int(await self.pool.fetchval(for_source(load("bulk")["rows"], source)))
        return prefers_bulk(self._expected, existing)

    async def _go_bulk(self, source: Source) -> None:
        if self._guard is None:
            guard = await self._stack.enter_async_context(self.pool.acquire(timeout=_POOL_TIMEOUT_S))
            if not await bulk_seal.try_lock(guard):
                await self._stack.aclose()
                if self._mode == "always":
                    raise StoreError("Another bulk load is running on this database.")
                return
            self._guard = guard
        try:
            await bulk_seal.take_off(self._guard, source, wait_ms=_WAIT_MS[self._mode])
        except asyncpg.LockNotAvailableError as error:
            if self._mode == "always":
                raise StoreError(f"Others kept {source.table} busy for too long: {error}") from error
        else:
            self.bulk.add(source)
            self._status(f"Loading {source.table} without its secondary indexes")

    async def users(self, names: Sequence[str]) -> dict[str, int]:
        """The numbers of users by name; those that do not exist are made."""
        wanted = sorted(set(names))
        sql = load("bulk")
        with translate_errors():
            await self.pool.execute(sql["missing_users"], wanted)
            return {row["name"]: row["id"] for row in await self.pool.fetch(sql["users"], wanted)}

    async def tags(self, names: Sequence[str], categories: Sequence[str] | None = None) -> NDArray[np.int64]:
        """The numbers of tags, in the order of `names`; those that do not exist are made.

        A tag that exists keeps its category. An alias has its tag's number, and so has another spelling of a name, so
        numbers can repeat. A new tag is called as it is first.
        """
        given = dict(zip(names, categories or [""] * len(names), strict=True))
        wanted = list(given)
        sql = load("bulk")
        with translate_errors():
            await self.pool.execute(sql["missing_tags"], wanted, [given[name] for name in wanted])
            ids = {row["name"]: row["id"] for row in await self.pool.fetch(sql["tags"], wanted)}
        return np.fromiter((ids[name] for name in names), np.int64, len(names))

    async def add(
        self,
        source: Source,
        columns: Mapping[str, Sequence[Any]],
        rows: NDArray[np.integer[Any]],
        tag_ids: NDArray[np.integer[Any]],
        *,
        connection: Connection | None = None,
    ) -> NDArray[np.int64]:
        """Stores new items with their taggings; their ids, in order.

        Timestamps are aware datetimes, jsonb columns are Python values, None is NULL. With a
        `connection` in a transaction, `prepare(source)` is best awaited before that began: an open
        transaction that has locked the source's tables keeps it from going bulk.

        Raises:
            Conflict: an `external_id` is taken; nothing of the batch was stored.
        """
        unknown = columns.keys() - set(COLUMNS)
        if unknown:
            raise ValueError(f"no columns of an item: {sorted(unknown)}")
        await self.prepare(source)
        new = NewRows(source, tuple(columns), text_rows(columns), rows, tag_ids)
        if connection is not None:
            return await self.add_rows(new, connection)
        with translate_errors():
            async with self.pool.acquire() as own, own.transaction():
                return await self.add_rows(new, own)

    async def add_rows(self, new: NewRows, connection: Connection) -> NDArray[np.int64]:
        """`add` for rows that are COPY text already, in the transaction of `connection`."""
        source, texts = new.source, new.texts
        if not texts:
            return np.empty(0, np.int64)
        await connection.execute(LOCAL_SETTINGS)
        reserved = await connection.fetchval(for_source(load("bulk")["reserve"], source), len(texts))
        ids = np.sort(np.array(reserved, np.int64))
        body = "".join([f"{number}\t{text}\n" for number, text in zip(ids.tolist(), texts, strict=True)])
        try:
            await connection.copy_to_table(
                source.table, columns=["id", *new.columns], source=copy_format.chunks(body.encode()), format="text"
            )
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"An item of the batch exists already: {error.detail}") from error
        if len(new.rows):
            await _add_taggings(new, ids, connection)
        return ids


async def _fold(connection: Connection) -> None:
    """Brings what the load counted into the counts of tags."""
    await connection.execute("SELECT fold_tag_counts()")


async def _add_taggings(new: NewRows, ids: NDArray[np.int64], connection: Connection) -> None:
    """Taggings of items made in the same transaction, and what they add to the counts.

    In key order, because ascending keys cost the primary key half. Row and tag have 32 bits each and are
    sorted as one number, in a tenth of the time of a lexsort.
    """
    source = new.source
    pairs = np.sort(new.rows.astype(np.int64) << 32 | new.tag_ids)
    tag_ids = (pairs & 0xFFFFFFFF).astype(np.int32)
    tags, counts = np.unique(tag_ids, return_counts=True)
    await connection.execute(_COUNTED_HERE)
    for table, columns, values in (
        (source.tags_table, ["source_type", "content_id", "tag_id"], (ids[pairs >> 32], tag_ids)),
        ("tag_count_deltas", ["source_type", "tag_id", "delta"], (tags, counts.astype(np.int64))),
    ):
        data = copy_format.integers(np.full(len(values[0]), source.code, np.int16), *values)
        await connection.copy_to_table(table, columns=columns, source=copy_format.chunks(data), format="binary")
    await connection.execute(_COUNTED_BY_TRIGGERS)
