"""The bitmap index against the read model, a segment of 2^20 documents in one snapshot.

Every stored cardinality is compared with its bitmap. Members are compared for every term: of all
documents with `full` (some 8 s and 1 kB a document of memory for a whole segment), else of
`CHUNK` documents chosen by chance in each segment (half a second).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pinakes.audit.part import SQL, Finding, Skipped, Step, Subject
from pinakes.bitmap.segments import SEGMENT
from pinakes.bitmap.terms import ORDER_FIELDS
from pinakes.errors import ReadModelNotReady
from pinakes.index.build import build
from pinakes.index.part import connect
from pinakes.index.rows import CHUNK
from pinakes.index.verify import check_segment, subject
from pinakes.store.pool import Connection, translate_errors
from pinakes.store.standing import sole_row

_SHOWN = 20


async def segments(checked: Subject, start: Any) -> AsyncIterator[Step]:
    """Segments of the index in use."""
    number = start or 0
    broken = await _shape(checked)
    if broken:
        yield Step(0, 1, 1, broken, 1)
        return
    async with _session(checked) as connection:
        while True:
            with translate_errors():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    try:
                        index = await subject(connection)
                    except ReadModelNotReady as error:
                        raise Skipped("there is no index in use") from error
                    if number >= index.segments:
                        return
                    docs = sole_row(await connection.fetchrow("SELECT next_doc FROM epoch"))["next_doc"]
                    there = -(-min(docs - number * SEGMENT, SEGMENT) // CHUNK)
                    chunk = None if checked.full else checked.rng.randrange(max(there, 1))
                    wrong = await check_segment(connection, index, number, chunk)
            found = [_finding(each.term, number, each.missing, each.extra, each.note) for each in wrong[:_SHOWN]]
            if len(wrong) > _SHOWN:
                found.append(Finding("index", f"segment {number}", f"{len(wrong) - _SHOWN:,} more terms are wrong"))
            number += 1
            yield Step(number, number, index.segments, tuple(found), 1)


async def _shape(checked: Subject) -> tuple[Finding, ...]:
    """What the index in use has lost besides its bitmaps."""
    row = await checked.pool.fetchrow(SQL["index_shape"])
    if row is None:
        return ()
    where = f"generation {row['generation']}"
    lost = () if row["followed"] else (Finding("index", where, "nobody knows which epochs it has"),)
    if row["codes"] != len(ORDER_FIELDS):
        lost = (*lost, Finding("index", where, f"has codes of {row['codes']} of {len(ORDER_FIELDS)} orders"))
    return lost


def _finding(term: str, segment: int, missing: tuple[int, ...], extra: tuple[int, ...], note: str) -> Finding:
    parts = [f"lacks {list(missing)}" if missing else "", f"has {list(extra)} too" if extra else "", note]
    return Finding("index", f"{term} in segment {segment}", ", ".join(part for part in parts if part))


@asynccontextmanager
async def _session(checked: Subject) -> AsyncIterator[Connection]:
    with translate_errors():
        connection = await connect(checked.settings.database_url or "")
    try:
        yield connection
    finally:
        await connection.close()


async def build_anew(checked: Subject, _: list[Finding]) -> str:
    """Builds the index anew beside the wrong one, which is answered from until then."""
    built = await build(checked.settings.database_url or "")
    return f"built generation {built.generation} of {built.docs:,} documents"
