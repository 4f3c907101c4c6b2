"""Stamps: which epoch an answer belongs to, read in the snapshot that computes it.

An answer from the read model is the state of its epoch exactly. One from the base tables can be
ahead: it shows changes that wait for their epoch, and what it shows of a row may be gone again when
that epoch comes, without any clock telling of it. Such an answer is *inexact* and bound by the newest
epoch. It is exact after all if no waiting row matters to it: none that matches the question as it
stands in the base tables, and none that matches as the read model still has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pinakes.query.formula import Formula, Term, assume
from pinakes.query.sources import SOURCES
from pinakes.store.compiler import VIEW_COLUMNS, Compiler, table_columns
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load
from pinakes.store.standing import sole_row

MANY_WAITING = 2000
"""With more rows waiting than this, looking at them costs more than another miss."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state a snapshot shows. `exact`: what was asked of it is what the read model says at `epoch`.

    `behind_ms`: how long before the snapshot the read model was known to hold everything committed;
    0 where nothing waits, None where nobody keeps it.
    """

    epoch: int
    incarnation: str
    exact: bool
    policy: str | None
    behind_ms: int | None


def of_the_read_model(stamp: Stamp) -> Stamp:
    """The stamp for an answer from the read model alone."""
    return replace(stamp, exact=True)


def stamp_of(row: Any) -> Stamp:
    """The stamp in a record; exact if nothing waits at all."""
    settled = row["settled"] and row["policy"] is not None
    behind = 0 if settled else row["behind_ms"] if row["policy"] is not None else None
    return Stamp(row["epoch"], row["incarnation"], row["settled"], row["policy"], behind)


async def read_stamp(connection: Connection) -> Stamp:
    """The stamp of the snapshot `connection` is in.

    Raises:
        MissingRow: the database has no epoch.
    """
    return stamp_of(sole_row(await connection.fetchrow(load("cache", "pinakes.cache.sql")["stamp"])))


async def stamp_for(connection: Connection, formula: Formula) -> Stamp:
    """The stamp for an answer to `formula` from the base tables."""
    stamp = await read_stamp(connection)
    if stamp.exact or stamp.policy is None:
        return replace(stamp, behind_ms=0)
    return replace(stamp, exact=not await _disturbed(connection, formula), behind_ms=0)


async def _disturbed(connection: Connection, formula: Formula) -> bool:
    """Whether a waiting change may matter to `formula`."""
    sql = load("cache", "pinakes.cache.sql")
    waiting = await connection.fetchrow(sql["waiting"], MANY_WAITING)
    assert waiting is not None
    if waiting["wide"] or waiting["rows"] >= MANY_WAITING:
        return True
    compiler = Compiler()
    stored = sql["waiting_stored"].replace("{condition}", compiler.condition(formula, VIEW_COLUMNS))
    if await connection.fetchval(stored, *compiler.values):
        return True
    for source in SOURCES:
        compiler = Compiler()
        here = assume(formula, {str(Term("source", other.code)): other is source for other in SOURCES})
        condition = compiler.condition(here, table_columns(source), probe=True)
        fresh = for_source(sql["waiting_fresh"], source).replace("{code}", str(source.code))
        if await connection.fetchval(fresh.replace("{condition}", condition), *compiler.values):
            return True
    return False
