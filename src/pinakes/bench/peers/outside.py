"""What the peers outside PostgreSQL share: loaded once from the read model, rows read back from it.

So a search library is used beside a database: it finds keys and totals, and the database, which is
the truth, gives the rows. A peer's files stay in the measurement's folder and are used again as
long as the read model is in the same state.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from time import perf_counter

from pinakes.bench.contestant import Given, Kind, Prepared, Say
from pinakes.bench.draw import Ask
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, direct, open_pool
from pinakes.store.queries import load
from pinakes.view.reading import hydrate

SQL = load("peers", "pinakes.bench.sql")


class OutsidePeer(ABC):
    """A library with files of its own."""

    name: str
    what: str
    kind: Kind = "peer"

    def __init__(self, settings: Settings, timeout_ms: int, folder: Path) -> None:
        self.folder = folder / self.name
        self._settings = settings
        self._timeout_ms = timeout_ms
        self._pool: Pool | None = None

    @abstractmethod
    async def load(self, connection: Connection) -> None:
        """Fills the empty `folder` from the read model."""

    @abstractmethod
    def open(self) -> None:
        """Opens what is in `folder`."""

    @abstractmethod
    def shut(self) -> None:
        """Closes it."""

    @abstractmethod
    def find(self, ask: Ask) -> tuple[list[tuple[int, int]], int]:
        """The page's keys (source, id) in order, and the total."""

    async def prepare(self, say: Say) -> Prepared:
        """Loads what is not loaded yet."""
        pool = await self._connections()
        seconds = 0.0
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            state = await connection.fetchval(SQL["state"])
            seconds = self._loaded(state)
            if seconds == 0.0:
                say(f"Loading {self.name}")
                began = perf_counter()
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True)
                await self.load(connection)
                seconds = perf_counter() - began
                self._note.write_text(f"{state}\n{seconds}\n", encoding="utf-8")
        self.open()
        size = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return Prepared(seconds, size)

    async def answer(self, ask: Ask) -> Given:
        """Keys and total from the library, rows from the read model."""
        keys, total = self.find(ask)
        async with direct(await self._connections()) as connection:
            items = await hydrate(connection, keys)
        return Given(tuple(items), total)

    async def forget(self) -> None:
        """Closed and opened again, with new sessions."""
        await self.close()
        self.open()
        await self._connections()

    async def close(self) -> None:
        """The files stay."""
        self.shut()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    @property
    def _note(self) -> Path:
        return self.folder.with_suffix(".state")

    def _loaded(self, state: str) -> float:
        """Seconds the load took that is there for this state; 0 where there is none."""
        try:
            noted, seconds = self._note.read_text(encoding="utf-8").split("\n")[:2]
            return float(seconds) if noted == state else 0.0
        except (FileNotFoundError, ValueError):
            return 0.0

    async def _connections(self) -> Pool:
        if self._pool is None:
            self._pool = await open_pool(self._settings, max_size=1)
        return self._pool
