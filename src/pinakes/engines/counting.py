"""Counting within a budget: the exact total if it can be had in time, else what is known without it."""

from __future__ import annotations

from typing import cast

from asyncpg import Record
from asyncpg.exceptions import QueryCanceledError

from pinakes.query.item import TotalKind
from pinakes.store.compiler import Compiler
from pinakes.store.pool import Connection


async def count_within(
    connection: Connection, sql: str, compiler: Compiler, budget_ms: int, at_least: int, *, scan: bool = True
) -> tuple[int, TotalKind]:
    """The number `sql` counts, with the values of `compiler`; after `budget_ms`, `at_least` as a lower bound.

    Without `scan`, whole tables are read only where no index can serve.
    """
    rows = await fetch_within(connection, sql, compiler, budget_ms, scan=scan)
    return (at_least, "lower_bound") if rows is None else (cast("int", rows[0][0]), "exact")


async def fetch_within(
    connection: Connection, sql: str, compiler: Compiler, budget_ms: int, *, scan: bool = True
) -> list[Record] | None:
    """The rows of `sql`; None where they take longer than `budget_ms`. `scan` as above."""
    await connection.execute(f"SAVEPOINT counting; SET LOCAL statement_timeout = {int(budget_ms)}")
    if not scan:
        await connection.execute("SET LOCAL enable_seqscan = off")
    try:
        return await connection.fetch(sql, *compiler.values)
    except QueryCanceledError:
        return None
    finally:
        # Also takes the settings back to what they were for the transaction.
        await connection.execute("ROLLBACK TO counting")
