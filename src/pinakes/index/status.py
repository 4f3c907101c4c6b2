"""What there is of the index: generations, how far they are, what they hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pinakes.store.pool import Connection
from pinakes.store.queries import load

_SQL = load("generation", "pinakes.index.sql")


@dataclass(frozen=True, slots=True)
class FieldSize:
    """The terms of one field: how many, with how many members, in how many bytes."""

    field: str
    terms: int
    rows: int
    members: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Generation:
    """One build. `current`: it belongs to the read model as it is, and has missed no epoch."""

    generation: int
    status: str
    current: bool
    docs: int
    began_at: datetime
    built_at: datetime | None
    folded_at: datetime | None
    folded_epoch: int
    epoch: int
    unfolded: int
    parts: int
    parts_docs: int
    new_docs: int
    fields: tuple[FieldSize, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The whole index."""

    usable: bool
    generations: tuple[Generation, ...]
    segments_bytes: int
    deltas_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """As figures, for JSON."""
        return asdict(self)


async def read_status(connection: Connection) -> Status:
    """The index as it is; reads all of its rows once."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(_SQL["status"])
        generations = tuple([await _generation(connection, row) for row in rows])
        size = await connection.fetchrow(_SQL["relation_size"])
    assert size is not None
    usable = any(each.status == "live" and each.current for each in generations)
    return Status(usable, generations, size["segments"], size["deltas"])


async def _generation(connection: Connection, row: Any) -> Generation:
    shared = {name: row[name] for name in row.keys() if name in Generation.__slots__}  # noqa: SIM118  a record iterates over values
    sizes = await connection.fetch(_SQL["size"], row["generation"])
    fields = tuple(
        FieldSize(size["field"], size["terms"], size["rows"], size["members"], size["bytes"]) for size in sizes
    )
    return Generation(**shared, new_docs=max(row["next_doc"] - row["docs"], 0), fields=fields)
