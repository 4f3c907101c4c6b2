"""Building one segment: read its rows, make its bitmaps, store them, in one transaction.

Parts are independent of each other, so they run in as many processes as there are cores and in any
order. Each row is read as of some moment since the build began: the deltas since then lead from any
of them to one and the same state (`bitmap.deltas`: applying one again changes nothing). The
processes have a lower priority than everybody else's.

    python -m pinakes.index.part GENERATION SEGMENT     prints the finished part as JSON
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import orjson

from pinakes.errors import StoreError
from pinakes.index.codes import read_codes
from pinakes.index.rows import SegmentRows
from pinakes.store.connection import connect as opened
from pinakes.store.pool import Connection
from pinakes.store.queries import load

DATABASE_VARIABLE = "PINAKES_INDEX_DATABASE"
NICE = 10
_LOCK = int.from_bytes(b"part", "big")
_GENERATIONS = load("generation", "pinakes.index.sql")
_COLUMNS = ("generation", "segment", "cardinality", "term", "bits")
# PostgreSQL counts microseconds from the year 2000.
_EPOCH_2000 = int(timedelta(days=10_957) / timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Part:
    """A finished segment: how many documents and terms, and how long it took."""

    segment: int
    docs: int
    terms: int
    seconds: float


async def connect(database_url: str) -> asyncpg.Connection[Any]:
    """A session for building: timestamps as microseconds, no time limit."""
    connection = await opened(database_url, name="pinakes index", settings={"statement_timeout": "0"})
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=_to_moment, decoder=_from_moment
    )
    return connection


def _from_moment(stored: tuple[int]) -> int:
    return stored[0] + _EPOCH_2000


def _to_moment(value: int) -> tuple[int]:
    return (value - _EPOCH_2000,)


async def build_part(connection: Connection, generation: int, segment: int) -> Part:
    """Reads, makes and stores one segment. One that is done already, by whomever, is left as it is.

    Raises:
        StoreError: the read model was built anew since the index build began.
    """
    began = time.perf_counter()
    await connection.execute("BEGIN")
    try:
        # Another process may be at it still, whose parent was killed.
        await connection.execute(_GENERATIONS["claim_part"], _LOCK ^ generation, segment)
        done = await connection.fetchrow(_GENERATIONS["part"], generation, segment)
        if done is not None:
            return Part(segment, done["docs"], done["terms"], done["seconds"])
        part = await _build(connection, generation, segment, began)
        await connection.execute("COMMIT")
        return part
    finally:
        await connection.execute("ROLLBACK")


async def _build(connection: Connection, generation: int, segment: int, began: float) -> Part:
    codes = await read_codes(connection, generation)
    epoch = await connection.fetchval(_GENERATIONS["belongs"], generation)
    rows = SegmentRows(segment)
    await rows.read(connection)
    if epoch is None or await connection.fetchval(_GENERATIONS["belongs"], generation) is None:
        raise StoreError("The read model was built anew, so this index no longer fits it.", hint="Build again.")
    records = [(generation, segment, count, term, bits) for term, count, bits in rows.terms(codes)]
    await connection.copy_records_to_table("term_segment", records=records, columns=_COLUMNS)
    seconds = time.perf_counter() - began
    await connection.execute(_GENERATIONS["put_part"], generation, segment, epoch, rows.docs, len(records), seconds)
    return Part(segment, rows.docs, len(records), seconds)


async def _main(database_url: str, generation: int, segment: int) -> None:
    os.nice(NICE)
    connection = await connect(database_url)
    try:
        part = await build_part(connection, generation, segment)
    finally:
        await connection.close()
    sys.stdout.buffer.write(orjson.dumps(asdict(part)))


if __name__ == "__main__":
    # The address may hold a password, and command lines can be read by everybody.
    asyncio.run(_main(os.environ[DATABASE_VARIABLE], int(sys.argv[1]), int(sys.argv[2])))
