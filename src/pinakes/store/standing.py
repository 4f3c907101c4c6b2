"""Rows that must always stand in the database, and how they are put back.

    epoch             one row: the state of the read model
    sources           one row a source, as `query/sources.py` lists them
    alembic_version   one row: the revision of the schema

Nothing in Pinakes deletes them; a person with psql can. Commands and services look at their start and at `/readyz`
(`require_rows`), and whoever reads the epoch goes through `sole_row`: a missing row is an error that names its
repair, and never a traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from pinakes.errors import MissingRow
from pinakes.query.sources import SOURCES
from pinakes.store.pool import translate_errors
from pinakes.store.queries import load

if TYPE_CHECKING:
    from pinakes.store.pool import Connection, Pool

_SQL = load("standing")


def sole_row(row: asyncpg.Record | None, table: str = "epoch") -> asyncpg.Record:
    """`row`, which a statement over the single row of `table` returned.

    Raises:
        MissingRow: it returned none.
    """
    if row is None:
        raise MissingRow(f"The table {table} has lost its only row.")
    return row


async def wrong_rows(executor: Pool | Connection) -> dict[str, str]:
    """What is wrong with the rows that must stand there, by table; empty where nothing is.

    Of the table with the revision only that it is empty: which revision it must be says `migrate`.

    Raises:
        SchemaMismatch: a table of theirs is not there.
        StoreUnavailable: the server cannot be reached.
    """
    with translate_errors():
        row = await executor.fetchrow(_SQL["standing"])
    assert row is not None, "an aggregate is always one row"
    wrong: dict[str, str] = {} if row["revisions"] else {"alembic_version": "has lost its only row"}
    if row["epochs"] != 1:
        wrong["epoch"] = f"has {row['epochs']} rows and must have one" if row["epochs"] else "has lost its only row"
    there = set(zip(row["codes"], row["names"], row["tables"], strict=True))
    listed = {(source.code, source.name, source.table) for source in SOURCES}
    if there != listed:
        lost, strange = (", ".join(str(code) for code, *_ in sorted(some)) for some in (listed - there, there - listed))
        said = (f"lacks the source with code {lost}" if lost else "", f"has a wrong row, {strange}" if strange else "")
        wrong["sources"] = " and ".join(part for part in said if part)
    return wrong


async def require_rows(executor: Pool | Connection) -> None:
    """Returns where every row is there that must be.

    Raises:
        MissingRow: one is not.
        SchemaMismatch: a table of theirs is not there.
    """
    for table, said in (await wrong_rows(executor)).items():
        raise MissingRow(f"The table {table} {said}.")


async def put_back(connection: Connection, revision: str) -> None:
    """Makes these rows what they must be, in a schema that is as `revision` says.

    There is no read model afterwards if the epoch was lost: a worker builds it.

    The new epoch is beyond every one that was given, so that nothing known of earlier ones can be taken for it.
    """
    async with connection.transaction():
        await connection.execute(_SQL["revision"], revision)
        await connection.execute(_SQL["one_epoch"])
        await connection.execute(_SQL["new_epoch"])
        codes, names, tables = ([getattr(source, name) for source in SOURCES] for name in ("code", "name", "table"))
        await connection.execute(_SQL["strange_sources"], codes)
        await connection.execute(_SQL["sources"], codes, names, tables)
