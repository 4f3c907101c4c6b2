"""A gallery's history, and readers through the cache who must never be told what was not so.

Every committed write makes a new state, known to the oracle. Epochs, publishing, the mirrors' looks
and the readers' snapshots happen one by one, in whatever order the operations say: publishers hold
what they read and publish it late, readers compute and store late, Redis is flushed, workers begin
anew. Serving stale answers is off, so no time takes part and every answer can be judged exactly:

* from the engine: what the oracle says of the state now;
* from the cache: what it says of some state not older than the newest epoch the worker has seen.

Ten items, three viewers, five tags: small enough that everything touches everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg

from cache.gallery_states import QUERIES, VIEWERS, State, aspect_of
from cache.site_workers import CountingService
from pinakes.cache.answer import Answer
from pinakes.cache.body import read
from pinakes.cache.core import ResultCache
from pinakes.cache.flight import Flights
from pinakes.cache.options import Options
from pinakes.cache.publisher import Found
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store.content import hydrate
from pinakes.store.pool import Pool
from pinakes.view.applier import Applier

LOGICAL = Options(
    strategy="event", limit_ms=5000, window_ms=600_000, lag_ms=600_000, wait_s=0.0, serve_stale=False, early_beta=0.0
)
WORKERS, IDS, TAGS, USERS = 2, 5, 5, 3
TITLES = ("sea", "red sun", "sun red", "sea sun")

Operation: TypeAlias = tuple[str, int, int, int]
# Operation -> weight, by theme. A history has one theme: pure chance rarely does one thing often.
_OFTEN = {"ask": 24, "write": 7, "settle": 5}
THEMES: tuple[dict[str, int], ...] = (
    _OFTEN | {"apply": 2, "publish": 2, "look": 3, "ask_late": 2, "land": 2, "ahead": 1, "hold": 1, "release": 1,
              "restart": 1, "flush": 1, "wait": 1, "save": 1, "fail_over": 1},
    _OFTEN | {"ask_late": 12, "land": 8, "apply": 3},
    _OFTEN | {"ahead": 8},
    _OFTEN | {"hold": 4, "release": 4, "save": 3, "fail_over": 3, "restart": 2, "flush": 1},
    _OFTEN | {"wait": 6},
)  # fmt: skip


def operations(seed: int, length: int) -> list[Operation]:
    """Some operations on a few questions that are kin: the same for other viewers, or in another order."""
    rng = random.Random(seed)
    each = len(QUERIES) // len(VIEWERS)
    first = rng.randrange(each)
    few = rng.choice((
        [first + each * viewer for viewer in range(len(VIEWERS))],
        [0, 1, 2, rng.randrange(len(QUERIES))],
        rng.sample(range(len(QUERIES)), 3),
    ))  # fmt: skip
    theme = THEMES[seed % len(THEMES)]
    names = rng.choices(list(theme), list(theme.values()), k=length)
    return [(name, rng.randrange(WORKERS), rng.choice(few), rng.randrange(10_000)) for name in names]


class Wrong(AssertionError):
    """A reader was told what was not so."""


class WatchedFlights(Flights[Answer]):
    """Notes that an asker joins a computation under way: two queries may be one question, and it may be held."""

    def __init__(self) -> None:
        super().__init__()
        self.joined = asyncio.Event()

    async def share(
        self, key: Hashable, work: Callable[[], Awaitable[Answer]], accepts: Callable[[Answer], bool]
    ) -> tuple[Answer, bool]:
        if key in self:
            self.joined.set()
        return await super().share(key, work, accepts)


@dataclass
class Reader:
    """A worker, moved by hand."""

    service: CountingService
    cache: ResultCache
    flights: WatchedFlights

    def watch(self) -> asyncio.Task[bool]:
        """Done as soon as somebody joins from now on."""
        self.flights.joined.clear()
        return asyncio.create_task(self.flights.joined.wait())


@dataclass
class Late:
    """A reader that has read and not yet stored."""

    worker: int
    query: int
    gate: asyncio.Event
    task: asyncio.Task[Answer]


@dataclass
class History:
    """The world of one test."""

    settings: Settings
    pool: Pool
    db: asyncpg.Connection[Any]
    change_reader: Callable[[Reader], None] = lambda _reader: None
    states: list[State] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    held: list[tuple[int, Found]] = field(default_factory=list)
    replica: tuple[str, bytes | None] = ("", None)
    checked: int = 0
    hits: int = 0

    async def begin(self) -> None:
        """A gallery, an epoch, workers that know it."""
        await self.db.execute("DELETE FROM content_tags; DELETE FROM tags; DELETE FROM tag_counts")
        for source in SOURCES:
            await self.db.execute(f"DELETE FROM {source.table}")
        await self.db.execute("DELETE FROM users; INSERT INTO users (id, username) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        await self.db.execute("INSERT INTO tags (id, name) VALUES (1,'t1'), (2,'t2'), (3,'t3'), (4,'t4')")
        for source in SOURCES:
            await self.db.execute(
                f"INSERT INTO {source.table} (id, title, creator_id, is_private, quality_score) "
                f"SELECT n, 'sea', 1 + n % 3, n % 4 = 0, n FROM generate_series(1, {IDS}) AS n"
            )
            await self.db.execute(
                "INSERT INTO content_tags SELECT $1, n, 1 + n % 3 FROM generate_series(1, 4) AS n", source.code
            )
        await self._remember()
        await self._apply()
        self.readers = [await self._reader() for _ in range(WORKERS)]
        await self.readers[0].cache.link.call("FLUSHDB")
        for _ in range(2):
            await self._publish(0)
        for reader in self.readers:
            await self._look(reader)

    async def end(self) -> None:
        """Nothing is left running."""
        for late in self.late:
            late.gate.set()
        await asyncio.gather(*(late.task for late in self.late), return_exceptions=True)
        for reader in self.readers:
            await reader.cache.stop()

    async def _reader(self) -> Reader:
        cache = ResultCache(self.settings.redis_url or "", self.settings.database_url, LOGICAL)
        cache._flights = flights = WatchedFlights()
        reader = Reader(CountingService(self.pool, self.settings, cache), cache, flights)
        self.change_reader(reader)
        return reader

    async def _look(self, reader: Reader) -> None:
        for _ in range(2):  # the first look may be spent on learning the incarnation
            await reader.cache.mirror.look()

    async def _remember(self) -> None:
        keys = [
            (source.code, row["id"])
            for source in SOURCES
            for row in await self.db.fetch(f"SELECT id FROM {source.table} ORDER BY id")
        ]
        tags = {row["id"]: row["name"] for row in await self.db.fetch("SELECT id, name FROM tags")}
        self.states.append(State(tuple(await hydrate(self.db, keys)), tags))

    async def do(self, operation: Operation) -> None:
        """One thing happens."""
        name, worker, query, number = operation
        reader = self.readers[worker]
        happen: dict[str, Callable[[], Awaitable[Any]]] = {
            "ask": lambda: self._ask(worker, query),
            "ask_late": lambda: self._ask_late(worker, query),
            "land": self._land,
            "write": lambda: self._write(random.Random(number)),
            "apply": self._apply,
            "publish": lambda: self._publish(worker),
            "hold": lambda: self._hold(worker),
            "release": self._release,
            "settle": self._settle,
            "ahead": lambda: self._ahead(worker, query, number),
            "save": self._save,
            "fail_over": self._fail_over,
            "look": lambda: self._look(reader),
            "restart": lambda: self._restart(worker),
            "flush": lambda: reader.cache.link.call("FLUSHDB"),
            "wait": lambda: self._write_and_wait(random.Random(number), query),
        }
        await happen[name]()

    async def _hold(self, worker: int) -> None:
        publisher = self.readers[worker].cache.publisher
        assert publisher is not None
        found = await publisher.look()
        if found is not None:
            self.held.append((worker, found))

    async def _restart(self, worker: int) -> None:
        if all(late.worker != worker for late in self.late):
            await self.readers[worker].cache.stop()
            self.readers[worker] = await self._reader()

    async def _write(self, rng: random.Random) -> None:
        source, item, tag, user = (
            rng.choice(SOURCES),
            rng.randint(1, IDS),
            rng.randint(1, TAGS - 1),
            rng.randint(1, USERS),
        )
        table, tagged = source.table, source.tags_table
        key = {"item": item, "tag": tag, "user": user}
        statement = rng.choice((
            f"INSERT INTO {tagged} SELECT {source.code}, {{item}}, {{tag}} WHERE EXISTS "
            f"(SELECT FROM {table} WHERE id = {{item}}) AND EXISTS (SELECT FROM tags WHERE id = {{tag}}) "
            "ON CONFLICT DO NOTHING",
            f"DELETE FROM {tagged} WHERE content_id = {{item}} AND tag_id = {{tag}}",
            f"UPDATE {tagged} SET tag_id = {{tag}} WHERE content_id = {{item}} AND tag_id <> {{tag}} AND NOT EXISTS "
            f"(SELECT FROM {tagged} AS o WHERE o.content_id = {{item}} AND o.tag_id = {{tag}})",
            f"UPDATE {table} SET is_private = NOT is_private WHERE id = {{item}}",
            f"UPDATE {table} SET title = '{rng.choice(TITLES)}' WHERE id = {{item}}",
            f"UPDATE {table} SET creator_id = {{user}} WHERE id = {{item}}",
            f"UPDATE {table} SET quality_score = {rng.choice(('NULL', '0', '1', '9'))} WHERE id = {{item}}",
            f"DELETE FROM {table} WHERE id = {{item}}",
            f"INSERT INTO {table} (id, title, creator_id) VALUES ({{item}}, 'red sun', {{user}}) "
            "ON CONFLICT DO NOTHING",
            f"UPDATE tags SET name = 'n{rng.randint(1, 3)}' || id WHERE id = {{tag}}",
            "UPDATE tags SET name = 't' || id WHERE id = {tag}",
            f"UPDATE users SET username = 'u{rng.randint(1, 3)}' || id WHERE id = {{user}}",
            "INSERT INTO tags (id, name) VALUES (5, 't5') ON CONFLICT DO NOTHING",
            "DELETE FROM tags WHERE id = 5 AND NOT EXISTS (SELECT FROM content_tags WHERE tag_id = 5)",
            f"INSERT INTO {tagged} SELECT {source.code}, {{item}}, 5 WHERE EXISTS "
            f"(SELECT FROM {table} WHERE id = {{item}})"
            " AND EXISTS (SELECT FROM tags WHERE id = 5) ON CONFLICT DO NOTHING",
        ))  # fmt: skip
        with contextlib.suppress(asyncpg.ForeignKeyViolationError, asyncpg.UniqueViolationError):
            await self.db.execute(statement.format(**key))
        await self._remember()

    async def _apply(self) -> int:
        await Applier().apply(self.db)
        epoch = int(await self.db.fetchval("SELECT epoch FROM epoch"))
        self.epochs[epoch] = len(self.states) - 1
        return epoch

    async def _publish(self, worker: int) -> None:
        publisher = self.readers[worker].cache.publisher
        assert publisher is not None
        await publisher.step()

    async def _release(self) -> None:
        if self.held:
            worker, found = self.held.pop()
            publisher = self.readers[worker].cache.publisher
            assert publisher is not None
            await publisher.publish(found)

    async def _write_and_wait(self, rng: random.Random, query: int) -> None:
        await self._write(rng)
        epoch = await self._apply()
        for worker in (0, 1, 0):
            await self._publish(worker)
        await self.readers[0].cache.clocks.advance_barrier(epoch)
        for reader in self.readers:
            await self._look(reader)  # what `barrier` waits for
        for worker in range(WORKERS):
            if not self._busy(worker, query):
                await self._ask(worker, query)

    async def _settle(self) -> None:
        """Everything written is known to everybody."""
        await self._apply()
        await self._publish(0)
        for reader in self.readers:
            await self._look(reader)

    async def _ahead(self, worker: int, query: int, number: int) -> None:
        """A change that is taken back before its epoch; a reader sees it meanwhile."""
        source, item = SOURCES[number % 2], 1 + number % IDS
        toggle = f"UPDATE {source.table} SET is_private = NOT is_private WHERE id = {item}"
        await self._settle()
        for _ in range(2):
            await self.db.execute(toggle)
            await self._remember()
            await self._ask(worker, query)
        if number % 3:
            await self._settle()
        await self._ask(worker, query)

    async def _save(self) -> None:
        """What a replica has of the clocks."""
        cache = self.readers[0].cache
        self.replica = (cache.clocks.key, await cache.link.call("DUMP", cache.clocks.key))

    async def _fail_over(self) -> None:
        """The replica is promoted: the clocks are what they were."""
        key, value = self.replica
        if value is not None:
            await self.readers[0].cache.link.call("RESTORE", key, 0, value, "REPLACE")

    def _busy(self, worker: int, query: int) -> bool:
        return any((late.worker, late.query) == (worker, query) for late in self.late)

    async def _ask_late(self, worker: int, query: int) -> None:
        """A reader reads now and stores when it lands."""
        if self._busy(worker, query):
            return
        reader = self.readers[worker]
        service = reader.service
        gate, read_ = asyncio.Event(), asyncio.Event()
        plain = service.after_read

        async def held(reading: Any) -> Any:
            read_.set()
            await gate.wait()
            return await plain(reading)

        service.after_read = held
        task = asyncio.create_task(service.answer(QUERIES[query], aspect=aspect_of(query)))
        waiting, joined = asyncio.create_task(read_.wait()), reader.watch()
        await asyncio.wait((task, waiting, joined), return_when=asyncio.FIRST_COMPLETED)
        service.after_read = plain
        if read_.is_set() and not task.done():
            self.late.append(Late(worker, query, gate, task))
        else:
            if not task.done():
                await self._land_all(worker)
            await task
        waiting.cancel()
        joined.cancel()

    async def _land(self) -> None:
        if self.late:
            late = self.late.pop(0)
            late.gate.set()
            await late.task

    async def _land_all(self, worker: int) -> None:
        """What this worker computes for others lands, since somebody waits for it."""
        for late in [late for late in self.late if late.worker == worker]:
            self.late.remove(late)
            late.gate.set()
            await late.task

    async def _told(self, worker: int, query: int) -> tuple[Answer, bool]:
        """The answer to a query, and whether it was computed for somebody else."""
        reader = self.readers[worker]
        task, joined = (
            asyncio.create_task(reader.service.answer(QUERIES[query], aspect=aspect_of(query))),
            reader.watch(),
        )
        await asyncio.wait((task, joined), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await self._land_all(worker)
        joined.cancel()
        return await task, reader.flights.joined.is_set()

    async def _ask(self, worker: int, query: int) -> None:
        if self._busy(worker, query):
            return
        reader, asked = self.readers[worker], QUERIES[query]
        seen = reader.cache.mirror.newest if reader.cache.mirror.trusted() else 0
        aspect = aspect_of(query)
        told, shared = await self._told(worker, query)
        page = read(told.entry.constant)
        said = (page.items, page.total_count, len(page.warnings), page.facets)
        if any(item.is_private and item.creator_id != asked.viewer for item in page.items):
            raise Wrong(f"{asked} was shown somebody's private item by {told.source}")
        oldest = len(self.states) - 1
        self.hits += told.from_cache
        if told.from_cache or shared:
            # By the clocks it saw itself, or by newer ones it asked Redis for.
            oldest = self.epochs.get(seen, 0)
        if not any(state.says(asked, aspect) == said for state in self.states[oldest:]):
            raise Wrong(
                f"{asked}: {told.source} of epoch {told.entry.epoch}, seen {seen}, not in the last "
                f"{len(self.states) - oldest} states: said {said}, now {self.states[-1].says(asked, aspect)}"
            )
        self.checked += 1
