"""Checks of PostgreSQL: server, settings, what is declared, indexes, tables, whatever holds back vacuum."""

from __future__ import annotations

from pinakes.doctor.finding import Finding
from pinakes.doctor.server_settings import LIMITS, MB, Size, judge, value_of
from pinakes.settings import Settings
from pinakes.store import catalogue
from pinakes.store.migrate import revisions
from pinakes.store.pool import Connection
from pinakes.store.queries import load

SQL = load("doctor", "pinakes.doctor.sql")

OLDEST = 150_000
WRAPAROUND = 500_000_000
LONG_TRANSACTION_S = 300.0
DEAD_ROWS, DEAD_SHARE = 10_000, 0.2
UNUSED_BYTES, UNUSED_S = 10 * MB, 7 * 86_400.0
BLOATED_BYTES, BLOAT = 50 * MB, 3.0
PENDING_ROWS = 50_000
LONG_STATEMENT = 300
"""Longer ones, such as functions, are not shown."""
MEND = "pinakes check --part schema --repair"
_ENTRY = 16
"""Bytes of a btree entry beside its values: header, pointer, alignment."""


async def server(connection: Connection, _: Settings) -> list[Finding]:
    """PostgreSQL 15 or newer, far from running out of transaction numbers."""
    row = await connection.fetchrow(SQL["server"])
    assert row is not None
    found = []
    if row["version"] < OLDEST:
        said = f"PostgreSQL {row['version'] // 10_000} is older than {OLDEST // 10_000}"
        found.append(Finding("server", "problem", said, "Upgrade the server."))
    if row["transactions"] > WRAPAROUND:
        said = f"{row['transactions']:,} transactions since the oldest frozen row; the server stops at 2 billion"
        found.append(Finding("server", "problem", said, "VACUUM (FREEZE) the database; see what holds vacuum back."))
    if row["standby"]:
        fix = "Writes, workers and commands that change something need the primary."
        found.append(Finding("server", "note", "This is a standby.", fix))
    return found


async def settings(connection: Connection, ours: Settings) -> list[Finding]:
    """No setting of PostgreSQL that loses data or time; the table below."""
    row = await connection.fetchrow(SQL["server"])
    assert row is not None
    rows = await connection.fetch(SQL["settings"], [limit.name for limit in LIMITS])
    # Each process has a pool, a publisher and a bell; workers and commands come on top.
    size = Size(row["database_bytes"], ours.workers * (ours.pool_max_size + ours.pool_write_max_size + 2) + 5)
    return judge({row["name"]: value_of(row["setting"], row["unit"]) for row in rows}, size)


async def indexes(connection: Connection, _: Settings) -> list[Finding]:
    """Every index not bloated, and used."""
    found = []
    for row in await connection.fetch(SQL["indexes"]):
        name, bytes_ = row["name"], row["bytes"]
        if row["scans"] == 0 and not row["is_unique"] and bytes_ > UNUSED_BYTES and row["counted_s"] > UNUSED_S:
            days = row["counted_s"] / 86_400
            said = f"Index {name} ({bytes_ / MB:.0f} MB) was not used in {days:.0f} days."
            fix = "Leave it if the question it is for (docs/db.md) is ever asked; else DROP INDEX CONCURRENTLY."
            found.append(Finding("indexes", "note", said, fix))
        fair = row["entries"] * (row["width"] + _ENTRY)
        if row["method"] == "btree" and row["width"] and bytes_ > max(BLOATED_BYTES, BLOAT * fair):
            said = f"Index {name} has {bytes_ / MB:.0f} MB, {bytes_ / max(fair, 1):.1f} times what its entries need."
            found.append(Finding("indexes", "warning", said, f"REINDEX INDEX CONCURRENTLY {name}"))
    return found


async def declared(connection: Connection, _: Settings) -> list[Finding]:
    """Everything the schema declares, there and in use: tables, columns, constraints, functions, indexes, triggers."""
    if catalogue.declared()[0] != revisions()[-1]:
        return []
    found = []
    for fault in await catalogue.faults(connection):
        said = f"{fault.said[0].upper()}{fault.said[1:]}."
        fix = "; ".join(statement for statement in fault.repair if len(statement) <= LONG_STATEMENT)
        found.append(Finding("declared", "problem", said, f"{MEND}, which does: {fix}" if fix else MEND))
    found += [
        Finding("declared", "problem", f"{said}.", "pinakes migrate --roles")
        for said in await catalogue.ungranted(connection)
    ]
    return found


async def tables(connection: Connection, _: Settings) -> list[Finding]:
    """Tables without many dead rows, with statistics, vacuumed by the server."""
    found = []
    for row in await connection.fetch(SQL["tables"]):
        name = row["name"]
        if row["no_autovacuum"]:
            fix = f"ALTER TABLE {name} RESET (autovacuum_enabled)"
            found.append(Finding("tables", "warning", f"Autovacuum is switched off for {name}.", fix))
        if row["dead"] > DEAD_ROWS and row["dead"] > DEAD_SHARE * row["live"]:
            said = f"{name} has {row['dead']:,} dead rows beside {row['live']:,} live ones."
            fix = f"VACUUM {name}; if they stay, something holds vacuum back."
            found.append(Finding("tables", "warning", said, fix))
        if row["known_rows"] < 0 and row["live"] > DEAD_ROWS:
            found.append(Finding("tables", "warning", f"{name} has no statistics.", f"ANALYZE {name}"))
    return found


async def fastupdate(connection: Connection, _: Settings) -> list[Finding]:
    """GIN indexes whose list of what is not yet indexed is emptied in time."""
    inserted = {row["name"]: row["inserted"] for row in await connection.fetch(SQL["tables"])}
    found = []
    for row in await connection.fetch(SQL["indexes"]):
        table = row["table_name"]
        waiting = inserted.get(table, 0)
        if row["method"] == "gin" and not row["no_fastupdate"] and waiting > PENDING_ROWS:
            said = f"{waiting:,} rows came to {table} since its last vacuum; {row['name']} may list many of them."
            fix = f"VACUUM {table}; under constant writes ALTER INDEX {row['name']} SET (fastupdate = off)."
            found.append(Finding("fastupdate", "note", said, fix))
    return found


async def held_back(connection: Connection, _: Settings) -> list[Finding]:
    """Nothing old that keeps vacuum from taking dead rows away."""
    found = []
    longest = await connection.fetchrow(SQL["longest"], LONG_TRANSACTION_S)
    if longest is not None:
        said = (
            f"A transaction of {longest['application_name'] or 'some program'} (process {longest['pid']}, "
            f"{longest['state']}) is open for {longest['seconds'] / 60:.0f} minutes; dead rows stay meanwhile."
        )
        fix = f"End it, or SELECT pg_terminate_backend({longest['pid']})."
        found.append(Finding("held back", "warning", said, fix))
    for row in await connection.fetch(SQL["forgotten"]):
        prepared = row["kind"] == "prepared transaction"
        fix = f"ROLLBACK PREPARED '{row['name']}'" if prepared else f"SELECT pg_drop_replication_slot('{row['name']}')"
        said = f"The {row['kind']} {row['name']} is used by nobody and holds back vacuum."
        found.append(Finding("held back", "warning", said, f"If it is not wanted: {fix}"))
    return found
