"""The gallery that is measured: generated, imported, or whatever is there; read model and index ready.

A generated gallery is noted beside its measurements, so that it is only ever grown by its own law. A
gallery that was not generated here is never added to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from pinakes.bench.contestant import Say
from pinakes.bench.facts import Size, read_size
from pinakes.bench.generator import fill
from pinakes.bench.generator.gallery import DEFAULT_MEAN_TAGS, DEFAULT_TAGS
from pinakes.bitmap.segments import SEGMENT
from pinakes.errors import SettingsError
from pinakes.index.build import build as build_index
from pinakes.index.deltas import DeltaWriter
from pinakes.index.status import read_status
from pinakes.query.item import Item
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, open_pool
from pinakes.store.queries import for_source, load
from pinakes.store.transfer.importer import MIN_POOL, import_file
from pinakes.view.applier import Applier
from pinakes.view.build import build as build_view
from pinakes.view.epoch import read_epoch
from pinakes.view.reading import hydrate
from pinakes.view.session import alone, session

_SQL = load("gallery", "pinakes.bench.sql")
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What a generated gallery is made by, besides its size."""

    seed: int = 1
    tags: int = DEFAULT_TAGS
    mean_tags: float = DEFAULT_MEAN_TAGS
    private_share: float | None = None
    creators: int | None = None


class BenchGallery:
    """The gallery of one database. `folder`: where its note is kept."""

    def __init__(self, settings: Settings, folder: Path, say: Say) -> None:
        self._settings = settings
        self._note = folder / "gallery.json"
        self._say = say

    async def generate(self, items: int, law: Law, progress: Callable[[int, int], None]) -> None:
        """Makes it hold the first `items` generated items.

        Raises:
            SettingsError: what is there was made otherwise, or is larger.
        """
        pool = await open_pool(self._settings, max_size=MIN_POOL + 2)
        try:
            self._require_own(await _count(pool), items, law)
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_bytes(orjson.dumps(asdict(law)))
            report = await fill(pool, items=items, progress=progress, on_status=self._say, **asdict(law))
            if report.created:
                await self._settle(pool)
        finally:
            await pool.close()
        await self.make_ready(anew=bool(report.created))

    async def take_in(self, files: list[Path]) -> None:
        """Imports `files`; what they hold already is left alone."""
        pool = await open_pool(self._settings, max_size=MIN_POOL + 2)
        created = 0
        try:
            for path in files:
                self._say(f"Importing {path.name}")
                rejects = self._note.parent / f"{path.name}.rejects.jsonl"
                rejects.parent.mkdir(parents=True, exist_ok=True)
                report = await import_file(pool, path, bulk="auto", rejects=rejects)
                created += report.counts.created + report.counts.updated
            if created:
                await self._settle(pool)
        finally:
            await pool.close()
        await self.make_ready(anew=bool(created))

    async def make_ready(self, *, anew: bool = False) -> None:
        """A read model of policy `incremental` and an index that fits it, built where they are missing, or `anew`."""
        async with session(self._settings, "pinakes bench") as connection, alone(connection, wait=True):
            await connection.execute(_SQL["no_idle_limit"])
            if anew or (await read_epoch(connection)).policy != "incremental":
                self._say("Building the read model")
                await build_view(connection, "incremental")
            while await Applier(observers=[DeltaWriter()]).apply(connection) is not None:
                pass
            items = (await read_epoch(connection)).next_doc
        if not await self._indexed():
            self._say("Building the index")
            assert self._settings.database_url is not None
            # One part of the build holds a million documents; a second process would have nothing to do.
            await build_index(self._settings.database_url, processes=0 if items <= SEGMENT else None)
        await self._vacuum()

    async def size(self) -> Size:
        """How large it is."""
        async with session(self._settings, "pinakes bench") as connection:
            return await read_size(connection)

    async def all_items(self) -> tuple[Item, ...]:
        """Every item; some 2 kB of memory each."""
        async with session(self._settings, "pinakes bench") as connection:
            await _decode_json(connection)
            keys = [(row["source_type"], row["id"]) for row in await connection.fetch(_SQL["keys"])]
            found: list[Item] = []
            for start in range(0, len(keys), _AT_ONCE):
                found += await hydrate(connection, keys[start : start + _AT_ONCE])
        return tuple(found)

    def _require_own(self, present: int, items: int, law: Law) -> None:
        if not present:
            return
        try:
            noted = orjson.loads(self._note.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            raise SettingsError(
                "This gallery was not made by `pinakes bench`, so nothing is added to it.",
                hint="Choose another --data-dir, or leave out --items to measure what is there.",
            ) from None
        if noted != asdict(law):
            raise SettingsError("The gallery here was generated by another law.", hint="Choose another --data-dir.")
        if present > items:
            raise SettingsError(
                f"The gallery here holds {present:,} items, more than {items:,}.", hint="Choose another --data-dir."
            )

    async def _settle(self, pool: Pool) -> None:
        """As a gallery is some time after loading: counts folded, statistics taken."""
        self._say("Folding counts and taking statistics")
        await pool.execute(_SQL["fold_counts"])
        await pool.execute(_SQL["vacuum"])

    async def _vacuum(self) -> None:
        async with session(self._settings, "pinakes bench") as connection:
            await connection.execute(_SQL["vacuum_read_model"])

    async def _indexed(self) -> bool:
        async with session(self._settings, "pinakes bench") as connection:
            return (await read_status(connection)).usable


async def _count(pool: Pool) -> int:
    return sum([await pool.fetchval(for_source(_SQL["count"], source)) for source in SOURCES])


async def _decode_json(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )
