"""The demo's gallery: filled once, finished if it was interrupted, otherwise left as it is.

`fill.json` in the data directory notes what was begun and whether it was completed. Generated items
have fixed external ids, so filling again what is half there adds the missing half. A gallery that
is not from the generator (somebody imported into it) is never filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from pinakes.bench.generator import fill
from pinakes.bench.generator.names import ADMIN, DEMO_USERS
from pinakes.embedded.directory import DataDirectory, translate_os_errors
from pinakes.errors import StoreError
from pinakes.query.sources import SOURCES
from pinakes.store import users
from pinakes.store.pool import Pool, translate_errors
from pinakes.store.queries import for_source, load
from pinakes.store.users import User

SEED = 1
ROOM_BYTES = 64 * 1024 * 1024  # for write-ahead log, whatever else is written
DEFAULT_ITEMS = 50_000
ITEM_BYTES = 6_000  # on disk with tags, indexes and the write-ahead log of making them


@dataclass(frozen=True, slots=True)
class Plan:
    """What the gallery is to hold."""

    items: int
    seed: int = SEED
    done: bool = False


class Gallery:
    """The items in the database of one data directory."""

    def __init__(self, directory: DataDirectory, pool: Pool) -> None:
        self._directory = directory
        self._pool = pool
        self._sql = load("demo", "pinakes.cli.sql")

    async def fill(self, asked: int | None, progress: Callable[[int, int], None], say: Callable[[str], None]) -> None:
        """Sees to it that the gallery holds the `asked` number of generated items, by default what it was made with.

        Raises DiskFull before or while the disk is too small.
        """
        plan = self._next(self._plan(), await self._has_content(), asked, say)
        if plan is None or plan.items == 0:
            return
        with translate_errors():
            present = await self._pool.fetchval(self._sql["size"])
        needed = max(0, plan.items * ITEM_BYTES - present) + ROOM_BYTES
        self._directory.require_space(needed, f"A gallery of {plan.items:,} items")
        self._note(plan)
        try:
            await fill(self._pool, items=plan.items, seed=plan.seed, progress=progress)
        except StoreError:
            # PostgreSQL ends itself where it cannot write its log, so that looks like a lost connection.
            self._directory.require_space(ROOM_BYTES, "PostgreSQL")
            raise
        self._note(Plan(plan.items, plan.seed, done=True))

    @staticmethod
    def _next(plan: Plan | None, filled: bool, asked: int | None, say: Callable[[str], None]) -> Plan | None:
        """What is to be generated; None where all is there."""
        if not filled:
            begun = DEFAULT_ITEMS if plan is None else plan.items
            return Plan(begun if asked is None else asked)
        if plan is None:
            if asked:
                say("This gallery was not generated, so nothing is added to it")
            return None
        if asked is None or asked <= plan.items:
            if asked is not None and asked < plan.items:
                say(f"The gallery of {plan.items:,} items stays; for a smaller one choose another --data-dir")
            return None if plan.done else plan
        return Plan(asked, plan.seed)

    async def example_tags(self) -> list[str]:
        """Two tags that some item has both of, if there is one."""
        with translate_errors():
            for source in SOURCES:
                rows = await self._pool.fetch(for_source(self._sql["example_tags"], source))
                if rows:
                    return [row["name"] for row in rows]
        return []

    async def people(self) -> list[User]:
        """Those who can sign in to a demo, the administrator last; made where they are missing."""
        with translate_errors():
            async with self._pool.acquire() as connection:
                return [await users.ensure(connection, name) for name in (*DEMO_USERS.values(), ADMIN)]

    async def _has_content(self) -> bool:
        with translate_errors():
            asked = [await self._pool.fetchval(for_source(self._sql["has_content"], source)) for source in SOURCES]
        return any(asked)

    @property
    def _file(self) -> Path:
        return self._directory.path / "fill.json"

    def _plan(self) -> Plan | None:
        try:
            return Plan(**orjson.loads(self._file.read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return None

    def _note(self, plan: Plan) -> None:
        with translate_os_errors(f"{self._file} cannot be written"):
            new = self._file.with_suffix(".new")
            new.write_bytes(orjson.dumps(asdict(plan)))
            new.replace(self._file)
