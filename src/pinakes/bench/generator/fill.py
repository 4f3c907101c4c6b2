"""Stores the generated gallery in a database, once.

    report = await fill(pool, items=50_000, seed=1, progress=lambda done, total: …)

Item i is stored as external id `gen:<seed>:<i>`. A batch of BATCH items, both sources, is one
transaction, so what is stored is always the items before some i, and the next fill of that seed
goes on there; where all are stored it changes nothing. Items deleted since stay deleted. A fill of
more items extends one of fewer; change what else it is made by only together with the seed,
or the gallery begins by one law and ends by another.

The next batch is generated while PostgreSQL stores this one. Memory is that of two batches
(about 60 MB) and the tables, whatever the number of items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinakes.bench.generator.gallery import DEFAULT_MEAN_TAGS, Batch, Gallery, moment
from pinakes.bench.generator.names import ADMIN, DEMO_USERS
from pinakes.query.sources import SOURCES, Source
from pinakes.store.bulk import BulkLoad, NewRows, seal_unfinished
from pinakes.store.copy_text import text_rows
from pinakes.store.pool import Pool, translate_errors
from pinakes.store.queries import for_source, load

# Fixed, because users and tags get their numbers in the order of batches.
BATCH = 10_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FillReport:
    """What a fill did: items it made and items it found, taggings it made, how long it took."""

    created: int
    existing: int
    taggings: int
    seconds: float

    @property
    def rate(self) -> float:
        """Items made per second, generating, storing and indexing together."""
        return self.created / self.seconds if self.seconds else 0.0


async def fill(
    pool: Pool, *, items: int, seed: int, tags: int | None = None, mean_tags: float = DEFAULT_MEAN_TAGS,
    slim: bool = False, private_share: float | None = None, creators: int | None = None,
    progress: Progress | None = None, on_status: Callable[[str], None] | None = None,
) -> FillReport:  # fmt: skip
    """Stores the first `items` items of seed `seed`, as far as they are not there yet.

    `progress(done, items)` is called after each batch; what it raises ends the fill, which the next
    one continues. `on_status` is told in words what else takes time, such as building indexes at the end.
    Needs a pool of five connections or more.

    Raises:
        ValueError: `items` or what the gallery is made by is out of bounds.
        StoreError: the database could not store them.
        Conflict: somebody else uses external ids of this seed, or fills at the same time.
    """
    if items < 0:
        raise ValueError(f"items is 0 or more, not {items}")
    began = perf_counter()
    with translate_errors():
        await pool.execute(load("fill", "pinakes.bench.generator.sql")["missing_users"], [*DEMO_USERS.values(), ADMIN])
        start = await _stored(pool, seed)
        if start >= items:
            await seal_unfinished(pool)
            return FillReport(0, items, 0, perf_counter() - began)
        gallery = await asyncio.to_thread(
            Gallery, seed, tags=tags, mean_tags=mean_tags, slim=slim, private_share=private_share, creators=creators
        )
        async with BulkLoad(pool, expected=items - start, on_status=on_status) as bulk:
            taggings = await _store(bulk, gallery, start, items, progress)
    return FillReport(items - start, start, taggings, perf_counter() - began)


async def _stored(pool: Pool, seed: int) -> int:
    """The number of the first item that was never stored."""
    sql = load("fill", "pinakes.bench.generator.sql")["last_item"]
    last = [await pool.fetchval(for_source(sql, source), f"gen:{seed}:", f"gen:{seed};") for source in SOURCES]
    return max((number + 1 for number in last if number is not None), default=0)


async def _store(bulk: BulkLoad, gallery: Gallery, start: int, items: int, progress: Progress | None) -> int:
    """Stores items `start` to `items`; the number of taggings made."""
    for source in SOURCES:
        await bulk.prepare(source)
    numbers = _Numbers(bulk, gallery)
    taggings = 0
    # Batches begin at multiples of BATCH, also after a fill that ended elsewhere.
    stops = [*range(start - start % BATCH + BATCH, items, BATCH), items]
    coming = asyncio.create_task(_prepared(gallery, numbers, start, stops[0]))
    try:
        for this, after in zip(stops, [*stops[1:], 0], strict=True):
            parts = await coming
            if after:
                coming = asyncio.create_task(_prepared(gallery, numbers, this, after))
            async with bulk.pool.acquire() as connection, connection.transaction():
                for part in parts:
                    await bulk.add_rows(part, connection)
            taggings += sum(len(part.rows) for part in parts)
            if progress is not None:
                progress(this, items)
    finally:
        # It uses the load, so it must end first; a thread cannot be stopped in the middle.
        await asyncio.gather(coming, return_exceptions=True)
    return taggings


async def _prepared(gallery: Gallery, numbers: _Numbers, start: int, stop: int) -> list[NewRows]:
    """Items `start` to `stop` ready to be stored, one part for each source that has any."""
    batch = await asyncio.to_thread(gallery.batch, start, stop)
    creator_ids, tag_ids = await numbers.users(batch.creator), await numbers.tags(batch.tags)
    return await asyncio.to_thread(
        lambda: [
            _part(gallery, batch, source, creator_ids, tag_ids) for source in SOURCES if source.code in batch.source
        ]
    )


class _Numbers:
    """Places in the vocabulary and among the users -> ids in the database, made as they are needed."""

    def __init__(self, bulk: BulkLoad, gallery: Gallery) -> None:
        self._bulk = bulk
        self._gallery = gallery
        self._tags = np.full(len(gallery.vocabulary), -1, np.int64)
        self._users = np.full(0, -1, np.int64)

    async def tags(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The tag id of each place."""
        used = np.bincount(places, minlength=len(self._tags)) > 0
        new = np.flatnonzero(used & (self._tags < 0))
        if len(new):
            tags = [self._gallery.vocabulary.tags[place] for place in new.tolist()]
            self._tags[new] = await self._bulk.tags([tag.name for tag in tags], [tag.category for tag in tags])
        return self._tags[places]

    async def users(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The user id of each place."""
        used = np.flatnonzero(np.bincount(places))
        missing = int(used[-1]) + 1 - len(self._users)
        if missing > 0:
            self._users = np.append(self._users, np.full(missing, -1, np.int64))
        new = used[self._users[used] < 0].tolist()
        if new:
            names = self._gallery.user_names(len(self._users))
            ids = await self._bulk.users([names[place] for place in new])
            self._users[new] = [ids[names[place]] for place in new]
        return self._users[places]


def _part(
    gallery: Gallery, batch: Batch, source: Source, creator_ids: NDArray[np.int64], tag_ids: NDArray[np.int64]
) -> NewRows:
    """The items of one source with their taggings."""
    mine = batch.source == source.code
    places = np.flatnonzero(mine)
    where = places.tolist()
    created, delay = batch.created[mine], (batch.updated - batch.created)[mine]
    made = [moment(time) for time in created.tolist()]
    changed = [
        moment(time + late) if late else same
        for time, late, same in zip(created.tolist(), delay.tolist(), made, strict=True)
    ]
    quality = batch.quality[mine].astype(object)
    quality[np.isnan(batch.quality[mine])] = None
    columns: dict[str, list[Any]] = {
        "external_id": [gallery.external_id(batch.start + k) for k in where],
        "title": [batch.title[k] for k in where],
        "content_type": [batch.content_type[k] for k in where],
        "prompt": [batch.prompt[k] for k in where],
        "creator_id": creator_ids[mine].tolist(),
        "item_metadata": [batch.metadata[k] for k in where],
        "is_private": batch.is_private[mine].tolist(),
        "quality_score": quality.tolist(),
        "created_at": made,
        "updated_at": changed,
    }
    counts = np.diff(batch.offsets)
    chosen = np.repeat(mine, counts)
    rows = np.repeat(np.arange(len(where), dtype=np.int64), counts[mine])
    return NewRows(source, tuple(columns), text_rows(columns), rows, tag_ids[chosen])
