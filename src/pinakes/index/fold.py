"""Folding: deltas go into the segments, in one transaction that readers never wait for.

A fold reads the deltas its snapshot sees, joins them by term, rewrites the segments concerned and
moves `folded_epoch`. Deltas stay for `KEEP_S` after that, so that a worker which knows an earlier
epoch catches up without loading anything again. Killed halfway, it has done nothing.

Rewriting costs about the same for one document as for a thousand (a dense segment is 131 kB), so
a fold waits for `FOLD_ITEMS` changed items or `FOLD_AGE_S` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from asyncpg.exceptions import SerializationError
from pyroaring import BitMap

from pinakes.bitmap.deltas import Delta, DeltaSet
from pinakes.bitmap.segments import cut, decode, encode
from pinakes.index.deltas import parse_deltas
from pinakes.store.pool import Connection
from pinakes.store.queries import load

FOLD_ITEMS = 10_000
FOLD_AGE_S = 60.0
KEEP_S = 60.0
BATCH = 200
# The applier may share this process, and has an epoch to make: it gets its turn after so many terms.
TURN = 20

_SQL = load("terms", "pinakes.index.sql")
_LOCK = (int.from_bytes(b"pina", "big"), int.from_bytes(b"fold", "big"))


@dataclass(frozen=True, slots=True)
class Folded:
    """What a fold did: up to which epoch, and how many segments it rewrote."""

    epoch: int
    segments: int


async def fold_if_due(
    connection: Connection, *, items: int = FOLD_ITEMS, age_s: float = FOLD_AGE_S, keep_s: float = KEEP_S
) -> Folded | None:
    """Folds when enough has changed, or the oldest change is old enough, or from the future of a clock set back."""
    waiting = await connection.fetchrow(_SQL["pending"])
    if waiting is None or not waiting["epochs"]:
        return None
    if waiting["items"] < items and 0 <= waiting["age_s"] < age_s:
        return None
    return await fold(connection, keep_s=keep_s)


async def fold(connection: Connection, *, keep_s: float = KEEP_S) -> Folded | None:
    """Folds every delta there is; None where there is none, another folder is at work, or a build came first."""
    try:
        return await _fold(connection, keep_s)
    except SerializationError:
        return None


async def _fold(connection: Connection, keep_s: float) -> Folded | None:
    async with connection.transaction(isolation="repeatable_read"):
        if not await connection.fetchval(_SQL["try_fold_lock"], *_LOCK):
            return None
        waiting = await connection.fetchrow(_SQL["pending"])
        if waiting is None or not waiting["epochs"]:
            return None
        generation = waiting["generation"]
        joined = DeltaSet()
        for row in await connection.fetch(_SQL["deltas_after"], generation, waiting["folded_epoch"]):
            for number, (term, delta) in enumerate(parse_deltas(row).items()):
                joined.then(term, delta)
                if number % (50 * TURN) == 0:
                    await asyncio.sleep(0)
        pieces = _pieces(joined)
        rewritten = 0
        while batch := list(islice(pieces, BATCH)):
            await _rewrite(connection, generation, batch)
            rewritten += len(batch)
        kept = await connection.fetchval(_SQL["folded"], generation, waiting["last"], keep_s)
        await connection.execute(_SQL["drop_deltas"], generation, kept)
    return Folded(waiting["last"], rewritten)


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
