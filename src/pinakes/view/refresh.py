"""Refreshing the materialized view of policies `periodic` and `event`.

REFRESH … CONCURRENTLY runs inside one REPEATABLE READ transaction together with the taking of
dirty rows and the epoch. PostgreSQL computes the refresh at that transaction's snapshot, so the
dirty rows taken are exactly the changes the refresh contains: a change committed meanwhile is in
neither, and stays for the next one. The cost is that of the whole view, whatever changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from pinakes.store.pool import Connection
from pinakes.view import epoch as epochs
from pinakes.view.applier import parameters, take
from pinakes.view.build import KEEP_REFRESHES, SQL
from pinakes.view.definition import NAME, stored_by_keys
from pinakes.view.epoch import read_epoch
from pinakes.view.facts import EVERYTHING, FACT_COLUMNS, Facts, RowChange, facts, terms

# With more dirty rows than this their terms are most terms, and looking them up costs more than it saves.
MAX_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A finished refresh. `taken`: the dirty rows it covered."""

    epoch: int
    taken: int
    terms: tuple[str, ...]


async def refresh(connection: Connection) -> Refreshed | None:
    """Refreshes the view, or does nothing where nothing is dirty. The caller holds the lock."""
    async with connection.transaction(isolation="repeatable_read"):
        marked, keys, taken = await take(connection, MAX_KEYS)
        if not marked and not taken:
            return None
        wide = taken == MAX_KEYS
        if wide:
            status = await connection.execute(SQL["forget_dirty"])
            taken += int(status.rpartition(" ")[2])
        lists = parameters({} if wide else keys)
        before = await _stored(connection, lists)
        await connection.execute(SQL["refresh"])
        after = await _stored(connection, lists)
        changes = [RowChange(*key, None, before.get(key), after.get(key)) for key in before.keys() | after.keys()]
        touched = [EVERYTHING] if wide else sorted({*terms(changes), *marked})
        number = await connection.fetchval(epochs.SQL["advance"], 0, True)
        await connection.execute(epochs.SQL["log_and_announce"], number, len(changes), touched)
        policy, items = (await read_epoch(connection)).policy, await connection.fetchval(SQL["size"])
        await connection.execute(epochs.SQL["log_refresh"], "refresh", policy, number, taken, items, NAME)
        await connection.execute(epochs.SQL["prune_refreshes"], KEEP_REFRESHES)
    return Refreshed(number, taken, tuple(touched))


async def _stored(connection: Connection, lists: list[list[int]]) -> dict[tuple[int, int], Facts]:
    """The facts the view holds for the given keys."""
    if not any(lists):
        return {}
    rows = await connection.fetch(stored_by_keys(("source_type", "id", *FACT_COLUMNS)), *lists)
    found = {(row["source_type"], row["id"]): facts(row) for row in rows}
    return {key: known for key, known in found.items() if known is not None}
