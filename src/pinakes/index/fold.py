"""Folding: deltas go into the segments, in bounded pieces that are each committed; readers never wait.

A fold takes the oldest deltas, up to `RANGE_BYTES` of them and at least one epoch, joins them by term,
rewrites the segments concerned, `BATCH` in a transaction, and in a last transaction moves
`folded_epoch` to the end of its range. What is left is the next fold's. So no fold works or keeps a
transaction for long, however much waits, and every fold that ends is progress.

Law: while `folded_epoch` is F, every segment holds for each of its documents the state of some epoch
from F to the newest, and applying all deltas after F in order gives the newest state. For a document
that no later delta names has not changed since F, and of one that is named the last delta says what it
is, whatever the segment held before. A segment rewritten already is thus as good as one that is
not: a fold killed between two pieces leaves nothing to clean, and the next one does the range again
from any mixture of both. (A build leaves segments of different epochs for the same reason.) A snapshot
that sees a rewritten segment also sees the epochs in it, which were committed before it was rewritten.
Undoing deltas for older snapshots begins from the newest state, so it does not matter either.

Two folders at once would break it: the slower one's older deltas could be applied after the faster one
has moved `folded_epoch` past them. So a folder holds a session's lock, and everything is done on that
session: one that lost its connection can commit nothing more. One that hangs is ended by the server
after `HANG_S` seconds without a word. Each piece locks the generation's row, so no piece comes after
the generation was retired and swept away.

Deltas stay for `KEEP_S` after they were folded, so that a worker which knows an earlier epoch catches up
without loading anything again. Rewriting costs about the same for one document as for a thousand (a
dense segment is 131 kB), so folding waits for `FOLD_ITEMS` changed items or `FOLD_AGE_S` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from pyroaring import BitMap

from pinakes.bitmap.deltas import Delta, DeltaSet
from pinakes.bitmap.segments import cut, decode, encode
from pinakes.index.deltas import parse_deltas
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.session import PASSING

FOLD_ITEMS = 10_000
FOLD_AGE_S = 60.0
KEEP_S = 60.0
BATCH = 200
# As stored, compressed: some ten epochs of 5,000 items with rare tags, half a million changed terms.
RANGE_BYTES = 8 << 20
# The longest silence is the parsing of one epoch, two seconds of an idle core at most.
HANG_S = 120
# The applier may share this process, and has an epoch to make: it gets its turn after so many terms.
TURN = 20

_SQL = load("terms", "pinakes.index.sql")
_LOCK = (int.from_bytes(b"pina", "big"), int.from_bytes(b"fold", "big"))


@dataclass(frozen=True, slots=True)
class Folded:
    """What was folded: up to which epoch, and how many segments were rewritten."""

    epoch: int
    segments: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be folded: epochs, changed items, the age of the oldest; and the documents there are."""

    generation: int
    folded_epoch: int
    epochs: int
    items: int
    age_s: float
    docs: int

    def due(self, items: int = FOLD_ITEMS, age_s: float = FOLD_AGE_S) -> bool:
        """Enough has changed, or the oldest change is old enough, or from the future of a clock set back."""
        return self.epochs > 0 and (self.items >= items or not 0 <= self.age_s < age_s)


async def waiting(connection: Connection) -> Waiting | None:
    """What waits to be folded; None where no index is in use."""
    row = await connection.fetchrow(_SQL["pending"])
    return None if row is None else Waiting(**dict(row))


async def fold_if_due(
    connection: Connection, *, items: int = FOLD_ITEMS, age_s: float = FOLD_AGE_S, keep_s: float = KEEP_S
) -> Folded | None:
    """Folds one range where it is due."""
    found = await waiting(connection)
    if found is None or not found.due(items, age_s):
        return None
    return await fold_range(connection, keep_s=keep_s)


