"""Checks of what Pinakes keeps in PostgreSQL: schema, loads, read model and worker, index, drift, figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pinakes.doctor.finding import Finding
from pinakes.doctor.postgres import SQL
from pinakes.errors import SchemaMismatch, UnfitDatabase
from pinakes.figures.history import read_history
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store.fitness import Access, require_fit
from pinakes.store.migrate import revisions
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source
from pinakes.store.standing import wrong_rows
from pinakes.view import definition
from pinakes.view.epoch import read_epoch
from pinakes.view.status import read_status

GRACE_S = 10.0
QUEUE_BYTES = 64 * 2**20
UNFOLDED = 1000
PLACES = 40
SOME_TAGS = 50
FAILED_SHARE = 0.01


async def schema(connection: Connection, _: Settings) -> list[Finding]:
    """The schema of this version, with the rows that must be there and nothing owed by an interrupted load."""
    revision = await connection.fetchval("SELECT max(version_num) FROM alembic_version")
    if revision is not None and revision != revisions()[-1]:
        raise SchemaMismatch(f"The database is at revision {revision}, this version needs {revisions()[-1]}.")
    unfit: list[Finding] = []
    try:
        await require_fit(connection, Access.READ)
    except UnfitDatabase as error:
        unfit.append(Finding("schema", "problem", error.detail, error.advice))
    found = unfit + [
        Finding("schema", "problem", f"The table {table} {said}.", "pinakes check --part schema --repair")
        for table, said in (await wrong_rows(connection)).items()
    ]
    owed = await connection.fetchval(SQL["owed"])
    if owed:
        said = f"A bulk load was interrupted: {owed} indexes or keys are not there again yet."
        found.append(Finding("schema", "problem", said, "`pinakes migrate` makes them again."))
    return found


async def read_model(connection: Connection, settings: Settings) -> list[Finding]:
    """A read model that is kept: no change waits longer than its policy allows."""
    status = await read_status(connection, settings)
    if status.policy is None:
        said = "There is no read model: every answer comes from the tables."
        return [Finding("read model", "note", said, "`pinakes worker` makes one; `pinakes advise` says whether to.")]
    found = []
    if not status.current_definition:
        said = "The read model is of another version of Pinakes."
        found.append(Finding("read model", "warning", said, "Start `pinakes worker`: it builds it anew."))
    allowed = (status.worst_staleness_s or 0.0) + GRACE_S
    if status.oldest_waiting_s > allowed:
        said = (
            f"The oldest of {status.waiting:,} waiting changes waits for {status.oldest_waiting_s:.0f} s; "
            f"policy {status.policy} allows {allowed:.0f}. No worker runs, or it is stuck."
        )
        fix = "Start `pinakes worker`, or read its log; `pinakes view refresh` does its work once."
        found.append(Finding("read model", "problem", said, fix))
    queue = await connection.fetchrow(SQL["queue"])
    assert queue is not None
    if queue["bytes"] > QUEUE_BYTES and not status.waiting:
        said = f"The queue of changes is empty and has {queue['bytes'] / 2**20:.0f} MB: every epoch reads through it."
        found.append(Finding("read model", "warning", said, "VACUUM dirty; if that does not help, VACUUM FULL dirty."))
    return found


async def bitmap_index(connection: Connection, _: Settings) -> list[Finding]:
    """The bitmap index, where there is one, follows every epoch and is folded."""
    found = []
    for row in await connection.fetch(SQL["index_followers"]):
        if not row["current"] or row["behind"] > 0:
            said = "The bitmap index does not belong to the read model as it is: nobody uses it."
            found.append(Finding("bitmap index", "warning", said, "`pinakes index build`, or let a worker do it."))
        elif row["unfolded"] > UNFOLDED:
            said = f"{row['unfolded']:,} epochs wait to be folded into the index; each process keeps them in memory."
            found.append(Finding("bitmap index", "warning", said, "Start `pinakes worker`, or read its log."))
    return found


async def drift(connection: Connection, _: Settings) -> list[Finding]:
    """Some items and tag counts, compared with what they are derived from."""
    found: list[Finding] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        wrong = await connection.fetch(SQL["wrong_tag_counts"], SOME_TAGS)
        if wrong:
            names = ", ".join(row["name"] for row in wrong[:5])
            said = f"{len(wrong)} of {SOME_TAGS} tag counts looked at are wrong: {names}."
            fix = "Were triggers switched off? Then the read model missed changes too: `pinakes view rebuild`."
            found.append(Finding("drift", "problem", said, fix))
        epoch = await read_epoch(connection)
        if epoch.policy is None or await connection.fetchval("SELECT EXISTS (SELECT FROM dirty_marks)"):
            return found
        keys = []
        for source in SOURCES:
            ids = {row["id"] for row in await connection.fetch(for_source(SQL["some_items"], source), PLACES)}
            waiting = await connection.fetch(SQL["dirty_items"], source.code, sorted(ids))
            keys.append(sorted(ids - {row["id"] for row in waiting}))
        fresh = {(row["source_type"], row["id"]): row for row in await connection.fetch(definition.by_keys(), *keys)}
        stored_sql = definition.stored_by_keys(definition.COLUMNS)
        stored = {(row["source_type"], row["id"]): row for row in await connection.fetch(stored_sql, *keys)}
    differing = [key for key in fresh.keys() | stored.keys() if fresh.get(key) != stored.get(key)]
    if differing:
        some = ", ".join(f"({source}, {number})" for source, number in sorted(differing)[:5])
        said = f"{len(differing)} of {len(fresh)} items looked at are not in the read model as they are: {some}."
        found.append(Finding("drift", "problem", said, "`pinakes view rebuild`; then look for triggers switched off."))
    return found


async def answers(connection: Connection, settings: Settings) -> list[Finding]:
    """The last hour's answers: hardly any failed."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    history = await read_history(connection, until - timedelta(hours=1), until, step_s=3600)
    failed, computed = history.count("engine:failed"), history.count("engine")
    if failed and failed > FAILED_SHARE * computed:
        said = f"{failed:,} of {computed:,} pages computed in the last hour failed."
        fix = (
            f"Read the log; statement-timeout-ms is {settings.statement_timeout_ms}. `pinakes advise` says what helps."
        )
        return [Finding("answers", "warning", said, fix)]
    return []
