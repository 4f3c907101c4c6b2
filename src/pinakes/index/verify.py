"""Checking: the index compared with the read model, segment by segment, in one snapshot.

What the segments and the deltas say together must be exactly what the rows say: the same terms,
each with the same documents, no empty ones, cardinalities as stored. Reads everything once and
holds one segment in memory at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pyroaring import BitMap

from pinakes.bitmap.deltas import Delta, DeltaSet
from pinakes.bitmap.segments import SEGMENT, decode
from pinakes.errors import ReadModelNotReady
from pinakes.index.codes import read_codes
from pinakes.index.deltas import read_deltas
from pinakes.index.rows import CHUNK, SegmentRows
from pinakes.store.pool import Connection
from pinakes.store.queries import load

_GENERATIONS = load("generation", "pinakes.index.sql")
_TERMS = load("terms", "pinakes.index.sql")
_ROWS = load("rows", "pinakes.index.sql")


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: a term whose documents in a segment are not those of the rows."""

    term: str
    segment: int
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The index in use, in one snapshot: its generation, what waits to be folded, how many segments there are."""

    generation: int
    joined: DeltaSet
    segments: int


async def verify(connection: Connection) -> AsyncIterator[tuple[int, int, list[Finding]]]:
    """For each segment its number, how many there are, and what is wrong with it.

    `connection` is one of `part.connect`.

    Raises:
        ReadModelNotReady: there is no index in use.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await subject(connection)
        for segment in range(found.segments):
            yield segment, found.segments, await check_segment(connection, found, segment)


async def subject(connection: Connection) -> Subject:
    """What is to be checked, as the snapshot of `connection` shows it.

    Raises:
        ReadModelNotReady: there is no index in use.
    """
    live = await connection.fetchrow(_GENERATIONS["live"])
    if live is None:
        raise ReadModelNotReady("There is no index in use.", hint="Run `pinakes index build`.")
    generation = live["generation"]
    joined = DeltaSet()
    for _, deltas in await read_deltas(connection, generation, live["folded_epoch"]):
        for term, delta in deltas.items():
            joined.then(term, delta)
    docs = await connection.fetchval(_GENERATIONS["documents"])
    held = [row["segment"] for row in await connection.fetch(_TERMS["segments_held"], generation)]
    return Subject(generation, joined, max([-(-docs // SEGMENT), *(number + 1 for number in held)]))


async def check_segment(
    connection: Connection, checked: Subject, segment: int, chunk: int | None = None
) -> list[Finding]:
    """What is wrong with a segment; with a `chunk`, among those `CHUNK` of its documents only.

    Every stored cardinality is compared with its bitmap in any case.
    """
    rows = SegmentRows(segment)
    first = segment * SEGMENT
    looked_at = BitMap(range(first, first + SEGMENT))
    if chunk is None:
        await rows.read(connection)
    else:
        first += chunk * CHUNK
        looked_at = BitMap(range(first, first + CHUNK))
        row = await connection.fetchrow(_ROWS["documents"], first, first + CHUNK)
        if row is not None and row["rows"]:
            rows.add(row)
    truth = {term: decode(bits) for term, _, bits in rows.terms(await read_codes(connection, checked.generation))}
    found: list[Finding] = []
    stored: dict[str, BitMap] = {}
    for row in await connection.fetch(_TERMS["all_segments"], checked.generation, segment):
        bitmap = decode(row["bits"])
        if len(bitmap) != row["cardinality"]:
            found.append(Finding(row["term"], segment, (), (), f"cardinality says {row['cardinality']}"))
        stored[row["term"]] = bitmap & looked_at
    for term, delta in checked.joined.terms.items():
        here = Delta(delta.added & looked_at, delta.removed & looked_at)
        if here.added or here.removed:
            here.apply(stored.setdefault(term, BitMap()))
    for term in sorted(truth.keys() | stored.keys()):
        wanted, got = truth.get(term, BitMap()), stored.get(term, BitMap())
        if wanted != got:
            found.append(Finding(term, segment, tuple((wanted - got)[:5]), tuple((got - wanted)[:5])))
    return found