async def fold(
    connection: Connection, *, keep_s: float = KEEP_S, most: int = RANGE_BYTES, batch: int = BATCH
) -> Folded | None:
    """Folds, range by range, what waits now; None where nothing does or another folder is at work."""
    found = await waiting(connection)
    until = await connection.fetchval(_SQL["newest_delta"], found.generation) if found is not None else None
    done: Folded | None = None
    while until is not None and (done is None or done.epoch < until):
        folded = await fold_range(connection, keep_s=keep_s, most=most, batch=batch)
        if folded is None:
            break
        done = Folded(folded.epoch, folded.segments + (0 if done is None else done.segments))
    return done


async def fold_range(
    connection: Connection, *, keep_s: float = KEEP_S, most: int = RANGE_BYTES, batch: int = BATCH
) -> Folded | None:
    """Folds the oldest deltas, up to `most` bytes, in pieces of `batch` segments.

    None where there are none, another folder is at work, or the index was exchanged meanwhile.
    """
    async with _alone(connection) as held:
        return await _fold_range(connection, keep_s, most, batch) if held else None


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[bool]:
    """Holds the folder's lock; yields whether it was had."""
    held = await connection.fetchval(_SQL["try_fold_lock"], *_LOCK, f"{HANG_S}s") is not None
    try:
        yield held
    finally:
        if held and not connection.is_closed():
            try:
                await connection.execute(_SQL["fold_unlock"], *_LOCK)
            except PASSING:
                connection.terminate()  # the server ends the session, and the lock goes with it


async def _fold_range(connection: Connection, keep_s: float, most: int, size: int) -> Folded | None:
    row = await connection.fetchrow(_SQL["range"], most)
    if row is None:
        return None
    generation, before = row["generation"], row["folded_epoch"]
    joined = DeltaSet()
    for epoch in row["epochs"]:
        delta = await connection.fetchrow(_SQL["delta"], generation, epoch)
        if delta is None:
            return None
        for number, (term, changed) in enumerate(parse_deltas(delta).items()):
            joined.then(term, changed)
            if number % (50 * TURN) == 0:
                await asyncio.sleep(0)
    pieces = _pieces(joined)
    rewritten = 0
    while batch := list(islice(pieces, size)):
        async with connection.transaction():
            if await connection.fetchval(_SQL["hold_generation"], generation, before) is None:
                return None
            await _rewrite(connection, generation, batch)
        rewritten += len(batch)
    last = row["epochs"][-1]
    async with connection.transaction():
        kept = await connection.fetchval(_SQL["folded"], generation, last, keep_s, before)
        if kept is None:
            return None
        await connection.execute(_SQL["drop_deltas"], generation, kept)
    return Folded(last, rewritten)


def _pieces(joined: DeltaSet) -> Iterator[tuple[str, int, Delta]]:
    """The changes of each (term, segment)."""
    for term in sorted(joined.terms):
        delta = joined.terms[term]
        pieces: dict[int, Delta] = {}
        for segment, docs in cut(delta.added):
            pieces[segment] = Delta(added=docs)
        for segment, docs in cut(delta.removed):
            pieces.setdefault(segment, Delta()).removed = docs
        for segment, piece in sorted(pieces.items()):
            yield term, segment, piece


async def _rewrite(connection: Connection, generation: int, batch: Iterable[tuple[str, int, Delta]]) -> None:
    wanted = {(term, segment): delta for term, segment, delta in batch}
    terms, segments = [term for term, _ in wanted], [segment for _, segment in wanted]
    stored = await connection.fetch(_SQL["take_segments"], generation, terms, segments)
    held = {(row["term"], row["segment"]): decode(row["bits"]) for row in stored}
    kept: list[tuple[str, int, int, bytes]] = []
    emptied: list[tuple[str, int]] = []
    for number, (key, delta) in enumerate(wanted.items()):
        if number % TURN == 0:
            await asyncio.sleep(0)
        bitmap = held.get(key, BitMap())
        delta.apply(bitmap)
        if bitmap:
            kept.append((*key, len(bitmap), encode(bitmap)))
        elif key in held:
            emptied.append(key)
    if kept:
        await connection.execute(_SQL["put_segments"], generation, *map(list, zip(*kept, strict=True)))
    if emptied:
        await connection.execute(_SQL["drop_segments"], generation, *map(list, zip(*emptied, strict=True)))
