"""A generated gallery written straight into the read model, for measurements at ten million items and more.

    python -m pinakes.bench.scale_gallery --database-url URL --items 10000000 [--peer-indexes] [--processes 2]

The items are those of `bench.generator` in its slim form (a short title, a prompt of a few words, no
metadata), 20,000 tags. What is slimmed besides: the tables of content and taggings stay empty, so
engine `base` and writes have no part in it; ids are item numbers in both sources; documents are
numbered by time of creation within each ten thousand items. Without `--peer-indexes` only those of the
read model's indexes are made that engine `index` and the applier use; with it also those engine
`matview` uses, save the one of words. The database must be migrated and empty.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pinakes import child
from pinakes.bench.generator import law
from pinakes.bench.generator.gallery import Batch, Gallery
from pinakes.query.sources import SOURCES
from pinakes.settings import load_settings
from pinakes.store.connection import connect
from pinakes.store.copy_text import NULL
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.build import build
from pinakes.view.session import alone, session

TAGS = 20_000
BATCH = 10_000
_SEED = 1
_NEEDED = ("_key", "_doc")
_UNUSED = ("_words",)
_COLUMNS = (
    "source_type", "id", "title", "content_type", "prompt", "creator_id", "creator_username", "is_private",
    "quality_score", "created_at", "updated_at", "tags", "doc",
)  # fmt: skip
_LOOK_S = 5.0
_SQL = load("scale_gallery", "pinakes.bench.sql")

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much there is."""


def rows(batch: Batch, users: list[str]) -> bytes:
    """The batch as lines of COPY, by time of creation."""
    ends, tags = batch.offsets.tolist(), (batch.tags + 1).tolist()
    created = np.datetime64(law.START.replace(tzinfo=None), "us") + batch.created.astype("timedelta64[us]")
    updated = np.datetime64(law.START.replace(tzinfo=None), "us") + batch.updated.astype("timedelta64[us]")
    made, changed = created.astype(str).tolist(), updated.astype(str).tolist()
    source, creator = batch.source.tolist(), batch.creator.tolist()
    private, quality = batch.is_private.tolist(), batch.quality.tolist()
    lines = []
    for doc, k in enumerate(np.argsort(batch.created, kind="stable").tolist(), start=batch.start):
        score = quality[k]
        prompt = batch.prompt[k]
        mine = ",".join(map(str, sorted(tags[ends[k] : ends[k + 1]])))
        lines.append(
            f"{source[k]}\t{batch.start + k + 1}\t{batch.title[k]}\t{batch.content_type[k]}\t"
            f"{NULL if prompt is None else prompt}\t{creator[k] + 1}\t{users[creator[k]]}\t"
            f"{'t' if private[k] else 'f'}\t{NULL if score != score else score}\t"  # noqa: PLR0124 - NaN
            f"{made[k]}Z\t{changed[k]}Z\t{{{mine}}}\t{doc}\n"
        )
    return "".join(lines).encode()


async def _fill(url: str, start: int, stop: int, counts: npt.NDArray[np.int64]) -> None:
    gallery = Gallery(_SEED, tags=TAGS, slim=True)
    users = gallery.user_names(law.MAX_USERS)

    async def lines() -> AsyncIterator[bytes]:
        for at in range(start, stop, BATCH):
            batch = gallery.batch(at, min(at + BATCH, stop))
            lengths = np.diff(batch.offsets)
            for place, source in enumerate(SOURCES):
                mine = np.repeat(batch.source == source.code, lengths)
                counts[place] += np.bincount(batch.tags[mine], minlength=TAGS)
            yield rows(batch, users)

    connection = await connect(url)
    try:
        await connection.copy_to_table("unified_content_with_tags", source=lines(), columns=_COLUMNS)
    finally:
        await connection.close()


def _process(url: str, start: int, stop: int) -> npt.NDArray[np.int64]:
    counts = np.zeros((len(SOURCES), TAGS), np.int64)
    asyncio.run(_fill(url, start, stop, counts))
    return counts


async def make(
    url: str, items: int, *, processes: int, peer_indexes: bool, progress: Progress | None = None
) -> dict[str, float]:
    """Fills the read model, anew if it was begun before; the seconds each step took."""
    took: dict[str, float] = {}
    settings = load_settings(database_url=url)
    async with session(settings, "pinakes bench") as connection, alone(connection, wait=True):
        await connection.execute("SET idle_session_timeout = 0")
        await build(connection, "incremental")
        gallery = Gallery(_SEED, tags=TAGS, slim=True)
        await connection.execute(_SQL["insert_users"], gallery.user_names(law.MAX_USERS)[: law.MAX_USERS])
        vocabulary = gallery.vocabulary.tags
        await connection.execute(_SQL["insert_tags"], [t.name for t in vocabulary], [t.category for t in vocabulary])
        indexes = await connection.fetch(_SQL["indexes"])
        for index in indexes:
            await connection.execute(index["dropping"])
        with _timed(took, "rows"):
            counts = await _rows(connection, url, items, processes, progress)
        for place, source in enumerate(SOURCES):
            await connection.execute(_SQL["insert_counts"], source.code, counts[place].tolist())
        await connection.execute("SET maintenance_work_mem = '1GB'")
        with _timed(took, "keys"):
            for index in indexes:
                wanted = index["name"].endswith(_NEEDED) or peer_indexes
                if wanted and not index["name"].endswith(_UNUSED):
                    await connection.execute(index["definition"])
        await connection.execute(_SQL["filled"], items)
        with _timed(took, "vacuum"):
            await connection.execute("VACUUM (ANALYZE) unified_content_with_tags")
            await connection.execute("ANALYZE tags")
    return took


async def _rows(
    connection: Connection, url: str, items: int, processes: int, progress: Progress | None
) -> npt.NDArray[np.int64]:
    """Writes the rows in `processes` processes; how many items of each source carry each tag."""
    share = -(-items // processes // BATCH) * BATCH
    parts = [(url, start, min(start + share, items)) for start in range(0, items, share)]
    with child.spawning().Pool(len(parts)) as pool:
        writing = asyncio.create_task(asyncio.to_thread(pool.starmap, _process, parts))
        while not (await asyncio.wait((writing,), timeout=_LOOK_S))[0]:
            if progress is not None:
                progress("rows", await connection.fetchval(_SQL["copied"]), items)
        return sum(await writing, np.zeros((1, 1), np.int64))


@contextmanager
def _timed(took: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    took[step] = round(time.perf_counter() - began, 1)


def main(arguments: list[str] | None = None) -> None:
    """Fill and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--peer-indexes", action="store_true")
    options = parser.parse_args(arguments)
    took = asyncio.run(
        make(options.database_url, options.items, processes=options.processes, peer_indexes=options.peer_indexes)
    )
    sys.stdout.write("".join(f"{step}: {seconds:.1f} s\n" for step, seconds in took.items()))


if __name__ == "__main__":
    main()
