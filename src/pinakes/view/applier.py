"""The applier: turns what writers marked dirty into the next epoch of the read model.

One epoch is one REPEATABLE READ transaction: take dirty rows, recompute exactly those items from
the base tables, change the rows that differ, advance the epoch, log the terms touched. All of it
becomes visible together or not at all, so a crash between any two steps changes nothing.

Dirty rows are taken with DELETE … RETURNING: each transaction's rows are taken by the first epoch
whose snapshot sees them, in whatever order transactions commit. (A consumer that remembers "all
up to number n" would pass over a row whose transaction commits after n was read.)

An epoch takes up to `batch` dirty rows, so a write larger than that becomes visible in several
epochs; `at` and `seen` advance only when the queue was taken to its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

from pinakes.query.sources import SOURCE_BY_CODE, SOURCES, Source
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load
from pinakes.view import epoch as epochs
from pinakes.view.definition import COLUMNS, by_keys, stored_by_keys
from pinakes.view.facts import FACT_COLUMNS, RowChange, facts, terms

DEFAULT_BATCH = 5000

Keys: TypeAlias = dict[int, list[int]]
"""Source code -> ids."""

Observer: TypeAlias = Callable[[Connection, int, Sequence[RowChange]], Awaitable[None]]
"""Called in the epoch's own transaction with its number and the rows it changed."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one epoch did. `drained`: nothing that its snapshot saw is left in the queue."""

    epoch: int
    changes: tuple[RowChange, ...]
    terms: tuple[str, ...]
    taken: int
    drained: bool


@dataclass(slots=True)
class Applier:
    """Applies epochs to the plain table of policy `incremental`. The caller holds the lock."""

    batch: int = DEFAULT_BATCH
    observers: list[Observer] = field(default_factory=list)

    async def apply(self, connection: Connection) -> Applied | None:
        """The next epoch, or None where nothing is dirty."""
        async with connection.transaction(isolation="repeatable_read"):
            marked, keys, taken = await take(connection, self.batch)
            if not marked and not taken:
                return None
            changes = await _recompute(connection, keys)
            added = sum(1 for change in changes if change.before is None)
            drained = taken < self.batch
            touched = sorted({*terms(changes), *marked})
            number = await connection.fetchval(epochs.SQL["advance"], added, drained)
            for observer in self.observers:
                await observer(connection, number, changes)
            await connection.execute(epochs.SQL["log_and_announce"], number, len(changes), touched)
        return Applied(number, tuple(changes), tuple(touched), taken, drained)


def _sql(name: str, source: Source | None = None) -> str:
    text = load("applier", "pinakes.view.sql")[name]
    return text if source is None else for_source(text, source).replace("{code}", str(source.code))


async def is_dirty(connection: Connection) -> bool:
    """Whether anything changed since the last epoch."""
    return bool(await connection.fetchval(_sql("is_dirty")))


async def take(connection: Connection, limit: int) -> tuple[set[str], Keys, int]:
    """Takes the marks and up to `limit` dirty rows: terms the marks stand for, items the rows name, how many rows.

    Marks become dirty rows of the items they mean, which are taken as far as `limit` allows.
    """
    marks, keys, taken = await _taken(connection, limit)
    if not marks:
        return set(), keys, taken
    for source in SOURCES:
        if "creator" in marks:
            await connection.execute(_sql("spread_creators", source), marks["creator"])
        if source.code in marks.get("source", ()):
            await connection.execute(_sql("spread_source", source))
    _, more, rows = await _taken(connection, limit - taken)
    for code, ids in more.items():
        keys[code] = sorted({*keys.get(code, ()), *ids})
    shown = {"names"} if "names" in marks or "creator" in marks else set()
    return shown | ({"vocabulary"} if "vocabulary" in marks else set()), keys, taken + rows


async def _taken(connection: Connection, limit: int) -> tuple[dict[str, list[int]], Keys, int]:
    marks: dict[str, list[int]] = {}
    keys: Keys = {}
    taken = 0
    for row in await connection.fetch(_sql("take"), limit):
        if row["mark"] is not None:
            marks[row["mark"]] = row["ids"]
        elif row["source_type"] in SOURCE_BY_CODE:
            keys[row["source_type"]] = row["ids"]
        taken += row["rows"]
    return marks, keys, taken


def parameters(keys: Keys) -> list[list[int]]:
    """`keys` as the parameters of `by_keys` and `stored_by_keys`."""
    return [keys.get(source.code, []) for source in SOURCES]


async def _recompute(connection: Connection, keys: Keys) -> list[RowChange]:
    if not keys:
        return []
    await connection.execute(_sql("no_seqscan"))
    rows = await connection.fetch(_apply_sql(), *parameters(keys))
    return [_change(row) for row in rows]


def _change(row: Any) -> RowChange:
    before, after = facts(row, "old_"), facts(row, "new_")
    return RowChange(row["source_type"], row["id"], row["doc"], before, after)


@cache
def _apply_sql() -> str:
    """`apply` with its lists filled in; every identifier comes from this package."""

    def listed(prefix: str) -> str:
        return ", ".join(f"{prefix}{column}" for column in COLUMNS)

    pairs = [f"{side}.{c} AS {name}_{c}" for side, name in (("stored", "old"), ("fresh", "new")) for c in FACT_COLUMNS]
    parts = {
        "{fresh}": by_keys(),
        "{stored}": stored_by_keys((*COLUMNS, "doc")),
        "{columns}": listed(""),
        "{fresh_columns}": listed("fresh."),
        "{stored_columns}": listed("stored."),
        "{facts}": ",\n    ".join(pairs),
    }
    text = _sql("apply")
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text
