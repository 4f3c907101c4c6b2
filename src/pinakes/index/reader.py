"""A process's memory of the index: bitmaps, codes, and the epoch they are true of.

Nothing here is truth and nothing need be warm. Every request first learns, in its own snapshot,
which generation is live and what epoch it is; the deltas since the reader's epoch are fetched once
for all requests. Then a piece of evaluation runs in memory; what it misses is loaded, and it runs
again. Requests with older snapshots than the newest seen get bitmaps as of their own epoch.

A request that cannot be served as of its snapshot (the generation was exchanged under it, or it
slept through two folds) gets `ReadModelNotReady`, never a mixture of states.

A process that has just begun would rather look at some rows than load all slices (`index.patience`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.codes import SortCode
from pinakes.bitmap.deltas import Delta
from pinakes.bitmap.evaluate import Steps
from pinakes.bitmap.lru import BitmapCache
from pinakes.bitmap.segments import assemble
from pinakes.bitmap.source import TermsMissing
from pinakes.bitmap.terms import BANDS, ORDER_FIELDS, OrderField
from pinakes.errors import ReadModelNotReady
from pinakes.index.allocator import keep_freed_memory
from pinakes.index.codes import filling_of, parse
from pinakes.index.deltas import parse_deltas, read_deltas
from pinakes.index.names import TagNames
from pinakes.index.patience import Patience
from pinakes.index.sizes import TagBounds, TagSizes
from pinakes.index.touched import Touched
from pinakes.index.work import Work, kind
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.epoch import with_at

T = TypeVar("T")

# A cold evaluation asks for leaves, steps, bands, slices and codes; each round brings several terms.
MAX_ROUNDS = 100
# Further behind than this, it is cheaper to ask everything anew than to read what happened.
_MOST_EPOCHS = 1000
_RENAMING = frozenset({"names", "vocabulary", "*"})
_CODE = "code:"
_HEADS = "heads:"
_NEARBY = 3
_STATE = ("epoch", "incarnation", "at", "now", "generation", "folded_epoch", "kept_epoch", "docs")

_GENERATIONS = with_at(load("generation", "pinakes.index.sql"))
_TERMS = load("terms", "pinakes.index.sql")


@dataclass(slots=True)
class State:
    """What a snapshot says: epoch and generation; and what serving it took."""

    epoch: int
    incarnation: str
    at: datetime
    now: datetime
    generation: int
    folded_epoch: int
    kept_epoch: int
    docs: int = 0
    version: int = 0
    work: Work = field(default_factory=Work)

    @property
    def age_s(self) -> float:
        """Seconds since the read model was last known to be right."""
        return max((self.now - self.at).total_seconds(), 0.0)


class IndexReader:
    """Shared by all requests of a process."""

    def __init__(self, memory: int, patience: int | None = None) -> None:
        """`memory`: bytes of decoded bitmaps to keep. `patience`: to begin with, instead of the usual."""
        keep_freed_memory()
        self.cache = BitmapCache(memory)
        self.touched = Touched()
        self.names = TagNames()
        self.incarnation: str | None = None
        self._generation = 0
        self._codes: dict[OrderField, SortCode] = {}
        self.fillings: dict[str, tuple[int, ...]] = {}
        self._folded = 0
        self.patience = Patience(patience)
        self._sizes = TagSizes()
        # Counts how often everything was forgotten, so that a request notices it happened meanwhile.
        self._version = 0
        self._turn = asyncio.Lock()
        self.steps = 0
        """How often an evaluation went on after it had given way."""

    async def state(self, connection: Connection) -> State:
        """The state of the connection's snapshot; the reader knows its deltas from here on.

        Raises:
            ReadModelNotReady: there is no index for the read model of this snapshot.
        """
        # Asked first where nothing is known yet: without a read model the other statement would fail.
        known = self._generation or await connection.fetchval(_GENERATIONS["read_model"])
        row = await connection.fetchrow(_GENERATIONS["state"]) if known else None
        if row is None or row["generation"] is None:
            raise ReadModelNotReady("There is no index for the read model as it is.", hint="Run `pinakes index build`.")
        if not row["intact"]:
            raise _exchanged()
        state = State(**{name: row[name] for name in _STATE})
        self._adopt(state)
        state.version = self._version
        await self._catch_up(connection, state)
        return state

    def _adopt(self, state: State) -> None:
        same = state.generation == self._generation
        if state.generation < self._generation or (same and state.folded_epoch < self.cache.floor):
            raise _exchanged()
        slept = same and self.cache.epoch < state.kept_epoch
        if state.generation > self._generation or slept:
            self.cache.clear(state.folded_epoch)
            self.touched.reset(state.folded_epoch)
            self.names.forget()
            self.incarnation = state.incarnation
            self._sizes.forget()
            if not same:
                self._codes, self.fillings = {}, {}
                self.patience.renew(state.docs)
            self._generation = state.generation
            self._folded = state.folded_epoch
            self._version += 1

    async def _catch_up(self, connection: Connection, state: State) -> None:
        if self.cache.epoch < state.epoch:
            known = self.cache.epoch
            deltas = await read_deltas(connection, state.generation, known)
            told = await connection.fetch(_TERMS["told_after"], known, _MOST_EPOCHS)
            self._require(state)
            self._advance(state.epoch, deltas)
            self._note_touched(known, state.epoch, told)
        self._fold(state)

    def _advance(self, until: int, deltas: Iterable[tuple[int, dict[str, Delta]]]) -> None:
        for epoch, changed in deltas:
            if epoch > self.cache.epoch:
                self.cache.advance(epoch, changed)
        if until > self.cache.epoch:
            self.cache.advance(until, {})

    def _fold(self, state: State) -> None:
        if state.folded_epoch > self._folded:
            # One fold late, because requests with older snapshots may be on their way.
            self._sizes.keep(self.cache.gained("tag:", self._folded))
            self.cache.forget_deltas(self._folded)
            self._folded = state.folded_epoch

    def _note_touched(self, known: int, epoch: int, told: Sequence[Any]) -> None:
        """What the log of changes says since `known`; where it has a gap, everything may have been touched."""
        if [row["epoch"] for row in told] != list(range(known + 1, epoch + 1)):
            self.touched.reset(max(epoch, self.touched.newest))
            self.names.forget()
            return
        for row in told:
            self.touched.note(row["epoch"], row["terms"])
            if not _RENAMING.isdisjoint(row["terms"]):
                self.names.forget()

    @property
    def followed(self) -> tuple[int, int] | None:
        """The generation in use and the epoch it was followed to; None before there is any."""
        return None if self.incarnation is None else (self._generation, self.cache.epoch)

    def taken(self, rows: Sequence[Any], generation: int, known: int) -> State | None:
        """The state a statement `now` told of, as it does in `rows`, asked when `known` was followed.

        The memory is brought to it; None where that takes a snapshot: the index was exchanged, or too much happened.
        """
        first = rows[0] if rows else None
        if first is None or not first["intact"] or self.incarnation != first["incarnation"]:
            return None
        if not first["generation"] == generation == self._generation or known < first["kept_epoch"]:
            return None
        if first["folded_epoch"] < self.cache.floor:
            return None
        told = [{"epoch": row["told"], "terms": row["touched"]} for row in rows if row["told"] is not None]
        if [row["epoch"] for row in told] != list(range(known + 1, first["epoch"] + 1)):
            return None
        state = State(**{name: first[name] for name in _STATE}, version=self._version)
        if told and self.cache.epoch < state.epoch:
            self._advance(state.epoch, [(row["told"], parse_deltas(row)) for row in rows if row["terms"]])
            self._note_touched(known, state.epoch, told)
        self._fold(state)
        return state

    def remembered(self, work: Work) -> State | None:
        """The newest state followed, from memory; None before there is any."""
        if self.incarnation is None:
            return None
        moment = datetime.min.replace(tzinfo=UTC)
        return State(
            self.cache.epoch, self.incarnation, moment, moment,
            self._generation, self._folded, self.cache.floor, version=self._version, work=work,
        )  # fmt: skip

    async def run(self, connection: Connection, state: State, work: Callable[[RequestSource], T]) -> T:
        """`work`, evaluated without interruption on bitmaps as of `state`; what it misses is loaded.

        The bitmaps it sees may change as soon as it returns: it must not return any of them.
        """

        def only_step(source: RequestSource) -> Steps[T]:
            yield from ()
            return work(source)

        return await self.run_in_steps(connection, state, only_step)

    async def run_in_steps(self, connection: Connection, state: State, work: Callable[[RequestSource], Steps[T]]) -> T:
        """The same for work that may take long: others do something between its steps."""
        source = RequestSource(self, state)
        pinned: list[str] = []
        try:
            for _ in range(MAX_ROUNDS):
                self._require(state)
                source.strains.clear()
                try:
                    done = await self.paced(state, work(source))
                except TermsMissing as missing:
                    state.work.rounds += 1
                    state.work.loaded += missing.terms
                    pinned += missing.terms
                    self.cache.pin(missing.terms)
                    await self._load(connection, state, missing.terms)
                else:
                    self.patience.strain(source.strains)
                    return done
        finally:
            self.cache.unpin(pinned)
            self.cache.shrink()
        raise AssertionError(f"an evaluation still misses terms after {MAX_ROUNDS} rounds: {state.work.loaded[-5:]}")

    async def paced(self, state: State, work: Steps[T]) -> T:
        """What `work` returns. Of all that takes more than a step, one piece at a time goes on in this process.

        Raises:
            ReadModelNotReady: everything was forgotten between two steps.
        """
        try:
            next(work)
            with self.cache.keeps():
                async with self._turn:
                    while True:
                        await asyncio.sleep(0)
                        self._require(state)
                        self.steps += 1
                        next(work)
        except StopIteration as done:
            return cast("T", done.value)

    async def _load(self, connection: Connection, state: State, wanted: frozenset[str]) -> None:
        fields = [name.removeprefix(_CODE) for name in wanted if name.startswith(_CODE)]
        if fields:
            for row in await connection.fetch(_GENERATIONS["codes"], state.generation, fields):
                self._require(state)
                self._codes[cast("OrderField", row["field"])] = parse(row["head"], row["code"])
        if _HEADS in wanted:
            rows = await connection.fetch(_GENERATIONS["heads"], state.generation)
            self._require(state)
            self.fillings = {row["field"]: filling_of(row["head"]) for row in rows}
        names = [name for name in wanted if not name.startswith(_CODE) and name != _HEADS]
        if not names:
            return
        rows = await connection.fetch(_TERMS["load"], state.generation, names)
        state.work.segments += len(rows)
        self._require(state)
        parts: dict[str, list[bytes]] = {name: [] for name in names}
        for row in rows:
            parts[row["term"]].append(row["bits"])
        for name, bits in parts.items():
            self.cache.put(name, assemble(bits), state.folded_epoch)

    def _require(self, state: State) -> None:
        """That nothing this request relies on was forgotten since it began."""
        if state.version != self._version or state.folded_epoch < self.cache.floor:
            raise _exchanged()

    async def tag_bounds(self, connection: Connection, state: State) -> TagBounds:
        """Every tag with its number of documents or a little more."""
        if self._sizes.due(state.generation):
            await self._sizes.read(connection, state.generation)
            self._require(state)
        return self._sizes.bounds(self.cache.gained("tag:"))

    def unused(self, tags: Sequence[int]) -> set[int]:
        """Those of `tags` that are known to be on no document at any epoch followed; none before `tag_bounds`."""
        found = self._sizes.without_documents(tags, self._generation)
        return {tag for tag in found if not self.cache.is_changed(f"tag:{tag}")}

    def count_operands(self, state: State) -> None:
        """Note in `state.work` how many documents each visited term of the formula has now."""
        for term in dict.fromkeys(state.work.visited):
            if kind(term) == "operands" and (held := self.cache.get(term)) is not None:
                state.work.operands[term] = len(held)

    def known_code(self, field: OrderField) -> SortCode | None:
        """The code of `field`, once it is loaded."""
        return self._codes.get(field)

    def figures(self) -> dict[str, Any]:
        """What the process holds."""
        cache = self.cache
        return {"bitmaps": len(cache), "bytes": cache.size, "limit": cache.limit, "evictions": cache.evictions,
                "epoch": cache.epoch, "generation": self._generation}  # fmt: skip


class RequestSource:
    """The `TermSource` of one request: the reader's bitmaps as of its snapshot."""

    def __init__(self, reader: IndexReader, state: State) -> None:
        self._reader = reader
        self._cache = reader.cache
        self._epoch = state.epoch
        self.work = state.work
        self.strains: set[OrderField] = set()

    def bitmap(self, term: str) -> BitMap:
        """The documents with `term` as of the snapshot."""
        self.work.visited.append(term)
        found = self._cache.get(term, self._epoch)
        if found is None:
            raise TermsMissing(name for name in (term, *_neighbours(term)) if name not in self._cache)
        return found

    def overlaps(self, hits: BitMap, names: Sequence[str]) -> list[int]:
        """How many of `hits` each of `names` has. Raises `TermsMissing` once for all that are not in memory."""
        found = self._cache.several(names, self._epoch)
        missing = [name for name, bitmap in zip(names, found, strict=True) if bitmap is None]
        if missing:
            raise TermsMissing(missing)
        return [hits.intersection_cardinality(bitmap) for bitmap in found if bitmap is not None]

    def require(self, names: Iterable[str]) -> None:
        """One `TermsMissing` for all of `names` that are not in memory."""
        missing = [name for name in names if name not in self._cache]
        if missing:
            raise TermsMissing(missing)

    def unused(self, tags: Sequence[int]) -> set[int]:
        """Those of `tags` that are on no document, as far as that is known without their bitmaps."""
        return self._reader.unused(tags)

    def code(self, field: OrderField) -> SortCode:
        """The code of `field`."""
        code = self._reader.known_code(field)
        if code is None:
            raise TermsMissing([_CODE + field])
        return code

    def filling(self, field: OrderField) -> tuple[int, ...]:
        """As the code was cut."""
        if field not in self._reader.fillings:
            raise TermsMissing([_HEADS])
        return self._reader.fillings[field]

    def patience(self, field: OrderField) -> int:
        """As the process has it with this order."""
        return self._reader.patience.with_order(field)

    def strained(self, field: OrderField) -> None:
        """Noted until the evaluation is done: it may have to begin again."""
        self.strains.add(field)


def _neighbours(term: str) -> list[str]:
    """Bands are counted side by side, so one that is missing brings those beside it."""
    for each in ORDER_FIELDS:
        if term.startswith(f"{each}@"):
            at = int(term.removeprefix(f"{each}@"))
            return [terms.band(each, n) for n in range(max(at - _NEARBY, 0), min(at + _NEARBY + 1, BANDS))]
    return []


def _exchanged() -> ReadModelNotReady:
    return ReadModelNotReady("The index was exchanged while this query ran.", hint="Try again.")
