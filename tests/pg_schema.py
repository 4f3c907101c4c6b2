"""What the schema is, as PostgreSQL describes it, for tests that must find it unchanged."""

from __future__ import annotations

import asyncpg

from pinakes.store.pool import Pool

_QUERIES = {
    "columns": "SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)"
    " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1",
    "indexes": "SELECT format('%s %s', indexrelid::regclass, pg_get_indexdef(indexrelid)) FROM pg_index"
    " JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace AND indisvalid ORDER BY 1",
    "constraints": "SELECT format('%s %s %s %s', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    " AND prokind = 'f' ORDER BY 1",
}

Schema = dict[str, list[str]]


async def describe(executor: Pool | asyncpg.Connection[asyncpg.Record]) -> Schema:
    """Columns, indexes, constraints, triggers and functions, in order."""
    return {name: [row[0] for row in await executor.fetch(sql)] for name, sql in _QUERIES.items()}
