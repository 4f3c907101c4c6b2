"""Helpers of the read model's tests: is it equal to its definition, and what stands in it."""

from __future__ import annotations

from typing import Any

from pinakes.store.pool import Connection
from pinakes.view.applier import Applied, Applier
from pinakes.view.definition import COLUMNS, NAME, everything
from pinakes.view.facts import FACT_COLUMNS, Facts, facts

_STORED = f"SELECT {', '.join(COLUMNS)} FROM {NAME}"


async def differences(connection: Connection) -> list[str]:
    """Rows on one side only, as texts: finer than `=`, which takes -0.0 for 0.0 and 1.0 for 1 in JSON."""
    rows = await connection.fetch(f"""
        WITH defined AS (SELECT d::text AS row FROM ({everything()}) AS d),
             stored AS (SELECT s::text AS row FROM ({_STORED}) AS s)
        (SELECT 'missing' AS side, row FROM (SELECT row FROM defined EXCEPT ALL SELECT row FROM stored) AS m)
        UNION ALL
        (SELECT 'extra', row FROM (SELECT row FROM stored EXCEPT ALL SELECT row FROM defined) AS e)
    """)
    return [f"{row['side']}: {row['row'][:200]}" for row in rows]


async def drain(connection: Connection, applier: Applier | None = None) -> list[Applied]:
    """Applies epochs until nothing is dirty."""
    applier = applier or Applier()
    done = []
    while (applied := await applier.apply(connection)) is not None:
        done.append(applied)
    return done


async def stored_facts(connection: Connection) -> dict[tuple[int, int], Facts]:
    """What the read model knows of every item."""
    rows = await connection.fetch(f"SELECT source_type, id, {', '.join(FACT_COLUMNS)} FROM {NAME}")
    found = {(row["source_type"], row["id"]): facts(row) for row in rows}
    return {key: known for key, known in found.items() if known is not None}


async def documents(connection: Connection) -> dict[int, tuple[int, int]]:
    """Document number -> item."""
    rows = await connection.fetch(f"SELECT doc, source_type, id FROM {NAME}")
    assert len({row["doc"] for row in rows}) == len(rows)
    return {row["doc"]: (row["source_type"], row["id"]) for row in rows}


async def seed(connection: Connection) -> None:
    """Users 1 to 4 and tags 1 to 6; sequences far from the small ids tests use."""
    await connection.execute("""
        INSERT INTO users (id, username) SELECT n, 'user ' || n FROM generate_series(1, 4) AS n;
        INSERT INTO tags (id, name) SELECT n, 'tag ' || n FROM generate_series(1, 6) AS n;
        ALTER TABLE users ALTER COLUMN id RESTART WITH 1000;
        ALTER TABLE tags ALTER COLUMN id RESTART WITH 1000;
        ALTER TABLE content_items ALTER COLUMN id RESTART WITH 1000;
        ALTER TABLE content_items_auto ALTER COLUMN id RESTART WITH 1000;
    """)


async def changed_facts(
    before: dict[tuple[int, int], Facts], after: dict[tuple[int, int], Facts]
) -> list[tuple[tuple[int, int], Any, Any]]:
    """Items whose facts differ between two moments."""
    keys = before.keys() | after.keys()
    return [(key, before.get(key), after.get(key)) for key in sorted(keys) if before.get(key) != after.get(key)]
